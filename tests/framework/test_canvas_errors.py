"""What a canvas refuses, in one form: what it was, and what there is instead."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any, TypeAlias

import pytest
from PIL import Image

from framework.canvas import Canvas

Wrong: TypeAlias = Callable[[Any], object]
"""Any, because mypy refuses most of it, and not every page is checked by it."""

UNKNOWN: list[tuple[Wrong, str]] = [
    (lambda c: c.text("x", role="headline"), "role 'headline'; .* title, body, caption"),
    (lambda c: c.text_size("x", role="headline"), "role 'headline'"),
    (lambda c: c.rows("titel"), "role 'titel'; the nearest is 'title', all are: auto, hero"),
    (lambda c: c.text("x", align="centre"), "align 'centre'; the nearest is 'center', all are: le"),
    (lambda c: c.text("x", valign="center"), "valign 'center'; .* top, middle, bottom"),
    (lambda c: c.text("x", overflow="dots"), "overflow 'dots'; .* ellipsis, scroll, wrap, clip"),
    (lambda c: c.image(Image.new("L", (1, 1)), "cover "), "fit 'cover '; the nearest is 'cover'"),
    (lambda c: c.icon("mon"), "icon 'mon'; the nearest is 'moon'"),
    (lambda c: c.icon("moon", "ambre"), "colour 'ambre'; the nearest is 'amber'"),
    (lambda c: c.text("x", "ambre"), "colour 'ambre'"),
    (lambda c: c.pair("x", "y", "ambre"), "colour 'ambre'"),
    (lambda c: c.bar(0.0, "ambre"), "colour 'ambre'"),
    (lambda c: c.spark([], "ambre"), "colour 'ambre'"),
    (lambda c: c.columns([0], "ambre"), "colour 'ambre'"),
    (lambda c: c.line(color="ambre"), "colour 'ambre'"),
    (lambda c: c.disc(1, 1, 0, "ambre"), "colour 'ambre'"),
]
IMPOSSIBLE: list[tuple[Wrong, str]] = [
    (lambda c: c.bar(0.5, None), "a colour is a name or three whole numbers from 0 to 255, not N"),
    (lambda c: c.bar(0.5, (0.5, 0, 0)), "a colour is a name or three whole numbers"),
    (lambda c: c.text(5), r'^a text is a str, not int: write it as f"\{\.\.\.\}"$'),
    (lambda c: c.text(None, role="caption"), "a text is a str, not NoneType"),
    (lambda c: c.text("x", alt=[5]), "a text is a str, not int"),
    (lambda c: c.text("x", alt="AB"), "alt is a list of texts, not one"),
    (lambda c: c.pair("x", "y", alt="AB"), "alt is a list of texts, not one"),
    (lambda c: c.text_size(5), "a text is a str, not int"),
    (lambda c: c.pair("x", 5), "a text is a str, not int"),
    (lambda c: c.pair(5, "x"), "a text is a str, not int"),
    (lambda c: c.bar(nan), r"^bar\(\) takes finite numbers, not NaN or infinity$"),
    (lambda c: c.spark([1, nan, 2]), r"spark\(\) takes finite"),
    (lambda c: c.columns([1, -inf]), r"columns\(\) takes finite"),
    (lambda c: c.line(0, 0, nan, 1, color="text"), r"line\(\) takes finite"),
    (lambda c: c.disc(nan, 1, 1, "text"), r"disc\(\) takes finite"),
    (lambda c: c.rows(nan), "a row or a column takes finite"),
    (lambda c: c.line(0, 0, 1, color="text"), r"line\(\) takes x0, y0, x1, y1 and so on, not 3"),
]


@pytest.mark.parametrize("size", [(64, 32), (0, 0)], ids=["with-room", "without"])
@pytest.mark.parametrize(("wrong", "said"), UNKNOWN + IMPOSSIBLE)
def test_what_cannot_be_drawn_is_refused_wherever_it_would_stand(
    wrong: Wrong, said: str, size: tuple[int, int]
) -> None:
    part = Canvas.blank(64, 32).region(0, 0, *size)
    with pytest.raises(ValueError, match=said):
        wrong(part)


def test_a_list_of_three_is_a_colour_as_well() -> None:
    canvas: Any = Canvas.blank(8, 8)
    canvas.bar(1.0, [1, 2, 3])
    assert canvas.image_of_page.getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize(("fraction", "lit"), [(None, 0), (-1, 0), (0.5, 4), (7, 8)])
def test_a_bar_is_empty_below_0_and_full_above_1(fraction: float | None, lit: int) -> None:
    canvas = Canvas.blank(8, 1)
    canvas.bar(fraction, "red")
    track = canvas.image_of_page.histogram()[0x26]
    assert 8 - track == lit
