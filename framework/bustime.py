"""The bus's time: what both ends judge freshness by.

A Pi without a clock battery, or a server whose clock is a day ahead, must not make old data look
new. So nobody trusts the wall clock: the time is the last Redis ``TIME`` that was read, plus what
has elapsed since on a clock that also runs while the machine sleeps.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

AHEAD = timedelta(seconds=60)
"""An ``updated`` further ahead of the bus than this was made by a clock that is wrong."""


def from_us(us: int) -> datetime:
    """Microseconds since 1970 (as on the wire) as an aware UTC datetime, exactly."""
    return _EPOCH + timedelta(microseconds=us)


def to_us(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class BusTime:
    """Now, as the bus says. One for each bus, which reads ``TIME`` into it."""

    def __init__(self) -> None:
        self._offset_us: int | None = None

    @property
    def known(self) -> bool:
        """Whether the bus was ever read. Before that freshness cannot be judged."""
        return self._offset_us is not None

    def read(self, bus_us: int) -> None:
        """Take a reading of Redis ``TIME``, in microseconds."""
        self._offset_us = bus_us - self._elapsed_us()

    def now(self) -> datetime:
        """Aware, UTC. Before the first reading it is the local clock: good for drawing clocks."""
        if self._offset_us is None:
            return from_us(self._wall_us())
        return from_us(self._elapsed_us() + self._offset_us)

    def monotonic_s(self) -> float:
        """Seconds that only ever grow, for durations; the machine's sleep counts."""
        return self._elapsed_us() / 1e6

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Wait until ``event`` is set (True) or ``timeout_s`` have passed (False)."""
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def _elapsed_us(self) -> int:
        return time.clock_gettime_ns(_BOOT_CLOCK) // 1000

    def _wall_us(self) -> int:
        return time.time_ns() // 1000
