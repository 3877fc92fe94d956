"""One page made into frames: when to draw it, and what the framework draws over it.

A page that raises is contained here. It knows nothing of other pages, the playlist or sinks.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from PIL import Image

from framework.ages import age_words
from framework.bustime import BusTime
from framework.canvas import Canvas, tier_of
from framework.outage import Outage
from framework.page import Page
from framework.panel import marks
from framework.panel.status import PageStatus, State
from framework.redact import redacted
from framework.update import Freshness, Update, Values

AGE_SHOWN_S = 2.0
"""How long a late page says its age when it comes on."""
AGE_CHANGES_S = 30.0
"""How often an age in words is looked at again."""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
"""A page that raised is drawn again after this long at most."""
BUDGET_S = 1.0
"""A drawing that takes longer is told of: meanwhile nothing else of the panel goes on."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a page's ``draw`` made, and what must be as it was for it to be still right."""

    image: Image.Image
    of: tuple[object, ...]
    elapsed_s: float
    again_at_s: float | None
    """Drawn again once the page has been on for that long, because of motion."""
    ends_at_s: float | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the panel shows of a page now."""

    image: Image.Image
    state: State
    change_in_s: float | None
    """When it may look different though nothing is received."""
    ends_at_s: float | None = None
    """How long after it came on all of its text has been shown."""


class _Age(NamedTuple):
    words: str
    """Empty while they are not due."""
    share_left: float | None
    """Of the time between late and expired; None: it has expired."""
    change_in_s: float


class Stage:
    """Where one page plays."""

    def __init__(self, page: Page[Any], *, strict: bool = False) -> None:
        """``strict``, for tests: what ``draw`` raises is raised, drawing outside its region too."""
        self.page = page
        self._strict = strict
        self._drawn: Drawn | None = None
        self._outage = Outage(page.log, "drawing")
        self._slowness = Outage(page.log, "drawing in time")
        self._problem: str | None = None
        self._slow: str | None = None
        """That it overdraws its time, though what it draws is good."""
        self._retry_at_s = 0.0

    def status(self) -> PageStatus:
        """What the strip of pages says, without drawing."""
        return PageStatus(
            self.page.name, self.page.label, self._state(), self._problem or self._slow
        )

    def frame(self, time: BusTime, width: int, height: int, elapsed_s: float) -> Frame:
        """The page as it is now, ``elapsed_s`` after it came on. Never raises."""
        page = self.page
        if missing := page.missing():
            failing = [one for one in missing if one.failing]
            source = " ".join(one.name for one in failing or missing)
            why = failing[0].failing if failing else ""
            return Frame(marks.no_data(width, height, page.icon, source, why), "no data", None)
        age = self._age(width, elapsed_s)
        drawn = self._draw(time, width, height, elapsed_s, above_strip=bool(age and age.words))
        if drawn is None:
            titles = [page.label, page.name]
            picture = marks.failed(width, height, titles, self._problem or "")
            return Frame(picture, "failed", self._retry_at_s - time.monotonic_s())
        image = self._with_marks(drawn.image, (width, height), age) if age else drawn.image
        changes = [age and age.change_in_s, self._until_turning_s(), self._until_tick_s()]
        if drawn.again_at_s is not None:
            changes.append(drawn.again_at_s - elapsed_s)
        soonest = min((one for one in changes if one is not None), default=None)
        return Frame(image, self._state(), soonest, drawn.ends_at_s)

    def _state(self) -> State:
        if self._problem is not None:
            return "failed"
        if self.page.missing():
            return "no data"
        return _STATES[self.page.freshness()]

    def _draw(
        self, time: BusTime, width: int, height: int, elapsed_s: float, *, above_strip: bool
    ) -> Drawn | None:
        """The page's own drawing, made anew only if something changed; None if it raised.

        ``above_strip``: for the rows that its age in words leaves, which would cut what is there;
        with the whole panel's fonts and margins, so that little moves when the words go.
        """
        page, now = self.page, self.page.now()
        strict = self._strict and not above_strip  # a page may know no other size than the panel's
        tier = tier_of(height)
        if above_strip:
            height = max(1, height - marks.STRIP)
        seen = tuple(one.values(now) for one in page.following.values())
        of = (width, height, self._tick(now), *seen)
        if self._problem is not None and time.monotonic_s() < self._retry_at_s:
            return None
        if self._problem is None and self._drawn and _still_right(self._drawn, of, elapsed_s):
            return self._drawn
        canvas = Canvas.blank(width, height, elapsed_s=elapsed_s, strict=strict, tier=tier)
        began_s = time.monotonic_s()
        try:
            page.draw(canvas, now.astimezone(ZoneInfo(page.config.timezone)))
            image = canvas.image_of_page.copy()  # the page may still hold the other
        except BaseException as error:  # whatever it is: nobody else raises it here
            if self._strict:
                raise
            self._failed(error, time)
            return None
        self._problem = None
        self._outage.recovered()
        self._took(time.monotonic_s() - began_s)
        motion = canvas.motion
        self._drawn = Drawn(image, of, elapsed_s, motion.next_change_s, motion.ends_at_s)
        return self._drawn

    def _took(self, seconds: float) -> None:
        if seconds <= BUDGET_S:
            self._slow = None
            self._slowness.recovered()
            return
        self._slow = f"took {seconds:.1f} s to draw, in which the panel stands still"
        self._slowness.failed(self._slow)

    def _failed(self, error: BaseException, time: BusTime) -> None:
        what = type(error).__name__
        if (where := innermost(error, type(self.page))) is not None:
            what = f"{what}, {where}"
        self._problem = what
        self._drawn = None
        said = ""
        with suppress(Exception):  # of an error that cannot be said
            said = str(error)
        self._outage.failed(redacted(f"{what}: {said}", self.page.config))
        delay_s = min(FIRST_RETRY_S * 2 ** min(self._outage.failures - 1, 16), LONGEST_RETRY_S)
        self._retry_at_s = time.monotonic_s() + delay_s

    def _age(self, width: int, elapsed_s: float) -> _Age | None:
        """How old what it shows is; None: it is fresh."""
        freshness, oldest, now = self.page.freshness(), self.page.oldest(), self.page.now()
        if freshness is Freshness.FRESH or oldest is None or oldest.update is None:
            return None
        update = oldest.update
        words = age_words(now - update.since)
        if freshness is Freshness.EXPIRED:
            return _Age(words, None, AGE_CHANGES_S)
        left, step = _line(update, now, width)
        changes_s, shown_for_s = step.total_seconds(), AGE_SHOWN_S - elapsed_s
        if shown_for_s <= 0:
            return _Age("", left, changes_s)
        return _Age(words, left, min(changes_s, shown_for_s))

    def _with_marks(self, image: Image.Image, size: tuple[int, int], age: _Age) -> Image.Image:
        """``image`` on the whole panel, with what the framework says of its age."""
        whole = Image.new("RGB", size)
        whole.paste(image)
        if age.share_left is None:
            marks.expired(whole, self.page.label, age.words)
        else:
            marks.late(whole, age.share_left, age.words)
        return whole

    def _until_turning_s(self) -> float | None:
        """Seconds until the freshness of something that it shows changes."""
        now = self.page.now()
        turnings = [
            moment - now
            for one in self.page.following.values()
            if one.update is not None
            for moment in (one.update.valid, one.update.expires)
            if moment > now
        ]
        return min(turnings).total_seconds() if turnings else None

    def _tick(self, now: datetime) -> int | None:
        fps = self.page.fps
        return math.floor(now.timestamp() * fps) if fps else None

    def _until_tick_s(self) -> float | None:
        now, fps = self.page.now(), self.page.fps
        tick = self._tick(now)
        return None if tick is None else (tick + 1) / fps - now.timestamp()


_STATES: dict[Freshness, State] = {
    Freshness.FRESH: "fresh",
    Freshness.LATE: "late",
    Freshness.EXPIRED: "expired",
}


def _still_right(drawn: Drawn, of: tuple[object, ...], elapsed_s: float) -> bool:
    if drawn.of != of:
        return False
    moves = drawn.again_at_s is not None
    return not moves or drawn.elapsed_s <= elapsed_s < (drawn.again_at_s or 0)


def _line(update: Update[Values], now: datetime, width: int) -> tuple[float, timedelta]:
    """(share of the time left before it expires, how long until the line is a pixel shorter)."""
    whole = max(update.expires - update.valid, timedelta(microseconds=1))
    left = update.expires - now
    return min(left / whole, 1.0), max(whole / width, timedelta(milliseconds=100))


def innermost(error: BaseException, page: type) -> str | None:
    """Where in the page's own file it was raised: "moon.py:41"."""
    place = None
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if trace.tb_frame.f_globals.get("__name__") == page.__module__:
            place = f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
