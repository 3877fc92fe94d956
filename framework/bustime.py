"""The bus's time: what both ends judge freshness by.

A Pi without a clock battery, or a server whose clock is a day ahead, must not make old data look
new. So nobody trusts the wall clock: the time is the last Redis ``TIME`` that was read, plus what
has elapsed since on a clock that also runs while the machine sleeps.

A reading is not a moment: the server looked at its clock some time between the question and the
answer, and the answer may have waited for our own loop. Of what that leaves open the latest is
taken, so that an error makes data look older than they are, never newer; and a reading that took
long does not replace a better one.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

AHEAD = timedelta(seconds=60)
"""An ``updated`` further ahead of the bus than this was made by a clock that is wrong."""
_DRIFT = 1000
"""Two clocks part by less than one in this many: bad crystals, or one that is being set slowly."""


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
        """The bus's time less what has elapsed here: at most this much."""
        self._open_us = 0
        """And at most this much less, at the last reading."""
        self._read_at_us = 0

    @property
    def known(self) -> bool:
        """Whether the bus was ever read. Before that freshness cannot be judged."""
        return self._offset_us is not None

    def read(self, bus_us: int, *, asked_s: float | None = None) -> None:
        """Take a reading of Redis ``TIME``, in microseconds. ``asked_s``: ``monotonic_s()`` when it
        was asked for; None: just now."""
        now_us = self._elapsed_us()
        asked_us = now_us if asked_s is None else round(asked_s * 1e6)
        least, most = bus_us - now_us, bus_us - asked_us
        if self._offset_us is not None:
            drift_us = (now_us - self._read_at_us) // _DRIFT
            held_least = self._offset_us - self._open_us - drift_us
            held_most = self._offset_us + drift_us
            # What both allow; if nothing, the bus's clock was set.
            if held_least <= most and least <= held_most:
                least, most = max(least, held_least), min(most, held_most)
        self._offset_us, self._open_us, self._read_at_us = most, most - least, now_us

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
