"""What the pages about the weather share: icons and words for it, units, and the row of forecasts.

Which hours or days are shown is left to the pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from framework import Canvas
from framework.canvas import Tier
from framework.colours import Colour
from services.feeds import Weather

Units: TypeAlias = Literal["metric", "imperial"]

UNKNOWN = "–"
KM_PER_MILE = 1.609344
SOURCE = "Open-Meteo"
"""To be named, says its licence, CC BY 4.0."""


class Sky(NamedTuple):
    """How the weather is shown and what it is called, in full and in one word."""

    icon: str
    name: str
    word: str


SKIES = MappingProxyType(
    {
        0: Sky("sun", "Clear sky", "Clear"),
        1: Sky("sun", "Mainly clear", "Clear"),
        2: Sky("partly", "Partly cloudy", "Cloudy"),
        3: Sky("cloud", "Overcast", "Overcast"),
        45: Sky("fog", "Fog", "Fog"),
        48: Sky("fog", "Rime fog", "Fog"),
        51: Sky("drizzle", "Light drizzle", "Drizzle"),
        53: Sky("drizzle", "Drizzle", "Drizzle"),
        55: Sky("drizzle", "Dense drizzle", "Drizzle"),
        56: Sky("sleet", "Freezing drizzle", "Ice"),
        57: Sky("sleet", "Freezing drizzle", "Ice"),
        61: Sky("rain", "Light rain", "Rain"),
        63: Sky("rain", "Rain", "Rain"),
        65: Sky("heavy-rain", "Heavy rain", "Rain"),
        66: Sky("sleet", "Freezing rain", "Ice"),
        67: Sky("sleet", "Freezing rain", "Ice"),
        71: Sky("snow", "Light snow", "Snow"),
        73: Sky("snow", "Snow", "Snow"),
        75: Sky("snow", "Heavy snow", "Snow"),
        77: Sky("snow", "Snow grains", "Snow"),
        80: Sky("rain", "Light showers", "Showers"),
        81: Sky("rain", "Showers", "Showers"),
        82: Sky("heavy-rain", "Violent showers", "Showers"),
        85: Sky("snow", "Snow showers", "Snow"),
        86: Sky("snow", "Snow showers", "Snow"),
        95: Sky("thunder", "Thunderstorm", "Storm"),
        96: Sky("thunder", "Thunder, hail", "Hail"),
        99: Sky("thunder", "Thunder, hail", "Hail"),
    }
)
"""By the WMO codes that Open-Meteo documents, https://open-meteo.com/en/docs."""
NO_SKY = Sky("thermometer", UNKNOWN, UNKNOWN)
BY_NIGHT = MappingProxyType({"sun": "moon", "partly": "partly-night"})
STORMY = Sky("wind", "Strong wind", "Windy")
STORMY_KMH = 50
"""Where Beaufort's near gale begins: then the wind is the weather, if nothing falls."""
DRY = (None, 0, 1, 2, 3)

GAP: Mapping[Tier, int] = {"S": 2, "M": 2, "L": 4}
LINE: Mapping[Tier, int] = {"S": 8, "M": 14, "L": 24}
"""How high a line of a forecast is, and the room for its icon."""


def sky(code: int | None, is_day: bool | None, wind_kmh: float | None = None) -> Sky:
    """``is_day`` None: nobody knows, and it is drawn as day."""
    if code in DRY and wind_kmh is not None and wind_kmh >= STORMY_KMH:
        return STORMY
    found = SKIES.get(-1 if code is None else code, NO_SKY)
    return found._replace(icon=BY_NIGHT.get(found.icon, found.icon)) if is_day is False else found


def degrees(celsius: float | None, units: Units) -> str:
    if celsius is None:
        return UNKNOWN
    number = round(celsius * 1.8 + 32 if units == "imperial" else celsius)
    return f"{number}°".replace("-", "−")


def speed(kmh: float, units: Units) -> str:
    return f"{kmh / KM_PER_MILE:.0f} mph" if units == "imperial" else f"{kmh:.0f} km/h"


def credits_of(name: str) -> list[str]:
    """Who says so, and for where if the feed has a name of its own: the longest spelling first."""
    if name == Weather.__name__.lower():
        return [SOURCE, ""]
    place = name.replace("-", " ")
    return [f"{place} · {SOURCE}", place, ""]


def draw_credit(canvas: Canvas, name: str) -> Canvas:
    """The credit at the foot, but on a small panel; what is left is returned."""
    if canvas.tier == "S":
        return canvas
    rest, foot = canvas.rows(1.0, "caption")
    first, *others = credits_of(name)
    foot.text(first, "faint", role="caption", align="right", alt=others)
    return rest


class Entry(NamedTuple):
    """An hour or a day."""

    label: str
    icon: str
    values: Sequence[tuple[str, Colour]]
    """Two, what matters more first."""


def draw_entries(
    canvas: Canvas, entries: Sequence[Entry], *, width: Mapping[Tier, int], icon: Mapping[Tier, int]
) -> None:
    """As many as there is room for: columns, or lines if the canvas is not wide.

    ``width``: of a column, at least. ``icon``: how large it is in a column, at most.
    """
    tier = canvas.tier
    if canvas.width >= 1.5 * canvas.height:
        columns = canvas.grid(min(width[tier], canvas.width), canvas.height)
        for column, entry in zip(columns, entries, strict=False):
            label, picture, values = column.rows("caption", icon[tier], 1.0, gap=GAP[tier])
            label.text(entry.label, "dim", role="caption", align="center")
            picture.icon(entry.icon)
            draw_values(values, entry.values)
    else:
        # Where they stand beside each other, only the first of the values may find room.
        texts = [text for entry in entries for text, _ in entry.values[: 1 if tier == "S" else 2]]
        widest = max(canvas.text_size(text, role="body")[0] for text in texts)
        height = min(LINE[tier], canvas.width, canvas.height)
        lines = canvas.grid(canvas.width, height, gap=GAP[tier])
        for line, entry in zip(lines, entries, strict=False):
            picture, label, values = line.cols(height, 1.0, widest, gap=GAP[tier])
            picture.icon(entry.icon)
            label.text(entry.label, "dim", role="caption", alt=[entry.label[:2]])
            draw_values(values, entry.values)


def draw_values(canvas: Canvas, values: Sequence[tuple[str, Colour]]) -> None:
    """One above the other, or beside each other if there is no room for that."""
    height = canvas.text_size("0", role="body")[1]
    if canvas.height > 2 * height:
        parts = canvas.rows(0.5, *[height] * len(values), 0.5, gap=2)
    else:
        widths = [canvas.text_size(text, role="body")[0] for text, _ in values]
        parts = canvas.cols(0.5, *widths, 0.5, gap=2)
    for part, (text, color) in zip(parts[1:-1], values, strict=True):
        part.text(text, color, role="hero", align="center")
