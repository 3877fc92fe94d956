"""What ``matrix panel --test`` shows, and what follows from what is then seen. Pure.

The questions themselves are the command's.
"""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageDraw

from framework.colours import rgb
from framework.fonts import JERSEY_10, TINY5
from framework.project import PanelEntry

COLOURS = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255)}
CORNERS = "1234"
"""Clockwise, from the top left."""
SLOWEST = 5
"""Of ``gpio_slowdown``: more does not help on any Pi."""
MIRROR = "Mirror:H"
LAYOUTS = {"1": None, "2": "U-mapper", "3": "V-mapper"}
"""Mappers, by how the panels of a chain hang."""


def corners(size: tuple[int, int]) -> Image.Image:
    """A frame around all of it, and a number in each corner."""
    width, height = size
    image = Image.new("RGB", size)
    ImageDraw.Draw(image).rectangle((0, 0, width - 1, height - 1), outline=rgb("dim"))
    font = JERSEY_10 if height >= 32 else TINY5
    for number, (right, low) in zip(CORNERS, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        line = font.line(number)
        left = width - line.width - 2 if right else 2
        baseline = height - 2 if low else font.cap + 2
        image.paste(rgb("text"), (left + line.left, baseline + line.top), line.mask)
    return image


def column(size: tuple[int, int], x: int) -> Image.Image:
    """One column of dots, and a ramp of grey below that shows a flicker."""
    width, height = size
    ramp = Image.linear_gradient("L").rotate(90).resize((width, height // 4))
    image = Image.new("RGB", size)
    image.paste(ramp.convert("RGB"), (0, height - height // 4))
    image.paste(rgb("text"), (x, 0, x + 1, height - height // 4))
    return image


def sequence(panel: PanelEntry, seen: str) -> dict[str, Any] | None:
    """The change that makes red, green and blue be seen as such; ``seen``: as what they were, in
    this order. None: no change could, each must have been seen once."""
    if sorted(seen) != sorted(COLOURS):
        return None
    as_seen = dict(zip(COLOURS, seen, strict=True))
    wired = "".join(as_seen[colour] for colour in panel.led_rgb_sequence or "RGB")
    return {} if seen == "RGB" else {"led_rgb_sequence": wired}


def turn(panel: PanelEntry, seen: str) -> dict[str, Any] | None:
    """The change that brings the numbers to their corners; ``seen``: where they were, clockwise
    from the top left. None: it is not the picture as a whole that is turned."""
    if not _is_turned(CORNERS, seen):
        return None
    turned = 90 * CORNERS.index(seen[0])
    return {"rotate": (panel.rotate + turned) % 360} if turned else {}


def mirror(panel: PanelEntry, seen: str) -> dict[str, Any] | None:
    """The change for a picture seen as in a mirror, after which it may still be turned; ``seen``:
    as for ``turn``. None: that is not what it is."""
    if not _is_turned(CORNERS[::-1], seen):
        return None
    mappers = panel.pixel_mapper_config.split(";") if panel.pixel_mapper_config else []
    others = [one for one in mappers if one != MIRROR]
    changed = [*mappers, MIRROR] if others == mappers else others
    return {"pixel_mapper_config": ";".join(changed) or None}


def _is_turned(corners: str, seen: str) -> bool:
    return len(seen) == len(corners) and seen in 2 * corners


def layout(panel: PanelEntry, choice: str) -> dict[str, Any]:
    """The change for panels that hang so (a key of ``LAYOUTS``); a value of None takes it out."""
    mapper = LAYOUTS[choice]
    return {} if panel.pixel_mapper_config == mapper else {"pixel_mapper_config": mapper}


def slowdown(panel: PanelEntry) -> dict[str, Any] | None:
    """The change against flicker and stray dots. None: this is not what would help."""
    slower = (1 if panel.gpio_slowdown is None else panel.gpio_slowdown) + 1
    return None if slower > SLOWEST else {"gpio_slowdown": slower}
