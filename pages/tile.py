"""One value, whatever it is: its label, the value with its unit, and how it came there."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from framework import Canvas, DisplayBase, Feed
from framework.canvas import Role, Valign
from pages.spelling import spellings
from services.feeds import Json

CLOSE = ("°", "%", "′", "″")
"""What a unit begins with that belongs to its number: as high, and without a gap."""
HERO_HEIGHT = {"S": 15, "M": 25, "L": 50}
LEGIBLE = {"S": 10, "M": 10, "L": 20}
"""A number that is lower, in dots, is written shorter instead, or without its unit."""


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
        if tile.series and canvas.width >= 4 * canvas.height:
            page, chart = page.split(gap=canvas.height // 4)
            draw_chart(chart, tile)
        role = label_role(page, tile.label)
        label, page = page.rows(role, 1.0)
        label.text(tile.label, "dim", role=role)
        if tile.series and canvas.width < 4 * canvas.height:
            page, line = page.rows(HERO_HEIGHT[canvas.tier], 1.0)
            line.spark(tile.series, tile.color, fill=True)
        draw_value(page, tile)


def label_role(canvas: Canvas, label: str) -> Role:
    """A title, if there is room for one."""
    fits = canvas.text_size(label, role="title")[0] < canvas.width
    return "title" if fits and canvas.tier != "S" else "caption"


def draw_value(canvas: Canvas, tile: Json) -> None:
    """The value as large as it can be, and its unit."""
    if isinstance(tile.value, str):
        canvas.text(tile.value, tile.color, role="hero", overflow="wrap")
        return
    written = [] if tile.value is None else spellings(tile.value, tile.decimals)
    if tile.value is None:
        writings = [Writing("–")]
    elif tile.unit.startswith(CLOSE):
        writings = [Writing(number + tile.unit) for number in written]
    else:
        roles: tuple[Role, ...] = ("title", "body") if canvas.height >= 20 else ("body",)
        writings = [Writing(number, tile.unit, role) for number in written for role in roles]
        writings += [Writing(number) for number in written]
    legible = min(LEGIBLE[canvas.tier], canvas.text_size("0", role="hero")[1])
    sizes = {writing: number_size(canvas, writing) for writing in writings}
    writing = next((each for each, size in sizes.items() if size[1] >= legible), writings[-1])
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
    ends = [spellings(end, None)[-1] for end in (max(known), min(known))] if known else []
    width = max((canvas.text_size(end, role="body")[0] for end in ends), default=0)
    chart, scale = canvas.cols(1.0, width)
    chart.spark(tile.series, tile.color, fill=True)
    valigns: tuple[Valign, ...] = ("top", "bottom")
    for end, valign in zip(ends, valigns, strict=False):
        scale.text(end, "dim", role="body", align="right", valign=valign)


if __name__ == "__main__":
    TilePage.run()
