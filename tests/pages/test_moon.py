"""The Moon's page: its face lies the right way round, and times are those of the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framework.canvas import Canvas
from framework.config import Config
from framework.testing import assert_golden
from framework.testing.clock import FakeClock
from framework.update import Update
from pages.moon import MoonPage, days_until, moon_image, phase_names, when
from services.feeds import Moon

GOLDEN = Path(__file__).parent.parent / "golden" / "pages"
BERLIN = ZoneInfo("Europe/Berlin")
SYDNEY = ZoneInfo("Australia/Sydney")
NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

CRESCENT = Moon(
    phase_deg=70,
    illumination=0.34,
    tilt_deg=250,
    north_deg=340,
    moon_up=True,
    sun_up=False,
    next_new=NOW + 23 * DAY,
    next_full=NOW + 9 * DAY,
    sunrise=NOW + 12.7 * HOUR,
    sunset=NOW + 21.1 * HOUR,
    moonrise=NOW + 16.7 * HOUR,
    moonset=NOW + 2.3 * HOUR,
)
FULL = CRESCENT.model_copy(
    update={"phase_deg": 178.0, "illumination": 1.0, "next_full": NOW + 2 * HOUR}
)
SYDNEY_CRESCENT = CRESCENT.model_copy(update={"tilt_deg": 118.0, "north_deg": 208.0})
POLAR = CRESCENT.model_copy(update={"moonrise": None, "moonset": NOW + 3 * DAY})
MOMENTS = {
    "crescent": (CRESCENT, BERLIN),
    "full": (FULL, BERLIN),
    "sydney": (SYDNEY_CRESCENT, SYDNEY),
    "polar": (POLAR, BERLIN),
}


def drawn(moon: Moon, zone: ZoneInfo = BERLIN, width: int = 128, height: int = 64) -> Image.Image:
    page = MoonPage(config=Config())
    page.on(FakeClock(NOW))
    page.following["moon"].update = Update(
        type="Moon", updated=NOW, valid=NOW + HOUR, expires=NOW + 2 * HOUR, values=moon
    )
    canvas = Canvas.blank(width, height, strict=True)
    page.draw(canvas, NOW.astimezone(zone))
    return canvas.image_of_page


@pytest.mark.parametrize(
    ("width", "height"), [(128, 64), (64, 32), (256, 64), (64, 64), (192, 128), (96, 48)]
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_it_looks_as_it_should(moment: str, width: int, height: int) -> None:
    moon, zone = MOMENTS[moment]
    image = drawn(moon, zone, width, height)
    assert_golden(image, GOLDEN / f"moon-{moment}-{width}x{height}.png")


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(16, 260), st.integers(16, 130)),
    moon=st.sampled_from([CRESCENT, FULL, POLAR]),
)
def test_it_fits_every_panel_and_keeps_off_the_last_row(size: tuple[int, int], moon: Moon) -> None:
    box = drawn(moon, BERLIN, *size).getbbox()
    assert box is not None
    assert box[3] <= size[1] - 1


def light(image: Image.Image, box: tuple[int, int, int, int]) -> float:
    part = image.convert("L").crop(box)
    return sum(value * count for value, count in enumerate(part.histogram())) / 255


@pytest.mark.parametrize(
    ("tilt_deg", "lit", "dark"),
    [
        (270, (28, 0, 56, 56), (0, 0, 28, 56)),
        (90, (0, 0, 28, 56), (28, 0, 56, 56)),
        (0, (0, 0, 56, 28), (0, 28, 56, 56)),
        (180, (0, 28, 56, 56), (0, 0, 56, 28)),
    ],
)
def test_the_bright_limb_is_where_the_tilt_says(
    tilt_deg: int, lit: tuple[int, int, int, int], dark: tuple[int, int, int, int]
) -> None:
    image = moon_image(56, 50, tilt_deg, 0)
    assert light(image, lit) > 4 * light(image, dark)


def test_the_more_is_lit_the_more_light_there_is() -> None:
    whole = (0, 0, 56, 56)
    amounts = [light(moon_image(56, percent, 250, 0), whole) for percent in range(0, 101, 10)]
    assert all(less < more for less, more in pairwise(amounts))


def test_the_dark_side_shows_earthshine_and_the_sky_is_black() -> None:
    new = moon_image(56, 0, 270, 0)
    assert new.getpixel((28, 40)) == (20, 24, 40)
    assert new.getpixel((0, 0)) == (0, 0, 0)


def test_seas_turn_with_the_face() -> None:
    upright, turned = moon_image(56, 100, 270, 0), moon_image(56, 100, 270, 180)
    upper = (10, 4, 46, 24)
    assert light(upright, upper) < 0.95 * light(turned, upper)


@pytest.mark.parametrize(
    ("phase_deg", "name"),
    [
        (0, "New moon"),
        (5.9, "New moon"),
        (6.1, "Waxing crescent"),
        (83.9, "Waxing crescent"),
        (90, "First quarter"),
        (120, "Waxing gibbous"),
        (180, "Full moon"),
        (186.1, "Waning gibbous"),
        (270, "Last quarter"),
        (353.9, "Waning crescent"),
        (354.1, "New moon"),
        (359.9, "New moon"),
    ],
)
def test_phases_have_their_names(phase_deg: float, name: str) -> None:
    assert phase_names(phase_deg)[0] == name


def test_times_are_told_in_the_zone_of_the_reader() -> None:
    event = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    assert when(event, NOW.astimezone(BERLIN)) == "23:30"
    assert when(event, NOW.astimezone(SYDNEY)) == "09:30"


def test_what_is_more_than_a_day_away_has_a_date() -> None:
    now = NOW.astimezone(BERLIN)
    assert when(NOW + DAY, now) == "19:00"
    assert when(NOW + DAY + timedelta(seconds=1), now) == "25 Nov"
    assert when(None, now) == "–"


def test_a_day_of_25_hours_is_counted_in_hours() -> None:
    now = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)  # clocks go back in the night
    assert when(now + timedelta(hours=24.5), now.astimezone(BERLIN)) == "25 Oct"
    assert when(now + timedelta(hours=23.5), now.astimezone(BERLIN)) == "12:30"


def test_days_are_counted_as_on_a_calendar() -> None:
    evening = datetime(2026, 11, 24, 23, 0, tzinfo=BERLIN)
    assert days_until(evening + timedelta(minutes=30), evening) == "today"
    assert days_until(evening + timedelta(hours=2), evening) == "1 day"
    assert days_until(evening + 9 * DAY, evening) == "9 days"
    assert days_until(evening - HOUR, evening) == "today"
