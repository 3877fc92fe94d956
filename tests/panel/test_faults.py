"""What a panel gets over: pages that take their time, text without end, times that cannot be, and
those who die in turn.

What each part does when another dies is in ``test_panel``, and what else is sent to a page in
``tests.real.test_display_faults``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from framework.bus import Posted
from framework.bustime import to_us
from framework.canvas import Canvas, Overflow
from framework.config import Config
from framework.display import DisplayBase
from framework.panel import panelsink
from framework.panel.driver import opening, wire
from framework.panel.driver.light import Light
from framework.panel.driver.receiver import Receiver
from framework.panel.stage import BUDGET_S, Stage
from framework.panel.status import PageStatus
from framework.testing.bus import MemoryBus
from framework.testing.clock import FakeClock
from framework.update import Update
from tests.panel import test_panel, test_show
from tests.panel.test_sinks import stopped
from tests.panel.test_stage import T0, Tide, TidePage, take
from tests.waiting import until

TOOK = "took 2.0 s to draw, in which the panel stands still"
LIVES = 100
SIZE = (32, 16)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


async def test_a_page_over_its_time_is_shown_and_told_of(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    takes_s = 2.0
    page = TidePage(lambda _: clock.suspend(timedelta(seconds=takes_s)))
    page.on(clock)
    stage = Stage(page)

    def look(height_m: float) -> PageStatus:
        take(page, Tide(height_m=height_m), T0 + timedelta(seconds=height_m))
        assert stage.frame(clock, 128, 64, 9).state == "fresh"
        return stage.status()

    with caplog.at_level(logging.INFO):
        assert [look(1), look(2)] == [PageStatus("tidepage", "Tide", "fresh", TOOK)] * 2
        takes_s = 0.5
        assert look(3) == PageStatus("tidepage", "Tide", "fresh")
    assert [record.getMessage() for record in caplog.records] == [
        f"drawing in time: {TOOK}",
        "drawing in time: works again after 2 failures",
    ]


async def test_a_page_that_is_always_over_its_time_keeps_nobody_from_their_turn(
    clock: FakeClock,
) -> None:
    class Slow(DisplayBase):
        fps = 10

        def draw(self, canvas: Canvas, now: datetime) -> None:
            clock.suspend(timedelta(seconds=2))

    bus, sink = MemoryBus(clock), test_show.Noting()
    slow, tide = Slow(config=Config()), test_show.tide_page()
    async with test_show.showing(bus, sink, slow, tide):
        assert sink.told[-1].page == "slow"
        await test_show.publish(bus, 1.5)
        assert tide.tide.height_m == 1.5
        await clock.advance(timedelta(seconds=Slow.seconds))
        assert sink.told[-1].page == "tidepage"
        assert sink.told[-1].pages[0] == PageStatus("slow", "Slow", "fresh", TOOK)


@pytest.mark.parametrize("overflow", get_args(Overflow))
def test_text_without_end_is_drawn_in_time(overflow: Overflow) -> None:
    began_s = time.thread_time()
    Canvas.blank(128, 64).text("W" * 10_000, role="body", overflow=overflow)
    assert time.thread_time() - began_s < BUDGET_S


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_an_update_of_a_time_that_is_none_in_utc_is_dropped(moment: str) -> None:
    tide = TidePage().following["tide"]
    good = Update(type="Tide", updated=T0, valid=T0, expires=T0, values=Tide(height_m=1))
    body = json.dumps({**json.loads(good.to_wire()), "observed": moment}).encode()
    assert not tide.take(Posted(to_us(T0), body))
    assert (tide.update, tide.dropped) == (None, 1)


class Lit:
    """LEDs, which outlive what drives them."""

    size = SIZE

    def __init__(self) -> None:
        self.image = Image.new("RGB", SIZE)

    def show(self, image: Image.Image, brightness: int) -> None:
        self.image = image


async def test_renderer_and_panel_are_killed_in_turn(
    closed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SIGN_OF_LIFE_S", 0.005)  # by which a renderer notices
    monkeypatch.setattr(panelsink, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(panelsink, "LONGEST_RETRY_S", 0.01)
    path, leds = closed_folder / "panel.sock", Lit()

    def start_panel() -> asyncio.Task[None]:
        return asyncio.create_task(Light(leds, Receiver(opening.listen(path), SIZE)).run())

    def seen(expected: Image.Image) -> Callable[[], bool]:
        return lambda: leds.image == expected

    panel = start_panel()
    renderer = test_panel.Show(path, test_panel.picture(0))
    await until(seen(test_panel.picture(0)))
    for life in range(1, LIVES + 1):
        picture = test_panel.picture(life)
        if life % 2:
            await renderer.kill()
            renderer = test_panel.Show(path, picture)
        else:
            await stopped(panel)
            renderer.picture = picture
            panel = start_panel()
        await until(seen(picture))
    await renderer.kill()
    await stopped(panel)
