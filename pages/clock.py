"""The time of day, and the date."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from framework import Canvas, Config, DisplayBase
from framework.canvas import Role

# Not strftime's names: they follow whatever locale the process happens to have.
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


class ClockConfig(Config):
    hours: Literal[12, 24] = 24
    seconds: bool = False
    date: bool = True


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
        small = (half, second)
        if wide:
            draw_digits(time, f"{hour}:{minute}", half, second, room_for=small)
        else:
            upper, lower = time.rows(0.5, 0.5)
            draw_digits(upper, hour, half, "", room_for=small)
            draw_digits(lower, minute, "", second, room_for=small)


def draw_digits(
    canvas: Canvas, digits: str, above: str, below: str, *, room_for: tuple[str, str]
) -> None:
    """Digits as large as they can be, and after them two small texts: one as high as their tops,
    one on their baseline. ``room_for``: what the digits leave room for, so that lines agree."""
    gap = 1 if canvas.tier == "S" else 4
    role: Role = "title" if canvas.height >= 25 else "caption"
    beside = max(canvas.text_size(s, role=role, tabular=True)[0] for s in room_for)
    if 3 * beside > canvas.width:
        beside = 0  # the digits matter more
    room, _ = canvas.cols(1.0, beside, gap=gap if beside else 0)
    width, height = room.text_size(digits, role="hero", tabular=True)
    if height < 25:
        role = "caption"  # two titles would touch
    _, line, _ = canvas.rows(0.5, height, 0.5, gap=0)
    _, large, small, _ = line.cols(0.5, width, beside, 0.5, gap=gap)
    large.text(digits, role="hero", tabular=True)
    small.text(above, "dim", role=role, valign="top")
    small.text(below, "dim", role=role, valign="bottom", tabular=True)


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
