"""What the framework draws over a page, or in its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framework.canvas import Canvas
from framework.colours import rgb
from framework.config import Config
from framework.panel.marks import STRIP, expired, failed, headline, late, no_data
from framework.server import ServerBase
from framework.testing import Canned, Harness, assert_golden
from framework.update import Values

GOLDEN = Path(__file__).parent.parent / "golden" / "marks"
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://buoys.example/harbour.json"
SIZES = [(128, 64), (64, 32)]
ANY_SIZE = st.tuples(st.integers(1, 256), st.integers(1, 128))


def page(width: int, height: int) -> Image.Image:
    """A page with a hero above, and text down to its margin."""
    canvas = Canvas.blank(width, height)
    hero, _, facts = canvas.inset().rows(15, 1.0, "body")
    hero.text("18°", role="hero")
    facts.pair("Feels", "24:00", "sky")
    return canvas.image_of_page


def above_strip(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height))
    image.paste(page(width, height - STRIP))
    return image


def last_row(image: Image.Image) -> list[tuple[int, ...] | float | None]:
    return [image.getpixel((x, image.height - 1)) for x in range(image.width)]


@pytest.mark.parametrize("size", SIZES)
def test_late_changes_the_last_row_and_nothing_else(size: tuple[int, int]) -> None:
    before, image = page(*size), page(*size)
    late(image, 0.25, "")
    above = (0, 0, size[0], size[1] - 1)
    assert image.crop(above).tobytes() == before.crop(above).tobytes()
    quarter = size[0] // 4
    assert last_row(image) == [rgb("late")] * quarter + [(0, 0, 0)] * (size[0] - quarter)


@pytest.mark.parametrize(("share", "dots"), [(-1.0, 1), (0.0, 1), (0.004, 1), (1.0, 64), (9.0, 64)])
def test_the_line_is_there_as_long_as_the_page_is_late(share: float, dots: int) -> None:
    image = page(64, 32)
    late(image, share, "")
    assert last_row(image).count(rgb("late")) == dots


@pytest.mark.parametrize("size", SIZES)
def test_expired_is_grey_above_a_strip_and_its_hero_can_still_be_read(
    size: tuple[int, int],
) -> None:
    before, image = page(*size), page(*size)
    expired(image, "Tide", "2 h")
    body = image.crop((0, 0, size[0], size[1] - STRIP))
    levels = {colour for _, colour in body.getcolors(10_000) or []}
    assert all(
        colour[0] == colour[1] == colour[2] for colour in levels if isinstance(colour, tuple)
    )
    hero = (0, 0, size[0], 17)
    lit = before.crop(hero).convert("L").point(lambda value: 255 if value else 0)
    assert (
        image.crop(hero).convert("L").point(lambda value: 255 if value else 0).tobytes()
        == lit.tobytes()
    )
    strip = image.crop((0, size[1] - STRIP, *size))
    assert {colour for _, colour in strip.getcolors(10_000) or []} == {(0, 0, 0), rgb("amber")}


@given(size=ANY_SIZE, words=st.text(max_size=12), share=st.floats(0, 1))
def test_every_mark_fits_every_panel(size: tuple[int, int], words: str, share: float) -> None:
    image = Image.new("RGB", size)
    late(image, share, words)
    expired(image, words, words)
    assert image.size == size
    assert no_data(*size, None, words).size == size
    assert no_data(*size, None, words, f"{words} {words}: {words}").size == size
    assert failed(*size, [words], words).size == size


def test_a_problem_says_its_kind_when_there_is_no_room_for_more() -> None:
    long, short = (
        failed(64, 32, ["Moon"], problem)
        for problem in ("UnicodeDecodeError, moon.py:41", "UnicodeDecode")
    )
    assert long.tobytes() == short.tobytes()


@pytest.mark.parametrize(("width", "height"), [*SIZES, (64, 64), (256, 64), (192, 128)])
def test_a_source_that_is_offline_looks_as_it_should(width: int, height: int) -> None:
    why = "api.open-meteo.com cannot be reached: Name or service not known"
    image = no_data(width, height, "moon", "moon", why)
    assert_golden(image, GOLDEN / f"offline-{width}x{height}.png")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_source_that_answers_is_not_called_offline(width: int, height: int) -> None:
    why = "there is no bitcoin.eur: bitcoin is an object with the keys 'usd', 'last_updated_at'"
    image = no_data(width, height, None, "btc", why)
    assert_golden(image, GOLDEN / f"unusable-{width}x{height}.png")


class Tide(Values):
    height_m: float


class TideServer(ServerBase[Tide]):
    async def fetch(self) -> Tide:
        return (await self.http.get(URL)).model(Tide)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx2.ConnectError("no route"), "Source offline"),
        (httpx2.ReadTimeout("slow"), "Source offline"),
        (Canned(status=500), "No data"),
        (b"<html>", "No data"),
        ({"height_ft": 1}, "No data"),
    ],
)
async def test_it_is_offline_if_nobody_answers(answer: object, said: str) -> None:
    async with Harness(TideServer(config=Config()), now=T0, http={URL: answer}) as h:
        await h.fetch()
    assert h.unavailable is not None
    assert headline(h.unavailable)[0] == said


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_they_look_as_they_should(width: int, height: int) -> None:
    size = f"{width}x{height}"
    later, just_on, old = page(width, height), *(above_strip(width, height) for _ in range(2))
    late(just_on, 0.62, "12 min")
    late(later, 0.3, "")
    expired(old, "Weather", "2 h")
    assert_golden(just_on, GOLDEN / f"late-just-on-{size}.png")
    assert_golden(later, GOLDEN / f"late-{size}.png")
    assert_golden(old, GOLDEN / f"expired-{size}.png")
    assert_golden(no_data(width, height, "moon", "moon"), GOLDEN / f"no-data-{size}.png")
    assert_golden(
        no_data(width, height, None, "weather tide"), GOLDEN / f"no-data-no-icon-{size}.png"
    )
    assert_golden(
        failed(width, height, ["Moon"], "ZeroDivisionError, moon.py:41"),
        GOLDEN / f"failed-{size}.png",
    )
