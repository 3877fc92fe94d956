"""What a page is drawn from while it is being written: a file, the bus, or something made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from framework import Canvas, Config, DisplayBase, Feed, Values
from framework.bus import Posted
from framework.bustime import to_us
from framework.errors import ConfigError
from framework.panel.dev.values import find_values
from framework.redisbus import RedisBus
from tests.conftest import Server

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = datetime(2026, 2, 1, 12, tzinfo=UTC)
NOWHERE = "redis://127.0.0.1:1"


class Tide(Values):
    height_m: float


class Wind(Values):
    knots: int


class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None: ...


class SeaPage(TidePage):
    wind = Feed(Wind, required=False)


def envelope(kind: str, **values: Any) -> str:
    moment = EARLIER.isoformat()
    return json.dumps(
        {"type": kind, "updated": moment, "valid": moment, "expires": moment, "values": values}
    )


@pytest.fixture
def tide_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "tide.json").write_text(text)

    return write


def page(cls: type[TidePage] = TidePage, url: str = NOWHERE) -> TidePage:
    return cls(config=Config(redis_url=SecretStr(url)))


async def test_without_anything_it_is_made_up() -> None:
    found, at = await find_values(page(SeaPage), [], NOW)
    assert at == NOW
    assert {each.source for each in found.values()} == {"made up from the model"}
    assert isinstance(found["wind"].values, Wind)


async def test_an_update_in_a_file(tide_json: Callable[[str], None]) -> None:
    tide_json(envelope("Tide", height_m=1.5))
    found, at = await find_values(page(SeaPage), ["tide.json"], NOW)
    assert found["tide"].values == Tide(height_m=1.5)
    assert found["tide"].source == "in tide.json"
    assert at == EARLIER


async def test_values_by_themselves(tide_json: Callable[[str], None]) -> None:
    tide_json('{"height_m": 1.5}')
    for cls, given in ((TidePage, "tide.json"), (SeaPage, "tide=tide.json")):
        found, at = await find_values(page(cls), [given], NOW)
        assert found["tide"].values == Tide(height_m=1.5)
        assert at == NOW


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("{", "tide.json", "what is in tide.json is no JSON"),
        ('{"height_m": "s3cr3t"}', "tide.json", r"in tide.json is no Tide \(height_m: "),
        (envelope("Wind", knots=3), "tide.json", "say which feed tide.json is for.*: tide$"),
        ("{}", "sea=tide.json", "no feed sea. There are: tide$"),
        (
            "{}",
            "other.json",
            "other.json cannot be read: No such file .*Check its name",
        ),
    ],
)
async def test_a_file_that_does_not_fit(
    tide_json: Callable[[str], None], text: str, given: str, said: str
) -> None:
    tide_json(text)
    with pytest.raises(ConfigError, match=said) as caught:
        await find_values(page(), [given], NOW)
    assert "s3cr3t" not in str(caught.value)


async def test_values_that_may_be_for_several_feeds(tide_json: Callable[[str], None]) -> None:
    tide_json('{"height_m": 1.5}')
    with pytest.raises(ConfigError, match=r"--values FEED=tide.json. There are: tide, wind$"):
        await find_values(page(SeaPage), ["tide.json"], NOW)


@pytest.mark.parametrize(
    ("body", "height_m", "source"),
    [
        (envelope("Tide", height_m=1.5), 1.5, "on the bus"),
        (envelope("Tide", depth=1), 21.0, "made up: what is on the bus is no Tide (height_m: "),
        ("[]", 21.0, "made up: what is on the bus is no Tide (all of it: "),
        ("{", 21.0, "made up: what is on the bus is no JSON"),
    ],
)
async def test_what_the_bus_holds(
    server_of: Callable[[str], Server], body: str, height_m: float, source: str
) -> None:
    url = server_of("valkey").url
    bus = RedisBus(url)
    await bus.publish("tide", Posted(to_us(EARLIER), body.encode()))
    await bus.close()
    found, _ = await find_values(page(url=url), [], NOW)
    assert found["tide"].values == Tide(height_m=height_m)
    assert found["tide"].source.startswith(source)
