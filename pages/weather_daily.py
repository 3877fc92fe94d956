"""The weather of the coming days, by the calendar of the place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from framework import Canvas, DisplayBase, Feed
from framework.canvas import Tier
from pages.forecast import Entry, draw_entries, places_of
from pages.sky import sky
from pages.spelling import DAYS, degrees
from services.feeds import Weather, WeatherDay

WIDTH: Mapping[Tier, int] = {"S": 30, "M": 27, "L": 32}
ICON: Mapping[Tier, int] = {"S": 16, "M": 24, "L": 24}


class DailyPage(DisplayBase):
    """Weather, high and low of today and the coming days."""

    icon: ClassVar[str | None] = "partly"
    fps: ClassVar[float] = 1 / 60  # so do the days

    weather = Feed(Weather)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        units = self.config.units
        entries = [
            Entry(
                labels=[DAYS[day.on.weekday()][:letters] for letters in (3, 2, 1)],
                icon=sky(day.code, is_day=True).icon,
                values=[(degrees(day.high_c, units), "amber"), (degrees(day.low_c, units), "sky")],
            )
            for day in coming_days(self.weather, now)
        ]
        places = places_of(self.following["weather"].name)
        draw_entries(canvas.inset(), entries, places, width=WIDTH, icon=ICON)


def coming_days(weather: Weather, now: datetime) -> tuple[WeatherDay, ...]:
    """From today at the place; if all are over, the page has expired, and shows what it has."""
    today = now.astimezone(weather.observed.tzinfo).date()
    return tuple(day for day in weather.days if day.on >= today) or weather.days


if __name__ == "__main__":
    DailyPage.run()
