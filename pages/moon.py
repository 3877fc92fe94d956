"""The Moon as it stands in the sky: its face, how much is lit, when it rises, sets and is full."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageMath

from framework import Canvas, DisplayBase, Feed
from framework.canvas import Align, Tier
from pages.layout import LOWEST, is_double
from pages.spelling import MONTHS, UNKNOWN
from services.feeds import Moon

PHASES = (
    ("New moon", "New"),
    ("Waxing crescent", "Waxing"),
    ("First quarter", "Quarter"),
    ("Waxing gibbous", "Waxing"),
    ("Full moon", "Full"),
    ("Waning gibbous", "Waning"),
    ("Last quarter", "Quarter"),
    ("Waning crescent", "Waning"),
)
"""In full and in one word: that it is a crescent can be seen."""
QUARTER_DEG = 6
"""New, full and the quarters are moments; they name the half day before and after, 6° each."""


FACTS_PX: Mapping[Tier, int] = {"S": 16, "M": 44, "L": 75}
"""How wide what is said beside the face is, at least."""
WORDS_PX = 50
"""Where events have names; on less room they have signs."""


class MoonPage(DisplayBase):
    """The Moon now. On a panel twice as wide as usual also the Sun."""

    icon: ClassVar[str | None] = "moon"
    fps: ClassVar[float] = 1 / 60  # the days until full count down by themselves

    moon = Feed(Moon)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        moon = self.moon
        if is_double(canvas):
            canvas, sun = canvas.split(gap=0)
            draw_sun(sun.inset(), moon, now)
        page = canvas.inset()
        if page.width >= 1.5 * page.height:
            tall, gap = canvas.height - (4 if canvas.tier == "S" else 8), canvas.height // 8
            left = page.width - gap - FACTS_PX[canvas.tier]
            face, facts = page.cols(min(tall, max(left, page.width // 3)), 1.0, gap=gap)
            draw_facts(facts, moon, now)
        elif canvas.tier == "S":
            face, percent = page.rows(1.0, "caption" if canvas.height >= LOWEST else 0)
            percent.text(f"{moon.illumination:.0%}", role="caption", align="center")
        else:
            face, percent, name = page.rows(1.0, "title", "caption")
            percent.text(f"{moon.illumination:.0%}", role="hero", align="center")
            draw_name(name, moon, align="center")
        draw_face(face, moon)


def draw_facts(canvas: Canvas, moon: Moon, now: datetime) -> None:
    """How much is lit, and what comes next."""
    if canvas.tier == "S":
        percent, _, rise, fall = canvas.rows(min(15, canvas.height), 1.0, "body", "body")
    else:
        percent, name, _, rise, fall, coming = canvas.rows(
            15 if canvas.tier == "M" else 25,
            *("caption", 1.0, "body", "body", "body"),
            gap=3 if canvas.height >= 48 else 2,
        )
        draw_name(name, moon)
        if moon.next_full < moon.next_new:
            coming.pair("Full", days_until(moon.next_full, now))
        else:
            coming.pair("New", days_until(moon.next_new, now))
    up, down = ("Rise", "Set") if canvas.width >= WORDS_PX else ("▲", "▼")
    rise.pair(up, when(moon.moonrise, now), "sky")
    fall.pair(down, when(moon.moonset, now), "amber")
    percent.text(
        f"{moon.illumination:.0%}", role="hero", align="right" if canvas.tier == "S" else "left"
    )


def draw_name(canvas: Canvas, moon: Moon, *, align: Align = "left") -> None:
    name, word = phase_names(moon.phase_deg)
    canvas.text(name, "dim", role="caption", align=align, alt=[word, ""])


def draw_sun(canvas: Canvas, moon: Moon, now: datetime) -> None:
    """When the Sun next rises and sets."""
    height = 12 if canvas.tier == "S" else 24
    _, upper, lower, _ = canvas.rows(0.5, height, height, 0.5)
    for row, name, event in ((upper, "Sunrise", moon.sunrise), (lower, "Sunset", moon.sunset)):
        _, picture, words = row.cols(height // 6, height, 1.0, gap=height // 2)
        picture.icon(name.lower())
        label, time = words.rows("caption", 15) if height == 24 else words.rows(0, 1.0)
        label.text(name, "dim", role="caption")
        time.text(when(event, now), role="hero")


def draw_face(canvas: Canvas, moon: Moon) -> None:
    """The Moon's face as large as there is room for."""
    diameter = min(canvas.width, canvas.height)
    lit_percent = round(moon.illumination * 100)
    face = moon_image(diameter, lit_percent, round(moon.tilt_deg), round(moon.north_deg))
    canvas.image(face, fit="exact")


def phase_names(phase_deg: float) -> tuple[str, str]:
    """What the phase is called, in full and in one word."""
    quarter, past_deg = divmod((phase_deg + QUARTER_DEG) % 360, 90)
    return PHASES[2 * int(quarter) + (past_deg > 2 * QUARTER_DEG)]


def when(event: datetime | None, now: datetime) -> str:
    """A time within a day, else a date, in the zone of ``now``."""
    if event is None:
        return UNKNOWN
    local = event.astimezone(now.tzinfo)
    if event - now > timedelta(hours=24):
        return f"{local.day} {MONTHS[local.month - 1][:3]}"
    return f"{local:%H:%M}"


def days_until(event: datetime, now: datetime) -> str:
    """As a calendar counts them."""
    days = (event.astimezone(now.tzinfo).date() - now.date()).days
    return "today" if days < 1 else "1 day" if days == 1 else f"{days} days"


# The picture. Pillow computes on whole images: a loop over dots would take a hundred times longer.

FINER = 6
"""It is drawn this many times larger and reduced, for a soft edge."""
GLARE = 0.45
"""Brightness is Lambert's, the cosine of the angle to the Sun, to this power: the Moon is dusty."""
SUNLIGHT = (255, 246, 222)
EARTHSHINE = (20, 24, 40)
SEA = 0.7
"""How bright a sea is, of the land's brightness."""
SEAS = (
    (33, -16, 17, 17),  # Imbrium: latitude, longitude, and radius across and up, in degrees
    (28, 17, 11, 11),  # Serenitatis
    (8, 31, 14, 12),  # Tranquillitatis
    (17, 59, 7, 8),  # Crisium
    (12, -52, 16, 26),  # Procellarum
    (-20, -23, 16, 12),  # Nubium
)


@lru_cache(maxsize=16)
def moon_image(diameter: int, lit_percent: int, tilt_deg: int, north_deg: int) -> Image.Image:
    """The Moon, mode RGB: the middle of its bright limb at ``tilt_deg``, its own north at
    ``north_deg``, both anticlockwise from the top."""
    lit, tilt = lit_percent / 100, math.radians(tilt_deg)
    sideways, ahead = 2 * math.sqrt(lit * (1 - lit)), 2 * lit - 1
    to_sun = (-math.sin(tilt) * sideways, -math.cos(tilt) * sideways, ahead)

    def brightness(of: dict[str, Any]) -> Any:
        facing = of["x"] * to_sun[0] + of["y"] * to_sun[1] + of["z"] * to_sun[2]
        return of["max"](facing, 0) ** GLARE * 255

    x, y, z = _sphere(diameter)
    disc = _disc(diameter)
    light = ImageMath.lambda_eval(brightness, x=x, y=y, z=z).convert("L").reduce(FINER)
    light = ImageChops.multiply(light, disc)
    ground = _ground(diameter).rotate(north_deg, Image.Resampling.BICUBIC).reduce(FINER)
    channels = [
        ImageChops.multiply(ground, ImageChops.lighter(_times(light, sun), _times(disc, earth)))
        for sun, earth in zip(SUNLIGHT, EARTHSHINE, strict=True)
    ]
    return Image.merge("RGB", channels)


def _times(image: Image.Image, most: int) -> Image.Image:
    """``image`` with 255 turned into ``most``."""
    return image.point([round(value * most / 255) for value in range(256)])


@lru_cache(maxsize=2)
def _sphere(diameter: int) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Of each point of the disc: to the right, downwards and towards us, in radii."""
    side = diameter * FINER
    row = Image.new("F", (side, 1))
    row.putdata([(place + 0.5) / side * 2 - 1 for place in range(side)])
    x = row.resize((side, side), Image.Resampling.NEAREST)
    y = x.transpose(Image.Transpose.ROTATE_270)
    z = ImageMath.lambda_eval(
        lambda of: of["max"](1 - of["x"] * of["x"] - of["y"] * of["y"], 0) ** 0.5, x=x, y=y
    )
    return x, y, z


@lru_cache(maxsize=2)
def _disc(diameter: int) -> Image.Image:
    """255 where the Moon is."""
    side = diameter * FINER
    disc = Image.new("L", (side, side))
    ImageDraw.Draw(disc).ellipse((0, 0, side - 1, side - 1), fill=255)
    return disc.reduce(FINER)


@lru_cache(maxsize=2)
def _ground(diameter: int) -> Image.Image:
    """How bright the ground is, 255 for land; north is on top, and it is not reduced yet."""
    side = diameter * FINER
    ground = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(ground)
    for north, east, across, up in SEAS:
        latitude, longitude = math.radians(north), math.radians(east)
        x, y = math.cos(latitude) * math.sin(longitude), -math.sin(latitude)
        # Towards the edge of the disc the ground is seen at a slant.
        half_x = math.sin(math.radians(across)) * math.cos(longitude)
        half_y = math.sin(math.radians(up)) * math.cos(latitude)
        box = [(1 + at) * side / 2 for at in (x - half_x, y - half_y, x + half_x, y + half_y)]
        draw.ellipse(box, fill=round(255 * SEA))
    return ground.filter(ImageFilter.GaussianBlur(side / 70))


if __name__ == "__main__":
    MoonPage.run()
