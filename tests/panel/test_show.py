"""The panel's loop, on a bus in memory and in a time that only the test moves."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from PIL import Image

from framework.bus import Posted
from framework.bustime import to_us
from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.errors import ConfigError
from framework.feed import Feed
from framework.panel import loopback
from framework.panel.marks import no_data
from framework.panel.show import Show, show_in_browser
from framework.panel.sinks import Remote, Sink
from framework.panel.status import Status
from framework.testing.bus import MemoryBus
from framework.testing.clock import FakeClock, settle
from framework.update import Freshness, Update, Values
from framework.vitals import SLACK_S, PanelVitals, Pulse

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Tide(Values):
    credit = "Tides by the harbour"

    height_m: float


class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        if self.tide.height_m < 0:
            raise ValueError("dry")
        canvas.text(f"{self.tide.height_m}")


class Plain(DisplayBase):
    """Follows nothing and never changes."""

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text("plain")


class Noting(Sink):
    def __init__(self) -> None:
        self.frames: list[Image.Image] = []
        self.told: list[Status] = []
        self.watching = True
        self.remote: Remote | None = None

    @property
    def watched(self) -> bool:
        return self.watching

    def show(self, frame: Image.Image) -> None:
        self.frames.append(frame)

    def tell(self, status: Status) -> None:
        self.told.append(status)

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        self.remote = remote
        started()
        await asyncio.Event().wait()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def bus(clock: FakeClock) -> MemoryBus:
    return MemoryBus(clock)


@pytest.fixture
def sink() -> Noting:
    return Noting()


@asynccontextmanager
async def showing(bus: MemoryBus, sink: Sink, *pages: DisplayBase) -> AsyncIterator[Show]:
    show = Show(pages, [sink], bus)
    task = asyncio.ensure_future(show.run())
    await settle()
    try:
        yield show
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def tide_page() -> TidePage:
    return TidePage(config=Config())


def plain(name: str = "plain") -> Plain:
    return Plain(config=Config(), name=name)


async def publish(bus: MemoryBus, height_m: float) -> None:
    now = bus.time.now()
    update = Update(
        type="Tide",
        updated=now,
        valid=now + 60 * SECOND,
        expires=now + 120 * SECOND,
        values=Tide(height_m=height_m),
    )
    await bus.publish("tide", Posted(to_us(now), update.to_wire()))
    await settle()


async def test_a_publish_becomes_a_frame(bus: MemoryBus, sink: Noting, clock: FakeClock) -> None:
    async with showing(bus, sink, tide_page()):
        await publish(bus, 1.0)
        first = sink.frames[-1]
        await clock.advance(SECOND)
        count = len(sink.frames)
        await publish(bus, 2.0)
    assert len(sink.frames) == count + 1
    assert sink.frames[-1].tobytes() != first.tobytes()


async def test_only_changed_frames_are_shown(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    async with showing(bus, sink, tide_page()):
        await publish(bus, 1.0)
        count = len(sink.frames)
        await clock.advance(SECOND)
        await publish(bus, 1.0)
        await clock.advance(30 * SECOND)
    assert len(sink.frames) == count


async def test_while_nobody_watches_nothing_is_drawn(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    sink.watching = False
    async with showing(bus, sink, tide_page()):
        await publish(bus, 1.0)
        await clock.advance(5 * SECOND)
        assert sink.frames == []
        assert sink.told[-1].pages[0].state == "fresh"
        sink.watching = True
        assert sink.remote is not None
        sink.remote.wake()
        await settle()
        assert len(sink.frames) == 1


async def test_until_there_was_any_data_it_says_where_its_web_page_is(
    bus: MemoryBus, sink: Noting
) -> None:
    async with showing(bus, sink, tide_page()) as show:
        before = sink.frames[-1]
        show.address = "192.168.1.7:8080"
        show.wake()
        await settle()
        assert sink.frames[-1] != before
        await publish(bus, 1.0)
        assert sink.told[-1].pages[0].state == "fresh"
        assert len(sink.frames) == 3


@pytest.mark.parametrize(("name", "shown"), [("pi", "pi"), ("raspberrypi.local", "192.168.1.7")])
async def test_of_several_addresses_the_leds_show_the_shortest(
    bus: MemoryBus, sink: Noting, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(loopback, "_own_address", lambda family: ["192.168.1.7"])
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    page = tide_page()
    task = asyncio.create_task(
        show_in_browser(
            [page],
            bus,
            started=told.set_result,
            host="0.0.0.0",  # noqa: S104  # what has several
            port=0,
            token="t" * 24,
            also=[sink],
        )
    )
    urls = (await asyncio.wait_for(told, 5)).split(" or ")
    await settle()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    places = [urlsplit(url) for url in urls]
    assert [place.hostname for place in places] == [name, "192.168.1.7"]
    assert all(place.query == f"token={'t' * 24}" for place in places)
    assert sink.frames[-1] == no_data(128, 64, page.icon, f"{shown}:{places[0].port}")


async def test_why_there_is_no_data_matters_more_than_where_its_web_page_is(
    bus: MemoryBus, sink: Noting
) -> None:
    await bus.fail("tide", "the gauge is dry")
    async with showing(bus, sink, tide_page()) as show:
        show.address = "192.168.1.7:8080"
        show.wake()
        await settle()
    assert sink.frames[-1] == no_data(128, 64, None, "tide", "the gauge is dry")


async def test_a_page_that_needs_no_data_is_something_to_show(bus: MemoryBus, sink: Noting) -> None:
    async with showing(bus, sink, tide_page(), plain()) as show:
        before = sink.frames[-1]
        show.address = "192.168.1.7:8080"
        show.wake()
        await settle()
        assert sink.frames[-1] == before


async def test_who_begins_to_watch_an_unchanged_picture_is_shown_it(
    bus: MemoryBus, sink: Noting
) -> None:
    async with showing(bus, sink, plain()) as show:
        (frame,) = sink.frames
        show.wake()
        await settle()
        assert sink.frames[1:] == [frame]
        assert sink.frames[1] is frame


async def test_the_playlist_goes_on_and_says_why(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    async with showing(bus, sink, plain(), tide_page()):
        status = sink.told[-1]
        assert (status.page, status.why) == ("plain", "because it is its turn")
        assert status.next_title == "Tide"
        assert status.until is not None
        assert abs(status.until - (T0 + 10 * SECOND)) <= SECOND / 10
        await clock.advance(11 * SECOND)
        assert sink.told[-1].page == "tidepage"
        assert sink.told[-1].next_title == "Plain"


async def test_buttons(bus: MemoryBus, sink: Noting, clock: FakeClock) -> None:
    async with showing(bus, sink, plain(), tide_page(), plain("third")) as show:
        show.next()
        await settle()
        assert (sink.told[-1].page, sink.told[-1].why) == ("tidepage", "because you asked for it")
        show.previous()
        show.pause()
        await clock.advance(60 * SECOND)
        assert (sink.told[-1].page, sink.told[-1].paused) == ("plain", True)
        assert sink.told[-1].until is None
        show.pause(False)
        show.pin("third")
        await clock.advance(60 * SECOND)
        assert (sink.told[-1].page, sink.told[-1].pinned) == ("third", True)
        show.resize(64, 32)
        await settle()
        assert sink.frames[-1].size == (64, 32)
        show.resize(100_000, 0)
        await settle()
        assert sink.frames[-1].size == (512, 1)


async def test_while_leds_are_connected_all_is_drawn_for_them_which_is_said(
    bus: MemoryBus, sink: Noting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with showing(bus, sink, plain()) as show:
        show.fix((128, 32))
        show.resize(256, 64)
        await settle()
        assert sink.frames[-1].size == (128, 32)
        assert (sink.told[-1].width, sink.told[-1].height) == (128, 32)
        assert sink.told[-1].fixed
        assert "the LEDs are 128x32: pages are drawn for that, and not for 128x64" in caplog.text
        show.fix(None)
        await settle()
        assert sink.frames[-1].size == (128, 32)
        assert not sink.told[-1].fixed
        show.resize(256, 64)
        await settle()
        assert sink.frames[-1].size == (256, 64)


async def test_a_page_that_raises_says_so_in_its_place_and_the_others_go_on(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    async with showing(bus, sink, tide_page(), plain()):
        await publish(bus, -1.0)
        failed = sink.told[-1].pages[0]
        assert failed.state == "failed"
        assert failed.problem is not None
        assert failed.problem.startswith("ValueError, test_show.py:")
        await clock.advance(11 * SECOND)
        assert sink.told[-1].page == "plain"
        await publish(bus, 1.0)
        await clock.advance(60 * SECOND)
        assert sink.told[-1].pages[0].state == "fresh"


async def test_feeds_are_told_with_their_age(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    async with showing(bus, sink, tide_page()):
        (before,) = sink.told[-1].feeds
        assert (before.name, before.title, before.freshness) == ("tide", "Tide", None)
        assert before.credit == "Tides by the harbour"
        await publish(bus, 1.0)
        (fresh,) = sink.told[-1].feeds
        assert (fresh.freshness, fresh.since) == (Freshness.FRESH, T0)
        await clock.advance(61 * SECOND)
        (late,) = sink.told[-1].feeds
        assert late.freshness is Freshness.LATE
        assert sink.told[-1].pages[0].state == "late"
        await clock.advance(60 * SECOND)
        (expired,) = sink.told[-1].feeds
        assert expired.freshness is Freshness.EXPIRED


async def test_feeds_are_told_with_why_there_is_nothing_new(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    async with showing(bus, sink, tide_page(), plain()):
        await bus.fail("tide", "the gauge is dry")
        await clock.advance(10 * SECOND)
        assert sink.told[-1].feeds[0].failing == "the gauge is dry"
        await publish(bus, 1.0)
        assert sink.told[-1].feeds[0].failing == ""


@pytest.mark.parametrize("fault", ["drop", "duplicate", "reorder", "cut", "away", "frozen"])
async def test_whatever_the_bus_does_the_panel_ends_up_with_the_newest(
    bus: MemoryBus, sink: Noting, clock: FakeClock, fault: str
) -> None:
    page = tide_page()
    async with showing(bus, sink, page):
        await publish(bus, 1.0)
        await clock.advance(SECOND)
        if fault == "drop":
            bus.drop()
        elif fault == "duplicate":
            bus.duplicate(2)
        elif fault == "reorder":
            bus.reorder()
        elif fault == "cut":
            bus.cut()
        elif fault == "away":
            bus.go_away()
            await clock.advance(SECOND)
            assert not sink.told[-1].connected
            bus.come_back()
        elif fault == "frozen":
            bus.freeze()
            await clock.advance(30 * SECOND)
            assert not sink.told[-1].connected
            bus.thaw()
        await publish(bus, 2.0)
        await clock.advance(SECOND)
        await publish(bus, 3.0)
        await clock.advance(15 * SECOND)
        assert page.tide.height_m == 3.0
        assert sink.told[-1].connected


async def test_the_status_is_told_only_when_it_changed(
    bus: MemoryBus, sink: Noting, clock: FakeClock
) -> None:
    async with showing(bus, sink, plain()):
        count = len(sink.told)
        await clock.advance(timedelta(minutes=10))
    assert len(sink.told) == count


async def test_a_sink_that_cannot_start_ends_it(bus: MemoryBus) -> None:
    class Taken(Noting):
        async def run(self, remote: Remote, started: Callable[[], None]) -> None:
            raise ConfigError("port 8080 is taken")

    with pytest.raises(ExceptionGroup) as caught:
        await Show([plain()], [Taken()], bus).run()
    assert isinstance(caught.value.exceptions[0], ConfigError)


# What it knows of its own doing.


async def test_a_page_that_draws_for_ever_is_a_loop_that_hangs(
    bus: MemoryBus, sink: Noting
) -> None:
    beats_s = 0.0
    overdue_s = []

    class Endless(DisplayBase):
        def draw(self, canvas: Canvas, now: datetime) -> None:
            nonlocal beats_s
            overdue_s.append(vitals.pulse.overdue_s)
            beats_s += SLACK_S + 7
            overdue_s.append(vitals.pulse.overdue_s)

    vitals = PanelVitals()
    vitals.pulse = Pulse(lambda: beats_s)
    beats_s = 1000.0
    show = Show([Endless(config=Config())], [sink], bus, vitals=vitals)
    running = asyncio.ensure_future(show.run())
    await settle()
    running.cancel()
    await asyncio.wait([running])
    assert overdue_s[:2] == [0, 7]


async def test_it_is_ready_with_data_and_counts_its_frames(bus: MemoryBus, sink: Noting) -> None:
    vitals = PanelVitals()
    show = Show([TidePage(config=Config())], [sink], bus, vitals=vitals)
    running = asyncio.ensure_future(show.run())
    await settle()
    assert vitals.waits_for
    frames = vitals.frames
    await publish(bus, 2.0)
    assert not vitals.waits_for
    assert vitals.frames == frames + 1
    assert vitals.lighting.count == 1
    running.cancel()
    await asyncio.wait([running])


async def test_no_frame_is_said_to_show_what_could_not_be_used(
    bus: MemoryBus, sink: Noting
) -> None:
    vitals = PanelVitals()
    show = Show([tide_page(), plain()], [sink], bus, vitals=vitals)
    running = asyncio.ensure_future(show.run())
    await settle()
    frames = vitals.frames
    await bus.publish("tide", Posted(to_us(bus.time.now()), b"{}"))
    show.next()
    await settle()
    assert vitals.frames == frames + 1
    assert vitals.lighting.count == 0
    running.cancel()
    await asyncio.wait([running])
