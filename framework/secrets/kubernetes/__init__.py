"""Secrets and ConfigMaps of Kubernetes: how its API is reached, and what is in them."""
