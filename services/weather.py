"""The weather at one place, now and to come, from Open-Meteo: no key, for non-commercial use.

What travels is ``services.feeds.Weather``; icons, words and units are left to the pages.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from framework import Place, ServerBase, Unavailable
from framework.config.place import is_timezone
from services.feeds import (
    Celsius,
    Degrees,
    KmPerHour,
    Percent,
    Weather,
    WeatherDay,
    WeatherHour,
    WmoCode,
)
from services.openmeteo import R, Row, Table, place_params

URL = "https://api.open-meteo.com/v1/forecast"
HOURS = 48
DAYS = 8
HALF_HOUR = timedelta(minutes=30)
STEP = timedelta(minutes=15)
"""The current values are computed for every quarter of an hour."""


class _Current(Row):
    temperature_2m: Celsius | None
    apparent_temperature: Celsius | None
    relative_humidity_2m: Percent | None
    wind_speed_10m: KmPerHour | None
    wind_gusts_10m: KmPerHour | None
    wind_direction_10m: Degrees | None
    weather_code: WmoCode | None
    is_day: bool | None


class _Hour(Row):
    temperature_2m: Celsius | None
    weather_code: WmoCode | None
    is_day: bool | None
    precipitation_probability: Percent | None


class _Day(Row):
    temperature_2m_max: Celsius | None
    temperature_2m_min: Celsius | None
    weather_code: WmoCode | None


class Forecast(BaseModel):
    """An answer, as far as we asked."""

    timezone: str
    utc_offset_seconds: int = Field(strict=True, gt=-86_400, lt=86_400)
    current: _Current
    hourly: Annotated[Table[_Hour], Field(min_length=1, max_length=2 * HOURS)]
    daily: Annotated[Table[_Day], Field(min_length=1, max_length=2 * DAYS)]

    @property
    def offset(self) -> tzinfo:
        """Of the place's clocks as they are now."""
        return timezone(timedelta(seconds=self.utc_offset_seconds))

    def clock(self, moment: datetime) -> datetime:
        """By the place's clocks, which may change within the forecast."""
        if not is_timezone(self.timezone):
            return moment.astimezone(self.offset)
        # Only the offset is kept: with a ZoneInfo, hours are added to what the clock says.
        offset = moment.astimezone(ZoneInfo(self.timezone)).utcoffset()
        return moment.astimezone(timezone(offset or timedelta(0)))


PARAMS = {
    **{
        table: ",".join(name for name in row.model_fields if name != "time")
        for table, row in (("current", _Current), ("hourly", _Hour), ("daily", _Day))
    },
    "forecast_hours": HOURS,
    "forecast_days": DAYS,
}


class WeatherServer(ServerBase[Weather, Place]):
    """Current weather and forecast for one place."""

    period = STEP

    async def fetch(self) -> Weather:
        reply = await self.http.get(URL, params={**place_params(self.config), **PARAMS})
        return weather(reply.model(Forecast), self.config)

    def observed(self, values: Weather) -> datetime:
        return values.observed

    def next_update(self, values: Weather) -> datetime:
        return values.observed + STEP


def weather(forecast: Forecast, place: Place) -> Weather:
    """What the service publishes of an answer.

    :raises Unavailable: its hours or days are not those of now.
    """
    now = forecast.current
    hours = _from_now("hourly", forecast.hourly, now.time, each=timedelta(hours=1))
    days = _from_now("daily", forecast.daily, now.time, each=timedelta(days=1))
    return Weather(
        latitude=place.latitude,
        longitude=place.longitude,
        observed=forecast.clock(now.time),
        temperature_c=now.temperature_2m,
        feels_like_c=now.apparent_temperature,
        humidity_percent=now.relative_humidity_2m,
        wind_kmh=now.wind_speed_10m,
        gusts_kmh=now.wind_gusts_10m,
        wind_from_deg=now.wind_direction_10m,
        code=now.weather_code,
        is_day=now.is_day,
        hours=tuple(
            WeatherHour(
                at=forecast.clock(hour.time),
                temperature_c=hour.temperature_2m,
                code=hour.weather_code,
                is_day=hour.is_day,
                rain_percent=hour.precipitation_probability,
            )
            for hour in hours
        ),
        days=tuple(
            WeatherDay(
                # Days begin by the offset of today, even those after the clocks have changed.
                on=day.time.astimezone(forecast.offset).date(),
                high_c=day.temperature_2m_max,
                low_c=day.temperature_2m_min,
                code=day.weather_code,
            )
            for day in days
        ),
    )


def _from_now(table: str, rows: list[R], now: datetime, *, each: timedelta) -> list[R]:
    """The rows from that on in which ``now`` is: until the next begins, for a day in autumn has 25
    hours. In a zone of half hours it may be one that is about to begin."""
    begun = sum(row.time <= now for row in rows)
    rest = rows[max(begun - 1, 0) :]
    if not rest[0].time - HALF_HOUR <= now < rest[-1].time + each:
        raise Unavailable(f"Open-Meteo's {table}.time does not cover its current.time")
    return rest


if __name__ == "__main__":
    WeatherServer.run()
