"""``Feed``: what a page follows; ``Following``: the last good update of it that the page holds; and
``Followings``: all that is followed together, as the bus tells of it.

What an update is, is ``update``'s business; how it comes here, the bus's and the panel's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, Never, Protocol, Self, overload

from pydantic import ValidationError
from typing_extensions import TypeVar

from framework.bus import Posted
from framework.oneline import one_line
from framework.update import Freshness, Update, Values

M = TypeVar("M", bound=Values)
Seen = TypeVar("Seen")


class FollowsFeeds(Protocol):
    """What a ``Feed`` is an attribute of."""

    following: Mapping[str, Following]
    """By attribute."""

    def now(self) -> datetime: ...


class Feed(Generic[Seen]):
    """What a page follows: ``tide = Feed(Tide)``, and ``self.tide`` is a ``Tide``, never None.

    ``Feed(Weather, required=False)`` is a ``Weather | None``: None until one came, and once it has
    expired. The feed is the one that is named like the model, unless the page is told otherwise:
    ``TidePage(feeds={"tide": "harbour"})``.
    """

    @overload
    def __init__(self: Feed[M], model: type[M], *, required: Literal[True] = True) -> None: ...
    @overload
    def __init__(self: Feed[M | None], model: type[M], *, required: Literal[False]) -> None: ...
    def __init__(self, model: type[Values], *, required: bool = True) -> None:
        self.model = model
        self.required = required
        self.attribute = ""

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute

    @overload
    def __get__(self, page: None, owner: type) -> Feed[Seen]: ...
    @overload
    def __get__(self, page: FollowsFeeds, owner: type) -> Seen: ...
    def __get__(self, page: FollowsFeeds | None, owner: type) -> Feed[Seen] | Seen:
        if page is None:
            return self
        values = page.following[self.attribute].values(page.now())
        if values is None and self.required:
            raise LookupError(
                f"{owner.__name__}.{self.attribute}: nothing received yet; it can be read in draw()"
            )
        return values  # type: ignore[return-value]  # Seen is M or M | None, as required says

    def __set__(self, page: object, value: Never) -> None:
        raise AttributeError(f"{self.attribute} is a feed: it is set by what a service publishes")


class _OtherType(Exception):
    """It is an update of something else."""


class Following:
    """One feed as one page follows it: its name, and the last good update of it."""

    def __init__(self, name: str, feed: Feed[Any], log: logging.Logger) -> None:
        self.name = name
        self.model: type[Values] = feed.model
        self.required = feed.required
        self.update: Update[Values] | None = None
        self.dropped = 0
        """How many updates did not validate."""
        self.failing = ""
        """Why its service gets nothing new, in its own words; empty: it does."""
        self._log = log

    @property
    def title(self) -> str:
        """As people read it: the model's name, or that of an instance that has one of its own."""
        model = self.model.__name__
        return model if self.name == model.lower() else self.name

    def take(self, posted: Posted) -> bool:
        """Hold what was posted. False: it does not validate; the last good one stays."""
        try:
            update = Update[self.model].model_validate_json(posted.body)  # type: ignore[name-defined]  # a class made at run time
            if update.feed != self.model.__name__:
                raise _OtherType(f"it is of type {one_line(update.feed, longest=40)!r}")
        except Exception as error:  # a validator of the user's may raise anything
            self.dropped += 1
            if self.dropped == 1:
                self._log.warning(
                    "feed %s: dropped an update that is no %s: %s",
                    self.name,
                    self.model.__name__,
                    _what(error),
                )
            return False
        self.update = update
        return True

    def values(self, now: datetime) -> Values | None:
        """What the page sees: an optional feed is gone once it has expired."""
        if self.update is None or self._gone(self.update, now):
            return None
        return self.update.values

    def freshness(self, now: datetime) -> Freshness | None:
        """None if it says nothing about the page: never received, or optional and expired."""
        if self.update is None or self._gone(self.update, now):
            return None
        return self.update.freshness(now)

    def _gone(self, update: Update[Values], now: datetime) -> bool:
        return not self.required and update.freshness(now) is Freshness.EXPIRED


class Followings(tuple[Following, ...]):
    """What several pages follow: one feed may be followed by many of them."""

    __slots__ = ()

    @classmethod
    def of(cls, pages: Iterable[FollowsFeeds]) -> Self:
        """All that these follow."""
        return cls(one for page in pages for one in page.following.values())

    @property
    def names(self) -> list[str]:
        """Each once."""
        return sorted({one.name for one in self})

    def take(self, name: str, posted: Posted) -> bool:
        """Let all that follow ``name`` hold it. False: none of them could use it."""
        taken = [one.take(posted) for one in self if one.name == name]
        return any(taken)

    def fail(self, name: str, why: str) -> None:
        """Let all that follow ``name`` know why its service gets nothing new."""
        for one in self:
            if one.name == name:
                one.failing = why


def _what(error: Exception) -> str:
    """Which fields are wrong and how, without any value."""
    if isinstance(error, _OtherType):
        return str(error)
    if not isinstance(error, ValidationError):
        return f"its class raised {type(error).__name__}"
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{one_line('.'.join(map(str, problem['loc'])), longest=80) or 'the message'}: "
        f"{problem['type']}"
        for problem in problems[:3]
    )
