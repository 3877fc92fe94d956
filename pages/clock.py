"""The time of day, and the date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

from framework import Canvas, Config, DisplayBase
from framework.canvas import Role
from pages.spelling import DAYS, MONTHS


class ClockConfig(Config):
    hours: Literal[12, 24] = 24
    seconds: bool = False
    date: bool = True


class Line(NamedTuple):
    """Digits, and two small texts after them."""

    digits: str
    above: str = ""
    """As high as their tops."""
    below: str = ""
    """On their baseline."""


class Clock(DisplayBase[ClockConfig]):
    """What time it is, in the configured zone, and what day."""

    icon: ClassVar[str | None] = "clock"
    fps: ClassVar[float] = 1

    def draw(self, canvas: Canvas, now: datetime) -> None:
        time = canvas.inset()
        wide = time.width >= 1.5 * time.height
        if self.config.date and canvas.height >= 24:
            if time.width >= 3.5 * time.height:
                time, date = time.split()
                draw_long_date(date, now)
            else:
                role: Role = "title" if wide and canvas.tier != "S" else "caption"
                time, date = time.rows(1.0, role)
                draw_date(date, now, role)
        hour, minute = f"{now:%H}", f"{now:%M}"
        half, second = "", f"{now:%S}" if self.config.seconds else ""
        if self.config.hours == 12:
            hour, half = str(now.hour % 12 or 12), "AM" if now.hour < 12 else "PM"
        if wide:
            draw_lines(time, [Line(f"{hour}:{minute}", half, second)])
        else:
            draw_lines(time, [Line(hour, half), Line(minute, below=second)])


def draw_lines(canvas: Canvas, lines: Sequence[Line]) -> None:
    """Digits as large as they can be, on all lines alike, and room for the small texts beside
    them, if the digits leave it: they matter more."""
    gap = 1 if canvas.tier == "S" else 4
    rows = canvas.rows(*[1.0] * len(lines))
    texts = [text for line in lines for text in (line.above, line.below)]
    roles: tuple[Role, ...] = ("title", "caption") if rows[0].height >= 25 else ("caption",)
    for role in roles:
        beside = max(canvas.text_size(text, role=role, tabular=True)[0] for text in texts)
        if 3 * beside <= canvas.width:
            break
    else:
        beside = 0
    room, _ = rows[0].cols(1.0, beside, gap=gap if beside else 0)
    height = min(room.text_size(line.digits, role="hero", tabular=True)[1] for line in lines)
    if height < 25:
        role = "caption"  # two titles would touch
    small_height = canvas.text_size("0", role=role)[1]
    if any(line.below and height <= small_height * (2 if line.above else 1) for line in lines):
        # It would touch what is above it, or read as two more digits.
        draw_lines(canvas, [line._replace(below="") for line in lines])
        return
    middles = [row.rows(0.5, height, 0.5, gap=0)[1] for row in rows]
    width = max(middles[0].text_size(line.digits, role="hero", tabular=True)[0] for line in lines)
    for middle, line in zip(middles, lines, strict=True):
        _, large, small, _ = middle.cols(0.5, width, beside, 0.5, gap=gap)
        large.text(line.digits, role="hero", align="right", tabular=True)
        small.text(line.above, "dim", role=role, valign="top")
        small.text(line.below, "dim", role=role, valign="bottom", tabular=True)


def draw_date(canvas: Canvas, now: datetime, role: Role) -> None:
    """The date on one line, in as many letters as there is room for."""
    day, month = DAYS[now.weekday()], MONTHS[now.month - 1]
    canvas.text(
        f"{day[:3]} {now.day} {month[:3]}",
        "amber",
        role=role,
        align="center",
        alt=[f"{now.day} {month[:3]}", f"{now.day}"],
    )


def draw_long_date(canvas: Canvas, now: datetime) -> None:
    """The date on two lines, in a half of its own."""
    day, month = DAYS[now.weekday()], MONTHS[now.month - 1]
    upper, lower = (10, 5) if canvas.tier == "S" else (15, 10)
    _, first, second, _ = canvas.rows(0.5, upper, lower, 0.5)
    first.text(day, "amber", align="center", alt=[day[:3]])
    second.text(
        f"{now.day} {month} {now.year}", "dim", align="center", alt=[f"{now.day} {month[:3]}"]
    )


if __name__ == "__main__":
    Clock.run()
