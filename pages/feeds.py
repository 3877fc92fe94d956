"""How fresh everything is that the panel's pages follow: what a panel can say about itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple

from framework import Canvas, DisplayBase, Freshness
from framework.ages import age_words
from framework.canvas import Role
from framework.feed import Following
from pages.spelling import UNKNOWN

PART_S = 4.0
"""How long each part of the list is shown, if it is too long for the panel."""
NARROWEST = {"S": 60, "M": 110, "L": 160}
"""A column of the list, in dots."""
NARROW, WIDE = 80, 140
"""A line that is narrower is written shorter; one that is wider says more."""
LINE = {"S": 5, "M": 6, "L": 10}
WORST_FIRST = (Freshness.EXPIRED, Freshness.LATE, None, Freshness.FRESH)
COLORS = {Freshness.FRESH: "green", Freshness.LATE: "late", Freshness.EXPIRED: "red"}


class Line(NamedTuple):
    """What the list says of one feed."""

    title: str
    freshness: Freshness | None
    """None: nothing was received yet."""
    age: str
    dropped: int
    """How many updates could not be read."""
    failing: str
    """Why its service gets nothing new; empty: it does."""

    @property
    def color(self) -> str:
        return "dim" if self.freshness is None else COLORS[self.freshness]


class FeedsPage(DisplayBase):
    """Every feed that a page of this panel follows, the worst first: its age, and why there is
    nothing newer."""

    fps: ClassVar[float] = 1

    def draw(self, canvas: Canvas, now: datetime) -> None:
        lines = lines_of(self.around, now)
        head, body = canvas.inset().rows("title", 1.0)
        columns = columns_of(body)
        texts = in_columns(lines, len(columns[0]), reasons=columns[0][0].width >= NARROW)
        parts = [texts[at : at + len(columns)] for at in range(0, len(texts), len(columns))]
        number = int(canvas.elapsed_s // PART_S) % max(1, len(parts))
        draw_head(head, lines, f"{number + 1}/{len(parts)}" if len(parts) > 1 else "")
        for cells, column in zip(columns, parts[number] if parts else [], strict=False):
            for cell, text in zip(cells, column, strict=False):
                if isinstance(text, Line):
                    draw_line(cell, text)
                else:
                    draw_reason(cell, text)


def lines_of(followings: Iterable[Following], now: datetime) -> list[Line]:
    """One for each feed, however many pages follow it: the worst first, then by title."""
    lines = {
        (one.name, one.model): Line(
            title=one.title,
            freshness=one.update.freshness(now) if one.update else None,
            age=age_words(now - one.update.since) if one.update else UNKNOWN,
            dropped=one.dropped,
            failing=one.failing,
        )
        for one in followings
        if one.required or one.update or one.dropped or one.failing  # else nobody publishes it
    }
    return sorted(
        lines.values(),
        key=lambda line: (WORST_FIRST.index(line.freshness), line.title.lower()),
    )


def columns_of(canvas: Canvas) -> list[tuple[Canvas, ...]]:
    """As many columns as there is room for, each of as many lines; one of one at least."""
    line, gap = LINE[canvas.tier], LINE[canvas.tier] // 2
    columns = canvas.cols(*[1.0] * max(1, canvas.width // NARROWEST[canvas.tier]), gap=4 * gap)
    lines = max(1, (canvas.height + gap) // (line + gap))
    return [column.rows(*[line] * lines, gap=gap) for column in columns]


def in_columns(lines: Iterable[Line], height: int, *, reasons: bool) -> list[list[Line | str]]:
    """The lines, in columns of that many, each with its reason below if it has one."""
    columns: list[list[Line | str]] = []
    for line in lines:
        texts: list[Line | str] = [line]
        if reasons and line.failing:
            texts.append(line.failing)
        if not columns or len(columns[-1]) + len(texts) > height:
            columns.append([])
        columns[-1] += texts[:height]
    return columns


def draw_head(canvas: Canvas, lines: Sequence[Line], part: str) -> None:
    """The whole in one sentence, and which part of the list is shown."""
    width, _ = canvas.text_size(part, role="caption")
    words, place = canvas.cols(1.0, width)
    fresh = sum(line.freshness is Freshness.FRESH for line in lines)
    if not lines:
        words.text("No feeds here", "dim", role="title", alt=["No feeds", "None", UNKNOWN])
    elif fresh == len(lines):
        words.text("All fresh", "green", role="title", alt=["Fresh", "OK"])
    else:
        count = f"{fresh} of {len(lines)}"
        shorter = [count, f"{fresh}/{len(lines)}", f"{fresh}"]
        words.text(f"{count} fresh", "amber", role="title", alt=shorter)
    place.text(part, "dim", role="caption", valign="bottom")


def draw_line(canvas: Canvas, line: Line) -> None:
    """A sign for its freshness, its title, and on the right its age."""
    narrow = canvas.width < NARROW
    role: Role = "caption" if narrow else "body"
    age = line.age.replace(" min", "′").replace(" ", "") if narrow else line.age
    if line.dropped and canvas.width >= WIDE:
        age = f"{line.dropped} dropped, {age}"
    elif line.dropped or line.failing:
        age = f"! {age}"
    width, _ = canvas.text_size(age, role=role)
    sign, title, right = canvas.cols(canvas.height, 1.0, width)
    draw_sign(sign, line)
    title.text(line.title, role=role)
    right.text(age, "dim" if line.freshness is Freshness.FRESH else line.color, role=role)


def draw_reason(canvas: Canvas, why: str) -> None:
    """As much of it as there is room for, below the title."""
    _, words = canvas.cols(canvas.height, 1.0)
    words.text(why, "dim", alt=[why.partition(": ")[0]])


def draw_sign(canvas: Canvas, line: Line) -> None:
    """A disc, a bar, a cross or a question mark: it can be told without its colour."""
    side = canvas.height
    last = side - 1
    match line.freshness:
        case Freshness.FRESH:
            canvas.disc(side / 2, side / 2, max(side // 3, 1.5), line.color)
        case Freshness.LATE:
            canvas.rows(0.5, 2, 0.5, gap=0)[1].bar(1, line.color)
        case Freshness.EXPIRED:
            canvas.line(0, 0, last, last, color=line.color)
            canvas.line(0, last, last, 0, color=line.color)
        case None:
            canvas.text("?", line.color, role="body", align="center")


if __name__ == "__main__":
    FeedsPage.run()
