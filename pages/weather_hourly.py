"""The weather in the coming hours, every third of them, by the clocks of the place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from framework import Canvas, Config, DisplayBase, Feed
from framework.canvas import Tier
from pages.forecast import Entry, Units, degrees, draw_credit, draw_entries, sky
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
        page = draw_credit(canvas.inset(), self.following["weather"].name)
        draw_hours(page, self.weather, now, self.config.units, self.config.hours)


def draw_hours(
    canvas: Canvas, weather: Weather, now: datetime, units: Units, clock: Literal[12, 24] = 24
) -> None:
    entries = [
        Entry(
            label=hour_label(hour.at, clock),
            icon=sky(hour.code, hour.is_day).icon,
            values=[(degrees(hour.temperature_c, units), "text"), (rain(hour), "sky")],
        )
        for hour in coming(weather.hours, now)[::EVERY]
    ]
    draw_entries(canvas, entries, width=WIDTH, icon=ICON)


def coming(hours: tuple[WeatherHour, ...], now: datetime) -> tuple[WeatherHour, ...]:
    """Those that are not over; if all are, the page has expired, and shows what it has."""
    return tuple(hour for hour in hours if now < hour.at + timedelta(hours=1)) or hours


def hour_label(at: datetime, clock: Literal[12, 24]) -> str:
    return f"{at:%H}" if clock == 24 else f"{at.hour % 12 or 12} {'AM' if at.hour < 12 else 'PM'}"


def rain(hour: WeatherHour) -> str:
    """How probable it is, if it is worth a number."""
    percent = hour.rain_percent
    return "" if percent is None or percent < RAIN_PERCENT else f"{percent:.0f}%"


if __name__ == "__main__":
    HourlyPage.run()
