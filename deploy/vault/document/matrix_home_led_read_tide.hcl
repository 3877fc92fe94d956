# What tide in home/led may decrypt.
# Made from access.json by matrix vault bootstrap, which will undo changes.

path "transit/decrypt/led" {
  capabilities = ["update"]
  required_parameters = ["ciphertext", "context"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = [
      "djEAZG9jdW1lbnQAaG9tZQBsZWQAbWF0cml4LXNlY3JldHMAc2VjcmV0cy5qc29u", # secrets.json in matrix-secrets
    ]
  }
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
