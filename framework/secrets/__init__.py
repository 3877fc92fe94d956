"""Where ciphertexts lie (``store``), who decrypts them (``transit``), and the local default of both,
in Kubernetes' and Vault's own words."""
