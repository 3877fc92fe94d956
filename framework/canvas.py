"""What pages draw with. The page says *what*; the canvas knows the panel.

A ``Canvas`` is a region of the panel, and its parts are canvases too. What does not fit is dropped,
never shrunk and never cut in half: a region that has no room for a line of text stays dark.

Which page is drawn and when, and how an old page looks, is decided in ``panel``; the fonts, icons
and colours have modules of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from PIL import Image, ImageDraw

from framework.choices import check_choice
from framework.colours import RGB, Colour, rgb
from framework.fonts import FIXED_5X8, JERSEY_10, JERSEY_15, JERSEY_20, JERSEY_25, TINY5, Font
from framework.fonts.setting import scroll, shortened, wrapped
from framework.icons import icon_image
from framework.series import by_dot, outline, runs, without_gaps
from framework.sheet import Box, Layer, Motion, Sheet

Tier: TypeAlias = Literal["S", "M", "L"]
Role: TypeAlias = Literal["auto", "hero", "title", "body", "caption"]
Align: TypeAlias = Literal["left", "center", "right"]
Valign: TypeAlias = Literal["top", "middle", "bottom"]
Overflow: TypeAlias = Literal["ellipsis", "scroll", "wrap", "clip"]
Fit: TypeAlias = Literal["contain", "cover", "exact"]

MARGIN: dict[Tier, int] = {"S": 1, "M": 4, "L": 4}
GAP: dict[Tier, int] = {"S": 2, "M": 4, "L": 4}
SCROLL_PX_PER_S: dict[Tier, int] = {"S": 30, "M": 40, "L": 40}
SCROLL_PAUSE_S = 1.5

_ALL_S = (JERSEY_15, JERSEY_10, TINY5)
_ALL_M = (JERSEY_25, JERSEY_20, JERSEY_15, JERSEY_10, FIXED_5X8, TINY5)
_ALL_L = (JERSEY_25.times(2), JERSEY_20.times(2), *_ALL_M)
_FONTS: dict[Tier, dict[Role, tuple[Font, ...]]] = {
    "S": {
        "auto": _ALL_S,
        "hero": _ALL_S,
        "title": (JERSEY_10,),
        "body": (TINY5,),
        "caption": (TINY5,),
    },
    "M": {
        "auto": _ALL_M,
        "hero": _ALL_M,
        "title": (JERSEY_10,),
        "body": (FIXED_5X8,),
        "caption": (TINY5,),
    },
    "L": {
        "auto": _ALL_L,
        "hero": _ALL_L,
        "title": (JERSEY_15,),
        "body": (JERSEY_10,),
        "caption": (FIXED_5X8,),
    },
}
"""Largest first: the first that fits is taken. A hero steps down: half a number would be a lie."""


@dataclass(frozen=True, slots=True)
class _Style:
    paint: RGB
    align: Align
    valign: Valign
    tabular: bool


class Canvas:
    """A region of the panel. Made by the framework with ``blank``; a page is handed one.

    The root is the whole panel. Its last row, ``height - 1``, belongs to the framework, which marks
    there what is late: ``inset()`` keeps off it. (0, 0) is the top left dot of the region, and all
    lengths are in dots. An empty region takes every call and shows nothing.

    What cannot be drawn anywhere is a ``ValueError``: a colour, an icon or a role that there is not
    (all that there are is said), a number that is not finite, a text that is no ``str``.
    """

    def __init__(self, sheet: Sheet, box: Box, tier: Tier) -> None:
        self._sheet = sheet
        self._box = box
        self.width = box[2] - box[0]
        self.height = box[3] - box[1]
        self.tier: Tier = tier
        """By the height of the panel: S below 48 rows, M below 96, L. Sets fonts and margins."""
        self._layer: Layer | None = None

    @classmethod
    def blank(
        cls,
        width: int,
        height: int,
        *,
        elapsed_s: float = 0.0,
        strict: bool = False,
        tier: Tier | None = None,
    ) -> Canvas:
        """A dark panel. ``elapsed_s``: since the page came on; what scrolls goes by it.
        ``strict``: drawing outside a region raises ``ValueError`` instead of being cut off.
        ``tier``: of the panel, if this is not all of it."""
        sheet = Sheet(width, height, elapsed_s, strict)
        return cls(sheet, (0, 0, width, height), tier or tier_of(height))

    @property
    def image_of_page(self) -> Image.Image:
        """The picture of the whole panel, mode RGB, with all that was drawn so far."""
        return self._sheet.merge()

    @property
    def motion(self) -> Motion:
        """What the page as drawn so far does by itself."""
        return self._sheet.motion

    @property
    def elapsed_s(self) -> float:
        """Seconds since the page came on."""
        return self._sheet.elapsed_s

    # Parts.

    def region(self, x: int, y: int, width: int, height: int) -> Canvas:
        """The part at (x, y), as far as it lies in this region."""
        self._check(x, y, x + width, y + height, "region()")
        return self._part(x, y, width, height)

    def inset(self, px: int | None = None) -> Canvas:
        """Without a margin of ``px`` on every side; by default the panel's."""
        margin = MARGIN[self.tier] if px is None else px
        return self._part(margin, margin, self.width - 2 * margin, self.height - 2 * margin)

    def rows(self, *sizes: int | float | Role, gap: int | None = None) -> tuple[Canvas, ...]:
        """One above the other: an int is dots, the name of a role as high as a line of it, a float
        a share of what these leave.

        A row that no longer fits whole is an empty region, so put first what matters most.
        Shares that come to less than 1 leave room below; those that come to more are scaled down.
        ``gap``: dots between two rows; by default the panel's.
        """
        dots = [self._set_in(size)[0].cap if isinstance(size, str) else size for size in sizes]
        places = allot(self.height, dots, GAP[self.tier] if gap is None else gap)
        return tuple(self._part(0, start, self.width, length) for start, length in places)

    def cols(self, *sizes: int | float, gap: int | None = None) -> tuple[Canvas, ...]:
        """Beside each other; otherwise as ``rows``, with the same rule for what no longer fits."""
        places = allot(self.width, sizes, GAP[self.tier] if gap is None else gap)
        return tuple(self._part(start, 0, length, self.height) for start, length in places)

    def split(self, share: float = 0.5, *, gap: int | None = None) -> tuple[Canvas, Canvas]:
        """Two parts, the first with ``share`` (0 to 1) of the room: beside each other if this is at
        least half again as wide as high, else stacked."""
        parts = self.cols if self.width >= 1.5 * self.height else self.rows
        first, second = parts(share, 1.0 - share, gap=gap)
        return first, second

    def grid(
        self, min_w: int, min_h: int, limit: int | None = None, *, gap: int | None = None
    ) -> tuple[Canvas, ...]:
        """As many equal cells of at least this size as fit, at most ``limit``, row by row."""
        space = GAP[self.tier] if gap is None else gap
        across = (self.width + space) // (min_w + space)
        down = (self.height + space) // (min_h + space)
        if limit is not None:
            across = min(across, limit)
            down = min(down, math.ceil(limit / across)) if across else 0
        if not across or not down:
            return ()
        cells = [
            cell
            for row in self.rows(*[1.0] * down, gap=space)
            for cell in row.cols(*[1.0] * across, gap=space)
        ]
        return tuple(cells[:limit])

    # Text.

    def text(
        self,
        s: str,
        color: Colour = "text",
        *,
        role: Role = "auto",
        align: Align = "left",
        valign: Valign = "middle",
        overflow: Overflow = "ellipsis",
        tabular: bool = False,
        alt: Sequence[str] = (),
    ) -> None:
        """Text in one colour, aligned by its baseline and the height of its capitals, and as if it
        began with a straight stem: accents, descenders and what is round may hang over the region's
        edge by a dot or a few.

        ``role`` chooses the font: hero title body caption; ``auto`` is the largest that fits. A
        hero that is too wide steps down to a smaller font. Captions are set in capitals.
        ``alt``: shorter spellings, tried in turn before anything is left out.
        ``overflow``, when no spelling fits: end it with an ellipsis; ``scroll`` it, from when the
        page came on; ``wrap`` it over as many lines as fit, which keep accents and descenders on
        the panel and off its last row; or ``clip`` it at the edge.
        ``tabular``: every digit as wide as the widest, for what ticks.

        A character that no font has, as those of Chinese or an emoji, is a "?".
        """
        check_choice("align", align, get_args(Align))
        check_choice("valign", valign, get_args(Valign))
        check_choice("overflow", overflow, get_args(Overflow))
        _check_texts(s, alt=alt)
        style = _Style(rgb(color), align, valign, tabular)
        fonts = self._fonts(role)
        if not fonts or not self.width:
            return
        spellings = [s.upper(), *map(str.upper, alt)] if role == "caption" else [s, *alt]
        if overflow == "wrap":
            self._wrapped(fonts, spellings, style)
            return
        for font in fonts:
            for spelling in spellings:
                if font.width(spelling, tabular=tabular) <= self.width:
                    self._lines(font, [spelling], style)
                    return
        if overflow == "scroll":
            self._scrolled(fonts[0], spellings[0], style)
        elif overflow == "clip":
            self._lines(fonts[-1], [spellings[-1]], style)
        else:
            short = shortened(fonts[-1], spellings[-1], self.width, tabular=tabular)
            self._lines(fonts[-1], [short], style)

    def text_size(self, s: str, *, role: Role = "auto", tabular: bool = False) -> tuple[int, int]:
        """How wide ``s`` would be here, and how high its capitals; (0, 0) if nothing would show.

        A part of exactly that size puts something beside it, on the same baseline.
        """
        _check_texts(s)
        text = s.upper() if role == "caption" else s
        fonts = self._fonts(role)
        for font in fonts:
            if (width := font.width(text, tabular=tabular)) <= self.width:
                return width, font.cap
        return (self.width, fonts[-1].cap) if fonts else (0, 0)

    def pair(
        self, label: str, value: str, color: Colour = "text", *, alt: Sequence[str] = ()
    ) -> None:
        """A dim caption on the left and a value on the right, in ``color`` and as high as a
        ``body``, on one baseline.

        ``alt``: shorter spellings of the caption. Without room for any the value stays alone.
        """
        _check_texts(label, value, alt=alt)
        paint = rgb(color)
        font = _FONTS[self.tier]["body"][0]
        if self.height < font.cap:
            return
        base = (self.height - font.cap) // 2 + font.cap
        line = self._part(0, 0, self.width, base)
        room = self.width - font.width(value, tabular=True) - GAP[self.tier]
        self._part(0, 0, room, base).text(
            label, "dim", role="caption", valign="bottom", alt=[*alt, ""]
        )
        line.text(value, paint, role="body", align="right", valign="bottom", tabular=True)

    def _fonts(self, role: Role) -> list[Font]:
        """Of the fonts for ``role`` those that are not too high for this region."""
        return [font for font in self._set_in(role) if font.cap <= self.height]

    def _set_in(self, role: Role) -> Sequence[Font]:
        """What ``role`` is set in on this panel, largest first."""
        check_choice("role", role, _FONTS[self.tier])
        return _FONTS[self.tier][role]

    def _lines(self, font: Font, lines: Sequence[str], style: _Style, *, lift: int = 0) -> None:
        """A block of lines that was made to fit, ``lift`` dots higher than its place."""
        top = self._top(font, lines, style) - lift
        for number, text in enumerate(lines):
            spare = self.width - font.width(text, tabular=style.tabular)
            x = {"left": 0, "center": spare // 2, "right": spare}[style.align]
            self._write(font, text, x, top + number * font.pitch, style)

    def _top(self, font: Font, lines: Sequence[str], style: _Style) -> int:
        """Where the capitals of the first of a block of lines begin."""
        spare = self.height - font.cap - (len(lines) - 1) * font.pitch
        return {"top": 0, "middle": spare // 2, "bottom": spare}[style.valign]

    def _lift(self, font: Font, lines: Sequence[str], style: _Style) -> int:
        """How much higher, or if less than 0 lower, a block must stand for its descenders to keep
        off the panel's last row and its accents on the panel."""
        first, last = (font.line(lines[at], tabular=style.tabular) for at in (0, -1))
        baseline = self._box[1] + self._top(font, lines, style) + font.cap
        above = baseline + first.top
        bottom = baseline + (len(lines) - 1) * font.pitch + last.top + last.mask.height
        return max(bottom - (self._sheet.image.height - 1), min(above, 0))

    def _wrapped(self, fonts: Sequence[Font], spellings: Sequence[str], style: _Style) -> None:
        for font in fonts:
            most = 1 + (self.height - font.cap) // font.pitch
            for text in spellings:
                lines = wrapped(font, text, self.width, tabular=style.tabular)
                widest = max(font.width(line, tabular=style.tabular) for line in lines)
                lift = self._lift(font, lines, style)
                fits = len(lines) <= most and lift <= self._top(font, lines, style)
                if fits and widest <= self.width:
                    self._lines(font, lines, style, lift=lift)
                    return
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
        short = [shortened(font, line, self.width, tabular=style.tabular) for line in lines]
        self._lines(font, short, style, lift=self._lift(font, short, style))

    def _scrolled(self, font: Font, text: str, style: _Style) -> None:
        travel = font.width(text, tabular=style.tabular) - self.width
        moved, next_change_s, ends_at_s = scroll(
            self.elapsed_s, travel, SCROLL_PX_PER_S[self.tier], SCROLL_PAUSE_S
        )
        self._sheet.moves(next_change_s, ends_at_s)
        self._write(font, text, -moved, self._top(font, [text], style), style)

    def _write(self, font: Font, text: str, x: int, top: int, style: _Style) -> None:
        """One line from column ``x`` on, its capitals from row ``top`` on."""
        line = font.line(text, tabular=style.tabular)
        left, upper = x + line.left, top + font.cap + line.top
        beside = line.mask.width if line.width <= self.width else 0  # wider: to be cut there
        self._stamp(
            style.paint, line.mask, left, upper, over=font.over, under=font.under, beside=beside
        )

    # Pictures and shapes.

    def icon(self, name: str, color: Colour | None = None) -> None:
        """The icon in the middle, drawn for the largest of 8, 12, 16 and 24 dots that fits.

        ``color``: all of it in one colour instead of its own.
        """
        paint = None if color is None else rgb(color)
        art = icon_image(name, min(self.width, self.height))
        if art is None:
            return
        x, y = (self.width - art.width) // 2, (self.height - art.height) // 2
        self._stamp(paint or art.convert("RGB"), art.getchannel("A"), x, y)

    def image(self, img: Image.Image, fit: Fit = "contain") -> None:
        """A picture in the middle: ``contain`` shows all of it, ``cover`` fills the region with it,
        ``exact`` does not scale it. Where it is transparent, what lies below shows."""
        check_choice("fit", fit, get_args(Fit))
        if not self.width or not self.height or not img.width or not img.height:
            return
        if fit != "exact":
            scales = (self.width / img.width, self.height / img.height)
            scale = min(scales) if fit == "contain" else max(scales)
            size = max(1, round(img.width * scale)), max(1, round(img.height * scale))
            if size != img.size:
                img = img.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
        img = img.convert("RGBA")
        x, y = (self.width - img.width) // 2, (self.height - img.height) // 2
        self._stamp(img.convert("RGB"), img.getchannel("A"), x, y)

    def bar(self, fraction: float | None, color: Colour = "accent") -> None:
        """A bar that is filled from the left: not at all at 0 and below, or None, whole at 1 and
        above."""
        share = fraction or 0.0
        _check_finite("bar()", share)
        paint, filled = rgb(color), round(min(max(share, 0.0), 1.0) * self.width)
        self._fill(0, 0, filled, self.height, paint)
        self._fill(filled, 0, self.width, self.height, rgb("track"))

    def spark(
        self, values: Sequence[float | None], color: Colour = "accent", *, fill: bool = False
    ) -> None:
        """A line through ``values`` from edge to edge, oldest first, lowest at the bottom and
        highest at the top, whatever these are; None is a gap, and one that is narrower than a dot
        may not show.

        ``fill`` lights what is below it, dimly.
        """
        paint, known = rgb(color), without_gaps(values)
        _check_finite("spark()", *known)
        if not known or not self.width or not self.height:
            return
        low, span = min(known), max(known) - min(known)
        points = [
            None
            if value is None
            else (x, round((self.height - 1) * (1 - ((value - low) / span if span else 0.5))))
            for x, several in enumerate(by_dot(values, self.width))
            for value in outline(several)
        ]
        mask = Image.new("L", (self.width, self.height))
        draw = ImageDraw.Draw(mask)
        for run in runs(points):
            if fill:
                below = [*run, (run[-1][0], self.height - 1), (run[0][0], self.height - 1)]
                draw.polygon(below, fill=80)
            draw.line(run, fill=255)
            draw.point(run, fill=255)
        self._stamp(paint, mask, 0, 0)

    def columns(self, values: Sequence[float | None], color: Colour = "accent") -> None:
        """A column for each value, from 0 (or the lowest, if that is below) at the bottom to the
        highest at the top; None is a gap. Of several that share a dot the highest is shown."""
        paint, known = rgb(color), without_gaps(values)
        _check_finite("columns()", *known)
        if not known or not self.width or not self.height:
            return
        low, high = min(0.0, *known), max(0.0, *known)
        if len(values) > self.width:
            values = [max(without_gaps(each), default=None) for each in by_dot(values, self.width)]
        gap = 1 if self.width >= 2 * len(values) else 0
        for value, (x, width) in zip(
            values, allot(self.width, [1.0] * len(values), gap), strict=True
        ):
            if value is not None and high > low:
                height = math.ceil((value - low) / (high - low) * self.height)
                self._fill(x, self.height - height, x + width, self.height, paint)

    def line(self, *xy: float, color: Colour) -> None:
        """A line one dot thick through x0, y0, x1, y1 and so on."""
        if len(xy) % 2:
            raise ValueError(f"line() takes x0, y0, x1, y1 and so on, not {len(xy)} numbers")
        paint, points = rgb(color), list(zip(xy[::2], xy[1::2], strict=True))
        for x, y in points:
            self._check(x, y, x + 1, y + 1, "line()")
        mask = Image.new("L", (self.width, self.height))
        ImageDraw.Draw(mask).line(points, fill=255)
        self._stamp(paint, mask, 0, 0)

    def disc(self, x: float, y: float, r: float, color: Colour) -> None:
        """A filled circle with the radius ``r``. Its middle is a point between dots if ``x`` and
        ``y`` are whole."""
        paint = rgb(color)
        self._check(x - r, y - r, x + r, y + r, "disc()")
        for row in range(max(0, math.floor(y - r)), min(self.height, math.ceil(y + r))):
            half = math.sqrt(max(0.0, r * r - (row + 0.5 - y) ** 2))
            x0, x1 = round(x - half), round(x + half)
            self._fill(max(0, x0), row, min(self.width, x1), row + 1, paint)

    @property
    def image_draw(self) -> ImageDraw.ImageDraw:
        """Pillow's own way of drawing, in this region's coordinates and cut off at its edges."""
        if self._layer is None:
            self._sheet.merge()
            self._layer = self._sheet.layer(self._box)
        return self._layer.draw

    # How it reaches the sheet.

    def _part(self, x: int, y: int, width: int, height: int) -> Canvas:
        """The part at (x, y), as far as it lies in this region."""
        left, top, right, bottom = self._box
        x0, y0 = min(max(left + x, left), right), min(max(top + y, top), bottom)
        x1, y1 = min(left + x + width, right), min(top + y + height, bottom)
        return Canvas(self._sheet, (x0, y0, max(x0, x1), max(y0, y1)), self.tier)

    def _check(self, x0: float, y0: float, x1: float, y1: float, what: str) -> None:
        _check_finite(what, x0, y0, x1, y1)
        inside = x0 >= 0 and y0 >= 0 and x1 <= self.width and y1 <= self.height
        if self._sheet.strict and self.width and self.height and not inside:
            raise ValueError(
                f"{what} reaches from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}), outside its region of "
                f"{self.width}x{self.height}"
            )

    def _fill(self, x0: int, y0: int, x1: int, y1: int, paint: RGB) -> None:
        """A rectangle that lies in this region; x1 and y1 are the first dots after it."""
        left, top, _, _ = self._box
        if x1 > x0 and y1 > y0:
            with self._sheet.painting() as image:
                image.paste(paint, (left + x0, top + y0, left + x1, top + y1))

    def _stamp(
        self,
        source: RGB | Image.Image,
        mask: Image.Image,
        x: int,
        y: int,
        *,
        over: int = 0,
        under: int = 0,
        beside: int = 0,
    ) -> None:
        """``source`` through ``mask`` at (x, y), cut at the region's edges; ``over`` and ``under``
        are how many rows it may hang over the upper and the lower one, ``beside`` how many columns
        over the others."""
        left, top, right, bottom = self._box
        x, y = left + x, top + y
        box = (
            max(left - beside, x, 0),
            max(top - over, y, 0),
            min(right + beside, x + mask.width, self._sheet.image.width),
            min(bottom + under, y + mask.height, self._sheet.image.height),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        inner = (box[0] - x, box[1] - y, box[2] - x, box[3] - y)
        with self._sheet.painting() as image:
            image.paste(
                source.crop(inner) if isinstance(source, Image.Image) else source,
                box,
                mask.crop(inner),
            )


def tier_of(height: int) -> Tier:
    """The tier of a panel with so many rows."""
    return "S" if height < 48 else "M" if height < 96 else "L"


def _check_texts(*texts: str, alt: Sequence[str] = ()) -> None:
    if isinstance(alt, str):
        raise ValueError('alt is a list of texts, not one: write it as alt=["..."]')
    for text in (*texts, *alt):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise ValueError(f'a text is a str, not {kind}: write it as f"{{...}}"')


def _check_finite(what: str, *numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{what} takes finite numbers, not NaN or infinity")


def allot(total: int, sizes: Sequence[int | float], gap: int) -> list[tuple[int, int]]:
    """Where each part begins and how long it is: an int is dots, a float a share of the rest.

    Shares that come to more than 1 are scaled down to 1. A part for which there is no room is empty
    and takes no gap.
    """
    _check_finite("a row or a column", *sizes)
    left = total + gap
    lengths = [0] * len(sizes)
    for place, size in enumerate(sizes):
        if isinstance(size, int) and 0 < size <= left - gap:
            lengths[place] = size
            left -= size + gap
    shares = {place: size for place, size in enumerate(sizes) if isinstance(size, float)}
    left = max(0, left - gap * len(shares))
    whole = max(1.0, sum(shares.values()))
    until = 0.0
    for place, share in shares.items():
        begin, until = until, until + share / whole * left
        lengths[place] = round(until) - round(begin)
    parts = []
    start = 0
    for length in lengths:
        parts.append((min(start, total), length))
        start += length + gap if length else 0
    return parts
