"""What the pages about the weather share: the row of forecasts, and the credit below it.

Which hours or days are shown is left to the pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framework import Canvas
from framework.canvas import Align, Tier
from framework.colours import Colour
from services.feeds import Weather

SOURCE = "Open-Meteo"
"""To be named, says its licence, CC BY 4.0."""

GAP: Mapping[Tier, int] = {"S": 1, "M": 2, "L": 4}
LINE: Mapping[Tier, int] = {"S": 8, "M": 14, "L": 24}
"""How high a line of a forecast is, and the room for its icon."""
TELLING = 5
"""With fewer letters, the beginning of a longer name does not tell the place."""
BETWEEN = 2
"""From one value or line to the next, at least, and from an icon to the label above it."""
APART = 3
"""From a label to the value after it, at least: closer, "4" and "108°" read as one number."""
CREDITED = 38
"""A page that is lower has no row to spare for the credit, but for a place."""
ICONS = (24, 16, 12, 8)
FINE = 16
"""An icon that is smaller is worth less than a second row of values."""


def places_of(name: str) -> list[str]:
    """The place that a feed is named after, the longest spelling first; none if it has no name of
    its own. No spelling is so short as "New", "Los" or "San"."""
    words = [] if name == Weather.__name__.lower() else name.replace("-", " ").title().split()
    spellings = [" ".join(words[:count]) for count in range(len(words), 0, -1)]
    return [each for each in spellings if each == spellings[0] or len(each) >= TELLING]


def credits_of(places: Sequence[str]) -> list[str]:
    """For where, if that is known, and who says so: the longest spelling first."""
    return [f"{places[0]} · {SOURCE}", *places] if places else [SOURCE]


class Entry(NamedTuple):
    """An hour or a day."""

    labels: Sequence[str]
    """The longest first; of every entry as many."""
    icon: str
    values: Sequence[tuple[str, Colour]]
    """Two, what matters more first."""


def draw_entries(
    canvas: Canvas,
    entries: Sequence[Entry],
    places: Sequence[str],
    *,
    width: Mapping[Tier, int],
    icon: Mapping[Tier, int],
) -> None:
    """As many as there is room for: columns, or lines if the canvas is not wide. Below them is the
    credit, if they leave room for it; one that names a place takes it.

    ``width``: of a column, at least. ``icon``: how large it is in a column, at most.
    """
    if canvas.width >= 1.5 * canvas.height:
        least = min(width[canvas.tier], canvas.width)
        draw_columns(canvas, entries, places, width=least, icon=icon[canvas.tier])
    else:
        draw_lines(canvas, entries, places)


def draw_columns(
    canvas: Canvas, entries: Sequence[Entry], places: Sequence[str], *, width: int, icon: int
) -> None:
    """Each a label, an icon, and the values below each other, or beside each other if they must."""
    caption, value = (canvas.text_size("0", role=role)[1] for role in ("caption", "body"))
    gap, stacked = GAP[canvas.tier], 2 * value + BETWEEN
    icons = [px for px in ICONS if px <= icon]
    # How high the icon is and how high the values are, what is best first.
    layouts = [*((px, stacked) for px in icons if px >= FINE), *((px, value) for px in icons)]

    def that_fits(height: int) -> tuple[int, int]:
        spare = height - caption - 2 * gap
        return next((each for each in layouts if sum(each) <= spare), (0, value))

    # The name of a place is worth a smaller icon.
    kept = layouts[-1] if places else that_fits(canvas.height)
    canvas = draw_credit(canvas, places, least=caption + 2 * gap + sum(kept))
    picture_height, values_height = that_fits(canvas.height)
    columns = canvas.grid(width, canvas.height)
    entries = entries[: len(columns)]
    labels = labels_for(canvas, entries, columns[0].width)
    beside = max(
        sum(canvas.text_size(text, role="body")[0] for text, _ in entry.values) for entry in entries
    )
    crowded = values_height < stacked and beside > columns[0].width - 3 * BETWEEN
    label_height = caption if caption + gap + value <= canvas.height else 0
    for column, entry, label in zip(columns, entries, labels, strict=False):
        rows = column.rows(0.5, label_height, picture_height, values_height, 0.5, gap=gap)
        _, name_row, picture, values, _ = rows
        name_row.text(label, "dim", role="caption", align="center")
        picture.icon(entry.icon)
        draw_values(values, entry.values[:1] if crowded else entry.values)


def draw_lines(canvas: Canvas, entries: Sequence[Entry], places: Sequence[str]) -> None:
    """Each an icon, a label beside it, or above if there is no room, and the values; the icon is
    left out where only the label finds room."""
    tier = canvas.tier
    gap = GAP[tier]
    between, apart = max(gap, BETWEEN), max(gap, APART)
    height = min(LINE[tier], canvas.width, canvas.height)
    count = len(canvas.grid(canvas.width, height, gap=between))
    least = height if places else count * (height + between) - between
    canvas = draw_credit(canvas, places, least=least)
    lines = canvas.grid(canvas.width, height, gap=between)
    # Where they stand beside each other, only the first of the values finds room.
    entries = [entry._replace(values=entry.values[: 1 if tier == "S" else 2]) for entry in entries]
    # Of all of them, so that a line more or less moves nothing.
    texts = [text for entry in entries for text, _ in entry.values]
    widest = max(canvas.text_size(text, role="body")[0] for text in texts)
    room = canvas.width - widest - apart
    labels = labels_for(canvas, entries, room - height - gap)
    over_icon = labels_for(canvas, entries, height)
    # There, if that is longer and leaves the icon room.
    above = tier == "L" and all(over_icon) and over_icon != labels
    if above:
        labels = over_icon
    elif not all(labels) and all(instead_of_icon := labels_for(canvas, entries, room)):
        labels, height, gap = instead_of_icon, 0, 0
    for line, entry, label in zip(lines, entries, labels, strict=False):
        if above:
            left, values = line.cols(height, 1.0, gap=apart)
            words, picture = left.rows("caption", 1.0, gap=BETWEEN)
        else:
            picture, _, words, _, values = line.cols(height, gap, 1.0, apart, widest, gap=0)
        words.text(label, "dim", role="caption", align="center" if above else "left")
        picture.icon(entry.icon)
        draw_values(values, entry.values, align="center" if above else "right")


def labels_for(canvas: Canvas, entries: Sequence[Entry], width: int) -> list[str]:
    """The longest that all fit: one that is shorter than the others would look like a mistake."""
    width = min(width, canvas.width - 1)  # what is wider than the canvas measures as wide
    for labels in zip(*(entry.labels for entry in entries), strict=True):
        if max(canvas.text_size(label, role="caption")[0] for label in labels) <= width:
            return list(labels)
    return [""] * len(entries)


def is_credited(canvas: Canvas, places: Sequence[str]) -> bool:
    """Whether a page has room for a row that says whose it is."""
    return bool(places) or canvas.height >= CREDITED


def draw_credit(canvas: Canvas, places: Sequence[str], *, least: int) -> Canvas:
    """The credit at the foot, if that leaves so many rows; what is left is returned."""
    rest, foot = canvas.rows(1.0, "caption")
    if rest.height < least or not is_credited(canvas, places):
        return canvas
    first, *others = credits_of(places)
    foot.text(first, "faint", role="caption", align="right", alt=[*others, ""])
    return rest


def draw_values(
    canvas: Canvas, values: Sequence[tuple[str, Colour]], *, align: Align = "center"
) -> None:
    """One above the other, or beside each other if there is no room for that."""
    height = canvas.text_size("0", role="body")[1]
    if len(values) == 1:
        parts: Sequence[Canvas] = [canvas]
    elif canvas.height >= 2 * height + BETWEEN:
        parts = canvas.rows(0.5, height, height, 0.5, gap=BETWEEN)[1:-1]
    else:
        widths = [canvas.text_size(text, role="body")[0] for text, _ in values]
        parts = canvas.cols(0.5, *widths, 0.5, gap=BETWEEN)[1:-1]
    for part, (text, color) in zip(parts, values, strict=True):
        part.text(text, color, role="hero", align=align)
