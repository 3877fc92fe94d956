"""``Transit``: who encrypts and decrypts without handing out a key. Vault's words throughout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from framework.errors import MatrixError

CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/]+={0,2}")
BATCH_ITEMS = 200
"""How many are rewrapped together. OpenBao takes no more than 1000 names and texts in the JSON of
one request (``max_request_json_strings``): an item has two of each, so some are left for what is
around them."""


class TransitUnavailable(MatrixError):
    """It cannot be reached, is sealed, or failed: the same call may succeed later."""


class TransitRefused(MatrixError):
    """It answered, and the answer is no: asking again changes nothing."""


class TransitForbidden(TransitRefused):
    """Whoever asks has no right to that."""

    def __init__(self, what: str, remedy: str) -> None:
        """``remedy``: of who asks as a service or a tool does."""
        super().__init__(f"{what}: {remedy}")
        self.what = what


class TooOld(TransitRefused):
    """The ciphertext's key version is below ``min_decryption_version``."""


class Unreadable(TransitRefused):
    """The ciphertext does not verify: another place, another key, a damaged text, or a version
    that the key does not have."""


@dataclass(frozen=True, slots=True)
class TransitKey:
    """What may be known of a key: never the key itself."""

    versions: Mapping[int, datetime]
    """Each version that exists, and when it was made (aware, by the Transit's own clock)."""
    min_decryption_version: int

    @property
    def latest(self) -> int:
        return max(self.versions)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One ciphertext and the context that it is bound to."""

    context: bytes
    ciphertext: str

    @property
    def version(self) -> int:
        return version_of(self.ciphertext)


def version_of(ciphertext: str) -> int:
    """The key version that a ciphertext names.

    :raises Unreadable: it is no ``vault:vN:…``; the text is not shown.
    """
    found = CIPHERTEXT.fullmatch(ciphertext)
    if found is None:
        raise Unreadable("what is stored is not a ciphertext (vault:vN:...)")
    return int(found[1])


class Transit(Protocol):
    """One key. The contract that every implementation keeps (one test suite runs them all).

    The key is *derived*: what is encrypted under one context cannot be decrypted under another.
    Calls block. All but ``rotate`` may be repeated. Every call may raise ``TransitUnavailable``.
    """

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        """Encrypt with the latest version."""
        ...

    def decrypt(self, sealed: Sealed) -> bytes:
        """:raises TooOld: :raises Unreadable:"""
        ...

    def rewrap(self, batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        """The same plaintexts under the latest version, without showing them; in the order of
        ``batch``, an error in the place of what was refused."""
        ...

    def read_key(self) -> TransitKey: ...

    def rotate(self) -> None:
        """Make a new version. Not repeated when the reply is lost: read the key and see."""
        ...

    def set_min_decryption_version(self, version: int) -> None:
        """:raises TransitRefused: there is no such version."""
        ...

    def now(self) -> datetime:
        """By its own clock, aware: what ages of versions are measured by."""
        ...


def opens_anywhere(transit: Transit, ciphertext: str) -> bool:
    """Whether it opens without a context too. Then its key is not derived, which only who may read
    the key could see otherwise, and what it seals is bound to no place.

    :raises TransitUnavailable:
    """
    try:
        transit.decrypt(Sealed(b"", ciphertext))
    except TransitRefused:
        return False
    return True
