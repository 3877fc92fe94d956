"""Modes of a terminal, as ``termios`` has them: whoever changes some puts back all of them."""

from __future__ import annotations

from typing import TypeAlias

Modes: TypeAlias = list[int | list[bytes | int]]

_LOCAL = 3
"""Where the local ones are: ``ECHO``, ``ICANON``."""


def without(modes: Modes, local: int) -> Modes:
    """``modes`` with these ``local`` ones off."""
    return [
        each & ~local if place == _LOCAL and isinstance(each, int) else each
        for place, each in enumerate(modes)
    ]
