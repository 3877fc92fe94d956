"""Making text fit a width: breaking it into lines, ending it early, sliding it along."""

from __future__ import annotations

import math
from bisect import bisect_right

from framework.fonts import LONGEST_TEXT, Font

ELLIPSIS = "…"
_EPSILON = 1e-6
"""So that a moment computed by ``scroll`` counts as reached when it is given back."""


def shortened(font: Font, text: str, width: int, *, tabular: bool = False) -> str:
    """As much of ``text`` as fits with an ellipsis; nothing if not even one character does."""
    if font.width(text, tabular=tabular) <= width:
        return text

    def ended(end: int) -> str:
        return text[:end].rstrip() + ELLIPSIS

    def width_of(end: int) -> int:
        return font.width(ended(end), tabular=tabular)

    end = bisect_right(range(len(text)), width, key=width_of) - 1
    return ended(end) if end > 0 else ""


def wrapped(font: Font, text: str, width: int, *, tabular: bool = False) -> list[str]:
    """``text`` broken at spaces and at its own line ends; a word may still be wider than that."""
    lines = []
    for paragraph in text[:LONGEST_TEXT].splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and font.width(longer, tabular=tabular) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def scroll(
    elapsed_s: float, travel_px: int, px_per_s: float, pause_s: float
) -> tuple[int, float, float]:
    """How far text has moved, when it moves next, and when it was first shown to its end.

    It waits, moves by whole dots to its end, waits, and begins again.
    """
    ends_at_s = pause_s + travel_px / px_per_s + pause_s
    began_s = math.floor(elapsed_s / ends_at_s + _EPSILON) * ends_at_s
    steps = math.floor((elapsed_s - began_s - pause_s) * px_per_s + _EPSILON)
    moved = min(max(steps, 0), travel_px)
    if moved == travel_px:
        return moved, began_s + ends_at_s, ends_at_s
    return moved, began_s + pause_s + (moved + 1) / px_per_s, ends_at_s
