"""The colours, by name. Chosen on the LEDs: nothing that means something is below 96 in its
brightest channel, because a panel loses it at night."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from framework.choices import check_choice

RGB: TypeAlias = tuple[int, int, int]
Colour: TypeAlias = str | RGB
"""A name of ``COLOURS``, or red, green and blue from 0 to 255."""


def _hex(digits: str) -> RGB:
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


COLOURS: Mapping[str, RGB] = MappingProxyType(
    {
        "black": _hex("000000"),
        "text": _hex("FFF8EB"),
        "dim": _hex("80808A"),
        "faint": _hex("60606A"),
        "amber": _hex("FFB020"),
        "sky": _hex("48BEFF"),
        "green": _hex("00C850"),
        "red": _hex("FF4038"),
        "violet": _hex("B080FF"),
        "accent": _hex("48BEFF"),
        "moon": _hex("FFF6DE"),
        "cloud": _hex("96A5B9"),
        "track": _hex("26262C"),  # decoration only: what a bar is filled into
        "late": _hex("FF8C00"),  # the framework's mark on what is late, and nothing else
    }
)


def rgb(colour: Colour) -> RGB:
    """What is meant by ``colour``.

    :raises ValueError: no such name, or no three whole numbers from 0 to 255.
    """
    if isinstance(colour, str):
        check_choice("colour", colour, COLOURS)
        return COLOURS[colour]
    match colour:
        case int(red), int(green), int(blue) if min(colour) >= 0 and max(colour) <= 255:
            return red, green, blue
    raise ValueError(f"a colour is a name or three whole numbers from 0 to 255, not {colour!r}")
