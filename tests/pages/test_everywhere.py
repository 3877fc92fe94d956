"""What holds for every page on every panel, with values that are hard to fit: its hero is there,
no value is cut short, no text is cut off or lies on another."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import pytest

from framework import Config, DisplayBase
from framework.canvas import Canvas
from framework.fonts import Font
from framework.fonts.setting import ELLIPSIS
from framework.panel.marks import STRIP
from framework.testing import FakeClock
from framework.update import Values
from pages.clock import Clock, ClockConfig
from pages.moon import MoonPage
from pages.system import SystemPage
from pages.tile import TilePage
from pages.weather import WeatherPage
from pages.weather_daily import DailyPage
from pages.weather_hourly import HourlyConfig, HourlyPage
from tests.pages.test_moon import FULL, POLAR
from tests.pages.test_system import CONTAINER, PI
from tests.pages.test_tile import tile
from tests.pages.test_weather import AIR_OF_BERLIN, BERLIN, NOW, SHOWERS, colder, held

PANELS = [
    *((32, 16), (32, 32), (64, 32), (64, 64), (64, 128)),
    *((80, 40), (96, 48), (128, 64), (192, 128), (256, 64)),
]
SIZES = [*PANELS, *((width, height - STRIP) for width, height in PANELS)]
"""A page that says its age is drawn for fewer rows."""
COLD, HOT = colder(BERLIN, 57), colder(BERLIN, -26)
WORST_AIR = AIR_OF_BERLIN.model_copy(update={"us_aqi": 1234})
FAR = {"weather": "san-francisco-international-airport"}
AMERICAN = Config(units="imperial")

Box: TypeAlias = tuple[int, int, int, int]


class Sample(NamedTuple):
    page: DisplayBase[Any]
    values: tuple[Values, ...]
    hero: tuple[str, ...]
    """Of these spellings one is to be seen."""
    words: str = ""
    """What is not ours, and may be cut short."""


SAMPLES = {
    "cold": Sample(WeatherPage(config=Config()), (COLD,), ("−40°",)),
    "hot": Sample(WeatherPage(config=AMERICAN), (HOT, WORST_AIR), ("109°",)),
    "far": Sample(WeatherPage(config=Config(), feeds=FAR), (SHOWERS, WORST_AIR), ("17°",)),
    "hourly": Sample(HourlyPage(config=HourlyConfig()), (COLD,), ("−41°",)),
    "hourly-hot": Sample(
        HourlyPage(config=HourlyConfig(units="imperial", hours=12)), (HOT,), ("108°",)
    ),
    "hourly-far": Sample(HourlyPage(config=HourlyConfig(), feeds=FAR), (COLD,), ("−41°",)),
    "daily": Sample(DailyPage(config=Config()), (COLD,), ("−40°",)),
    "daily-far": Sample(DailyPage(config=AMERICAN, feeds=FAR), (HOT,), ("110°",)),
    "moon": Sample(MoonPage(config=Config()), (FULL,), ("100%",)),
    "moon-polar": Sample(MoonPage(config=Config()), (POLAR,), ("34%",)),
    "clock": Sample(Clock(config=ClockConfig(seconds=True)), (), ("16:07", "16")),
    "clock-12": Sample(Clock(config=ClockConfig(hours=12, seconds=True)), (), ("4:07", "4")),
    "system": Sample(SystemPage(config=AMERICAN), (PI,), ("125°",)),
    "system-busy": Sample(SystemPage(config=Config()), (CONTAINER,), ("250%",)),
    "tile": Sample(
        TilePage(config=Config()),
        (tile(67012.35, label="Bitcoin", unit="USD", decimals=2, series=[1, 3, 2]),),
        ("67012.35", "67012", "67k"),
        "BITCOIN",
    ),
    "tile-unit": Sample(
        TilePage(config=Config()),
        (tile(3.5, label="Zürich", unit="Stück verfügbar"),),
        ("3.5",),
        "ZÜRICH",
    ),
    "tile-empty": Sample(TilePage(config=Config()), (tile("", label=""),), ("–",)),
}


class Text(NamedTuple):
    text: str
    capitals: Box
    """Where its capitals are: what hangs over them may share a row with other texts."""
    dots: Box


def drawn(sample: Sample, size: tuple[int, int], patch: pytest.MonkeyPatch) -> list[Text]:
    """The texts that the page writes."""
    texts = []
    write = Canvas._write

    def written(canvas: Canvas, font: Font, text: str, x: int, top: int, style: Any) -> None:
        line = font.line(text, tabular=style.tabular)
        left, upper = canvas._box[0] + x, canvas._box[1] + top
        x0, y0 = left + line.left, upper + font.cap + line.top
        if text:
            texts.append(
                Text(
                    text,
                    (left, upper, left + line.width, upper + font.cap),
                    (x0, y0, x0 + line.mask.width, y0 + line.mask.height),
                )
            )
        write(canvas, font, text, x, top, style)

    patch.setattr(Canvas, "_write", written)
    sample.page.on(FakeClock(NOW))
    for following, values in zip(sample.page.following.values(), sample.values, strict=False):
        following.update = held(values)
    sample.page.draw(Canvas.blank(*size, strict=True), NOW.astimezone(BERLIN.observed.tzinfo))
    return texts


def overlap(one: Box, other: Box) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(
        one[3], other[3]
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_its_hero_is_there_and_nothing_is_cut(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = SAMPLES[name]
    for size in SIZES:
        with monkeypatch.context() as patch:
            texts = drawn(sample, size, patch)
        assert any(text.text in sample.hero for text in texts), (size, texts)
        for text in texts:
            stem, shortened, _ = text.text.partition(ELLIPSIS)
            assert not shortened or sample.words.startswith(stem), (size, text)
            left, top, right, bottom = text.dots
            assert min(left, top) >= 0, (size, text)
            assert right <= size[0], (size, text)
            assert bottom < size[1], (size, text)
        for one, other in combinations(texts, 2):
            assert not overlap(one.capitals, other.capitals), (size, one, other)
