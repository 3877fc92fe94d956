"""What the service makes of Open-Meteo's forecast, whatever comes."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import httpx2
import pytest
from hypothesis import given, settings

from framework import Freshness, Place
from framework.testing import Canned, Harness
from framework.update import Update
from services.feeds import Weather
from services.weather import DAYS, HOURS, URL, WeatherServer
from tests.services.openmeteo import FORECAST, NOW, changed, mutations, without

BERLIN = Place(latitude=52.52, longitude=13.41)
QUARTER = timedelta(minutes=15)
HOURLY: list[int] = FORECAST["hourly"]["time"]
DAILY: list[int] = FORECAST["daily"]["time"]


def harness(answer: object = FORECAST) -> Harness:
    return Harness(WeatherServer(config=BERLIN), now=NOW, http={URL: answer})


async def published(answer: object) -> Weather:
    async with harness(answer) as h:
        await h.fetch()
        assert h.unavailable is None
        update = h.published(Weather)
        assert update is not None
        return update.values


async def problem(answer: object) -> str:
    """Why nothing is published, after a good answer, whose values stay."""
    async with harness() as h:
        await h.fetch()
        good = h.published(Weather)
        assert good is not None
        h.http.answers[URL] = answer
        await h.advance(minutes=15)
        await h.fetch()
        assert h.published(Weather) == good
        assert h.unavailable is not None
        return h.unavailable


async def test_the_weather_now() -> None:
    values = await published(FORECAST)
    assert values.model_dump(exclude={"hours", "days", "observed"}) == {
        "latitude": 52.52,
        "longitude": 13.41,
        "temperature_c": 16.6,
        "feels_like_c": 14.9,
        "humidity_percent": 63,
        "wind_kmh": 14.4,
        "gusts_kmh": 31.3,
        "wind_from_deg": 298,
        "code": 2,
        "is_day": True,
    }
    assert values.observed.isoformat() == "2026-10-24T16:00:00+02:00"


async def test_hours_are_those_of_the_clocks_at_the_place_even_when_these_change() -> None:
    hours = (await published(FORECAST)).hours
    assert len(hours) == HOURS
    assert all(later.at - hour.at == timedelta(hours=1) for hour, later in pairwise(hours))
    clocks = [hour.at.isoformat() for hour in hours[9:13]]
    assert clocks == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]
    hour = hours[6]
    assert (hour.temperature_c, hour.code, hour.is_day, hour.rain_percent) == (9.2, 61, False, 55)


async def test_days_are_those_of_the_place_even_after_its_clocks_have_changed() -> None:
    days = (await published(FORECAST)).days
    first = date(2026, 10, 24)
    assert [day.on for day in days] == [first + timedelta(days=number) for number in range(DAYS)]
    assert (days[2].high_c, days[2].low_c, days[2].code) == (9.6, -0.6, 73)


async def test_hours_and_days_that_are_over_are_left_out() -> None:
    late = changed(FORECAST, ("current", "time"), HOURLY[30] + 45 * 60)
    values = await published(late)
    assert [hour.at.timestamp() for hour in values.hours] == HOURLY[30:]
    assert values.days[0].on == date(2026, 10, 25)
    assert len(values.days) == DAYS - 1


async def test_where_hours_are_rounded_up_the_first_is_the_next() -> None:
    half_past = [each + 1800 for each in HOURLY]
    values = await published(changed(FORECAST, ("hourly", "time"), half_past))
    assert [hour.at.timestamp() for hour in values.hours] == half_past


async def test_a_day_with_an_hour_more_lasts_until_the_next() -> None:
    days = [DAILY[0], *(each + 3600 for each in DAILY[1:])]
    values = await published(
        changed(
            changed(FORECAST, ("daily", "time"), days), ("current", "time"), DAILY[0] + 24 * 3600
        )
    )
    assert values.days[0].on == date(2026, 10, 24)


async def test_a_number_may_be_written_with_a_fraction_or_without() -> None:
    answer = changed(FORECAST, ("current", "temperature_2m"), 16)
    answer = changed(answer, ("current", "weather_code"), 2.0)
    values = await published(answer)
    assert (values.temperature_c, values.code) == (16.0, 2)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/localtime", "GMT+2"])
async def test_a_time_zone_that_is_not_known_here_is_the_offset_alone(name: str) -> None:
    values = await published(changed(FORECAST, ("timezone",), name))
    assert {hour.at.utcoffset() for hour in values.hours} == {timedelta(hours=2)}


async def test_what_is_asked() -> None:
    async with harness() as h:
        await h.fetch()
        (request,) = h.http.requests
    asked = dict(request.url.params)
    assert {name: asked[name] for name in ("latitude", "longitude", "timezone", "timeformat")} == {
        "latitude": "52.52",
        "longitude": "13.41",
        "timezone": "auto",
        "timeformat": "unixtime",
    }
    # The sample has all columns that are asked for, and no other.
    for table in ("current", "hourly", "daily"):
        assert {*asked[table].split(",")} == {*FORECAST[table]} - {"time", "interval"}


async def test_it_is_as_old_as_the_source_says() -> None:
    async with harness() as h:
        await h.fetch()
        update = h.published(Weather)
        assert update is not None
        assert update.since == NOW.replace(minute=0)
        assert update.freshness(NOW + QUARTER) is Freshness.FRESH
        assert update.freshness(NOW + 3 * QUARTER) is Freshness.LATE


async def test_it_asks_again_when_there_is_something_new() -> None:
    server = WeatherServer(config=BERLIN)
    values = await published(FORECAST)
    assert server.next_update(values) == NOW.replace(minute=15)


@pytest.mark.parametrize(
    "place",
    [
        *(("current", name) for name in FORECAST["current"] if name not in ("time", "interval")),
        *(("hourly", name, 3) for name in FORECAST["hourly"] if name != "time"),
        *(("daily", name, 7) for name in FORECAST["daily"] if name != "time"),
    ],
)
async def test_any_value_may_be_unknown(place: tuple[str | int, ...]) -> None:
    values = await published(changed(FORECAST, place, None))
    assert "None" in repr(values)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            without(FORECAST, ("current", "temperature_2m")),
            "current.temperature_2m: Field required",
        ),
        (without(FORECAST, ("hourly", "is_day")), "hourly.0.is_day: Field required"),
        (without(FORECAST, ("daily",)), "daily: Field required"),
        (changed(FORECAST, ("current", "temperature_2m"), "warm"), "current.temperature_2m: "),
        (changed(FORECAST, ("current", "temperature_2m"), 1e9), "current.temperature_2m: "),
        (changed(FORECAST, ("hourly", "time", 4), 253402300799000), "hourly.4.time: "),
        (changed(FORECAST, ("current", "temperature_2m"), True), "a number, not a boolean"),
        (changed(FORECAST, ("current", "temperature_2m"), "4.2"), "a number, not a text"),
        (changed(FORECAST, ("current", "temperature_2m"), float("nan")), "a number, not NaN"),
        (changed(FORECAST, ("current", "time"), "1792850400"), "current.time: "),
        (changed(FORECAST, ("hourly", "is_day", 4), "yes"), "hourly.4.is_day: "),
        (changed(FORECAST, ("hourly", "is_day", 4), 2), "hourly.4.is_day: "),
        (changed(FORECAST, ("hourly", "weather_code", 4), 3.5), "hourly.4.weather_code: "),
        (changed(FORECAST, ("daily", "temperature_2m_max", 1), [1]), "a number, not a list"),
        (changed(FORECAST, ("utc_offset_seconds",), "7200"), "utc_offset_seconds: "),
        (changed(FORECAST, ("hourly", "time"), []), "hourly: its columns are not of one length"),
        (changed(FORECAST, ("hourly", "time"), HOURLY[::-1]), "hourly: its times do not ascend"),
        (changed(FORECAST, ("hourly", "time", 4), HOURLY[3]), "hourly: its times do not ascend"),
        (changed(FORECAST, ("daily", "time"), DAILY[::-1]), "daily: its times do not ascend"),
        (
            changed(FORECAST, ("hourly", "time"), [each - HOURS * 3600 for each in HOURLY]),
            "hourly.time does not cover its current.time",
        ),
        (
            changed(FORECAST, ("hourly", "time"), [each + 3600 for each in HOURLY]),
            "hourly.time does not cover its current.time",
        ),
        (
            changed(FORECAST, ("daily", "time"), [each + 86400 for each in DAILY]),
            "daily.time does not cover its current.time",
        ),
        (changed(FORECAST, ("daily",), {}), "daily: Value should have at least 1 item"),
        (changed(FORECAST, ("daily",), [1]), "daily.0: "),
        ([], "the whole: "),
        (b"<html>", "api.open-meteo.com answers with something that is not JSON"),
        (Canned({"error": True, "reason": "?"}, status=400), "status 400"),
        (httpx2.ConnectError("no route"), "api.open-meteo.com cannot be reached"),
    ],
)
async def test_an_answer_of_another_shape_is_said_and_the_last_good_values_stay(
    answer: object, said: str
) -> None:
    assert said in await problem(answer)


@settings(max_examples=150)
@given(body=mutations(FORECAST))
async def test_whatever_comes_is_published_whole_or_not_at_all(body: bytes) -> None:
    async with harness() as h:
        await h.fetch()
        good = h.published(Weather)
        h.http.answers[URL] = body
        await h.advance(minutes=15)
        await h.fetch()
        update = h.published(Weather)
        assert update is not None
        if h.unavailable:
            assert update == good
        # What a page receives is what was published.
        assert Update[Weather].model_validate_json(update.to_wire()) == update
