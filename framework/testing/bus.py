"""The bus in memory: the contract of ``Bus``, and the faults of a real one at a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from framework.bus import REREAD_S, TIMEOUT_S, Held, Outcome, Posted, Receipt, ignored
from framework.bustime import BusTime, from_us, to_us
from framework.errors import BusUnavailable
from framework.follower import Follower
from framework.update import supersedes


class MemoryBus:
    """A server and its clients in one object: give it to the services and the displays of a test.

    What is published is delivered before ``publish`` returns. The faults take effect at once, and
    followers find out as they would from a real server: at once when the connection breaks, at the
    next re-read when a message was lost or the server is frozen.
    """

    def __init__(self, clock: BusTime) -> None:
        self.time = clock
        self._held: dict[str, Held] = {}
        self._followers: list[Follower] = []
        self._clock_us = to_us(clock.now()) - self._elapsed_us()
        self._away = False
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._drop = self._duplicate = self._lost_replies = 0
        self._reorder = False
        self._late: list[tuple[str, Posted]] = []

    async def publish(self, name: str, posted: Posted) -> Receipt:
        await self._reach(f"publish {name}")
        held = self._held.get(name, Held()).posted
        held_us = held.updated_us if held else None
        now_us = self._read_time()
        if Receipt.of(posted.updated_us, None, now_us).outcome is not Outcome.AHEAD and supersedes(
            posted.updated_us, held_us, from_us(now_us)
        ):
            self._announce(name, posted)
            self._held[name] = Held(posted, failing="")
            held_us = posted.updated_us
        if self._lost_replies:
            self._lost_replies -= 1
            raise BusUnavailable(f"Cannot publish {name} on the bus in memory: no answer in time")
        return Receipt.of(posted.updated_us, held_us, now_us)

    async def fail(self, name: str, why: str) -> None:
        await self._reach(f"say why {name} fails")
        self._held[name] = replace(self._held.get(name, Held()), failing=why)

    async def snapshot(self, name: str) -> Held:
        await self._reach(f"read {name}")
        self._read_time()
        return self._held.get(name, Held())

    async def follow(
        self,
        names: Iterable[str],
        deliver: Callable[[str, Posted], bool],
        connected: Callable[[bool], None],
        failing: Callable[[str, str], None] = ignored,
    ) -> None:
        follower = Follower(names, self.time, deliver, connected, failing)
        self._followers.append(follower)
        never = asyncio.Event()
        try:
            while True:
                try:
                    await self._reach("follow")
                except BusUnavailable:
                    follower.tell(False)
                else:
                    self._reread(follower)
                await self.time.wait(never, REREAD_S)
        finally:
            self._followers.remove(follower)

    async def close(self) -> None:
        """Nothing to let go of."""

    # Faults.

    def drop(self, messages: int = 1) -> None:
        """The next messages reach no follower; what they announce is stored."""
        self._drop = messages

    def duplicate(self, messages: int = 1) -> None:
        """The next messages reach every follower twice."""
        self._duplicate = messages

    def reorder(self) -> None:
        """The next message arrives after the one that follows it."""
        self._reorder = True

    def lose_replies(self, publishes: int = 1) -> None:
        """The next publishes succeed, but who asked is told that nobody answered."""
        self._lost_replies = publishes

    def cut(self) -> None:
        """The followers' connections break, with what is under way, and are made anew."""
        self._late.clear()
        self._reconnect()

    def go_away(self) -> None:
        """The server is stopped: nothing reaches it."""
        self._away = True
        self._late.clear()
        for follower in self._followers:
            follower.tell(False)

    def come_back(self, *, empty: bool = False) -> None:
        """It is started again, with what it held, or with nothing."""
        self._away = False
        if empty:
            self._held.clear()
        self._reconnect()

    def freeze(self) -> None:
        """The server hangs: it takes connections and answers nobody."""
        self._thawed.clear()

    def thaw(self) -> None:
        """It goes on."""
        self._thawed.set()
        self._reconnect()

    def dump(self) -> dict[str, Held]:
        """What is held, to be restored later."""
        return dict(self._held)

    def restore(self, dump: dict[str, Held]) -> None:
        """The server was started again from an older dump."""
        self._held = dict(dump)
        self._reconnect()

    def set_clock(self, ahead: timedelta) -> None:
        """The server's clock is set this much ahead of what it says now (negative: back)."""
        self._clock_us += ahead // timedelta(microseconds=1)

    async def _reach(self, doing: str) -> None:
        if not self._away and await self.time.wait(self._thawed, TIMEOUT_S) and not self._away:
            return
        raise BusUnavailable(f"Cannot {doing} on the bus in memory: no answer")

    def _read_time(self) -> int:
        now_us = self._clock_us + self._elapsed_us()
        self.time.read(now_us)
        return now_us

    def _elapsed_us(self) -> int:
        return round(self.time.monotonic_s() * 1e6)

    def _announce(self, name: str, posted: Posted) -> None:
        if self._drop:
            self._drop -= 1
            return
        if self._reorder:
            self._reorder = False
            self._late.append((name, posted))
            return
        messages = [(name, posted), *self._late]
        self._late.clear()
        if self._duplicate:
            self._duplicate -= 1
            messages *= 2
        for message in messages:
            for follower in self._followers:
                if message[0] in follower.names:
                    follower.hear(*message)

    def _reconnect(self) -> None:
        if not self._away and self._thawed.is_set():
            for follower in self._followers:
                self._reread(follower)

    def _reread(self, follower: Follower) -> None:
        self._read_time()
        for name in follower.names:
            follower.read(name, self._held.get(name, Held()))
        follower.tell(True)
