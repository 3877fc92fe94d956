"""The weather in the coming hours, every third of them, by the clocks of the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from framework import Canvas, Config, DisplayBase, Feed
from framework.canvas import Tier
from pages.forecast import Entry, draw_entries, places_of
from pages.sky import sky
from pages.spelling import Units, degrees
from services.feeds import Weather, WeatherHour

EVERY = 3
RAIN_PERCENT = 10
"""Rain that is less probable is not worth a number."""
WIDTH: Mapping[Tier, int] = {"S": 19, "M": 20, "L": 32}
ICON: Mapping[Tier, int] = {"S": 16, "M": 16, "L": 24}


class HourlyConfig(Config):
    hours: Literal[12, 24] = 24


class HourlyPage(DisplayBase[HourlyConfig]):
    """Weather and temperature in the coming hours, and how probable rain is."""

    icon: ClassVar[str | None] = "partly"
    fps: ClassVar[float] = 1 / 60  # the hours pass by themselves

    weather = Feed(Weather)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        units, places = self.config.units, places_of(self.following["weather"].name)
        draw_hours(canvas.inset(), self.weather, now, units, places, clock=self.config.hours)


def draw_hours(
    canvas: Canvas,
    weather: Weather,
    now: datetime,
    units: Units,
    places: Sequence[str],
    *,
    clock: Literal[12, 24] = 24,
) -> None:
    entries = [
        Entry(
            labels=hour_labels(hour.at, clock),
            icon=sky(hour.code, hour.is_day).icon,
            values=[(degrees(hour.temperature_c, units), "text"), (rain(hour), "sky")],
        )
        for hour in coming(weather.hours, now)[::EVERY]
    ]
    draw_entries(canvas, entries, places, width=WIDTH, icon=ICON)


def coming(hours: tuple[WeatherHour, ...], now: datetime) -> tuple[WeatherHour, ...]:
    """Those that are not over; if all are, the page has expired, and shows what it has."""
    return tuple(hour for hour in hours if now < hour.at + timedelta(hours=1)) or hours


def hour_labels(at: datetime, clock: Literal[12, 24]) -> list[str]:
    """The longest first."""
    if clock == 24:
        return [f"{at:%H}"]
    hour, half = f"{at.hour % 12 or 12}", "AM" if at.hour < 12 else "PM"
    return [f"{hour} {half}", f"{hour}{half}", hour]


def rain(hour: WeatherHour) -> str:
    """How probable it is, if it is worth a number."""
    percent = hour.rain_percent
    return "" if percent is None or percent < RAIN_PERCENT else f"{percent:.0f}%"


if __name__ == "__main__":
    HourlyPage.run()
