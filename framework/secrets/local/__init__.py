"""The local default: a keyring, and files with what it seals."""
