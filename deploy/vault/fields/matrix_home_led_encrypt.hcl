# Who seals secrets of home/led, and cannot decrypt them.
# Made from access.json by matrix vault bootstrap, which will undo changes.

path "transit/encrypt/led" {
  capabilities = ["update"]
  required_parameters = ["plaintext", "context"]
  allowed_parameters = {
    "plaintext" = []
    "context" = [
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAGNvbnRhY3Q=", # contact in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHJlZGlzX3VybA==", # redis_url in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUuY29udGFjdA==", # tide.contact in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUubWVhbl9t", # tide.mean_m in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUucmVkaXNfdXJs", # tide.redis_url in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUudGltZXpvbmU=", # tide.timezone in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUudW5pdHM=", # tide.units in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpbWV6b25l", # timezone in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHVuaXRz", # units in matrix-secrets
    ]
  }
}

path "transit/rewrap/led" {
  capabilities = ["update"]
  required_parameters = ["ciphertext", "context"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = [
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAGNvbnRhY3Q=", # contact in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHJlZGlzX3VybA==", # redis_url in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUuY29udGFjdA==", # tide.contact in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUubWVhbl9t", # tide.mean_m in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUucmVkaXNfdXJs", # tide.redis_url in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUudGltZXpvbmU=", # tide.timezone in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpZGUudW5pdHM=", # tide.units in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHRpbWV6b25l", # timezone in matrix-secrets
      "djEAZmllbGRzAGhvbWUAbGVkAG1hdHJpeC1zZWNyZXRzAHVuaXRz", # units in matrix-secrets
    ]
  }
}

path "transit/keys/led" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
