"""What a service or a player knows of its own doing: alive, ready, and numbers. No I/O.

Counting costs nothing, so it is always done; ``health`` tells whoever asks, if it is configured.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

SLACK_S = 30.0
"""How late a loop may be before it counts as hung: a Pi that starts everything at once is slow."""


MOST_IN_VAIN = 10
"""Calls that a library never answered, one after the other, before only a new start can help."""


class Pulse:
    """Whether a loop still goes round: each time, it says when it will again at the latest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s = clock() + SLACK_S

    def due_within(self, seconds: float) -> None:
        """The next call of this comes within that time, if all is well."""
        self._due_s = self._clock() + seconds + SLACK_S

    @property
    def overdue_s(self) -> float:
        """For how long it should have come; 0 while all is well."""
        return max(0.0, self._clock() - self._due_s)


class Timing:
    """How long something took, each time: how often, and all together."""

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_s += seconds

    @contextmanager
    def timed(self) -> Iterator[None]:
        """What is within took that long."""
        began_s = time.monotonic()
        yield
        self.add(time.monotonic() - began_s)


class Vitals(ABC):
    """Of whatever is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pulse = Pulse()

    @property
    def hangs(self) -> str:
        """Why it should be started again; empty: it is alive. May be asked in any thread."""
        overdue_s = self.pulse.overdue_s
        return f"hangs, for {overdue_s:.0f} s" if overdue_s else ""

    @property
    @abstractmethod
    def waits_for(self) -> str:
        """What it is not ready for want of; empty: it is ready."""


class ServiceVitals(Vitals):
    """Of one service."""

    def __init__(self, name: str, now: Callable[[], datetime]) -> None:
        """``now``: the bus's time."""
        super().__init__(name)
        self.fetches = 0
        self.failures = 0
        """Of the fetches."""
        self.publishing = Timing()
        self.bus_failures = 0
        """Times that the bus did not answer."""
        self.good_at: datetime | None = None
        """When the values were fetched that it publishes now."""
        self.in_vain = 0
        """Blocking calls that were given up, or not begun because of one that was, in a row."""
        self._now = now

    @property
    def hangs(self) -> str:
        if self.in_vain < MOST_IN_VAIN:
            return super().hangs
        return f"waits for a call that does not return; given up {self.in_vain} times"

    @property
    def waits_for(self) -> str:
        return "" if self.good_at is not None else "its first good values"

    @property
    def age_s(self) -> float | None:
        """Of the values that it publishes now."""
        return None if self.good_at is None else (self._now() - self.good_at).total_seconds()


class PanelVitals(Vitals):
    """Of the loop that draws."""

    def __init__(self, name: str = "panel") -> None:
        super().__init__(name)
        self.frames = 0
        """That differed from the one before."""
        self.lighting = Timing()
        """From the arrival of an update to the frame that shows it."""
        self.has_data = False
        """Whether any page has something to show."""

    @property
    def waits_for(self) -> str:
        return "" if self.has_data else "what its pages follow"
