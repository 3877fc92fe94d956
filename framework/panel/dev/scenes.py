"""What is drawn of a page that is being written: each state, in each size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from framework.page import Page
from framework.panel.stage import Frame, Stage
from framework.testing.clock import FakeClock
from framework.update import Update, Values

SIZES = ((128, 64), (64, 64), (64, 32), (256, 64))
GOOD_FOR = timedelta(hours=1)
AGES = {
    "fresh": timedelta(minutes=1),
    "late": 1.5 * GOOD_FOR,
    "expired": 3 * GOOD_FOR,
    "empty": None,
}
"""How old what the page shows is, in each of the states. None: it has nothing to show."""
TURN_S = 600.0
"""How long it is on until it comes on anew: before what is late would expire."""


class Scene(NamedTuple):
    """One picture."""

    name: str
    size: tuple[int, int]
    stage: Stage
    begins: datetime
    updates: Mapping[str, Update[Any]]

    def frame(self, elapsed_s: float) -> Frame:
        """So long after all of them began. Raises what ``draw`` raises."""
        page, elapsed_s = self.stage.page, elapsed_s % TURN_S
        clock = FakeClock(self.begins + timedelta(seconds=elapsed_s))
        page.on(clock, list(page.following.values()))
        for attribute, one in page.following.items():
            one.update = self.updates.get(attribute)
        return self.stage.frame(clock, *self.size, elapsed_s)


def scenes(page: Page[Any], values: Mapping[str, Values], at: datetime) -> Iterator[Scene]:
    """All of them, of the one ``page``, from ``values`` by attribute, which are of the time ``at``:
    as a service would publish them, but all with the same times."""
    updates = {
        attribute: Update(
            type=type(each).__name__,
            updated=at,
            valid=at + GOOD_FOR,
            expires=at + 2 * GOOD_FOR,
            values=each,
        )
        for attribute, each in values.items()
    }
    for state, age in AGES.items():
        for width, height in SIZES:
            yield Scene(
                f"{state} at {width}x{height}",
                (width, height),
                Stage(page, strict=True),
                at + (age or timedelta(0)),
                {} if age is None else updates,
            )
