"""What a service has to say, and getting it onto the bus whatever the bus does meanwhile.

Holds the service's last good update, and why there is no newer one. Knows nothing of fetching or
schedules.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Generic, NoReturn

from framework.bus import LONGEST_FAILING, Bus, Held, Outcome, Posted
from framework.bustime import AHEAD, from_us, to_us
from framework.errors import BusUnavailable
from framework.oneline import one_line
from framework.outage import Outage
from framework.update import Update, V, supersedes
from framework.vitals import ServiceVitals

KEEP_S = 10.0
"""How often the key is read: an emptied or restored Redis is mended within that time."""
AWAY_S = 1.0
"""How often while the bus is away."""
FINISH_S = 5.0
"""How long a publish that has begun may go on after we were told to stop."""


class Publisher(Generic[V]):
    """One service's side of the bus."""

    def __init__(
        self, name: str, model: type[V], bus: Bus, log: logging.Logger, vitals: ServiceVitals
    ) -> None:
        self._name = name
        self._model = model
        self._bus = bus
        self._log = log
        self._outage = Outage(log, "publishing")
        self._vitals = vitals
        self.values: V | None = None
        """The last good values, whatever became of the times that they were published with."""
        self.held: Update[V] | None = None
        """The last good update, whether or not the bus has it."""
        self._failing = ""
        self._once_said: str | None = None
        self._failing_since = bus.time.now()
        self._never = asyncio.Event()
        self.refetch = asyncio.Event()
        """Set when what we hold carries a time that cannot be: fetch again, at once."""

    async def meet(self, adopt_within: timedelta) -> None:
        """Wait until the bus was reached once, and take over what it holds from before a restart.

        Before that there is no point in fetching: nothing could be published, and nobody knows
        what time it is.
        """
        while True:
            try:
                stored = await self._bus.snapshot(self._name)
            except BusUnavailable as away:
                self._bus_failed(away)
                self._vitals.pulse.due_within(AWAY_S)
                await self._pause(AWAY_S)
                continue
            self._outage.recovered()
            held = self._adopted(stored.posted, adopt_within) if stored.posted else None
            if held is not None:
                self._hold(held)
            return

    def _adopted(self, stored: Posted, within: timedelta) -> Update[V] | None:
        try:
            update = Update[self._model].model_validate_json(stored.body)  # type: ignore[name-defined]  # a class made at run time
        except Exception:  # a validator of the user's may raise anything
            return None
        if timedelta(0) <= self._bus.time.now() - update.updated < within:
            return update
        return None

    async def publish(self, update: Update[V]) -> None:
        """Hold ``update`` and publish it; if the bus is away, ``keep`` does so later.

        Told to stop meanwhile, it finishes first: a value that was fetched is not lost.
        """
        self._hold(update)
        sending = asyncio.ensure_future(self._send(update))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=FINISH_S)
            sending.cancel()
            raise

    async def fail(self, why: str) -> None:
        """Say why there is nothing new, once for as long as it is the same: who follows is told
        until the next ``publish``. ``why`` holds no secret."""
        line = one_line(why, longest=LONGEST_FAILING) or "no reason given"
        if line != self._failing:
            self._failing, self._failing_since = line, self._bus.time.now()
            await self._say()

    async def _say(self) -> None:
        try:
            await self._bus.fail(self._name, self._failing)
        except BusUnavailable as away:
            self._bus_failed(away)
            return
        self._outage.recovered()

    def _is_outlived(self, stored: Held) -> bool:
        """Whether what we once said stands beside what we have got since: on their way the two may
        have overtaken each other."""
        held, posted = self.held, stored.posted
        if self._failing or held is None or posted is None:
            return False
        return posted.updated_us == to_us(held.updated) and stored.failing == self._once_said

    def _hold(self, update: Update[V]) -> None:
        self._once_said = self._failing or self._once_said
        self._failing = ""
        self.held = update
        self.values = update.values
        self._vitals.good_at = update.updated

    async def _send(self, update: Update[V]) -> None:
        try:
            with self._vitals.publishing.timed():
                receipt = await self._bus.publish(
                    self._name, Posted(to_us(update.updated), update.to_wire())
                )
        except BusUnavailable as away:
            self._bus_failed(away)
            return
        self._outage.recovered()
        if receipt.outcome is Outcome.AHEAD:
            self._log.warning(
                "the update of %s is ahead of the bus's time %s: fetching again",
                update.updated,
                self._bus.time.now(),
            )
            self.held = None
            self.refetch.set()
        elif receipt.outcome is Outcome.SUPERSEDED and receipt.stored_us is not None:
            self._log.info("a newer update, of %s, is there already", from_us(receipt.stored_us))

    async def keep(self) -> NoReturn:
        """Every 10 s: if the bus lost our last good update, write it again, with its own times; or
        else why there is no newer one."""
        set_to_s = self._clock_is_set_to_s()
        while True:
            await self._pause(AWAY_S if self._outage.failures else KEEP_S)
            try:
                stored = await self._bus.snapshot(self._name)
            except BusUnavailable as away:
                self._bus_failed(away)
                continue
            # A clock that was wrong and is mended makes our times wrong, whichever way it jumped.
            if abs(self._clock_is_set_to_s() - set_to_s) > AHEAD.total_seconds():
                set_to_s = self._clock_is_set_to_s()
                self.refetch.set()
            held = self.held
            if held is not None and _lost(held.updated, stored.posted, self._bus.time.now()):
                await self._send(held)
            elif _unsaid(self._failing, self._failing_since, stored) or self._is_outlived(stored):
                await self._say()
            else:
                self._outage.recovered()

    def _bus_failed(self, why: BusUnavailable) -> None:
        self._vitals.bus_failures += 1
        self._outage.failed(str(why))

    def _clock_is_set_to_s(self) -> float:
        """What the bus's time is ahead of our own elapsing seconds: moves only if it is set."""
        return self._bus.time.now().timestamp() - self._bus.time.monotonic_s()

    async def _pause(self, seconds: float) -> None:
        await self._bus.time.wait(self._never, seconds)


def _lost(updated: datetime, stored: Posted | None, now: datetime) -> bool:
    """Whether the bus holds less than this update."""
    return supersedes(to_us(updated), None if stored is None else stored.updated_us, now)


def _unsaid(failing: str, since: datetime, stored: Held) -> bool:
    """Whether the bus does not say that we fail, though nobody has got anything since then."""
    is_told = not failing or stored.failing == failing
    return not is_told and (stored.posted is None or stored.posted.updated_us < to_us(since))
