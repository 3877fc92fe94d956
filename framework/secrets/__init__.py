"""Where ciphertexts lie (``store``), who decrypts them (``transit``), and each one's local
default, in Kubernetes' and Vault's own words."""
