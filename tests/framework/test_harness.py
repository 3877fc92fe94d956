"""What users' own tests stand on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.errors import Unavailable
from framework.feed import Feed
from framework.server import ServerBase
from framework.testing import Harness
from framework.update import Freshness, Values

T0 = datetime(2026, 3, 1, tzinfo=UTC)


class Tide(Values):
    height_m: float


class TideServer(ServerBase[Tide]):
    answer: float | Exception = 1.5

    async def fetch(self) -> Tide:
        if isinstance(self.answer, Exception):
            raise self.answer
        return Tide(height_m=self.answer)


class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(f"{self.tide.height_m}")


class OffTheEdge(DisplayBase):
    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.disc(-20, -20, 3, "amber")


def server() -> TideServer:
    return TideServer(config=Config())


async def test_from_fetch_to_freshness() -> None:
    async with Harness(server(), TidePage(config=Config()), now=T0) as h:
        assert h.published(Tide) is None
        await h.fetch()
        assert h.freshness(TidePage) is Freshness.FRESH
        published = h.published(Tide)
        assert published is not None
        assert published.updated == T0
        await h.advance(minutes=25)
        assert h.freshness("tidepage") is Freshness.LATE
        await h.advance(hours=2)
        assert h.freshness(TidePage) is Freshness.EXPIRED
        await h.fetch()
        assert h.freshness(TidePage) is Freshness.FRESH


async def test_nothing_fetches_but_fetch() -> None:
    async with Harness(server(), now=T0) as h:
        await h.advance(days=3)
        assert h.published(Tide) is None


async def test_unavailable_is_told_and_the_last_good_value_stays() -> None:
    tide = server()
    async with Harness(tide, TidePage(config=Config()), now=T0) as h:
        await h.fetch()
        tide.answer = Unavailable("the gauge is dry", retry_after=timedelta(hours=1))
        await h.fetch()
        assert h.unavailable == "the gauge is dry"
        assert h.freshness(TidePage) is Freshness.FRESH


async def test_a_bug_in_fetch_is_raised() -> None:
    tide = server()
    tide.answer = KeyError("height")
    async with Harness(tide, now=T0) as h:
        with pytest.raises(KeyError, match="height"):
            await h.fetch()


async def test_two_cities_and_one_of_them_fetches() -> None:
    north, south = (TideServer(name=name, config=Config()) for name in ("north", "south"))
    page = TidePage(config=Config(), feeds={"tide": "south"})
    async with Harness(north, south, page, now=T0) as h:
        await h.fetch("north")
        assert page.missing()
        await h.fetch("south")
        assert not page.missing()


async def test_an_image_of_any_size() -> None:
    async with Harness(server(), TidePage(config=Config()), now=T0) as h:
        empty = h.image(TidePage)
        await h.fetch()
        assert h.image(TidePage).size == (128, 64)
        assert h.image(TidePage).tobytes() != empty.tobytes()
        assert h.image(TidePage, size=(64, 32)).size == (64, 32)


async def test_drawing_outside_the_canvas_is_raised() -> None:
    async with Harness(OffTheEdge(config=Config()), now=T0) as h:
        with pytest.raises(ValueError, match="outside"):
            h.image(OffTheEdge)


async def test_an_unknown_page_is_named() -> None:
    async with Harness(now=T0) as h:
        with pytest.raises(LookupError, match="no page TidePage here"):
            h.freshness(TidePage)
