"""The page of feeds: how fresh what the other pages follow is, the worst first, part by part."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framework import Config, Freshness, Update, Values
from framework.canvas import Canvas
from framework.feed import Feed, Following
from framework.panel.snapshot import snapshot
from framework.testing import Harness, MemoryBus, assert_golden
from framework.testing.clock import FakeClock
from pages.feeds import PART_S, FeedsPage, Line, in_columns, lines_of
from pages.moon import MoonPage
from pages.tile import TilePage
from services.anyjson import JsonConfig, JsonServer
from services.feeds import Json, Moon

GOLDEN = Path(__file__).parent.parent / "golden" / "pages"
NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)
SIZES = [(128, 64), (64, 32), (256, 64), (64, 64), (192, 128)]
AGES = {Freshness.FRESH: 4, Freshness.LATE: 12, Freshness.EXPIRED: 40}
"""In minutes, of a feed that is good for ten."""


class Reading(Values):
    pass


def following(
    name: str,
    freshness: Freshness | None = Freshness.FRESH,
    *,
    dropped: int = 0,
    failing: str = "",
    model: type[Values] = Reading,
    required: bool = True,
) -> Following:
    feed: Feed[Any] = Feed(model) if required else Feed(model, required=False)
    one = Following(name, feed, logging.getLogger("test"))
    one.dropped = dropped
    one.failing = failing
    if freshness is not None:
        updated = NOW - timedelta(minutes=AGES[freshness])
        one.update = Update(
            type=model.__name__,
            updated=updated,
            valid=updated + timedelta(minutes=10),
            expires=updated + timedelta(minutes=20),
            values=Reading(),
        )
    return one


FEW = [following("moon", model=Moon), following("weather"), following("btc")]
MANY = [
    *FEW,
    following("system", Freshness.LATE),
    following("power", Freshness.EXPIRED),
    following("living-room", None),
    following("aqi", dropped=3),
    following("a-name-that-is-long-for-a-panel"),
]
FAILING = [
    following("weather", None, failing="api.open-meteo.com cannot be reached: Unknown host"),
    following("btc", Freshness.LATE, failing="api.example does not answer in time"),
    following("tide", failing="TideServer raised ValueError"),
    following("moon", model=Moon),
]
LISTS = {"few": FEW, "many": MANY, "none": [], "failing": FAILING}


def drawn(
    around: list[Following], width: int = 128, height: int = 64, *, elapsed_s: float = 0
) -> Image.Image:
    page = FeedsPage(config=Config())
    page.on(FakeClock(NOW), around)
    canvas = Canvas.blank(width, height, elapsed_s=elapsed_s, strict=True)
    page.draw(canvas, NOW)
    return canvas.image_of_page


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", LISTS)
def test_it_looks_as_it_should(name: str, width: int, height: int) -> None:
    image = drawn(LISTS[name], width, height)
    assert_golden(image, GOLDEN / f"feeds-{name}-{width}x{height}.png")


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(24, 260), st.integers(16, 130)),
    count=st.integers(0, 40),
    elapsed_s=st.floats(0, 1000),
)
def test_it_fits_every_panel_and_keeps_off_the_last_row(
    size: tuple[int, int], count: int, elapsed_s: float
) -> None:
    around = [
        following(f"feed{number}", dropped=number % 3, failing="words " * (number % 5))
        for number in range(count)
    ]
    box = drawn(around, *size, elapsed_s=elapsed_s).getbbox()
    assert box is not None
    assert box[3] <= size[1] - 1


def test_what_is_worst_comes_first_and_then_it_goes_by_name() -> None:
    assert [line.title for line in lines_of(MANY, NOW)] == [
        "power",
        "system",
        "living-room",
        "a-name-that-is-long-for-a-panel",
        "aqi",
        "btc",
        "Moon",
        "weather",
    ]


def test_a_feed_that_two_pages_follow_is_one() -> None:
    assert len(lines_of([*FEW, following("btc")], NOW)) == len(FEW)
    assert len(lines_of([*FEW, following("btc", None, model=Json)], NOW)) == len(FEW) + 1


def test_an_optional_feed_that_nobody_publishes_is_not_missed() -> None:
    assert len(lines_of([*FEW, following("aqi", None, required=False)], NOW)) == len(FEW)
    for known in (
        following("aqi", None),
        following("aqi", required=False),
        following("aqi", None, required=False, failing="api.example cannot be reached"),
        following("aqi", None, required=False, dropped=1),
    ):
        assert "aqi" in [line.title for line in lines_of([*FEW, known], NOW)]


def test_a_list_that_is_too_long_is_shown_in_parts_and_begins_again() -> None:
    at = [drawn(MANY, elapsed_s=part * PART_S + 0.1).tobytes() for part in range(3)]
    assert at[0] != at[1]
    assert at[0] == at[2]
    assert drawn(FEW).tobytes() == drawn(FEW, elapsed_s=PART_S + 0.1).tobytes()


@pytest.mark.parametrize("height", [1, 2, 3, 5])
def test_a_reason_stands_below_its_title_or_nowhere(height: int) -> None:
    columns = in_columns(lines_of(FAILING, NOW), height, reasons=True)
    titles = [text.title for column in columns for text in column if isinstance(text, Line)]
    assert titles == ["btc", "weather", "Moon", "tide"]
    for column in columns:
        assert len(column) <= height
        for above, text in zip([None, *column], column, strict=False):
            assert isinstance(text, Line) or (isinstance(above, Line) and above.failing == text)
    reasons = [text for column in columns for text in column if isinstance(text, str)]
    assert len(reasons) == (0 if height == 1 else 3)


def test_each_freshness_has_a_sign_that_can_be_told_without_its_colour() -> None:
    signs = set()
    for freshness in (*Freshness, None):
        image = drawn([following("btc", freshness)]).crop((0, 16, 14, 28)).convert("L")
        signs.add(image.point([0] + 255 * [1]).tobytes())
    assert len(signs) == 4


async def test_it_is_told_in_a_snapshot_too(tmp_path: Path) -> None:
    page, moon = FeedsPage(config=Config()), MoonPage(config=Config())
    bus = MemoryBus(FakeClock(NOW))
    await bus.fail("moon", "behind a cloud")
    why = await snapshot(
        [page, moon], bus, tmp_path, width=128, height=64, timeout_s=0.05, say=lambda _: None
    )
    assert [(one.name, one.failing) for one in page.around] == [("moon", "behind a cloud")]
    assert why == {"moonpage": "no data: behind a cloud"}


async def test_it_shows_what_the_pages_beside_it_follow() -> None:
    url = "https://a.example/1"
    service = JsonServer(name="btc", config=JsonConfig(url=url))
    tile = TilePage(config=Config(), feeds={"tile": "btc"})
    page = FeedsPage(config=Config())
    async with Harness(
        service, tile, MoonPage(config=Config()), page, now=NOW, http={url: b"1"}
    ) as h:
        await h.fetch()
        lines = lines_of(page.around, page.now())
        assert [(line.title, line.freshness) for line in lines] == [
            ("Moon", None),
            ("btc", Freshness.FRESH),
        ]
        await h.advance(hours=1)
        assert lines_of(page.around, page.now())[0].title == "btc"
        assert h.freshness(FeedsPage) is Freshness.FRESH
