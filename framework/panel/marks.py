"""What the framework draws over a page, or in its place: late, expired, no data yet, failed.

Pages know nothing of it, so that nothing old ever looks new whoever wrote the page. When which mark
is due is decided by ``stage``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from framework.canvas import GAP, MARGIN, Canvas, tier_of
from framework.colours import rgb
from framework.fonts import TINY5, Line

STRIP = 9
"""Rows at the bottom that say how old a page is; the page is drawn for those above them."""
SENTENCE = 100
"""A panel as wide has room for one, on two lines."""
_SIZES = {"S": (12, 5, 6, 7), "M": (24, 10, 6, 8), "L": (24, 15, 10, 15)}
"""Of a notice: its icon, its headline, a line below, and from that to the next, in dots."""
_SMALL_ICON = 12
"""Where the other has no room."""
OFFLINE = (" cannot be reached", " does not answer in time")
"""What ``self.http`` says of a source that is not there. Of any other reason, somebody answered."""
EXPIRED_SHARE = 0.4
"""How bright an expired page is. A quarter was unreadable."""


def late(image: Image.Image, share_left: float, age: str) -> None:
    """Mark a page as late, in place: a line in the last row, as long as the share of time that is
    left before it expires. ``age``: in words, while they are due; the page is above the strip."""
    width, height = image.size
    length = max(1, round(min(max(share_left, 0.0), 1.0) * width))
    image.paste(0, (0, height - 1, width, height))
    image.paste(rgb("late"), (0, height - 1, length, height))
    if age:
        right = width - MARGIN[tier_of(height)]
        line = _first_that_fits([f"{age} old", age], right)
        left = right - line.width
        image.paste(rgb("late"), (left + line.left, height - 2 + line.top), line.mask)


def expired(image: Image.Image, title: str, age: str) -> None:
    """Grey out a page, in place, and say at its foot how old it is."""
    width, height = image.size
    small = tier_of(height) == "S"
    grey = image.convert("L").point([round(v * EXPIRED_SHARE) for v in range(256)])
    image.paste(grey.convert("RGB"))
    rule = height - STRIP
    image.paste(0, (0, rule, width, height))
    image.paste(rgb("amber"), (0, rule, width, rule + 1))
    spellings = [f"{age} old", age] if small else [f"{title} {age} old", f"{age} old", age]
    line = _first_that_fits(spellings, width - 2)
    left = (width - line.width) // 2
    image.paste(rgb("amber"), (left + line.left, height - 2 + line.top), line.mask)


def _first_that_fits(spellings: Sequence[str], width: int) -> Line:
    lines = [TINY5.line(spelling.upper()) for spelling in spellings]
    return next((line for line in lines if line.width <= width), lines[-1])


def no_data(
    width: int, height: int, icon: str | None, source: str, failing: str = ""
) -> Image.Image:
    """What stands in a page's place until all that it needs has come.

    ``failing``: why it does not, "api.example cannot be reached: No route to host"; what follows
    the colon is left out if need be, and all of it where there is no room for a sentence.
    """
    picture = icon or "nodata"
    if not failing:
        headlines = ["No data yet", "No data"]
        return _drawn(width, height, _Notice(picture, "faint", headlines, "dim", [source], "faint"))
    spellings = [failing, failing.partition(": ")[0]]
    if width < SENTENCE:
        spellings.append(source)
    said = headline(failing)
    return _drawn(
        width, height, _Notice(picture, "faint", said, "amber", spellings, "dim", wraps=True)
    )


def headline(failing: str) -> Sequence[str]:
    """Of a page that has no data for that reason, the longest spelling first."""
    is_offline = any(each in failing for each in OFFLINE)
    return ["Source offline", "Offline"] if is_offline else ["No data"]


def failed(width: int, height: int, titles: Sequence[str], problem: str) -> Image.Image:
    """What stands in the place of a page that cannot be drawn: whose it is, and what went wrong.

    ``titles``: the longest spelling first. ``problem``: the kind of error first, "ValueError,
    tide.py:41"; the rest is left out if need be.
    """
    kind = problem.partition(",")[0]
    spellings = [problem, kind, kind.removesuffix("Error")]
    return _drawn(width, height, _Notice("warning", None, titles, "text", spellings, "dim"))


class _Notice(NamedTuple):
    icon: str
    icon_color: str | None
    headline: Sequence[str]
    """The longest spelling first, as of the detail."""
    headline_color: str
    detail: Sequence[str]
    detail_color: str
    wraps: bool = False
    """Whether the detail may have a second line, where there is room."""


def _drawn(width: int, height: int, notice: _Notice) -> Image.Image:
    canvas = Canvas.blank(width, height)
    small = canvas.tier == "S"
    page, gap = canvas.inset(), GAP[canvas.tier]
    largest, *sizes, pitch = _SIZES[canvas.tier]
    words = sum(sizes) + gap
    # What it says matters more than its icon.
    room = page.height - words - gap
    side = next((px for px in (largest, _SMALL_ICON) if px <= room), 0)
    block = words + (side + gap if side else 0)
    if notice.wraps and block + pitch <= page.height:
        sizes[-1] += pitch
        block += pitch
    middle = page.rows(0.5, min(block, page.height), 0.5, gap=0)[1]
    icon, headline, detail = middle.rows(side, *sizes, gap=gap)
    icon.icon(notice.icon, notice.icon_color)
    headline.text(
        notice.headline[0],
        notice.headline_color,
        role="caption" if small else "hero",  # which steps down before it is cut
        align="center",
        alt=notice.headline[1:],
    )
    detail.text(
        notice.detail[0],
        notice.detail_color,
        role="body" if notice.wraps else "auto",
        align="center",
        overflow="wrap" if notice.wraps else "ellipsis",
        alt=notice.detail[1:],
    )
    return canvas.image_of_page
