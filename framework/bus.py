"""The bus, as services and displays know it: the last value of each feed, and word of a new one.

And why a service gets nothing, for as long as it does not: that is only stored, and found by
reading.

The contract, and the words that it is in. It moves bytes: what is in an update is the business of
``update``, ``server`` and ``display``. ``redisbus`` keeps it on Redis, ``framework.testing`` in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Protocol

from framework.bustime import AHEAD, BusTime

AHEAD_US = AHEAD // timedelta(microseconds=1)

TIMEOUT_S = 5.0
"""How long the server may take to answer."""
REREAD_S = 10.0
"""How often a follower reads again what is held: finds what notification has missed."""
LONGEST_FAILING = 120
"""How many characters there are to say why a service fails."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One update as it lies on the bus."""

    updated_us: int
    """When its fetch began, microseconds since 1970: decides what supersedes what."""
    body: bytes
    """The ``Update`` as JSON."""


@dataclass(frozen=True, slots=True)
class Held:
    """All that lies under one name."""

    posted: Posted | None = None
    """The last update; None: there is none, or none that can be read."""
    failing: str | None = None
    """Why its service has got nothing since then; empty: it has. None: nobody has said anything."""


class Outcome(Enum):
    """What became of a publish."""

    ARRIVED = "arrived"
    """Stored and announced; or it was stored already, by an attempt whose reply got lost."""
    SUPERSEDED = "superseded"
    """Something newer is held: nothing was changed."""
    AHEAD = "ahead"
    """Stamped over 60 s ahead of the bus's time: nothing was changed. Fetch again."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The bus's answer to a publish."""

    outcome: Outcome
    stored_us: int | None
    """``updated_us`` of what is held now."""

    @classmethod
    def of(cls, posted_us: int, stored_us: int | None, now_us: int) -> Receipt:
        """What became of ``posted_us``: ``stored_us`` is held, at ``now_us`` of the bus's time."""
        if posted_us - now_us > AHEAD_US:
            return cls(Outcome.AHEAD, stored_us)
        return cls(Outcome.ARRIVED if stored_us == posted_us else Outcome.SUPERSEDED, stored_us)


def ignored(name: str, why: str) -> None:
    """For who follows and does not ask why there is nothing."""


class Bus(Protocol):
    """The contract that ``RedisBus`` and ``framework.testing.MemoryBus`` keep.

    A *name* is an instance's name, lower-cased. Whatever goes wrong between us and the server is a
    ``BusUnavailable``; nothing else is raised. Whatever is read, or published, comes with the
    server's ``TIME``, which goes into ``time``.
    """

    time: BusTime

    async def publish(self, name: str, posted: Posted) -> Receipt:
        """Announce, then store, in one atomic step, if it supersedes what is held. What is stored
        so is failing no more."""
        ...

    async def fail(self, name: str, why: str) -> None:
        """Store, beside what is held, why there is nothing newer: one line that holds no secret."""
        ...

    async def snapshot(self, name: str) -> Held:
        """What is held under ``name``."""
        ...

    async def follow(
        self,
        names: Iterable[str],
        deliver: Callable[[str, Posted], bool],
        connected: Callable[[bool], None],
        failing: Callable[[str, str], None] = ignored,
    ) -> None:
        """Call ``deliver`` with all that supersedes, from the snapshot on, until cancelled.

        ``deliver`` says whether it could be used: what could not does not count as held, and is
        not delivered again while it is all that there is.
        Survives every fault of the server by itself; ``connected`` is told of each change, False
        when the server is away or frozen. ``failing`` is told why a service gets nothing, at the
        next reading, and an empty text as soon as there is something again.
        All are called in the event loop and must not block.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection. Never raises."""
        ...
