"""The pages about the weather: what is shown of it on which panel, in whose units and clocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framework import Config, DisplayBase, Place
from framework.canvas import Canvas
from framework.colours import rgb
from framework.icons import NAMES, icon_image
from framework.project import Project
from framework.testing import FakeClock, Harness, assert_golden
from framework.tools.instances import make_instances
from framework.update import Update, Values
from pages.forecast import Entry, credits_of, labels_for, places_of
from pages.sky import SKIES, STORMY_KMH, sky
from pages.weather import WeatherPage, air_fact, near, weather_facts, wind_name
from pages.weather_daily import DailyPage, coming_days
from pages.weather_hourly import HourlyConfig, HourlyPage, coming, hour_labels, rain
from services import airquality, weather
from services.feeds import AirQuality, Weather
from tests.readme import CITIES
from tests.services import openmeteo
from tests.services.openmeteo import AIR, FORECAST

GOLDEN = Path(__file__).parent.parent / "golden" / "pages"
SIZES = [(128, 64), (64, 32), (256, 64), (64, 64)]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HERE = Place(latitude=52.52, longitude=13.41)
ZONE = ZoneInfo("Europe/Berlin")

CLOCK_CHANGE = weather.weather(weather.Forecast.model_validate_json(json.dumps(FORECAST)), HERE)
"""The night to come has an hour more."""
AIR_OF_BERLIN = airquality.air_quality(airquality.Air.model_validate_json(json.dumps(AIR)), HERE)


def a_week_before(values: Weather) -> Weather:
    def before(at: datetime) -> datetime:
        return (at.astimezone(UTC) - 7 * DAY).astimezone(ZONE)

    parts = {
        "observed": before(values.observed),
        "hours": tuple(one.model_copy(update={"at": before(one.at)}) for one in values.hours),
        "days": tuple(one.model_copy(update={"on": one.on - 7 * DAY}) for one in values.days),
    }
    return values.model_copy(update=parts)


BERLIN = a_week_before(CLOCK_CHANGE)
NOW = openmeteo.NOW - 7 * DAY


def colder(values: Weather, by: float) -> Weather:
    def less(part: Any, *names: str) -> Any:
        return part.model_copy(update={name: getattr(part, name) - by for name in names})

    parts = {
        "hours": tuple(less(hour, "temperature_c") for hour in values.hours),
        "days": tuple(less(day, "high_c", "low_c") for day in values.days),
    }
    return less(values.model_copy(update=parts), "temperature_c", "feels_like_c")  # type: ignore[no-any-return]  # it returns what it was given


SIBERIA = colder(BERLIN, 28).model_copy(update={"code": 75, "is_day": False})
NIGHT = BERLIN.model_copy(update={"is_day": False})
SHOWERS = BERLIN.model_copy(update={"code": 82})
NOTHING = BERLIN.model_copy(
    update={
        **dict.fromkeys(("temperature_c", "feels_like_c", "humidity_percent", "wind_kmh")),
        **dict.fromkeys(("gusts_kmh", "wind_from_deg", "code", "is_day")),
    }
)
MOMENTS = {"day": (BERLIN, AIR_OF_BERLIN), "night": (NIGHT, None), "cold": (SIBERIA, None)}


def held(values: Values) -> Update[Any]:
    name = type(values).__name__
    return Update(type=name, updated=NOW, valid=NOW + HOUR, expires=NOW + 2 * HOUR, values=values)


def drawn(
    page: DisplayBase[Any],
    values: Weather,
    air: AirQuality | None = None,
    size: tuple[int, int] = (128, 64),
    *,
    now: datetime = NOW,
) -> Image.Image:
    page.on(FakeClock(NOW))
    page.following["weather"].update = held(values)
    if air is not None:
        page.following["air"].update = held(air)
    canvas = Canvas.blank(*size, strict=True)
    page.draw(canvas, now.astimezone(page.config.zone))
    return canvas.image_of_page


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_now_looks_as_it_should(moment: str, size: tuple[int, int]) -> None:
    values, air = MOMENTS[moment]
    image = drawn(WeatherPage(config=Config()), values, air, size)
    assert_golden(image, GOLDEN / f"weather-{moment}-{size[0]}x{size[1]}.png")


@pytest.mark.parametrize("size", [*SIZES, (32, 32)])
@pytest.mark.parametrize("moment", ["day", "cold"])
def test_hours_and_days_look_as_they_should(moment: str, size: tuple[int, int]) -> None:
    values, _ = MOMENTS[moment]
    hourly = drawn(HourlyPage(config=HourlyConfig()), values, size=size)
    assert_golden(hourly, GOLDEN / f"hourly-{moment}-{size[0]}x{size[1]}.png")
    daily = drawn(DailyPage(config=Config()), values, size=size)
    assert_golden(daily, GOLDEN / f"daily-{moment}-{size[0]}x{size[1]}.png")


def test_the_night_in_which_the_clocks_change_has_an_hour_more() -> None:
    image = drawn(HourlyPage(config=HourlyConfig()), CLOCK_CHANGE, now=openmeteo.NOW)
    assert_golden(image, GOLDEN / "hourly-clock-change-128x64.png")


def test_where_and_in_whose_units_is_told_apart() -> None:
    feeds = {"weather": "san-francisco"}
    page = WeatherPage(config=Config(units="imperial"), feeds=feeds)
    assert_golden(drawn(page, BERLIN), GOLDEN / "weather-imperial-128x64.png")
    hourly = HourlyPage(config=HourlyConfig(units="imperial", hours=12), feeds=feeds)
    assert_golden(drawn(hourly, BERLIN), GOLDEN / "hourly-imperial-128x64.png")


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(16, 260), st.integers(16, 130)),
    page=st.sampled_from([WeatherPage, DailyPage, HourlyPage]),
    values=st.sampled_from([BERLIN, SIBERIA, NIGHT, NOTHING, colder(BERLIN, -60)]),
    air=st.sampled_from([None, AIR_OF_BERLIN]),
    units=st.sampled_from(["metric", "imperial"]),
    now=st.sampled_from([NOW, NOW + 2 * DAY, NOW + 300 * DAY]),
)
def test_they_fit_every_panel_and_keep_off_the_last_row(
    size: tuple[int, int],
    page: type[DisplayBase[Any]],
    values: Weather,
    air: AirQuality | None,
    units: Literal["metric", "imperial"],
    now: datetime,
) -> None:
    made = page(config=page.config_class(units=units))
    box = drawn(made, values, air if page is WeatherPage else None, size, now=now).getbbox()
    assert box is not None
    assert box[3] <= size[1] - 1


# The sky.


@pytest.mark.parametrize("is_day", [True, False, None])
@pytest.mark.parametrize(
    "code",
    [
        *(0, 1, 2, 3, 45, 48, 51, 53, 55, 56, 57, 61, 63, 65, 66, 67, 71, 73, 75, 77),
        *(80, 81, 82, 85, 86, 95, 96, 99),
    ],
)
def test_every_code_has_its_icon_by_day_and_by_night(code: int, is_day: bool | None) -> None:
    assert sky(code, is_day).icon in NAMES
    assert sky(code, is_day).icon != "thermometer"
    assert (sky(code, is_day).icon in ("moon", "partly-night")) == (is_day is False and code < 3)


@pytest.mark.parametrize("code", [None, 4, 100, 999])
def test_what_is_no_code_of_theirs_is_neither_fair_nor_foul(code: int | None) -> None:
    assert sky(code, is_day=True) == ("thermometer", ("–",))
    assert icon_image("thermometer", 24) is not None


def test_a_gale_is_the_weather_if_nothing_falls() -> None:
    assert sky(0, True, STORMY_KMH).icon == "wind"
    assert sky(None, True, STORMY_KMH).icon == "wind"
    assert sky(0, True, STORMY_KMH - 0.1).icon == "sun"
    assert sky(65, True, 2 * STORMY_KMH) == SKIES[65]


def test_the_shortest_name_of_every_weather_fits_the_smallest_panel_that_shows_it() -> None:
    canvas = Canvas.blank(64, 64)
    room = canvas.inset().width
    for code in (*SKIES, None):
        assert canvas.text_size(sky(code, True).names[-1], role="title")[0] <= room
    assert canvas.text_size(sky(0, True, STORMY_KMH).names[-1], role="title")[0] <= room


def test_what_looks_different_is_never_called_the_same() -> None:
    icons: dict[str, set[str]] = {}
    for each in (*SKIES.values(), sky(0, True, STORMY_KMH)):
        for name in each.names:
            icons.setdefault(name, set()).add(each.icon)
    assert {name: found for name, found in icons.items() if len(found) > 1} == {}


# Words and numbers.


@pytest.mark.parametrize(
    ("from_deg", "name"),
    [(0, "N"), (22, "N"), (23, "NE"), (180, "S"), (298, "NW"), (338, "N"), (360, "N")],
)
def test_winds_are_called_by_where_they_come_from(from_deg: float, name: str) -> None:
    assert wind_name(from_deg) == name
    assert wind_name(None) == "Wind"


def test_what_is_not_known_is_not_said() -> None:
    assert weather_facts(NOTHING, "metric") == []
    assert [fact.label for fact in weather_facts(BERLIN, "metric")] == [
        "Feels",
        "NW",
        "Humidity",
        "Gust",
    ]


@pytest.mark.parametrize(
    ("us_aqi", "color"),
    [(0, "green"), (50, "green"), (51, "amber"), (151, "red"), (201, "violet"), (999, "violet")],
)
def test_air_has_the_colour_of_its_index(us_aqi: int, color: str) -> None:
    air = AIR_OF_BERLIN.model_copy(update={"us_aqi": us_aqi})
    assert air_fact(air) == ("AQI PM2.5", str(us_aqi), color, ["AQI"])
    assert air_fact(air.model_copy(update={"main_pollutant": None})).label == "AQI"


def test_the_air_of_another_city_is_not_shown() -> None:
    elsewhere = AIR_OF_BERLIN.model_copy(update={"latitude": 37.77, "longitude": -122.42})
    assert near(AIR_OF_BERLIN.model_copy(update={"latitude": 52.3}), BERLIN)
    assert not near(elsewhere, BERLIN)
    without = drawn(WeatherPage(config=Config()), BERLIN)
    assert drawn(WeatherPage(config=Config()), BERLIN, elsewhere) == without
    assert drawn(WeatherPage(config=Config()), BERLIN, AIR_OF_BERLIN) != without


@pytest.mark.parametrize("size", [*SIZES, (64, 128), (96, 48), (192, 128)])
@pytest.mark.parametrize("page", [WeatherPage, DailyPage, HourlyPage])
def test_two_cities_are_told_apart(page: type[DisplayBase[Any]], size: tuple[int, int]) -> None:
    one, other, long = (
        drawn(page(config=page.config_class(), feeds={"weather": name}), BERLIN, size=size)
        for name in ("bern", "oslo", "san-francisco-international-airport")
    )
    assert len({image.tobytes() for image in (one, other, long)}) == 3


def test_a_place_is_spelled_with_fewer_words_and_then_not_at_all() -> None:
    assert places_of("weather") == []
    assert places_of("new-york-city") == ["New York City", "New York"]
    assert places_of("berlin-mitte") == ["Berlin Mitte", "Berlin"]
    assert [places_of(name) for name in ("san-jose", "ulm")] == [["San Jose"], ["Ulm"]]
    assert credits_of([]) == ["Open-Meteo"]
    assert credits_of(places_of("new-york")) == ["New York · Open-Meteo", "New York"]


@pytest.mark.parametrize("page", [WeatherPage, DailyPage, HourlyPage])
def test_the_credit_takes_no_row_of_a_low_panel(page: type[DisplayBase[Any]]) -> None:
    def foot(height: int) -> bool:
        """Whether anything is faint, as the credit is."""
        image = drawn(page(config=page.config_class()), BERLIN, size=(80, height))
        return rgb("faint") in [color for _, color in image.getcolors(9999) or []]

    assert not any(foot(height) for height in range(20, 40))
    assert foot(46)


def test_a_place_that_finds_no_room_takes_none() -> None:
    feeds = {"weather": 30 * "x"}
    assert drawn(WeatherPage(config=Config(), feeds=feeds), SHOWERS) == drawn(
        WeatherPage(config=Config()), SHOWERS
    )


# Hours and days.


def test_labels_are_all_as_long() -> None:
    entries = [Entry([f"{hour} PM", f"{hour}PM", hour], "sun", []) for hour in ("9", "10")]
    canvas = Canvas.blank(64, 32)
    assert labels_for(canvas, entries, 20) == ["9 PM", "10 PM"]
    assert labels_for(canvas, entries, 19) == ["9PM", "10PM"]
    assert labels_for(canvas, entries, 17) == ["9", "10"]
    assert labels_for(canvas, entries, 3) == ["", ""]


def test_hours_that_are_over_are_left_out() -> None:
    first = BERLIN.hours[0].at
    assert coming(BERLIN.hours, first + HOUR - timedelta(seconds=1))[0] == BERLIN.hours[0]
    assert coming(BERLIN.hours, first + HOUR)[0] == BERLIN.hours[1]
    assert coming(BERLIN.hours, first + 3 * DAY) == BERLIN.hours


def test_days_change_at_midnight_at_the_place() -> None:
    midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    assert coming_days(CLOCK_CHANGE, midnight - timedelta(seconds=1))[0].on == date(2026, 10, 24)
    assert coming_days(CLOCK_CHANGE, midnight)[0].on == date(2026, 10, 25)
    assert coming_days(CLOCK_CHANGE, midnight + 9 * DAY) == CLOCK_CHANGE.days


@pytest.mark.parametrize(
    ("hour", "by_24", "by_12"),
    [
        (0, "00", ["12 AM", "12AM", "12"]),
        (9, "09", ["9 AM", "9AM", "9"]),
        (12, "12", ["12 PM", "12PM", "12"]),
        (15, "15", ["3 PM", "3PM", "3"]),
    ],
)
def test_hours_have_their_names(hour: int, by_24: str, by_12: list[str]) -> None:
    at = NOW.replace(hour=hour)
    assert (hour_labels(at, 24), hour_labels(at, 12)) == ([by_24], by_12)


@pytest.mark.parametrize(("percent", "said"), [(None, ""), (9, ""), (10, "10%"), (100, "100%")])
def test_rain_is_said_if_it_is_probable(percent: float | None, said: str) -> None:
    assert rain(BERLIN.hours[0].model_copy(update={"rain_percent": percent})) == said


# Together.


def answer(request: httpx2.Request) -> Mapping[str, Any]:
    warm = request.url.params["latitude"] == "52.52"
    return FORECAST | {"current": FORECAST["current"] | {"temperature_2m": 16.6 if warm else -5.0}}


async def test_two_cities_at_once(tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text(CITIES)
    project = Project.find({}, tmp_path)
    made = make_instances(project, project.services, project.pages)
    pages = [one.page for one in made.pages]
    async with Harness(*made.services, *pages, now=openmeteo.NOW, http={weather.URL: answer}) as h:
        await h.fetch()
        temperatures = {
            name: update.values.temperature_c
            for name in ("berlin", "oslo")
            if (update := h.published(Weather, name))
        }
        assert temperatures == {"berlin": 16.6, "oslo": -5.0}
        assert h.image("in-berlin") != h.image("in-oslo")
        h.http.answers[weather.URL] = httpx2.ConnectError("no route")
        await h.advance(hours=1)
        await h.fetch("oslo")
        assert h.unavailable == "api.open-meteo.com cannot be reached"
        update = h.published(Weather, "oslo")
        assert update is not None
        assert update.values.temperature_c == -5.0
