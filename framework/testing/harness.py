"""``Harness``: services and pages together in a test, without a server, a network or a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from framework.config.names import check_unique
from framework.errors import Unavailable
from framework.feed import Followings
from framework.page import Page
from framework.publisher import Publisher
from framework.server import ServerBase
from framework.testing.bus import MemoryBus
from framework.testing.clock import FakeClock, settle
from framework.testing.http import CannedHttp
from framework.update import Freshness, Update, Values

if TYPE_CHECKING:
    from PIL import Image

M = TypeVar("M", bound=Values)
AnyService = ServerBase[Any, Any]
AnyPage = Page[Any]


class Harness:
    """Runs services and pages on a bus in memory, at a time that only you move::

    async with Harness(TideServer(config=...), TidePage(config=Config()), now=T0) as h:
        await h.fetch()
        await h.advance(hours=2)
        assert h.freshness(TidePage) is Freshness.EXPIRED
    """

    def __init__(
        self,
        *parts: AnyService | AnyPage,
        now: datetime,
        http: Mapping[str, object] | None = None,
    ) -> None:
        """``now``: aware; the bus's time when the test begins. ``http``: what the web answers, by
        address: a body (a dict is sent as JSON), a ``Canned``, or a function of the request. There
        is no other web here.

        :raises ConfigError: two of the parts have one name.
        :raises TypeError: a part is none, or an answer cannot be sent.
        :raises ValueError: ``now`` has no time zone, or an address is none.
        """
        for part in parts:
            _check_part(part)
        check_unique(part.name for part in parts)
        self.time = FakeClock(now)
        self.bus = MemoryBus(self.time)
        self.http = CannedHttp(http or {}, now=self.time.now)
        """What was asked is in its ``requests``; what is answered, in ``answers``."""
        self.unavailable: str | None = None
        """Why the last ``fetch`` got nothing, if it raised ``Unavailable``."""
        self._services: dict[str, tuple[AnyService, Publisher[Any]]] = {}
        self._next_starts: dict[str, datetime] = {}
        self._pages: list[AnyPage] = []
        for part in parts:
            if isinstance(part, ServerBase):
                self._services[part.name] = (part, part.publisher(self.bus))
                part.on_web(self.http)
            else:
                self._pages.append(part)
        self._followings = Followings.of(self._pages)
        for page in self._pages:
            page.on(self.time, self._followings)
        self._following: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        every = self._followings
        following = self.bus.follow(every.names, every.take, lambda _: None, every.fail)
        self._following = asyncio.ensure_future(following)
        for _, publisher in self._services.values():
            await publisher.meet(timedelta(0))
        await settle()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def fetch(self, service: str | None = None) -> None:
        """Let every service (or the one of that name) fetch and publish once.

        Of two updates of one time the bus keeps the first: ``advance`` between two fetches.
        ``Unavailable`` and timeouts are what a service lives with: see ``unavailable``. Pages are
        told why when they next read the bus, within ten seconds of ``advance``. Anything else that
        ``fetch`` raises is a bug, and is raised here.
        """
        self.unavailable = None
        every = self._services.values()
        for server, publisher in every if service is None else [self._service(service)]:
            try:
                wait = await server.attempt(publisher)
            except Unavailable as unavailable:
                self.unavailable = why = str(unavailable)
                wait = await server.failed(publisher, why, retry_after=unavailable.retry_after)
            self._next_starts[server.name] = self.time.now() + wait

    def next_start(self, service: str) -> datetime:
        """When the service of that name would fetch next by itself, as of its last ``fetch``.

        ``period``, ``next_update`` and Expires decide; after a failure, the back-off and
        Retry-After. Chance has a part in it (``jitter``): compare it with limits.
        """
        server, _ = self._service(service)
        if server.name not in self._next_starts:
            raise LookupError(f"{server.name} has not fetched yet: await h.fetch() first")
        return self._next_starts[server.name]

    async def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the bus's time. Nothing fetches but ``fetch``."""
        await self.time.advance(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))

    def published(self, model: type[M], service: str | None = None) -> Update[M] | None:
        """The last update of the service of that type (or of that name), whether or not the bus
        took it: ``h.bus`` may have been away.

        :raises TypeError: that service publishes something else.
        """
        server, publisher = self._service(service or model.__name__)
        if server.values is not model:
            raise TypeError(
                f"{server.name} publishes {server.values.__name__}, not {model.__name__}"
            )
        held: Update[M] | None = publisher.held
        return held

    def _service(self, name: str) -> tuple[AnyService, Publisher[Any]]:
        if name.lower() not in self._services:
            raise LookupError(f"no service {name} here: {list(self._services)}")
        return self._services[name.lower()]

    def freshness(self, page: type[AnyPage] | str) -> Freshness:
        """How old this page (its class or its name) is now."""
        return self.page(page).freshness()

    def image(self, page: type[AnyPage] | str, size: tuple[int, int] = (128, 64)) -> Image.Image:
        """What a panel of that size would show of this page, with what the framework says of its
        age. What ``draw`` raises is raised here, drawing outside the canvas too. Needs Pillow.
        """
        from framework.panel.stage import Stage

        width, height = size
        return Stage(self.page(page), strict=True).frame(self.time, width, height, 3.0).image

    def page(self, page: type[AnyPage] | str) -> AnyPage:
        """The page of that class or name."""
        for one in self._pages:
            if one.name == page or type(one) is page:
                return one
        wanted = page if isinstance(page, str) else page.__name__
        raise LookupError(f"no page {wanted} here: {[one.name for one in self._pages]}")


def _check_part(part: object) -> None:
    if isinstance(part, type):
        name = part.__name__
        raise TypeError(f"{name} is a class: give an instance, as in {name}(config=...)")
    if not isinstance(part, ServerBase | Page):
        raise TypeError(f"a {type(part).__name__} is neither a service nor a page")
