"""``Page``: what the panel knows of a page.

A page holds the last good update of each feed and knows how fresh they are. When it is drawn, and
what an old page looks like, is decided in ``panel``. Users subclass ``display.DisplayBase``, which
can also show itself.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast

from typing_extensions import TypeVar

from framework.bustime import BusTime
from framework.config import Config
from framework.config.loading import load
from framework.config.names import check_name
from framework.errors import ConfigError, DefinitionError
from framework.feed import Feed, Following
from framework.generics import type_arguments
from framework.update import Freshness, Values

if TYPE_CHECKING:
    from framework.canvas import Canvas

C = TypeVar("C", bound=Config, default=Config)


class Page(ABC, Generic[C]):
    """All of ``DisplayBase`` but ``run()``: what it follows, how fresh that is, what it draws."""

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
        (config,) = type_arguments(cls, Page)
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
        _check_times(cls)

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
        :raises SecretsUnavailable: the secrets could not be read for now.
        """
        self.name = check_name(self.default_name() if name is None else name, self.config_class)
        own = self.name == self.default_name().lower()
        self.label = self.title if own else f"{self.title} {self.name}"
        """What people call this instance: two of one class have names, and so differ."""
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
        self.around: Sequence[Following] = ()
        """What all the pages of the panel follow that it is on."""

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

    # What the panel asks.

    @classmethod
    def default_name(cls) -> str:
        """The name of an instance that was given none: the class's."""
        return cls.__name__

    def on(self, time: BusTime, around: Sequence[Following] = ()) -> None:
        """From now on judge by this bus's time, on a panel whose pages follow ``around``."""
        self._time, self.around = time, around

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


def _check_times(cls: type[Page[Any]]) -> None:
    # Numbers only, finite ones: no comparison with NaN holds.
    seconds: object = cls.seconds
    if not (isinstance(seconds, int | float) and 0 < seconds < inf):
        raise DefinitionError(f"{cls.__name__}.seconds must be a number of seconds, more than 0")
    fps: object = cls.fps
    if not (isinstance(fps, int | float) and 0 <= fps < inf):
        raise DefinitionError(f"{cls.__name__}.fps must be a number, 0 or more: drawings a second")
