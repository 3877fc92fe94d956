"""What the weather is called, and which icon stands for it."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from pages.spelling import UNKNOWN


class Sky(NamedTuple):
    """How the weather is shown, and what it is called: the longest name first. The last one fits
    everywhere. What looks different is never called the same."""

    icon: str
    names: tuple[str, ...]


SKIES = MappingProxyType(
    {
        0: Sky("sun", ("Clear sky", "Clear")),
        1: Sky("sun", ("Mainly clear", "Clear")),
        2: Sky("partly", ("Partly cloudy", "Some cloud", "Partly")),
        3: Sky("cloud", ("Overcast", "Cloudy")),
        45: Sky("fog", ("Fog",)),
        48: Sky("fog", ("Rime fog", "Fog")),
        51: Sky("drizzle", ("Light drizzle", "Drizzle")),
        53: Sky("drizzle", ("Drizzle",)),
        55: Sky("drizzle", ("Dense drizzle", "Drizzle")),
        56: Sky("sleet", ("Freezing drizzle", "Ice")),
        57: Sky("sleet", ("Freezing drizzle", "Ice")),
        61: Sky("rain", ("Light rain", "Rain")),
        63: Sky("rain", ("Rain",)),
        65: Sky("heavy-rain", ("Heavy rain", "Pouring")),
        66: Sky("sleet", ("Freezing rain", "Ice")),
        67: Sky("sleet", ("Freezing rain", "Ice")),
        71: Sky("snow", ("Light snow", "Snow")),
        73: Sky("snow", ("Snow",)),
        75: Sky("snow", ("Heavy snow", "Snow")),
        77: Sky("snow", ("Snow grains", "Snow")),
        80: Sky("rain", ("Light showers", "Showers", "Rain")),
        81: Sky("rain", ("Showers", "Rain")),
        82: Sky("heavy-rain", ("Violent showers", "Pouring")),
        85: Sky("snow", ("Snow showers", "Snow")),
        86: Sky("snow", ("Snow showers", "Snow")),
        95: Sky("thunder", ("Thunderstorm", "Storm")),
        96: Sky("thunder", ("Thunder, hail", "Hail")),
        99: Sky("thunder", ("Thunder, hail", "Hail")),
    }
)
"""By the WMO codes that Open-Meteo documents, https://open-meteo.com/en/docs."""
NO_SKY = Sky("thermometer", (UNKNOWN,))
BY_NIGHT = MappingProxyType({"sun": "moon", "partly": "partly-night"})
STORMY = Sky("wind", ("Strong wind", "Windy"))
STORMY_KMH = 50
"""Where Beaufort's near gale begins: then the wind is the weather, if nothing falls."""
DRY = (None, 0, 1, 2, 3)


def sky(code: int | None, is_day: bool | None, wind_kmh: float | None = None) -> Sky:
    """``is_day`` None: nobody knows, and it is drawn as day."""
    if code in DRY and wind_kmh is not None and wind_kmh >= STORMY_KMH:
        return STORMY
    found = SKIES.get(-1 if code is None else code, NO_SKY)
    return found._replace(icon=BY_NIGHT.get(found.icon, found.icon)) if is_day is False else found
