# Who rotates the key of home/led, and cannot decrypt with it.
# Made from access.json by matrix vault bootstrap, which will undo changes.

path "transit/keys/led" {
  capabilities = ["read"]
}

path "transit/keys/led/rotate" {
  capabilities = ["update"]
}

path "transit/rewrap/led" {
  capabilities = ["update"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = []
    "batch_input" = []
  }
}

path "transit/keys/led/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
  }
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
