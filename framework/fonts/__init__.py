"""The pixel fonts: a line of text in, a mask of dots out.

Each font is drawn at the one size at which its pixels fall on the panel's, or at a whole multiple,
without anti-aliasing. A character that a font lacks comes from misc-fixed 5x8; one that this lacks
too is a "?", never a box. Which font serves which purpose on which panel is decided in ``canvas``.

Files are read on first use. Where they come from, and under which licence, is in README.md.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

log = logging.getLogger(__name__)

REPLACEMENT = "?"
LONGEST_TEXT = 2000
"""In characters. No panel has the room for more, nor the time to scroll through it."""
_DIGITS = "0123456789"
_NO_CHARACTER = "\U0010ffff"
"""No font has it, so it shows what a font draws for a character that it lacks."""
_UNSEEN = {"Cc", "Cf", "Mn", "Me"}
"""Unicode categories that are left out: controls, joiners, marks that did not compose."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character: a mask, where its top left corner lies from the pen, and the pen's step."""

    mask: Image.Image
    left: int
    top: int
    """Rows below the baseline: negative above it."""
    advance: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as a mask (0 or 255). Column 0 is where a capital H would begin."""

    mask: Image.Image
    left: int
    top: int
    """Where the mask's first row lies, in rows below the baseline: negative."""
    width: int
    """Without the space that a font leaves beside its characters: what alignment goes by."""


@dataclass(frozen=True, slots=True)
class Font:
    """One font at its own size, times ``scale``."""

    file: str
    size_px: float
    cap: int
    """How high capitals are. A line is as high as that: accents and descenders hang over."""
    over: int
    """How far accents rise above capitals."""
    under: int
    """How far descenders reach below the baseline."""
    scale: int = 1

    def times(self, scale: int) -> Font:
        """This font with every dot ``scale`` dots wide and high."""
        return Font(
            self.file,
            self.size_px,
            self.cap * scale,
            self.over * scale,
            self.under * scale,
            self.scale * scale,
        )

    @property
    def pitch(self) -> int:
        """From one baseline to the next in a block of text."""
        return self.cap + self.under + self.scale

    def width(self, text: str, *, tabular: bool = False) -> int:
        """How many columns ``text`` takes. ``tabular``: every digit as wide as the widest."""
        return _width(self, text[:LONGEST_TEXT], tabular)

    def line(self, text: str, *, tabular: bool = False) -> Line:
        """``text`` on one line."""
        return _line(self, text[:LONGEST_TEXT], tabular)


TINY5 = Font("Tiny5.ttf", 8, cap=5, over=3, under=1)
FIXED_5X8 = Font("misc-fixed-5x8.pcf.gz", 8, cap=6, over=1, under=1)
JERSEY_10 = Font("Jersey10.ttf", 1400 / 75, cap=10, over=5, under=4)
JERSEY_15 = Font("Jersey15.ttf", 27, cap=15, over=6, under=5)
JERSEY_20 = Font("Jersey20.woff", 34, cap=20, over=7, under=6)
JERSEY_25 = Font("Jersey25.ttf", 41, cap=25, over=8, under=8)
_REDRAWN = {
    (FIXED_5X8.file, "."): ("##", "##"),
    (FIXED_5X8.file, "%"): ("##.#", "##.#", "..#.", ".#..", "#.##", "#.##"),
}
"""Dots above the baseline, from column 1. The font's own stop is a cross, its percent sign reads as
a half."""


def clean(text: str) -> str:
    """``text`` as it is drawn: composed, on one line, without what has no shape of its own."""
    composed = unicodedata.normalize("NFC", text)
    composed = " ".join(composed.splitlines()).replace("\t", " ")
    return "".join(c for c in composed if unicodedata.category(c) not in _UNSEEN)


# A line that scrolls is asked for at each step that it moves.
@lru_cache(maxsize=2048)
def _width(font: Font, text: str, tabular: bool) -> int:
    before, after = _sides(font)
    steps = sum(step for _, _, step in _pen(font, clean(text), tabular))
    return max(0, steps - before - after)


@lru_cache(maxsize=64)  # a mask of the longest text is 80 kB to 800 kB
def _line(font: Font, text: str, tabular: bool) -> Line:
    before, _ = _sides(font)
    placed = []
    pen = -before
    for glyph, shift, step in _pen(font, clean(text), tabular):
        placed.append((glyph, pen + shift + glyph.left))
        pen += step
    width = font.width(text, tabular=tabular)
    left = min((x for _, x in placed), default=0)
    right = max((x + glyph.mask.width for glyph, x in placed), default=0)
    top = min((glyph.top for glyph, _ in placed), default=0)
    bottom = max((glyph.top + glyph.mask.height for glyph, _ in placed), default=0)
    mask = Image.new("L", (right - left, bottom - top))
    for glyph, x in placed:
        mask.paste(255, (x - left, glyph.top - top), glyph.mask)
    return Line(mask, left, top, width)


def _pen(font: Font, text: str, tabular: bool) -> list[tuple[Glyph, int, int]]:
    """Each glyph, how far it is shifted in its cell, and the pen's step after it."""
    cell = _digit_cell(font) if tabular else 0
    steps = []
    for character in text:
        glyph = _glyph(font, character)
        spare = max(0, cell - glyph.advance) if character in _DIGITS else 0
        steps.append((glyph, spare // 2, glyph.advance + spare))
    return steps


@cache
def _digit_cell(font: Font) -> int:
    return max(_glyph(font, digit).advance for digit in _DIGITS)


@cache
def _sides(font: Font) -> tuple[int, int]:
    """The space that the font leaves before and after a capital H."""
    glyph = _glyph(font, "H")
    return glyph.left, glyph.advance - glyph.left - glyph.mask.width


@lru_cache(maxsize=2048)
def _glyph(font: Font, character: str) -> Glyph:
    for candidate in (character, REPLACEMENT):
        for source in (font, FIXED_5X8.times(max(1, font.cap // FIXED_5X8.cap))):
            glyph = _own_glyph(source, candidate)
            if glyph is not None:
                if candidate != character:
                    log.debug("no font has U+%04X: it is drawn as %s", ord(character), candidate)
                return glyph
    raise LookupError(f"{font.file} has no {REPLACEMENT!r}")


def _own_glyph(font: Font, character: str) -> Glyph | None:
    """As the font itself has it, or None."""
    drawn = _drawn(font, character)
    if not character.isspace() and drawn.mask.tobytes() == _missing(font):
        return None
    return drawn


@cache
def _missing(font: Font) -> bytes:
    return _drawn(font, _NO_CHARACTER).mask.tobytes()


def _drawn(font: Font, character: str) -> Glyph:
    face = _face(font.file, font.size_px)
    # The bounding box that Pillow gives is the advance box: what is lit is found by drawing.
    room = int(2 * font.size_px) + 4
    paper = Image.new("L", (2 * room, 2 * room))
    draw = ImageDraw.Draw(paper)
    draw.fontmode = "1"
    redrawn = _REDRAWN.get((font.file, character))
    if redrawn is None:
        draw.text((room, room), character, font=face, anchor="ls", fill=255)
    else:
        draw.point(_lit(redrawn, room + 1, room - len(redrawn)), fill=255)
    box = paper.getbbox() or (room, room, room, room)
    mask = paper.crop(box)
    advance = round(face.getlength(character, mode="1"))
    by = font.scale
    if by > 1 and mask.width:
        mask = mask.resize((mask.width * by, mask.height * by), Image.Resampling.NEAREST)
    return Glyph(mask, (box[0] - room) * by, (box[1] - room) * by, advance * by)


def _lit(rows: Sequence[str], left: int, top: int) -> list[tuple[int, int]]:
    return [
        (left + x, top + y) for y, row in enumerate(rows) for x, dot in enumerate(row) if dot == "#"
    ]


@cache
def _face(file: str, size_px: float) -> ImageFont.FreeTypeFont:
    data = files(__name__).joinpath(file).read_bytes()
    # Basic layout: the same on every machine, whether or not it has libraqm.
    return ImageFont.truetype(BytesIO(data), size_px, layout_engine=ImageFont.Layout.BASIC)
