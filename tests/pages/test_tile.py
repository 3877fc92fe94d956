"""The tile: a value, its unit and its series, on every panel, and never a number cut in two."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framework.canvas import Canvas
from framework.colours import rgb
from framework.config import Config
from framework.testing import Harness, assert_golden
from framework.testing.clock import FakeClock
from framework.update import Update
from pages.tile import TilePage
from services.anyjson import JsonConfig, JsonServer
from services.feeds import Json

GOLDEN = Path(__file__).parent.parent / "golden" / "pages"
NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)
SIZES = [(128, 64), (64, 32), (256, 64), (64, 64), (192, 128)]
COLORS = ("text", "amber", "sky", "green", "red", "violet")


def tile(value: float | str | None, **fields: Any) -> Json:
    plain = {"label": "Tile", "unit": "", "color": "text", "decimals": None, "series": ()}
    return Json.model_validate({**plain, **fields, "value": value})


TILES = {
    "price": tile(
        67012.35,
        label="Bitcoin",
        unit="USD",
        color="amber",
        decimals=0,
        series=[
            66_928 + 80 * math.sin(hour / 5) + hour * 5 / 3 + 30 * math.sin(hour)
            for hour in range(48)
        ],
    ),
    "room": tile(21.4, label="Living room", unit="°", decimals=1),
    "power": tile(
        1.234567,
        label="Power",
        unit="kW",
        color="green",
        decimals=2,
        series=[1, 2, None, None, 5, 4, 3, 6],
    ),
    "door": tile("open", label="Garage door", color="red"),
    "flow": tile(-1234567890.25, label="Rain that fell on the city", unit="m³/h", color="sky"),
    "words": tile("Train to Hamburg cancelled, take the bus", label="Next"),
    "null": tile(None, label="Humidity", unit="%"),
}


def drawn(shown: Json, width: int = 128, height: int = 64) -> Image.Image:
    page = TilePage(config=Config())
    page.on(FakeClock(NOW))
    page.following["tile"].update = Update(
        type="Json",
        updated=NOW,
        valid=NOW + timedelta(hours=1),
        expires=NOW + timedelta(hours=2),
        values=shown,
    )
    canvas = Canvas.blank(width, height, strict=True)
    page.draw(canvas, NOW)
    return canvas.image_of_page


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.tobytes() == other.tobytes()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", TILES)
def test_it_looks_as_it_should(name: str, width: int, height: int) -> None:
    image = drawn(TILES[name], width, height)
    assert_golden(image, GOLDEN / f"tile-{name}-{width}x{height}.png")


@settings(max_examples=150)
@given(
    size=st.tuples(st.integers(16, 260), st.integers(16, 130)),
    shown=st.builds(
        Json,
        label=st.text(max_size=40),
        value=st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=60),
        unit=st.sampled_from(["", "°", "%", "°C", "kW", "km²/h", "kg"]),
        color=st.sampled_from(COLORS),
        decimals=st.none() | st.integers(0, 9),
        series=st.lists(st.none() | st.floats(-1e300, 1e300), max_size=600).map(tuple),
    ),
)
def test_it_fits_every_panel_and_keeps_off_the_last_row(size: tuple[int, int], shown: Json) -> None:
    box = drawn(shown, *size).getbbox()
    assert box is None or box[3] < size[1]


@pytest.mark.parametrize("words", ["gypsy", "jpg gypsy pqy", "gyp\ngyp\ngyp\ngyp\ngyp"])
def test_what_hangs_below_words_keeps_off_the_last_row(words: str) -> None:
    for height in range(16, 65):
        for width in (32, 47, 64, 128):
            box = drawn(tile(words), width, height).getbbox()
            assert box is not None
            assert box[3] < height, f"{width}x{height}"


@pytest.mark.parametrize("height", range(16, 65))
def test_an_accent_is_seen_though_it_stands_above_the_margin(height: int) -> None:
    with_it, without = (
        drawn(tile(text, label=text), 64, height).crop((0, 0, 64, 8)) for text in ("Ö", "O")
    )
    assert not same(with_it, without)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", TILES)
def test_most_dots_stay_dark(name: str, width: int, height: int) -> None:
    image = drawn(TILES[name], width, height).convert("L")
    assert image.histogram()[0] >= 0.65 * width * height


def test_a_number_that_is_too_wide_is_written_shorter_and_not_cut() -> None:
    wide = tile(-1234567890.25, decimals=2)
    assert same(drawn(wide, 64, 32), drawn(tile(-1.2e9), 64, 32))
    assert not same(drawn(wide, 256, 64), drawn(tile(-1.2e9), 256, 64))
    assert same(drawn(wide, 24, 16), drawn(tile(-1.2e9), 24, 16))


def test_a_unit_that_belongs_to_its_number_is_as_high_and_another_is_small() -> None:
    assert same(drawn(tile(21.0, unit="%")), drawn(tile("21%")))
    apart = drawn(tile(21.0, unit="kW"))
    assert rgb("dim") in {color for _, color in apart.crop((0, 20, 128, 64)).getcolors() or []}


@pytest.mark.parametrize("color", COLORS)
def test_the_value_has_the_colour_that_was_asked_for(color: str) -> None:
    assert rgb(color) in {each for _, each in drawn(tile(5, color=color)).getcolors() or []}


async def test_two_tiles_follow_two_services() -> None:
    urls = ["https://a.example/1", "https://b.example/2"]
    servers = [
        JsonServer(name=name, config=JsonConfig(url=url))
        for name, url in zip(("btc", "eth"), urls, strict=True)
    ]
    pages = [
        TilePage(name=f"{each.name}page", config=Config(), feeds={"tile": each.name})
        for each in servers
    ]
    answers = dict(zip(urls, (b"1", b"2"), strict=True))
    async with Harness(*servers, *pages, now=NOW, http=answers) as h:
        await h.fetch()
        assert [page.tile for page in pages] == [
            tile(1.0, label="btc"),
            tile(2.0, label="eth"),
        ]
        assert not same(h.image("btcpage"), h.image("ethpage"))
