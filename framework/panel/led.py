"""How a dot of the panel looks on a screen: one set of constants for the browser and for pictures.

``picture`` is the same look as a still image, for files and documentation.

The numbers were chosen by looking: dots of 0.55 looked dead, a linear brightness looked dull.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageChops, ImageFilter

from framework.colours import rgb
from framework.fonts import JERSEY_10

DOT_DIAMETER = 0.80
"""Of the pitch."""
DOT_SOFT_EDGE = 0.07
"""Of the pitch, over which a dot fades into the gap."""
UNLIT = (0x0E, 0x0E, 0x0E)
GAP = (0x05, 0x05, 0x06)
BRIGHTNESS_EXPONENT = 0.8
"""brightness = value ** 0.8, value and brightness 0 to 1."""
GLOW_SIGMA = 0.9
"""Of the pitch: the blur that makes the glow."""
GLOW_SHARE = 0.25
"""How much of the glow is screened over the dots."""
PLAIN_BELOW_PX = 4
"""With a smaller pitch there is no room for a round dot: plain squares, no glow."""

SAMPLES = 4
"""Of each pixel, across and down."""
_PAPER = (0x16, 0x16, 0x1B)


def picture(frame: Image.Image, pitch_px: int = 8) -> Image.Image:
    """What ``frame`` looks like on LEDs that are ``pitch_px`` apart."""
    size = frame.width * pitch_px, frame.height * pitch_px
    lit = frame.convert("RGB").point(_brightness() * 3)
    glow = lit.resize(size, Image.Resampling.NEAREST)
    dots = ImageChops.lighter(glow, Image.new("RGB", size, UNLIT))
    if pitch_px < PLAIN_BELOW_PX:
        return dots
    shown = Image.composite(dots, Image.new("RGB", size, GAP), _dots(*frame.size, pitch_px))
    glow = glow.filter(ImageFilter.GaussianBlur(GLOW_SIGMA * pitch_px))
    return ImageChops.screen(shown, glow.point([round(v * GLOW_SHARE) for v in range(256)] * 3))


def contact_sheet(pictures: Sequence[tuple[str, Image.Image]], *, columns: int = 2) -> Image.Image:
    """Pictures with captions on one dark sheet, as many in a row as ``columns``."""
    font, edge = JERSEY_10.times(2), 64
    below = edge + 2 * font.cap
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    widths = [sum(image.width + edge for _, image in row) + edge for row in rows]
    heights = [max(image.height for _, image in row) + below for row in rows]
    sheet = Image.new("RGB", (max(widths, default=edge), sum(heights) + edge), _PAPER)
    y = edge
    for row, width, height in zip(rows, widths, heights, strict=True):
        x = edge + (sheet.width - width) // 2
        for caption, image in row:
            sheet.paste(image, (x, y))
            line = font.line(caption)
            left, baseline = x + (image.width - line.width) // 2, y + image.height + 2 * font.cap
            sheet.paste(rgb("dim"), (left + line.left, baseline + line.top), line.mask)
            x += image.width + edge
        y += height
    return sheet


@lru_cache(maxsize=1)
def _brightness() -> list[int]:
    return [round(255 * (value / 255) ** BRIGHTNESS_EXPONENT) for value in range(256)]


@lru_cache(maxsize=4)
def _dots(across: int, down: int, pitch_px: int) -> Image.Image:
    """The mask of all dots: 255 in a dot, 0 in the gap."""
    dot = Image.new("L", (pitch_px, pitch_px))
    dot.putdata([_cover(x, y, pitch_px) for y in range(pitch_px) for x in range(pitch_px)])
    row = Image.new("L", (across * pitch_px, pitch_px))
    for column in range(across):
        row.paste(dot, (column * pitch_px, 0))
    mask = Image.new("L", (row.width, down * pitch_px))
    for line in range(down):
        mask.paste(row, (0, line * pitch_px))
    return mask


def _cover(x: int, y: int, pitch_px: int) -> int:
    """How much of a pixel is dot. One sample a pixel would make small dots squares."""
    places = [(sample + 0.5) / SAMPLES for sample in range(SAMPLES)]
    cover = 0.0
    for across in places:
        for down in places:
            far = math.hypot((x + across) / pitch_px - 0.5, (y + down) / pitch_px - 0.5)
            within = (DOT_DIAMETER / 2 - far) / DOT_SOFT_EDGE + 0.5
            cover += min(max(within, 0.0), 1.0)
    return round(255 * cover / SAMPLES**2)
