# Who seals secrets of home/led, and cannot decrypt them.
# Made from access.json by matrix vault bootstrap, which will undo changes.

path "transit/encrypt/led" {
  capabilities = ["update"]
  required_parameters = ["plaintext", "context"]
  allowed_parameters = {
    "plaintext" = []
    "context" = [
      "djEAZG9jdW1lbnQAaG9tZQBsZWQAbWF0cml4LXNlY3JldHMAc2VjcmV0cy5qc29u", # secrets.json in matrix-secrets
    ]
  }
}

path "transit/rewrap/led" {
  capabilities = ["update"]
  required_parameters = ["ciphertext", "context"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = [
      "djEAZG9jdW1lbnQAaG9tZQBsZWQAbWF0cml4LXNlY3JldHMAc2VjcmV0cy5qc29u", # secrets.json in matrix-secrets
    ]
  }
}

path "transit/keys/led" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
