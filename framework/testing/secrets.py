"""``Transit`` and ``Store`` in memory: their contracts, and the faults of real ones at a word.

``before`` is called with the name of each call ("read", "rotate", ...) before it takes effect, and
``after`` once it has, before the reply: what they raise is a request that did not arrive, a reply
that was lost, or a crash; what they do is what somebody else does in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TypeVar

from framework.secrets.local.keyring import Keyring
from framework.secrets.store import Conflict, Stored
from framework.secrets.transit import Sealed, TransitKey, TransitRefused

T = TypeVar("T")
Hook = Callable[[str], None]


def _nothing(call: str) -> None:
    """What a hook does unless it is set."""


class _Called:
    """Runs one call at a time between the two hooks, which may call in turn."""

    def __init__(self) -> None:
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self._lock = Lock()

    def _call(self, name: str, effect: Callable[[], T | Exception]) -> T:
        self.before(name)
        with self._lock:
            result = effect()
        self.after(name)
        if isinstance(result, Exception):
            raise result
        return result


class MemoryTransit(_Called):
    """A key in memory. ``clock`` is its own clock: what versions are dated by."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.clock = clock
        self.keyring = Keyring.new(clock())
        """As it is now. Setting an earlier one is a Vault that was restored from a backup."""

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        return self._call("encrypt", lambda: self.keyring.encrypt(context, plaintext))

    def decrypt(self, sealed: Sealed) -> bytes:
        return self._call("decrypt", lambda: self.keyring.decrypt(sealed))

    def rewrap(self, batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        return self._call("rewrap", lambda: [self.keyring.rewrap(each) for each in batch])

    def read_key(self) -> TransitKey:
        return self._call("read_key", lambda: self.keyring.known)

    def rotate(self) -> None:
        self._call("rotate", lambda: self._hold(self.keyring.rotated(self.clock())))

    def set_min_decryption_version(self, version: int) -> None:
        self._call(
            "set_min_decryption_version", lambda: self._hold(self.keyring.with_floor(version))
        )

    def now(self) -> datetime:
        return self._call("now", self.clock)

    def _hold(self, keyring: Keyring | TransitRefused) -> TransitRefused | None:
        if isinstance(keyring, TransitRefused):
            return keyring
        self.keyring = keyring
        return None


class MemoryStore(_Called):
    """One Secret in memory."""

    def __init__(self, name: str = "secrets in memory") -> None:
        super().__init__()
        self.name = name
        self.stored: Stored | None = None
        """As it is now. Setting it is what somebody does who goes round the contract."""
        self._writes = 0

    def read(self) -> Stored | None:
        return self._call("read", lambda: self.stored)

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        return self._call("create", lambda: self._write(None, data, annotations))

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        return self._call("replace", lambda: self._write(held, data, annotations))

    def _write(
        self, held: Stored | None, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored | Conflict:
        if (self.stored and self.stored.version) != (held and held.version):
            return Conflict(f"{self.name} was written by somebody else")
        self._writes += 1
        owner = self.stored.owner if self.stored else None
        self.stored = Stored(str(self._writes), dict(data), dict(annotations), owner)
        return self.stored
