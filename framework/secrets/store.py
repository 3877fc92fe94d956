"""``Store``: where the ciphertexts of one Secret lie. Kubernetes' words throughout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from framework.errors import MatrixError

MAX_BYTES = 1024 * 1024
"""What Kubernetes allows for the values of a Secret together."""


class StoreUnavailable(MatrixError):
    """It cannot be reached or read now: the same call may succeed later."""


class StoreRefused(MatrixError):
    """It answered, and the answer is no: immutable, forbidden, too large, read-only, damaged."""


class Conflict(StoreRefused):
    """Somebody else has written since: read again and decide anew. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A Secret as it was read."""

    version: str
    """What ``replace`` compares (a resourceVersion): equal only if nothing was written since."""
    data: Mapping[str, str] = field(repr=False)
    """Data key to text: a ciphertext in a sealed source. Never shown."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    """Who else writes it (Argo, Flux, Helm), if that can be seen."""
    binary: Mapping[str, int] = field(default_factory=dict)
    """Data keys that are no text, and so stay as they are: how many bytes each has."""
    uid: str = ""
    """Which one it is, if one of the same name may take its place."""


class Store(Protocol):
    """One Secret. The contract that every implementation keeps (one test suite runs them all).

    Calls block. Every call may raise ``StoreUnavailable`` or ``StoreRefused``. After a reply that
    was lost the Secret is as before or as asked for, never between.
    """

    name: str
    """For messages: "Secret home/matrix-secrets", "secrets.sealed"."""

    def read(self) -> Stored | None:
        """None: there is no such Secret."""
        ...

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        """:raises Conflict: it exists."""
        ...

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        """Write all of ``data`` and ``annotations``, if nothing was written since ``held``.

        :raises Conflict: something was.
        """
        ...
