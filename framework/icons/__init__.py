"""The icons, each drawn for 8, 12, 16 and 24 dots. A file holds one icon at all sizes.

The files are the drawings: a character a dot, an empty line between two sizes, ``.`` is dark and
the letters are the colours below. Two colours an icon, and a dark dot between two parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from PIL import Image

from framework.choices import check_choice
from framework.colours import rgb

SIZES = (24, 16, 12, 8)
NAMES = (
    *("clock", "cloud", "drizzle", "fog", "heavy-rain", "moon", "nodata", "partly", "partly-night"),
    *("rain", "sleet", "snow", "sun", "sunrise", "sunset", "thermometer", "thunder", "warning"),
    "wind",
)
LETTERS: Mapping[str, str] = {
    "a": "amber",
    "c": "cloud",
    "d": "dim",
    "m": "moon",
    "r": "red",
    "s": "sky",
    "w": "text",
}


def icon_image(name: str, room: int) -> Image.Image | None:
    """The icon, mode RGBA, at the largest size that is not above ``room``. None: none is.

    :raises ValueError: there is no such icon.
    """
    size = next((size for size in SIZES if size <= room), None)
    drawings = _drawings(name)
    return None if size is None else drawings[size]


@cache
def _drawings(name: str) -> dict[int, Image.Image]:
    check_choice("icon", name, NAMES)
    art = files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    drawings = (_drawing(block.split()) for block in art.split("\n\n"))
    return {image.width: image for image in drawings}


def _drawing(rows: list[str]) -> Image.Image:
    colours = {".": (0, 0, 0, 0)} | {
        letter: (*rgb(colour), 255) for letter, colour in LETTERS.items()
    }
    image = Image.new("RGBA", (len(rows[0]), len(rows)))
    image.putdata([colours[dot] for row in rows for dot in row])
    return image
