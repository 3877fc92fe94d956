"""What is news to one follower: the part of ``Bus.follow`` that is the same on every bus.

Calls back with what is announced and what is read, each once and in order, and never with what
supersedes nothing. Where both come from, and when, is the bus's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from framework.bus import Held, Posted
from framework.bustime import BusTime
from framework.update import supersedes


class Follower:
    """What one ``follow`` has delivered, and what else it has said."""

    def __init__(
        self,
        names: Iterable[str],
        time: BusTime,
        deliver: Callable[[str, Posted], bool],
        connected: Callable[[bool], None],
        failing: Callable[[str, str], None],
    ) -> None:
        self.names = tuple(names)
        self._time = time
        self._deliver = deliver
        self._connected = connected
        self._failing = failing
        self._held_us: dict[str, int] = {}
        self._refused: dict[str, Posted] = {}
        self._why: dict[str, str] = {}
        self._told: bool | None = None

    def hear(self, name: str, posted: Posted) -> None:
        """Deliver what was announced, if it is news."""
        if self._take(name, posted):
            self._fail(name, "")

    def read(self, name: str, held: Held) -> bool:
        """Deliver what was found by reading. False: its update, if there is one, was no news."""
        is_news = held.posted is not None and self._take(name, held.posted)
        if held.failing is not None:
            self._fail(name, held.failing)
        return is_news

    def _fail(self, name: str, why: str) -> None:
        """Say why there is nothing, if that is news."""
        if why != self._why.get(name, ""):
            self._why[name] = why
            self._failing(name, why)

    def _take(self, name: str, posted: Posted) -> bool:
        """Deliver it if it supersedes what could be used last. False: it was no news."""
        if not supersedes(posted.updated_us, self._held_us.get(name), self._time.now()):
            return False
        if posted == self._refused.get(name):
            return False
        if self._deliver(name, posted):
            self._held_us[name] = posted.updated_us
        else:
            self._refused[name] = posted
        return True

    def tell(self, connected: bool) -> bool:
        """Say whether the bus answers, if that is news."""
        if connected is self._told:
            return False
        self._told = connected
        self._connected(connected)
        return True
