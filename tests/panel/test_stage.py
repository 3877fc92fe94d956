"""One page made into frames: when it is drawn, and what the framework does about age and errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from framework.bus import Posted
from framework.bustime import to_us
from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.feed import Feed, Followings
from framework.panel.marks import STRIP, failed, no_data
from framework.panel.stage import Frame, Stage
from framework.testing.clock import FakeClock
from framework.update import Freshness, Update, Values

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GOOD_FOR = 20 * MINUTE


class Tide(Values):
    height_m: float


class Wind(Values):
    speed_ms: float


class TidePage(DisplayBase):
    tide = Feed(Tide)
    wind = Feed(Wind, required=False)

    def __init__(self, draw: Callable[[Canvas], None] | None = None) -> None:
        super().__init__(config=Config(timezone="Europe/Berlin"))
        self.drawn: list[tuple[datetime, float, float | None]] = []
        self._draw = draw

    def draw(self, canvas: Canvas, now: datetime) -> None:
        self.drawn.append((now, self.tide.height_m, self.wind.speed_ms if self.wind else None))
        canvas.rows(0.5, 0.5)[0].text(f"{self.tide.height_m} m")
        if self._draw:
            self._draw(canvas)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


def take(page: DisplayBase, values: Values, updated: datetime = T0) -> None:
    name = type(values).__name__
    update = Update(
        type=name,
        updated=updated,
        valid=updated + GOOD_FOR,
        expires=updated + 2 * GOOD_FOR,
        values=values,
    )
    page.following[name.lower()].take(Posted(to_us(updated), update.to_wire()))


def look(page: DisplayBase, clock: FakeClock) -> Callable[[float], Frame]:
    page.on(clock)
    stage = Stage(page)

    def show(elapsed_s: float) -> Frame:
        return stage.frame(clock, 128, 64, elapsed_s)

    return show


async def test_without_data_it_says_so_and_is_not_drawn(clock: FakeClock) -> None:
    page = TidePage()
    frame = look(page, clock)(9)
    assert frame.state == "no data"
    assert frame.image.size == (128, 64)
    assert page.drawn == []


async def test_without_data_it_says_why_if_it_was_told(clock: FakeClock) -> None:
    page = TidePage()
    show = look(page, clock)
    waiting = show(9).image
    Followings.of([page]).fail("wind", "no wind")  # which it does not need
    assert show(9).image == waiting
    Followings.of([page]).fail("tide", "the gauge is dry")
    assert show(9).image == no_data(128, 64, None, "tide", "the gauge is dry")
    take(page, Tide(height_m=1))
    assert show(9).state == "fresh"


async def test_it_is_drawn_once_for_each_change(clock: FakeClock) -> None:
    page = TidePage()
    show = look(page, clock)
    take(page, Tide(height_m=1))
    for _ in range(5):
        frame = show(9)
    assert frame.state == "fresh"
    assert len(page.drawn) == 1
    take(page, Tide(height_m=2), T0 + MINUTE)
    show(9)
    assert [height for _, height, _ in page.drawn] == [1, 2]


async def test_now_is_the_buss_time_in_the_configured_zone(clock: FakeClock) -> None:
    page = TidePage()
    take(page, Tide(height_m=1))
    look(page, clock)(9)
    assert page.drawn[0][0] == T0
    assert page.drawn[0][0].utcoffset() == timedelta(hours=1)


async def test_an_optional_feed_comes_and_goes(clock: FakeClock) -> None:
    page = TidePage()
    show = look(page, clock)
    take(page, Tide(height_m=1))
    show(9)
    take(page, Wind(speed_ms=7))
    show(9)
    await clock.advance(2 * GOOD_FOR - MINUTE)
    take(page, Tide(height_m=1), clock.now())
    assert show(9).state == "late"
    await clock.advance(MINUTE)
    assert show(9).state == "fresh"
    assert [wind for _, _, wind in page.drawn] == [None, 7, None]


async def test_late_and_expired_change_the_picture_and_say_when_they_come(
    clock: FakeClock,
) -> None:
    page = TidePage()
    show = look(page, clock)
    take(page, Tide(height_m=1))
    fresh = show(9)
    assert fresh.change_in_s == GOOD_FOR.total_seconds()
    await clock.advance(GOOD_FOR)
    late = show(9)
    assert (late.state, page.freshness()) == ("late", Freshness.LATE)
    assert late.image.tobytes() != fresh.image.tobytes()
    assert late.change_in_s == pytest.approx(GOOD_FOR.total_seconds() / 128)
    await clock.advance(GOOD_FOR)
    expired = show(9)
    assert expired.state == "expired"
    assert expired.image.tobytes() not in (fresh.image.tobytes(), late.image.tobytes())
    assert len(page.drawn) == 2


async def test_a_late_page_says_its_age_when_it_comes_on(clock: FakeClock) -> None:
    page = TidePage()
    show = look(page, clock)
    take(page, Tide(height_m=1))
    await clock.advance(GOOD_FOR)
    first, later = show(0.5), show(2.5)
    assert first.image.tobytes() != later.image.tobytes()
    assert first.change_in_s == pytest.approx(1.5)


async def test_what_says_its_age_covers_nothing_of_a_page(clock: FakeClock) -> None:
    heights = []
    page = TidePage(lambda canvas: heights.append(canvas.height))
    show = look(page, clock)
    take(page, Tide(height_m=1))
    show(9)
    await clock.advance(GOOD_FOR)
    show(0.5)
    show(2.5)
    await clock.advance(GOOD_FOR)
    show(9)
    assert heights == [64, 64 - STRIP, 64, 64 - STRIP]


async def test_a_page_keeps_its_fonts_while_it_says_its_age(clock: FakeClock) -> None:
    tiers = []
    page = TidePage(lambda canvas: tiers.append(canvas.tier))
    page.on(clock)
    stage = Stage(page)
    take(page, Tide(height_m=1))
    stage.frame(clock, 96, 48, 9)
    await clock.advance(GOOD_FOR)
    stage.frame(clock, 96, 48, 0.5)
    assert tiers == ["M", "M"]


async def test_of_two_that_fail_the_name_tells_which(clock: FakeClock) -> None:
    page = TidePage(lambda canvas: canvas.text("", "no colour"))
    page.name, page.label = "oslo", "Tide oslo"
    page.on(clock)
    take(page, Tide(height_m=1))
    image = Stage(page).frame(clock, 32, 32, 9).image
    assert image == failed(32, 32, ["oslo"], "ValueError")


async def test_a_page_that_knows_one_size_only_is_cut_by_its_age(clock: FakeClock) -> None:
    page = TidePage(lambda canvas: canvas.disc(60, 60, 4, "sky"))
    page.on(clock)
    take(page, Tide(height_m=1))
    await clock.advance(2 * GOOD_FOR)
    assert Stage(page, strict=True).frame(clock, 128, 64, 9).state == "expired"


async def test_before_the_bus_was_read_nothing_is_judged(clock: FakeClock) -> None:
    page = TidePage()
    show = look(page, clock)
    take(page, Tide(height_m=1), T0 - timedelta(days=400))
    assert show(9).state == "expired"
    clock.known = False
    assert show(9).state == "fresh"


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError, SystemExit, asyncio.CancelledError, KeyboardInterrupt, Unspeakable],
)
async def test_a_page_that_raises_is_contained_and_tried_again(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    broken = True

    def draw(canvas: Canvas) -> None:
        if broken:
            raise error("the tide is out")

    page = TidePage(draw)
    show = look(page, clock)
    take(page, Tide(height_m=1))
    with caplog.at_level(logging.INFO):
        failed = show(9)
        assert failed.state == "failed"
        assert failed.change_in_s == pytest.approx(1.0)
        show(9)
        assert len(page.drawn) == 1
        for _ in range(8):
            await clock.advance(timedelta(seconds=61))
            show(9)
        assert len(page.drawn) == 9
        broken = False
        await clock.advance(timedelta(seconds=61))
        assert show(9).state == "fresh"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert error.__name__ in said[0]
    assert "test_stage.py:" in said[0]
    assert "works again after 9 failures" in said[1]


async def test_a_page_that_keeps_its_image_cannot_change_what_was_shown(clock: FakeClock) -> None:
    kept: list[Image.Image] = []
    page = TidePage(lambda canvas: kept.append(canvas.image_of_page))
    show = look(page, clock)
    take(page, Tide(height_m=1))
    before = show(9).image.tobytes()
    kept[0].paste((255, 0, 0), (0, 0, 9, 9))
    assert show(9).image.tobytes() == before


async def test_a_page_that_closes_its_image_has_failed(clock: FakeClock) -> None:
    page = TidePage(lambda canvas: canvas.image_of_page.close())
    show = look(page, clock)
    take(page, Tide(height_m=1))
    assert show(9).state == "failed"


async def test_a_page_ticks_on_whole_multiples(clock: FakeClock) -> None:
    class Ticking(TidePage):
        fps = 2.0

    page = Ticking()
    show = look(page, clock)
    take(page, Tide(height_m=1))
    await clock.advance(timedelta(milliseconds=100))
    frame = show(9)
    assert frame.change_in_s == pytest.approx(0.4)
    await clock.advance(timedelta(milliseconds=300))
    show(9)
    assert len(page.drawn) == 1
    await clock.advance(timedelta(milliseconds=100))
    show(9)
    assert len(page.drawn) == 2


async def test_scrolling_goes_by_the_time_since_it_came_on(clock: FakeClock) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.rows(0.5, 0.5)[1].text("a long story " * 9, overflow="scroll", role="body")

    page = TidePage(draw)
    show = look(page, clock)
    take(page, Tide(height_m=1))
    start, moved = show(0), show(4)
    assert start.image.tobytes() != moved.image.tobytes()
    assert start.ends_at_s is not None
    assert start.change_in_s == pytest.approx(1.5, abs=0.1)
    assert moved.change_in_s is not None
    assert moved.change_in_s < 0.05
    again = show(0)
    assert again.image.tobytes() == start.image.tobytes()


async def test_what_does_not_validate_is_counted_said_once_and_dropped(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    page = TidePage()
    show = look(page, clock)
    take(page, Tide(height_m=1))
    for body in (b"{", b'{"type": "Tide", "values": {"height_m": "hunter2"}}', b"[]", b""):
        page.following["tide"].take(Posted(to_us(T0 + MINUTE), body))
    other = Update(type="Ebb", updated=T0, valid=T0, expires=T0, values=Tide(height_m=3))
    page.following["tide"].take(Posted(to_us(T0 + MINUTE), other.to_wire()))
    assert show(9).state == "fresh"
    assert page.tide.height_m == 1
    assert page.following["tide"].dropped == 5
    assert len(caplog.records) == 1
    assert "hunter2" not in caplog.text


def test_a_feed_is_read_only_and_empty_before_its_first_value() -> None:
    page = TidePage()
    assert page.wind is None
    with pytest.raises(LookupError, match=r"TidePage\.tide: nothing received yet"):
        _ = page.tide
    with pytest.raises(AttributeError, match="is a feed"):
        page.tide = Tide(height_m=1)  # type: ignore[assignment]  # this is the mistake
