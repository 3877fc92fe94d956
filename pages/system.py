"""How a computer is doing: how warm it is, how much of it is taken, what comes in and goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from framework import Canvas, DisplayBase, Feed
from framework.ages import age_words
from framework.canvas import GAP, Role, Tier
from pages.layout import is_double
from pages.spelling import UNKNOWN, compact, degrees
from services.feeds import System

HIGH = 0.8
NEARLY_FULL = 0.95
"""From where on a bar is amber, and red."""
FACTS_HEIGHT = 32
"""Of a panel that has room for facts below each other, in dots."""
HERO_HEIGHT = 15
"""What bars below the hero leave it."""
HERO_WIDTH: Mapping[Tier, int] = {"S": 34, "M": 50, "L": 100}


class Bars(NamedTuple):
    """How bars are laid out, in dots."""

    height: int
    """Of one, with its name."""
    gap: int

    def block(self, count: int) -> int:
        """The height of so many."""
        return count * (self.height + self.gap) - self.gap


LOW = Bars(5, 3)
TALL: Mapping[Tier, Bars] = {"S": LOW, "M": Bars(11, 4), "L": Bars(18, 8)}


class Share(NamedTuple):
    """A part of the computer, and how much of it is taken."""

    name: str
    taken: float | None


class SystemPage(DisplayBase):
    """The warmth of a computer, or its load if it has no sensor; its load, memory and disk."""

    system = Feed(System)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        system = self.system
        load, memory, disk = (
            Share("Load", system.load),
            Share("Mem", system.memory),
            Share("Disk", system.disk),
        )
        if system.temperature_c is None:
            hero, label, shares = percent(system.load), "Load", [memory, disk]
        else:
            hero = degrees(system.temperature_c, self.config.units)
            label, shares = "Temp", [load, memory, disk]
        page = canvas.inset()
        wide = page.width >= 1.5 * max(page.height, HERO_WIDTH[canvas.tier])
        low = TALL["L"] if canvas.tier == "L" and not wide else LOW
        block, gap = low.block(len(shares)), GAP[canvas.tier]
        if is_double(canvas) and canvas.height >= FACTS_HEIGHT:
            page, facts = page.split(gap=canvas.height // 4)
            draw_facts(facts, system)
        else:
            above, foot = page.rows(1.0, "caption")
            if above.height >= (block if wide else HERO_HEIGHT + gap + block):
                page = above
                draw_foot(foot, system)
        if wide:
            width = min(HERO_WIDTH[canvas.tier], page.width)
            number, bars = page.cols(width, 1.0, gap=canvas.height // 8)
        else:
            number, bars = page.rows(1.0, min(block, max(page.height - HERO_HEIGHT - gap, 0)))
        draw_hero(number, hero, label)
        draw_bars(bars, shares)


def draw_hero(canvas: Canvas, hero: str, label: str) -> None:
    """The number, and below it what it is, if there is room."""
    _, height = canvas.text_size(hero, role="hero")
    below = GAP[canvas.tier] + canvas.text_size(label, role="caption")[1]
    block = height + below if height + below <= canvas.height else height
    number, name = canvas.rows(0.5, block, 0.5, gap=0)[1].rows(height, "caption")
    number.text(hero, role="hero")
    name.text(label, "dim", role="caption")


def draw_bars(canvas: Canvas, shares: Sequence[Share]) -> None:
    """A bar for each: its name and number above it, or if there is no room its name before it."""
    kind = TALL[canvas.tier]
    if canvas.height < kind.block(len(shares)) or canvas.width < 40:
        kind = LOW
    rows = canvas.rows(0.5, *[kind.height] * len(shares), 0.5, gap=kind.gap)[1:-1]
    for row, share in zip(rows, shares, strict=True):
        color = bar_color(share.taken)
        if kind is LOW:
            name, line = row.cols(5 if canvas.tier == "S" else 18, 1.0)
            name.text(share.name, "dim", role="caption", alt=[share.name[0]])
            line = line.rows(0.5, 3, 0.5, gap=0)[1]
        else:
            words, line = row.rows("body", 1.0, gap=2)
            words.pair(share.name, percent(share.taken), "text" if color == "sky" else color)
        line.bar(share.taken, color)


def draw_foot(canvas: Canvas, system: System) -> None:
    """What comes in and goes out, and how long it has been up."""
    since = "" if system.uptime_s is None else up(system.uptime_s)
    width, _ = canvas.text_size(since, role="caption")
    moved, age = canvas.cols(1.0, width)
    if system.received_bytes_s is not None and system.sent_bytes_s is not None:
        received, sent = compact(system.received_bytes_s), compact(system.sent_bytes_s)
        moved.text(f"▼{received} ▲{sent}", "dim", role="caption", alt=[f"▼{received}", ""])
    age.text(since, "dim", role="caption")


def draw_facts(canvas: Canvas, system: System) -> None:
    """The same in a half of its own."""
    facts = (
        ("In", rate(system.received_bytes_s)),
        ("Out", rate(system.sent_bytes_s)),
        ("Up", up(system.uptime_s)),
    )
    lines: list[Role] = ["title"] * len(facts)
    rows = canvas.rows(0.5, *lines, 0.5, gap=canvas.height // 10)[1:-1]
    for row, (name, value) in zip(rows, facts, strict=True):
        row.text(name, "dim", role="caption", valign="bottom")
        row.text(value, role="title", align="right", tabular=True)


def bar_color(taken: float | None) -> str:
    if taken is None or taken < HIGH:
        return "sky"
    return "amber" if taken < NEARLY_FULL else "red"


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.0%}"


def up(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else age_words(timedelta(seconds=seconds))


def rate(bytes_s: float | None) -> str:
    return UNKNOWN if bytes_s is None else f"{compact(bytes_s)}/s"


if __name__ == "__main__":
    SystemPage.run()
