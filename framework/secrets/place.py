"""What a ciphertext is bound to: the place where it lies.

A ciphertext that is copied elsewhere cannot be read there, because the context is part of its
encryption (a derived Transit key).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["document", "fields"]


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where one Secret is: a Kubernetes Secret, or a file (cluster and namespace ``local``)."""

    layout: Layout
    cluster: str
    namespace: str
    secret: str

    def context(self, data_key: str) -> bytes:
        """``v1\\0LAYOUT\\0CLUSTER\\0NAMESPACE\\0SECRET\\0DATAKEY``."""
        parts = ("v1", self.layout, self.cluster, self.namespace, self.secret, data_key)
        return "\0".join(parts).encode()
