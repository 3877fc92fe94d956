"""When to run next, and until when a value is good. Pure: no clock, no chance, no I/O of its own.

``chance`` is a number in [0, 1) that the caller draws: that is all the randomness there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_RETRY = timedelta(seconds=5)
"""The longest wait after the first failure; it doubles with each further one, up to the period."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rhythm of one service."""

    period: timedelta
    """From start to start."""
    timeout: timedelta
    """The longest that one fetch may take."""
    jitter: float = 0.1
    """At most this share of the period is added, so that a hundred Pis do not ask in one second."""
    good_for: timedelta | None = None
    """How long a value is fresh at least; by default one missed run does not cry wolf."""
    max_age: timedelta | None = None
    """How long after ``observed`` a value may be fresh; by default ``good_for``."""
    soonest: timedelta = timedelta(seconds=1)
    latest: timedelta = timedelta(days=1)
    """What a hint of the source is clamped to, counted from the start of the fetch."""

    @property
    def lifetime(self) -> timedelta:
        """``good_for``, or its default."""
        if self.good_for is not None:
            return self.good_for
        return 2 * max(self.period * (1 + self.jitter), self.timeout) + self.timeout

    def after_success(
        self,
        began: datetime,
        finished: datetime,
        *,
        hint: datetime | timedelta | None,
        held_until: datetime | None = None,
        chance: float,
    ) -> datetime:
        """The next start. ``hint`` is what the source said of its next value, if it did; one that
        has passed is none, or a source that is behind would be asked every second. It is not asked
        again before ``held_until``, until when it said that it would answer the same.

        A fetch that outlasts its period is followed at once.
        """
        wish = hint - began if isinstance(hint, datetime) else hint
        if wish is None or wish <= timedelta(0):
            pause = self.period
        else:
            pause = min(max(wish, self.soonest), self.latest)
        if held_until is not None:
            pause = max(pause, min(held_until - began, self.latest))
        spread = min(pause, self.period) * (self.jitter * chance)
        return max(began + pause + spread, finished)

    def after_failure(
        self, finished: datetime, *, failures: int, retry_after: timedelta | None, chance: float
    ) -> datetime:
        """The next try after ``failures`` failures in a row, at least one.

        Never later than a period from now, unless the source asked for more patience.
        """
        longest = min(self.period, FIRST_RETRY * 2.0 ** min(failures - 1, 32))
        delay = longest * (0.5 + 0.5 * chance)
        if retry_after is not None:
            asked = min(max(retry_after, timedelta(0)), self.latest)
            delay = max(delay, asked * (1 + self.jitter * chance))
        return finished + max(delay, min(self.soonest, self.period))

    def validity(
        self, updated: datetime, next_start: datetime, observed: datetime | None
    ) -> tuple[datetime, datetime]:
        """(valid, expires) of a value fetched at ``updated``."""
        valid = max(updated + self.lifetime, next_start + self.period + self.timeout)
        if observed is not None:
            max_age = self.lifetime if self.max_age is None else self.max_age
            valid = min(valid, min(observed, updated) + max_age)
        return valid, valid + self.lifetime
