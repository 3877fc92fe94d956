"""What holds for every page on every panel, with values that are hard to fit: its hero is there,
no value is cut short, no text is cut off or lies on another. So too what stands in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import pytest

from framework import Config, DisplayBase
from framework.canvas import Canvas, tier_of
from framework.feed import Following
from framework.fonts import Font
from framework.fonts.setting import ELLIPSIS
from framework.panel.marks import STRIP, failed, no_data
from framework.testing import FakeClock
from framework.update import Values
from pages.clock import Clock, ClockConfig
from pages.feeds import FeedsPage
from pages.moon import MoonPage
from pages.system import SystemPage
from pages.tile import TilePage
from pages.weather import WeatherPage
from pages.weather_daily import DailyPage
from pages.weather_hourly import HourlyConfig, HourlyPage
from tests.pages.test_feeds import FAILING, FEW, MANY
from tests.pages.test_feeds import NOW as FEEDS_NOW
from tests.pages.test_moon import FULL, POLAR
from tests.pages.test_system import CONTAINER, PI
from tests.pages.test_tile import tile
from tests.pages.test_weather import AIR_OF_BERLIN, BERLIN, NOW, SHOWERS, colder, held

PANELS = [
    *((32, 16), (32, 32), (64, 32), (64, 64), (64, 128)),
    *((64, 48), (80, 40), (96, 48), (128, 64), (192, 128), (256, 64)),
]
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
    words: Sequence[str] = ()
    """What is not ours, and may be cut short."""
    around: Sequence[Following] = ()
    now: datetime = NOW


def spelled(around: Sequence[Following]) -> list[str]:
    """What is not ours of the feeds: their titles, and why there is nothing newer."""
    texts = [text for one in around for text in (one.title, one.failing)]
    return [*texts, *map(str.upper, texts)]


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
        ["BITCOIN"],
    ),
    "tile-unit": Sample(
        TilePage(config=Config()),
        (tile(3.5, label="Zürich", unit="Stück verfügbar"),),
        ("3.5",),
        ["ZÜRICH"],
    ),
    "feeds": Sample(
        FeedsPage(config=Config()),
        (),
        ("5 of 8 fresh", "5 of 8", "5/8", "5"),
        spelled(MANY),
        MANY,
        FEEDS_NOW,
    ),
    "feeds-failing": Sample(
        FeedsPage(config=Config()),
        (),
        ("2 of 4 fresh", "2 of 4", "2/4", "2"),
        spelled(FAILING),
        FAILING,
        FEEDS_NOW,
    ),
    "feeds-fresh": Sample(
        FeedsPage(config=Config()), (), ("All fresh", "Fresh", "OK"), spelled(FEW), FEW, FEEDS_NOW
    ),
    "tile-empty": Sample(TilePage(config=Config()), (tile("", label=""),), ("–",)),
}


WHY = "api.open-meteo.com cannot be reached: Name or service not known"
OSLO = ["Weather oslo", "oslo"]
BROKEN = "ZeroDivisionError, weather.py:41"


class Notice(NamedTuple):
    """What stands in a page's place."""

    draw: Callable[[int, int], object]
    headline: tuple[str, ...]
    words: Sequence[str]


NOTICES = {
    "no-data": Notice(
        partial(no_data, icon="moon", source="san-francisco"),
        ("No data yet", "No data"),
        ["san-francisco"],
    ),
    "offline": Notice(
        partial(no_data, icon="moon", source="san-francisco", failing=WHY),
        ("Source offline", "Offline"),
        [WHY, "cannot be reached", "service not known", "san-francisco"],
    ),
    "failed": Notice(
        partial(failed, titles=OSLO, problem=BROKEN), ("Weather oslo", "oslo"), ["ZeroDivision"]
    ),
}


class Text(NamedTuple):
    text: str
    capitals: Box
    """Where its capitals are: what hangs over them may share a row with other texts."""
    dots: Box


def written(draw: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """The texts that it writes."""
    texts = []
    write = Canvas._write

    def keep(canvas: Canvas, font: Font, text: str, x: int, top: int, style: Any) -> None:
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

    with monkeypatch.context() as patch:
        patch.setattr(Canvas, "_write", keep)
        draw()
    return texts


def overlap(one: Box, other: Box) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(
        one[3], other[3]
    )


def check(texts: list[Text], size: tuple[int, int], words: Sequence[str]) -> None:
    """Whatever is not one of ``words`` is whole, and all of it on the panel and apart."""
    for text in texts:
        stem, shortened, _ = text.text.partition(ELLIPSIS)
        assert not shortened or any(word.startswith(stem) for word in words), (size, text)
        left, top, right, bottom = text.dots
        assert min(left, top) >= 0, (size, text)
        assert right <= size[0], (size, text)
        assert bottom < size[1], (size, text)
    for one, other in combinations(texts, 2):
        assert not overlap(one.capitals, other.capitals), (size, one, other)


@pytest.mark.parametrize(
    ("name", "above"),
    [
        (name, above)
        for name, sample in SAMPLES.items()
        for above in (0, STRIP)
        if sample.values or not above  # what follows no feed has no age
    ],
)
def test_its_hero_is_there_and_nothing_is_cut(
    name: str, above: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, values, hero, words, around, now = SAMPLES[name]
    page.on(FakeClock(now), around)
    for following, one in zip(page.following.values(), values, strict=False):
        following.update = held(one)
    for width, height in PANELS:
        size = width, height - above
        canvas = Canvas.blank(*size, strict=True, tier=tier_of(height))
        at = now.astimezone(BERLIN.observed.tzinfo)
        texts = written(partial(page.draw, canvas, at), monkeypatch)
        assert any(text.text in hero for text in texts), (size, texts)
        check(texts, size, words)


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_says_what_is_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    notice = NOTICES[name]
    headlines = {spelling for each in notice.headline for spelling in (each, each.upper())}
    for size in PANELS:
        texts = written(partial(notice.draw, *size), monkeypatch)
        assert texts[0].text in headlines, (size, texts)
        assert len(texts) > 1, (size, texts)
        check(texts, size, notice.words)
