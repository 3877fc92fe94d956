"""What the service makes of Open-Meteo's air quality, whatever comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from framework import Place
from framework.testing import Harness
from framework.update import Update
from services.airquality import POLLUTANTS, URL, AirQualityServer
from services.feeds import AirQuality
from tests.services.openmeteo import AIR, NOW, changed, mutations, without

BERLIN = Place(latitude=52.52, longitude=13.41)
HOUR = 16
"""Of the day, and so of the table: it is 16:07 in Berlin."""


def harness(answer: object = AIR) -> Harness:
    return Harness(AirQualityServer(config=BERLIN), now=NOW, http={URL: answer})


async def published(answer: object) -> AirQuality:
    async with harness(answer) as h:
        await h.fetch()
        assert h.unavailable is None
        update = h.published(AirQuality)
        assert update is not None
        return update.values


def with_indices(**now: float | None) -> dict[str, Any]:
    """The sample with these as what each pollutant comes to now, all others unknown."""
    answer = AIR
    for name in POLLUTANTS:
        answer = changed(answer, ("hourly", name, HOUR), now.get(name.removeprefix("us_aqi_")))
    return answer


async def test_the_air_now() -> None:
    values = await published(AIR)
    assert values == AirQuality(
        latitude=52.52,
        longitude=13.41,
        observed=NOW.replace(minute=0),
        us_aqi=AIR["current"]["us_aqi"],
        main_pollutant="PM2.5",
    )


@pytest.mark.parametrize(
    ("now", "main"),
    [
        ({"pm2_5": 40, "ozone": 41.5}, "O3"),
        ({"pm2_5": 40, "pm10": 60}, "PM10"),
        ({"nitrogen_dioxide": 3}, "NO2"),
        ({"sulphur_dioxide": 3, "carbon_monoxide": 2}, "SO2"),
        ({"carbon_monoxide": 0}, "CO"),
        ({}, None),
    ],
)
async def test_the_main_pollutant_is_the_worst_of_this_hour(
    now: dict[str, float], main: str | None
) -> None:
    assert (await published(with_indices(**now))).main_pollutant == main


async def test_without_an_hour_that_has_begun_no_pollutant_is_the_main_one() -> None:
    early = changed(AIR, ("current", "time"), AIR["hourly"]["time"][0] - 1)
    assert (await published(early)).main_pollutant is None


async def test_what_another_hour_was_due_to_says_nothing_of_this_one() -> None:
    late = changed(AIR, ("current", "time"), AIR["hourly"]["time"][-1] + 3600)
    assert (await published(late)).main_pollutant is None


async def test_what_is_asked_is_what_the_sample_has() -> None:
    async with harness() as h:
        await h.fetch()
        (request,) = h.http.requests
    asked = dict(request.url.params)
    assert asked["current"] == "us_aqi"
    assert ["time", *asked["hourly"].split(",")] == list(AIR["hourly"])
    assert (asked["timezone"], asked["timeformat"]) == ("auto", "unixtime")


async def test_it_asks_again_when_the_next_hour_has_begun() -> None:
    values = await published(AIR)
    server = AirQualityServer(config=BERLIN)
    assert server.observed(values) == NOW.replace(minute=0)
    assert server.next_update(values) == NOW.replace(minute=0) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (changed(AIR, ("current", "us_aqi"), None), "has no air quality index for this place"),
        (without(AIR, ("hourly", "us_aqi_ozone")), "hourly.0.us_aqi_ozone: Field required"),
        (changed(AIR, ("current", "us_aqi"), -1), "current.us_aqi: "),
        (changed(AIR, ("current", "us_aqi"), 1e308), "current.us_aqi: "),
        (changed(AIR, ("current", "us_aqi"), True), "current.us_aqi: Input should be a number, n"),
        (changed(AIR, ("hourly", "time", 3), 0), "hourly.3.time: "),
        (changed(AIR, ("hourly", "time", 3), AIR["hourly"]["time"][4]), "times do not ascend"),
    ],
)
async def test_what_cannot_be_used_is_said(answer: object, said: str) -> None:
    async with harness(answer) as h:
        await h.fetch()
        assert h.published(AirQuality) is None
        assert said in (h.unavailable or "")


@settings(max_examples=150)
@given(body=mutations(AIR))
async def test_whatever_comes_is_published_whole_or_not_at_all(body: bytes) -> None:
    async with harness() as h:
        await h.fetch()
        good = h.published(AirQuality)
        h.http.answers[URL] = body
        await h.advance(minutes=15)
        await h.fetch()
        update = h.published(AirQuality)
        assert update is not None
        if h.unavailable:
            assert update == good
        assert Update[AirQuality].model_validate_json(update.to_wire()) == update
