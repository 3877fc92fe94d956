"""What type checkers see of the public API: ``mypy --strict`` on programs as users write them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
from datetime import UTC, datetime, timedelta

from typing_extensions import assert_type

from framework import (
    Canvas, Config, DisplayBase, Feed, Freshness, Place, ServerBase, Unavailable, Update, Values,
)
from framework.testing import FakeClock, Harness, MemoryBus

class Tide(Values):
    height_m: float

class Weather(Values):
    x: int

class TideConfig(Config):
    station: str

class PageConfig(Config):
    colour: str = "sky"

class TideServer(ServerBase[Tide, TideConfig]):
    period = timedelta(minutes=10)

    async def fetch(self) -> Tide:
        return Tide(height_m=len(self.config.station))

class TidePage(DisplayBase):
    tide = Feed(Tide)
    weather = Feed(Weather, required=False)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(f"{self.tide.height_m} m")
"""

GOOD = """
class Plain(ServerBase[Tide]):
    good_for = timedelta(hours=1)

    async def fetch(self) -> Tide:
        assert_type(self.now(), datetime)
        assert_type(await self.blocking(len, "abc"), int)
        raise Unavailable("no tide", retry_after=timedelta(minutes=5))

    def observed(self, values: Tide) -> datetime | None:
        assert_type(values.height_m, float)
        return None

class Coloured(DisplayBase[PageConfig]):
    fps = 2.0
    tide = Feed(Tide, required=True)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        assert_type(self.config, PageConfig)
        assert_type(self.tide, Tide)
        canvas.inset().text("m", self.config.colour)

class Further(Coloured):
    weather = Feed(Weather)

async def services() -> None:
    server = TideServer(name="harbour", config=TideConfig(station="x"))
    assert_type(server.config, TideConfig)
    assert_type(server.config.station, str)
    assert_type(server.name, str)
    assert_type(await server.fetch(), Tide)
    plain = Plain()
    assert_type(plain.config, Config)
    assert_type(await plain.fetch(), Tide)

def pages(page: TidePage, further: Further) -> None:
    assert_type(page.config, Config)
    assert_type(page.tide, Tide)
    assert_type(page.weather, Weather | None)
    if page.weather is not None:
        assert_type(page.weather.x, int)
    assert_type(TidePage.tide, Feed[Tide])
    assert_type(TidePage.weather, Feed[Weather | None])
    assert_type(further.config, PageConfig)
    assert_type(further.tide, Tide)
    assert_type(further.weather, Weather)

def configuration() -> None:
    place = Place(latitude=52.5, longitude=13.4)
    assert_type(place.latitude, float)
    assert_type(Place().longitude, float)
    assert_type(place.redis_url.get_secret_value(), str)
    assert_type(place.timezone, str)

def run() -> None:
    TidePage.run(name="a", feeds={"tide": "harbour"})

async def tests(update: Update[Tide]) -> None:
    assert_type(update.values, Tide)
    parts = Plain(config=Config()), TidePage(config=Config())
    async with Harness(*parts, now=datetime(2026, 3, 1, tzinfo=UTC)) as h:
        assert_type(h, Harness)
        await h.fetch()
        await h.fetch("plain")
        await h.advance(hours=2, minutes=1.5)
        assert_type(h.freshness(TidePage), Freshness)
        assert_type(h.freshness("tidepage"), Freshness)
        assert_type(h.published(Tide), Update[Tide] | None)
        assert_type(h.unavailable, str | None)
        assert_type(h.time, FakeClock)
        assert_type(h.bus, MemoryBus)
        assert_type(h.image(TidePage, size=(64, 32)).width, int)
"""

# Each line that is wrong says how.
BAD = """
class Assigning(TidePage):
    def draw(self, canvas: Canvas, now: datetime) -> None:
        self.tide = Tide(height_m=1.0)  # assignment

class Wrong(ServerBase[Tide]):
    async def fetch(self) -> Weather:  # override
        return Weather(x=1)

class Late(ServerBase[Tide]):
    period = 10  # assignment

    async def fetch(self) -> Tide:
        return None  # return-value

class Unpublished(ServerBase[TideConfig]):  # type-var
    async def fetch(self) -> TideConfig:
        return TideConfig(station="x")

class Unconfigured(DisplayBase[Tide]):  # type-var
    tide = Feed(Config)  # type-var

    def draw(self, canvas: Canvas, now: datetime) -> None: ...

class Unchecked(DisplayBase):
    weather = Feed(Weather, required=False)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(f"{self.weather.x}")  # union-attr
        canvas.text("x", role="heroic")  # arg-type
        self.config.colour  # attr-defined

class Undrawn(DisplayBase):
    pass

def use(tide: TidePage, h: Harness) -> None:
    Undrawn()  # abstract
    TideServer(config=Config())  # arg-type
    TideServer("harbour")  # call-arg
    TideConfig()  # call-arg
    TideConfig(station=1)  # arg-type
    tide.waether  # attr-defined
    h.freshness(TideServer)  # arg-type
    h.published(Config)  # type-var
    Place(latitude="north")  # arg-type
    Config(colour="red")  # call-arg
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def errors(folder: Path, cache: Path, program: str) -> list[tuple[int, str]]:
    """What mypy says of ``program``: line and kind of each error."""
    (folder / "user.py").write_text(program)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11"),
            *("--config-file=", "--cache-dir", str(cache), "--no-error-summary", "user.py"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    said = [line for line in done.stdout.splitlines() if ": note: " not in line]
    found = [re.fullmatch(r"user\.py:(\d+): error: .*\[([\w-]+)\]", line) for line in said]
    assert None not in found, done.stdout
    return [(int(each[1]), each[2]) for each in found if each]


def test_what_is_right_has_the_types_that_are_promised(tmp_path: Path, cache: Path) -> None:
    assert errors(tmp_path, cache, HEAD + GOOD) == []


def test_what_is_wrong_is_refused_on_its_line(tmp_path: Path, cache: Path) -> None:
    program = HEAD + BAD
    wrong = [
        (number, kind)
        for number, line in enumerate(program.splitlines(), 1)
        if (kind := line.partition("  # ")[2])
    ]
    assert errors(tmp_path, cache, program) == wrong
