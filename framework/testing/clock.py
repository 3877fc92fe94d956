"""A clock that stands still until it is told: the bus's time in tests.

It leaves real timers alone: only what waits through ``BusTime.wait`` lives in its time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import datetime, timedelta

from framework.bustime import BusTime, to_us

_TURNS = 100
"""More turns of the event loop than a chain of awaits between two waits takes."""


class FakeClock(BusTime):
    """Starts at ``now``, as read from a bus (``known=False``: never read), and stands still.

    ``await clock.advance(timedelta(hours=2))`` lives through two hours: each ``wait`` that ends in
    them ends at its time, in order, and what was waiting runs before the clock goes on.
    """

    def __init__(self, now: datetime, *, known: bool = True) -> None:
        super().__init__()
        self._elapsed = 0
        self._wall = _wall_us(now)
        self._alarms: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self.known = known

    @property
    def known(self) -> bool:
        return self._offset_us is not None

    @known.setter
    def known(self, known: bool) -> None:
        if not known:
            self._offset_us = None
        elif self._offset_us is None:
            self.read(self._wall)

    async def advance(self, by: timedelta) -> None:
        """Let this much time pass."""
        until = self._elapsed + _us(by)
        await settle()
        while self._alarms and self._alarms[0][0] <= until:
            self._pass(max(0, self._alarms[0][0] - self._elapsed))
            await settle()
        self._pass(max(0, until - self._elapsed))
        await settle()

    def suspend(self, by: timedelta) -> None:
        """The machine sleeps: this much time has passed at once, and nothing ran meanwhile."""
        self._pass(_us(by))

    def set_wall(self, to: datetime) -> None:
        """The wall clock is set; the one that counts what elapses is not, nor is the bus's."""
        self._wall = _wall_us(to)

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        if event.is_set() or timeout_s <= 0:
            return event.is_set()
        alarm = asyncio.get_running_loop().create_future()
        # At least a microsecond, or who waits for what is left of a float would wait for ever.
        due = self._elapsed + max(1, _us(timedelta(seconds=timeout_s)))
        heapq.heappush(self._alarms, (due, next(self._count), alarm))
        rang = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((alarm, rang), return_when=asyncio.FIRST_COMPLETED)
            return rang.done()
        finally:
            alarm.cancel()
            rang.cancel()

    def _pass(self, us: int) -> None:
        self._elapsed += us
        self._wall += us
        while self._alarms and (self._alarms[0][0] <= self._elapsed or self._alarms[0][2].done()):
            _, _, alarm = heapq.heappop(self._alarms)
            if not alarm.done():
                alarm.set_result(None)

    def _elapsed_us(self) -> int:
        return self._elapsed

    def _wall_us(self) -> int:
        return self._wall


async def settle() -> None:
    """Let every task run until it waits for something that is not there yet."""
    loop = asyncio.get_running_loop()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
        # asyncio's own loops show whether anything else is to run; others get all the turns.
        if not getattr(loop, "_ready", True):
            return


def _us(by: timedelta) -> int:
    if by < timedelta(0):
        raise ValueError(
            f"{by.total_seconds():g} s cannot pass: time only goes on. A clock can be set back: "
            "set_wall() sets this machine's, set_clock() of the bus the bus's"
        )
    return by // timedelta(microseconds=1)


def _wall_us(moment: datetime) -> int:
    if moment.utcoffset() is None:
        raise ValueError(
            f"{moment} has no time zone: make it aware, as in datetime(2026, 3, 1, tzinfo=UTC)"
        )
    return to_us(moment)
