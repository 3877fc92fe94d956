"""``DisplayBase``: subclass it, write ``draw()``, and you have a page. ``Feed``: what it follows.

A page holds the last good update of each feed and knows how fresh they are. When it is drawn, and
what an old page looks like, is decided in ``panel``.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Never, NoReturn, cast, overload

from pydantic import ValidationError
from typing_extensions import TypeVar

from framework.bus import Posted, open_bus
from framework.bustime import BusTime
from framework.config import Config
from framework.config.loading import load
from framework.config.names import check_name
from framework.errors import ConfigError, DefinitionError
from framework.generics import type_arguments
from framework.project import Project
from framework.update import Freshness, Update, Values

if TYPE_CHECKING:
    from framework.canvas import Canvas

C = TypeVar("C", bound=Config, default=Config)
M = TypeVar("M", bound=Values)
Seen = TypeVar("Seen")


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
    def __get__(self, page: DisplayBase[Any], owner: type) -> Seen: ...
    def __get__(self, page: DisplayBase[Any] | None, owner: type) -> Feed[Seen] | Seen:
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


class Following:
    """One feed as one page follows it: its name, and the last good update of it."""

    def __init__(self, name: str, feed: Feed[Any], log: logging.Logger) -> None:
        self.name = name
        self.model: type[Values] = feed.model
        self.required = feed.required
        self.update: Update[Values] | None = None
        self.dropped = 0
        """How many updates did not validate."""
        self._log = log

    def take(self, posted: Posted) -> bool:
        """Hold what was posted. False: it does not validate; the last good one stays."""
        try:
            update = Update[self.model].model_validate_json(posted.body)  # type: ignore[name-defined]  # a class made at run time
            if update.feed != self.model.__name__:
                raise TypeError(f"it is of type {update.feed!r}")
        except (ValidationError, TypeError) as error:
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


def _what(error: ValidationError | TypeError) -> str:
    """Which fields are wrong and how, without any value."""
    if isinstance(error, TypeError):
        return str(error)
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the message'}: {problem['type']}"
        for problem in problems[:3]
    )


class DisplayBase(ABC, Generic[C]):
    """A page: follows feeds and draws; configured by ``C``.

    Declare feeds, set the class attributes that differ, and write ``draw``::

        class TidePage(DisplayBase):
            tide = Feed(Tide)

            def draw(self, canvas: Canvas, now: datetime) -> None: ...
    """

    title: ClassVar[str]
    """What people call it; by default the class's name without "Page"."""
    icon: ClassVar[str | None] = None
    """What stands for it while there is no data."""
    seconds: ClassVar[float] = 10.0
    """How long its turn is, unless the playlist says otherwise."""
    fps: ClassVar[float] = 0.0
    """How often it is drawn though nothing was received, at whole multiples of 1/fps seconds."""

    config_class: ClassVar[type[Config]] = Config
    """What it is configured by, from the type parameter."""
    feeds: ClassVar[Mapping[str, Feed[Any]]] = {}
    """What it follows, by attribute."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if getattr(cls, "__parameters__", ()):
            return
        (config,) = type_arguments(cls, DisplayBase)
        if isinstance(config, TypeVar):  # a plain `class Page(DisplayBase)`
            config = Config
        if not (isinstance(config, type) and issubclass(config, Config)):
            raise DefinitionError(
                f"{cls.__name__}: the type parameter is its configuration, a subclass of Config "
                f"that exists already"
            )
        cls.config_class = config
        if "title" not in vars(cls):
            cls.title = cls.__name__.removesuffix("Page") or cls.__name__
        found = {
            name: value
            for parent in reversed(cls.__mro__)
            for name, value in vars(parent).items()
            if isinstance(value, Feed)
        }
        for name, feed in found.items():
            model: object = feed.model
            if not (isinstance(model, type) and issubclass(model, Values)):
                raise DefinitionError(f"{cls.__name__}.{name}: a Feed takes a subclass of Values")
        cls.feeds = found

    def __init__(
        self,
        *,
        name: str | None = None,
        config: C | None = None,
        feeds: Mapping[str, str] | None = None,
    ) -> None:
        """``name``: of this instance, by default the class's. ``config``: instead of reading it.
        ``feeds``: attribute to the name of the service that it follows.

        :raises ConfigError: the configuration is missing something or wrong.
        """
        self.name = check_name(self.default_name() if name is None else name, self.config_class)
        self.log = logging.getLogger(f"matrix.{self.name}")
        self.remarks: tuple[str, ...] = ()
        """What whoever starts it should be told of its configuration."""
        if config is None:
            loaded = load(self.config_class, self.name)
            config, self.remarks = cast(C, loaded.config), loaded.remarks
        self.config = config
        names = dict(feeds or {})
        self.following: Mapping[str, Following] = {
            attribute: Following(
                check_name(names.pop(attribute, feed.model.__name__)), feed, self.log
            )
            for attribute, feed in self.feeds.items()
        }
        if names:
            raise ConfigError(
                f"{type(self).__name__} has no feed {', '.join(map(repr, sorted(names)))}; "
                f"it has: {', '.join(self.feeds) or 'none'}"
            )
        self._time = BusTime()

    # What a subclass writes.

    @abstractmethod
    def draw(self, canvas: Canvas, now: datetime) -> None:
        """Draw the page. ``now`` is the bus's time, aware, in the configured zone. No I/O.

        Called only when every required feed has a value.
        """

    # What it may use.

    def now(self) -> datetime:
        """The bus's time, aware, UTC."""
        return self._time.now()

    # How it runs.

    @classmethod
    def default_name(cls) -> str:
        """The name of an instance that was given none: the class's."""
        return cls.__name__

    @classmethod
    def run(cls, *, name: str | None = None, feeds: Mapping[str, str] | None = None) -> NoReturn:
        """Construct and show in a browser on loopback, until told to stop; then exit: 0 stopped,
        78 configuration wrong."""
        from framework.panel.show import show_in_browser
        from framework.process import run

        async def main() -> NoReturn:
            page = cls(name=name, feeds=feeds)
            size = Project.find(os.environ, Path.cwd()).panel
            await show_in_browser(
                [page],
                open_bus(page.config.redis_url.get_secret_value()),
                width=size.width,
                height=size.height,
                remark=" · ".join(page.remarks) or None,
                started=lambda url: page.log.info("the panel is at %s", url),
            )

        run(main)

    def on(self, time: BusTime) -> None:
        """From now on judge by this bus's time."""
        self._time = time

    def missing(self) -> list[Following]:
        """The required feeds of which nothing was received yet."""
        return [one for one in self.following.values() if one.required and one.update is None]

    def oldest(self) -> Following | None:
        """The feed that makes the page as old as it is: required ones always count, optional ones
        until they expire. None: it follows nothing, or nothing was received."""
        now = self.now()
        dated = [
            (freshness, -one.update.since.timestamp(), one)
            for one in self.following.values()
            if one.update is not None and (freshness := one.freshness(now)) is not None
        ]
        return max(dated, key=lambda entry: entry[:2])[2] if dated else None

    def freshness(self) -> Freshness:
        """How old the page is: as old as the worst feed that it shows."""
        oldest = self.oldest() if self._time.known else None
        verdict = oldest.freshness(self.now()) if oldest else None
        return Freshness.FRESH if verdict is None else verdict
