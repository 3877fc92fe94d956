"""A day of every page, as a panel shows it: services fetch, and time goes by."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from PIL import Image

from framework.config import Config, Place
from framework.display import DisplayBase
from framework.server import ServerBase
from framework.testing.harness import Harness
from pages.clock import Clock, ClockConfig
from pages.feeds import FeedsPage
from pages.moon import MoonPage
from pages.system import SystemPage
from pages.tile import TilePage
from pages.weather import WeatherPage
from pages.weather_daily import DailyPage
from pages.weather_hourly import HourlyConfig, HourlyPage
from services import airquality, weather
from services.airquality import AirQualityServer
from services.anyjson import JsonConfig, JsonServer
from services.moon import MoonServer
from services.system import SystemConfig, SystemServer
from services.weather import WeatherServer
from tests.services.openmeteo import AIR, FORECAST, NOW

STEP = timedelta(minutes=5)
"""The Moon's period: it is what has the most dots to change."""
URL = "http://json/"


async def changes() -> AsyncIterator[tuple[Image.Image, Image.Image]]:
    """A page before it has changed, and after."""
    place, levels = Place(latitude=52.52, longitude=13.41), itertools.count()
    services: list[ServerBase[Any, Any]] = [
        MoonServer(config=place),
        SystemServer(config=SystemConfig()),
        JsonServer(config=JsonConfig(url=URL, value="level")),
        WeatherServer(config=place),
        AirQualityServer(config=place),
    ]
    plain = (MoonPage, SystemPage, TilePage, WeatherPage, DailyPage, FeedsPage)
    pages: list[DisplayBase[Any]] = [
        *(page(config=Config()) for page in plain),
        HourlyPage(config=HourlyConfig()),
        Clock(config=ClockConfig()),
    ]
    web = {
        weather.URL: FORECAST,
        airquality.URL: AIR,
        URL: lambda request: {"level": next(levels)},
    }
    shown: dict[str, Image.Image] = {}
    async with Harness(*services, *pages, now=NOW, http=web) as panel:
        for _ in range(timedelta(days=1) // STEP):
            await panel.fetch()
            for page in pages:
                image = panel.image(page.name)
                before = shown.setdefault(page.name, image)
                if image.tobytes() != before.tobytes():
                    yield before, image
                shown[page.name] = image
            await panel.advance(seconds=STEP.total_seconds())
