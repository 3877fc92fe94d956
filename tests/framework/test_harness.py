"""What users' own tests stand on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr

from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.errors import ConfigError, Unavailable
from framework.feed import Feed
from framework.schedule import FIRST_RETRY
from framework.server import ServerBase
from framework.testing import Canned, FakeClock, Harness
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


async def test_pages_are_told_why_there_is_nothing_until_there_is_something() -> None:
    tide = TideServer(config=Config(redis_url=SecretStr("redis://:hunter2@bus")))
    tide.answer = Unavailable("nobody at redis://:hunter2@bus")
    page = TidePage(config=Config())
    async with Harness(tide, page, now=T0) as h:
        await h.fetch()
        await h.advance(seconds=10)
        assert page.following["tide"].failing == "nobody at **********"
        tide.answer = 1.5
        await h.fetch()
        assert page.following["tide"].failing == ""


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


async def test_an_unknown_service_is_named_beside_those_there_are() -> None:
    said = r"no service typo here: \['tide'\]"
    async with Harness(server(), now=T0) as h:
        with pytest.raises(LookupError, match=said):
            await h.fetch("typo")
        with pytest.raises(LookupError, match=said):
            h.published(Tide, "typo")
        with pytest.raises(LookupError, match=said):
            h.next_start("typo")


def test_two_parts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="one name for two instances"):
        Harness(server(), server(), now=T0)
    with pytest.raises(ConfigError, match="one name for two instances"):
        Harness(server(), TidePage(name="tide", config=Config()), now=T0)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (TideServer, r"TideServer is a class: give an instance, as in TideServer\(config=...\)"),
        (TidePage, r"TidePage is a class: give an instance, as in TidePage\(config=...\)"),
        ("tide", "a str is neither a service nor a page"),
    ],
)
def test_what_is_no_service_and_no_page_is_refused(part: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Harness(part, now=T0)


def test_a_time_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone: make it aware"):
        Harness(now=T0.replace(tzinfo=None))
    with pytest.raises(ValueError, match="has no time zone: make it aware"):
        FakeClock(T0).set_wall(T0.replace(tzinfo=None))


async def test_time_only_goes_on() -> None:
    async with Harness(now=T0) as h:
        with pytest.raises(ValueError, match="-5 s cannot pass: time only goes on"):
            await h.advance(seconds=-5)
        with pytest.raises(ValueError, match="-5 s cannot pass: time only goes on"):
            h.time.suspend(timedelta(seconds=-5))


class Level(Values):
    m: float


async def test_what_is_published_is_of_the_type_that_is_asked_for() -> None:
    async with Harness(server(), now=T0) as h:
        with pytest.raises(TypeError, match="tide publishes Tide, not Level"):
            h.published(Level, "tide")


async def test_what_the_bus_did_not_take_is_published_all_the_same() -> None:
    async with Harness(server(), TidePage(config=Config()), now=T0) as h:
        h.bus.go_away()
        await h.fetch()
        assert (update := h.published(Tide))
        assert update.values.height_m == 1.5
        assert h.page(TidePage).missing()


# What the web answers.

URL = "https://tides.example/now"
HOUR = timedelta(hours=1)


class WebServer(ServerBase[Tide]):
    async def fetch(self) -> Tide:
        return (await self.http.get(URL)).model(Tide)


async def later(request: httpx2.Request) -> bytes:
    return request.content


@pytest.mark.parametrize("url", ["tides.example/now", "http://[::now", "file:///now", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    said = f"{url!r} is no address of the web: it must be http(s)://HOST/..."
    with pytest.raises(ValueError, match=re.escape(said)):
        Harness(now=T0, http={url: b""})


UNSENDABLE = [
    (Level(m=1.5), r"Object of type Level is not JSON .* its model_dump\(mode='json'\)"),
    (bytearray(b"{}"), "Object of type bytearray is not JSON serializable. Give bytes or text"),
    (Canned({"at": T0}), "Object of type datetime is not JSON serializable"),
    (Canned(status=cast(int, "200")), "status='200' must be a number, as in status=429"),
    (Canned(headers=cast(dict[str, str], {"Age": 3})), "the header Age must be text, as in '3'"),
]


@pytest.mark.parametrize(("answer", "said"), [*UNSENDABLE, (later, "is answered by an async func")])
async def test_what_cannot_be_sent_is_refused(answer: object, said: str) -> None:
    with pytest.raises(TypeError, match=f"{URL}.* {said}"):
        Harness(now=T0, http={URL: answer})
    async with Harness(WebServer(config=Config()), now=T0) as h:
        h.http.answers[URL] = answer
        with pytest.raises(TypeError, match=f"{URL}.* {said}"):
            await h.fetch()


@pytest.mark.parametrize(("answer", "said"), UNSENDABLE)
async def test_nor_can_a_function_send_it(answer: object, said: str) -> None:
    web = {URL: lambda _: answer}
    async with Harness(WebServer(config=Config()), now=T0, http=web) as h:
        with pytest.raises(TypeError, match=f"{URL}.* {said}"):
            await h.fetch()


# When it would fetch next.


class HintedServer(TideServer):
    def next_update(self, values: Tide) -> timedelta:
        return HOUR


async def test_it_would_fetch_next_when_its_period_says() -> None:
    async with Harness(server(), now=T0) as h:
        with pytest.raises(LookupError, match="tide has not fetched yet"):
            h.next_start("tide")
        await h.advance(hours=1)
        await h.fetch()
        began = T0 + HOUR
        await h.advance(minutes=5)
        assert began + TideServer.period <= h.next_start("tide") <= began + TideServer.period * 1.1


async def test_it_would_fetch_next_when_next_update_says() -> None:
    async with Harness(HintedServer(config=Config()), now=T0) as h:
        await h.fetch()
        assert T0 + HOUR <= h.next_start("tide") <= T0 + HOUR + TideServer.period * 0.1


@pytest.mark.parametrize(
    "answer",
    [
        Canned({"height_m": 1.5}, headers={"Expires": "Sun, 01 Mar 2026 01:00:00 GMT"}),
        Canned(status=429, headers={"Retry-After": "3600"}),
    ],
    ids=["Expires", "Retry-After"],
)
async def test_it_would_fetch_next_when_the_web_says(answer: Canned) -> None:
    async with Harness(WebServer(config=Config()), now=T0, http={URL: answer}) as h:
        await h.fetch()
        assert T0 + HOUR <= h.next_start("tide") <= T0 + HOUR * 1.1


async def test_it_would_back_off_until_it_works_again() -> None:
    tide = server()
    async with Harness(tide, now=T0) as h:
        tide.answer = Unavailable("the gauge is dry")
        await h.fetch()
        assert h.next_start("tide") <= T0 + FIRST_RETRY
        for _ in range(9):
            await h.fetch()
        assert h.next_start("tide") >= T0 + TideServer.period / 2
        tide.answer = 1.5
        await h.fetch()
        tide.answer = Unavailable("the gauge is dry")
        await h.fetch()
        assert h.next_start("tide") <= T0 + FIRST_RETRY
