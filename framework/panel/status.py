"""What the panel says of itself: plain data, for a browser or whoever asks "why this page?"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from framework.update import Freshness

State = Literal["fresh", "late", "expired", "no data", "failed"]


@dataclass(frozen=True, slots=True)
class PageStatus:
    """One place in the playlist."""

    name: str
    """The instance's name: what ``pin`` takes."""
    title: str
    """As people read it: "Moon"."""
    state: State
    problem: str | None = None
    """In one line, what failed if its draw raised, or that it takes longer than it may."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed that some page follows."""

    name: str
    title: str
    freshness: Freshness | None
    """None: nothing was received yet."""
    since: datetime | None = None
    """What its age counts from."""
    valid: datetime | None = None
    expires: datetime | None = None
    dropped: int = 0
    """How many updates did not validate and were dropped."""
    failing: str = ""
    """Why its service gets nothing new, in its own words; empty: it does."""
    credit: str = ""
    """Whose data it is, where they are to be named."""


@dataclass(frozen=True, slots=True)
class Status:
    """All of it, at one moment."""

    now: datetime
    """The bus's time when this was said."""
    connected: bool
    """Whether the bus answers."""
    width: int
    height: int
    page: str
    """The name of the page that is on."""
    why: str
    """Why this page, as half a sentence: "because it is its turn"."""
    next_title: str | None
    """What comes next; None: nothing does (paused, pinned or the only page)."""
    until: datetime | None
    """When it comes."""
    paused: bool
    pinned: bool
    pages: tuple[PageStatus, ...]
    feeds: tuple[FeedStatus, ...]
    fixed: bool = False
    """Whether that is the size of LEDs that are connected, and nobody can choose another."""
    remark: str | None = None
    """For the foot of a page: "Berlin, from your time zone: set [config] latitude, longitude"."""
