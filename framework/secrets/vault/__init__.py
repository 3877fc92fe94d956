"""Vault's Transit engine: how it is reached, logged in to, and set up."""
