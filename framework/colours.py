"""The colours, by name. Chosen on the LEDs: nothing that means something is below 96 in its
brightest channel, because a panel loses it at night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeAlias

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

    :raises ValueError: no such name, or a channel outside 0 to 255.
    """
    if isinstance(colour, str):
        if colour not in COLOURS:
            near = get_close_matches(colour.lower(), COLOURS, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"there is no colour {colour!r}; the nearest is {near!r}, all are: "
                f"{', '.join(COLOURS)}"
            )
        return COLOURS[colour]
    channels: Sequence[int] = colour
    if len(channels) != 3 or not all(0 <= channel <= 255 for channel in channels):
        raise ValueError(f"a colour is a name or three numbers from 0 to 255, not {colour!r}")
    return colour
