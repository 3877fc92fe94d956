"""The clock: the hour in both ways of counting, the date in English, and digits that stay put."""

from __future__ import annotations

import locale
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from framework.canvas import Canvas
from framework.config.loading import load
from framework.config.sources import Sources
from framework.testing import assert_golden
from pages.clock import Clock, ClockConfig

GOLDEN = Path(__file__).parent.parent / "golden" / "pages"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 23, 58, 42, tzinfo=BERLIN)
SIZES = [(128, 64), (64, 32), (64, 64), (256, 64)]
MODES = {
    "24h": ClockConfig(),
    "12h-seconds": ClockConfig(hours=12, seconds=True),
}


def drawn(
    config: ClockConfig, now: datetime = NOW, width: int = 128, height: int = 64
) -> Image.Image:
    canvas = Canvas.blank(width, height, strict=True)
    Clock(config=config).draw(canvas, now)
    return canvas.image_of_page


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.tobytes() == other.tobytes()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_it_looks_as_it_should(mode: str, width: int, height: int) -> None:
    image = drawn(MODES[mode], NOW, width, height)
    assert_golden(image, GOLDEN / f"clock-{mode}-{width}x{height}.png")


def test_midnight_and_noon_are_twelve_if_it_counts_to_twelve() -> None:
    twelve = ClockConfig(hours=12, date=False)
    night, noon, evening = (drawn(twelve, NOW.replace(hour=hour, minute=5)) for hour in (0, 12, 23))
    digits = (0, 0, 100, 64)
    assert same(night.crop(digits), noon.crop(digits))
    assert not same(night, noon)  # AM and PM
    assert not same(noon.crop(digits), evening.crop(digits))


def test_only_the_seconds_change_from_second_to_second() -> None:
    config = ClockConfig(seconds=True)
    changes = [
        ImageChops.difference(
            drawn(config, NOW.replace(second=second)), drawn(config, NOW.replace(second=second + 1))
        ).getbbox()
        for second in range(59)
    ]
    assert all(box is not None and box[0] > 100 and box[3] < 48 for box in changes)
    still = ClockConfig()
    assert same(drawn(still, NOW), drawn(still, NOW.replace(second=0)))


def test_digits_stay_where_they_are() -> None:
    config = ClockConfig(date=False)
    before, after = (drawn(config, NOW.replace(hour=10, minute=minute)) for minute in (11, 58))
    hour = (0, 0, 62, 64)
    assert same(before.crop(hour), after.crop(hour))


def test_an_hour_of_one_digit_stands_above_the_last_of_the_minutes() -> None:
    image = drawn(ClockConfig(hours=12, date=False), NOW.replace(hour=20, minute=8), 64, 64)
    digits = image.convert("L").point([0] * 200 + [255] * 56)  # brighter than "PM"
    hour, minute = (digits.crop((0, top, 64, top + 32)).getbbox() for top in (0, 32))
    assert hour is not None
    assert minute is not None
    assert hour[2] == minute[2]


def test_without_a_date_the_time_has_all_the_room() -> None:
    box = drawn(ClockConfig(date=False)).getbbox()
    assert box is not None
    assert box[1] + box[3] == pytest.approx(64, abs=1)


def test_the_date_is_english_in_every_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    english = drawn(ClockConfig(hours=12))
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "ja_JP.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_TIME, name)
        except locale.Error:
            continue
        try:
            assert same(drawn(ClockConfig(hours=12)), english)
        finally:
            locale.setlocale(locale.LC_TIME, "C")


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(16, 260), st.integers(16, 130)),
    config=st.builds(
        ClockConfig, hours=st.sampled_from([12, 24]), seconds=st.booleans(), date=st.booleans()
    ),
)
def test_it_fits_every_panel_and_keeps_off_the_last_row(
    size: tuple[int, int], config: ClockConfig
) -> None:
    image = drawn(config, NOW, *size)
    box = image.getbbox()
    assert box is not None
    assert box[3] <= size[1] - 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_most_dots_stay_dark(width: int, height: int) -> None:
    image = drawn(ClockConfig(hours=12, seconds=True), NOW, width, height).convert("L")
    assert image.histogram()[0] >= 0.65 * width * height


def test_the_environment_can_say_all_of_it() -> None:
    variables = {"HOURS": "12", "SECONDS": "true", "DATE": "false"}
    environ = {f"MATRIX_CLOCK__{name}": value for name, value in variables.items()}
    config = load(ClockConfig, "clock", sources=Sources(environ=environ)).config
    assert (config.hours, config.seconds, config.date) == (12, True, False)
