"""One value, whatever it is: its label, the value with its unit, and how it came there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from framework import Canvas, DisplayBase, Feed
from framework.canvas import Role, Valign, tier_of
from pages.layout import is_double
from pages.spelling import UNKNOWN, spellings
from services.feeds import Json

CLOSE = ("°", "%", "′", "″")
"""What a unit begins with that belongs to its number: as high, and without a gap."""
HERO_HEIGHT = {"S": 15, "M": 25, "L": 50}
LEGIBLE = {"S": 10, "M": 10, "L": 25}
"""By the panel's shorter side. A number that is lower, in dots, or no higher than its label or its
unit, is written shorter instead, or without the unit."""


class Writing(NamedTuple):
    """One way to write a value."""

    number: str
    unit: str = ""
    role: Role = "body"
    """Of the unit."""


class TilePage(DisplayBase):
    """What a ``json`` service publishes. Two values are two entries, each with its ``feeds``."""

    tile = Feed(Json)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        tile, page = self.tile, canvas.inset()
        double = is_double(canvas)
        if tile.series and double:
            page, chart = page.split(gap=canvas.height // 4)
            draw_chart(chart, tile)
        role = label_role(page, tile.label)
        label, value = page.rows(role, 1.0)
        if value.text_size("0", role="hero")[1]:
            page = value
        else:
            label, page = page.rows(0, 1.0)
        # Wrapped, though into one line: it is in capitals, whose accents would be off the panel.
        label.text(tile.label, "dim", role=role, overflow="wrap")
        if tile.series and not double:
            page, line = page.rows(min(HERO_HEIGHT[canvas.tier], page.height), 1.0)
            line.spark(tile.series, tile.color, fill=True)
        legible = LEGIBLE[tier_of(min(canvas.width, canvas.height))]
        draw_value(page, tile, least=max(legible, label.height + 1))


def label_role(canvas: Canvas, label: str) -> Role:
    """A title, if there is room for one."""
    fits = canvas.text_size(label, role="title")[0] < canvas.width
    return "title" if fits and canvas.tier != "S" else "caption"


def draw_value(canvas: Canvas, tile: Json, *, least: int) -> None:
    """The value as large as it can be, a number of ``least`` dots, and its unit."""
    if isinstance(tile.value, str):
        text = tile.value if tile.value.strip() else UNKNOWN
        canvas.text(text, tile.color, role="hero", overflow="wrap")
        return
    written = [] if tile.value is None else spellings(tile.value, tile.decimals)
    if tile.value is None:
        writings = [Writing(UNKNOWN)]
    elif tile.unit.startswith(CLOSE):
        writings = [Writing(number + tile.unit) for number in written]
    else:
        roles: tuple[Role, ...] = ("title", "body") if canvas.height >= 20 else ("body",)
        writings = [
            writing
            for number in written
            for writing in (*(Writing(number, tile.unit, role) for role in roles), Writing(number))
        ]
    highest = canvas.text_size("0", role="hero")[1]
    sizes = {writing: number_size(canvas, writing) for writing in writings}

    def stands_out(writing: Writing) -> bool:
        unit = canvas.text_size("0", role=writing.role)[1] if writing.unit else 0
        return sizes[writing][1] >= min(max(least, unit + 1), highest)

    writing = next(filter(stands_out, writings), writings[-1])
    width, height = sizes[writing]
    _, line, _ = canvas.rows(0.5, height, 0.5, gap=0)
    number, unit = line.cols(width, 1.0)
    number.text(writing.number, tile.color, role="hero")
    unit.text(writing.unit, "dim", role=writing.role, valign="bottom")


def number_size(canvas: Canvas, writing: Writing) -> tuple[int, int]:
    """How large the number is that leaves room for its unit; (0, 0): it is cut."""
    unit_width, _ = canvas.text_size(writing.unit, role=writing.role)
    room, _ = canvas.cols(1.0, unit_width)
    width, height = room.text_size(writing.number, role="hero")
    return (width, height) if width < room.width else (0, 0)


def draw_chart(canvas: Canvas, tile: Json) -> None:
    """The series in a half of its own, with the highest and the lowest it was."""
    known = [point for point in tile.series if point is not None]
    written = [spellings(end, tile.decimals) for end in (max(known), min(known))] if known else []
    # The same number of decimals for both, or both as short as can be.
    ends = [spelled[0] for spelled in written]
    if scale_width(canvas, ends) > canvas.width // 4:
        ends = [spelled[-1] for spelled in written]
    chart, scale = canvas.cols(1.0, scale_width(canvas, ends))
    chart.spark(tile.series, tile.color, fill=True)
    valigns: tuple[Valign, ...] = ("top", "bottom")
    for end, valign in zip(ends, valigns, strict=False):
        scale.text(end, "dim", role="body", align="right", valign=valign)


def scale_width(canvas: Canvas, ends: Sequence[str]) -> int:
    return max((canvas.text_size(end, role="body")[0] for end in ends), default=0)


if __name__ == "__main__":
    TilePage.run()
