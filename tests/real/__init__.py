"""Real servers: Vault and kube-apiserver, built by ``make test-real``; Redis, Valkey, a browser."""
