"""The weather as it is now at one place: temperature, sky, wind, and the air that one breathes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple

from framework import Canvas, DisplayBase, Feed
from framework.canvas import GAP, Tier
from framework.colours import Colour
from pages.forecast import SOURCE, credits_of, is_credited, places_of
from pages.layout import is_double
from pages.sky import Sky, sky
from pages.spelling import Units, degrees, speed
from pages.weather_daily import coming_days
from pages.weather_hourly import draw_hours
from services.feeds import AirQuality, AtPlace, Weather

COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
AIR: tuple[tuple[int, Colour], ...] = ((50, "green"), (150, "amber"), (200, "red"))
"""The colour up to each index; above the last it is violet. The EPA's, but that its yellow and its
orange are one amber."""
HEAD_PX: Mapping[Tier, int] = {"S": 16, "M": 24, "L": 50}
ICON_PX = 24
"""The largest there is: a head that is not wide has it above the number."""
GAP_PX = 4
NARROW_PX = 48
"""Below that, an icon and a number do not go beside each other."""

NEAR_DEG = 0.5
"""About the size of a cell for which the air is computed."""


class Fact(NamedTuple):
    label: str
    value: str
    color: Colour = "text"
    alt: Sequence[str] = ()
    """Shorter labels."""


class Seen(NamedTuple):
    """What there is to be seen, in words."""

    sky: Sky
    now: str
    high: str
    low: str
    air: Fact | None
    facts: Sequence[Fact]
    """All that is known beside, what matters most first."""
    places: Sequence[str]
    """Where, if the feed says so: the longest spelling first."""


class WeatherPage(DisplayBase):
    """The weather now. On a panel twice as wide as usual also the coming hours."""

    icon: ClassVar[str | None] = "partly"
    fps: ClassVar[float] = 1 / 60  # what is highest and lowest today is another day's at midnight

    weather = Feed(Weather)
    air = Feed(AirQuality, required=False)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        weather, units = self.weather, self.config.units
        places = places_of(self.following["weather"].name)
        if is_double(canvas):
            canvas, hours = canvas.split(gap=0)
            draw_hours(hours.inset(), weather, now, units, places)
        today = coming_days(weather, now)[0]
        air = air_fact(self.air) if self.air and near(self.air, weather) else None
        seen = Seen(
            sky=sky(weather.code, weather.is_day, weather.wind_kmh),
            now=degrees(weather.temperature_c, units),
            high=degrees(today.high_c, units),
            low=degrees(today.low_c, units),
            air=air,
            facts=[*([air] if air else []), *weather_facts(weather, units)],
            places=places,
        )
        page = canvas.inset()
        if page.width < min(NARROW_PX, 1.5 * page.height):
            draw_narrow(page, seen)
        elif page.tier == "S":
            draw_small(page, seen)
        else:
            draw_large(page, seen)


def draw_narrow(page: Canvas, seen: Seen) -> None:
    """What the sky is like, and below it how warm it is."""
    picture, hero = page.rows(1.0, min(15, page.height))
    picture.icon(seen.sky.icon)
    hero.text(seen.now, role="hero", align="center")


def draw_small(page: Canvas, seen: Seen) -> None:
    """Beside each other, and one row of facts; between them whose they are, if there is room."""
    head, middle, foot = page.rows(min(HEAD_PX["S"], page.height), 1.0, "body")
    least = head.text_size(seen.now, role="caption")[0]
    picture, hero = head.cols(min(head.height, head.width - least - GAP["S"]), 1.0)
    picture.icon(seen.sky.icon)
    hero.text(seen.now, role="hero", align="right")
    widths = [foot.text_size(text, role="body")[0] for text in (seen.high, seen.low)]
    high, low, rest = foot.cols(*widths, 1.0, gap=3)
    high.text(seen.high, "amber", role="body")
    low.text(seen.low, "sky", role="body")
    if seen.air:
        text = f"AQI {seen.air.value}"
        rest.text(text, seen.air.color, role="body", align="right", alt=[""])
    else:
        first, *others = seen.sky.names
        rest.text(first, "dim", role="caption", align="right", alt=[*others, ""])
    if is_credited(page, seen.places):
        first, *others = credits_of(seen.places)
        middle.text(first, "faint", role="caption", align="right", alt=[*others, ""])


def draw_large(page: Canvas, seen: Seen) -> None:
    """All that there is room for."""
    # On a panel that is hardly wide the extremes would take the number's room.
    wide = page.width >= 1.5 * max(page.height, 2 * HEAD_PX[page.tier])
    head, title, _, rest = page.rows(HEAD_PX[page.tier], "title", 1, 1.0, gap=2)
    named = draw_heading(title, seen, wide=wide)
    if wide:
        widths = [head.text_size(text, role="title")[0] for text in (seen.high, seen.low)]
        head, extremes = head.cols(1.0, max(widths))
        _, high, low, _ = extremes.rows(0.5, "title", "title", 0.5)
        columns = rest.cols(0.5, 0.5, gap=8)
    else:
        extremes, rest = rest.rows("body", 1.0, gap=3)
        high, low = extremes.cols(0.5, 0.5)
        columns = (rest,)
    high.text(seen.high, "amber", role="hero", align="right" if wide else "left")
    low.text(seen.low, "sky", role="hero", align="right")
    beside = wide or page.tier == "M"
    picture, hero = head.cols(head.height, 1.0) if beside else head.rows(ICON_PX, 1.0)
    picture.icon(seen.sky.icon)
    hero.text(seen.now, role="hero", align="left" if beside else "center")
    height = rest.text_size("0", role="body")[1]
    rows = zip(*(part.grid(part.width, height, gap=3) for part in columns), strict=True)
    cells = [cell for row in rows for cell in row]
    facts = [fact for fact in seen.facts if has_room(columns[0], fact)]
    if not named and len(cells) > len(facts):
        cells[-1].text(SOURCE, "faint", role="caption", align="right", alt=[""])
    for cell, fact in zip(cells, facts, strict=False):
        cell.pair(fact.label, fact.value, fact.color, alt=fact.alt)


def draw_heading(canvas: Canvas, seen: Seen, *, wide: bool) -> bool:
    """What the weather is called, and beside it whose it is. If that is not ``wide`` enough for
    both, where it is: what it is like the icon says. Returns whether the source was named."""
    if seen.places and not wide:
        sizes = {each: canvas.text_size(each, role="hero")[0] for each in seen.places}
        place = next((each for each in sizes if sizes[each] < canvas.width), seen.places[-1])
        canvas.text(place, role="hero")
        return False
    first, *others = credits_of(seen.places)
    widths = [canvas.text_size(each, role="caption")[0] for each in (first, *others)]
    # A place may take half the room of what the weather is called.
    place_width = next((each for each in widths[1:] if each <= canvas.width // 2), 0)
    room = canvas.width - GAP_PX - place_width
    names = [canvas.text_size(each, role="title")[0] for each in seen.sky.names]
    words, credit = canvas.cols(
        next((each for each in names if each <= room), room), 1.0, gap=GAP_PX
    )
    words.text(seen.sky.names[0], role="hero", alt=seen.sky.names[1:])
    credit.text(first, "faint", role="caption", align="right", valign="bottom", alt=[*others, ""])
    return widths[0] <= credit.width


def has_room(canvas: Canvas, fact: Fact) -> bool:
    """Whether it fits with the shortest of its labels: a number alone would say nothing."""
    label, _ = canvas.text_size([fact.label, *fact.alt][-1], role="caption")
    value, _ = canvas.text_size(fact.value, role="body", tabular=True)
    return label + GAP_PX + value <= canvas.width


def weather_facts(weather: Weather, units: Units) -> list[Fact]:
    """All that is known, what matters most first."""
    found = []
    if weather.feels_like_c is not None:
        found.append(Fact("Feels", degrees(weather.feels_like_c, units)))
    if weather.wind_kmh is not None:
        found.append(Fact(wind_name(weather.wind_from_deg), speed(weather.wind_kmh, units)))
    if weather.humidity_percent is not None:
        found.append(Fact("Humidity", f"{weather.humidity_percent:.0f}%", alt=["Hum"]))
    if weather.gusts_kmh is not None:
        found.append(Fact("Gust", speed(weather.gusts_kmh, units)))
    return found


def near(one: AtPlace, other: AtPlace) -> bool:
    """Whether they are about one place: of two cities only one may have a feed for its air."""
    off_deg = (one.latitude - other.latitude, one.longitude - other.longitude)
    return all(abs(off) < NEAR_DEG for off in off_deg)


def air_fact(air: AirQuality) -> Fact:
    color = next((color for most, color in AIR if air.us_aqi <= most), "violet")
    label = f"AQI {air.main_pollutant}" if air.main_pollutant else "AQI"
    return Fact(label, str(air.us_aqi), color, alt=["AQI"])


def wind_name(from_deg: float | None) -> str:
    """Where it comes from, as short as can be."""
    return "Wind" if from_deg is None else COMPASS[round(from_deg / 45) % 8]


if __name__ == "__main__":
    WeatherPage.run()
