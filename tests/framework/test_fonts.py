"""The pixel fonts: sizes that fall on the panel's dots, no boxes, and a licence for each file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import fonts
from framework.fonts import (
    FIXED_5X8,
    JERSEY_10,
    JERSEY_15,
    JERSEY_20,
    JERSEY_25,
    TINY5,
    Font,
    Line,
    clean,
)
from framework.fonts.setting import ELLIPSIS, scroll, shortened, wrapped

FONTS = [TINY5, FIXED_5X8, JERSEY_10, JERSEY_15, JERSEY_20, JERSEY_25, JERSEY_25.times(2)]
FOLDER = Path(fonts.__file__).parent


def same(one: Line, other: Line) -> bool:
    return one.mask.size == other.mask.size and one.mask.tobytes() == other.mask.tobytes()


@pytest.mark.parametrize("font", FONTS, ids=lambda font: f"{font.file}x{font.scale}")
class TestEveryFont:
    def test_capitals_are_as_high_as_it_says(self, font: Font) -> None:
        line = font.line("H")
        assert (line.top, line.mask.height) == (-font.cap, font.cap)

    def test_letters_hang_over_no_further_than_it_says(self, font: Font) -> None:
        line = font.line("ÀÉÎÕÜŠŽÅÇgjpqyQ,;|()[]{}@$§°")
        assert line.top >= -font.cap - font.over
        assert line.top + line.mask.height <= font.under

    def test_dots_are_lit_or_dark_and_nothing_between(self, font: Font) -> None:
        assert {value for _, value in font.line("Qa18%&").mask.getcolors() or []} == {0, 255}

    def test_its_width_is_what_is_lit(self, font: Font) -> None:
        assert font.line("H").mask.width == font.width("H")
        assert font.width("") == 0
        assert font.width("HH") > 2 * font.width("H")

    def test_every_digit_takes_the_same_room_if_it_ticks(self, font: Font) -> None:
        assert len({font.width(digit * 2, tabular=True) for digit in "0123456789"}) == 1

    def test_what_it_lacks_is_never_a_box(self, font: Font) -> None:
        assert same(font.line("😀"), font.line("?"))
        assert not same(font.line("Ж"), font.line("?"))
        assert not same(font.line("▲"), font.line("?"))
        assert font.line("▲").mask.getbbox() is not None

    def test_what_it_lacks_is_told_of_once(
        self, font: Font, caplog: pytest.LogCaptureFixture
    ) -> None:
        fonts._glyph.cache_clear()
        with caplog.at_level("DEBUG", logger="framework.fonts"):
            assert same(font.line("東" * 2), font.line("??"))
        assert caplog.messages == ["no font has U+6771: it is drawn as ?"]

    def test_its_file_and_its_licence_are_there(self, font: Font) -> None:
        name = font.file.partition(".")[0]
        assert (FOLDER / font.file).is_file()
        assert (FOLDER / f"{name}.LICENSE").read_text(encoding="utf-8").strip()


def test_twice_the_size_is_every_dot_twice() -> None:
    line, twice = JERSEY_10.line("18°"), JERSEY_10.times(2).line("18°")
    assert twice.mask.tobytes() == line.mask.resize(twice.mask.size, 0).tobytes()
    assert twice.mask.size == (2 * line.mask.width, 2 * line.mask.height)


def test_a_full_stop_stands_on_the_baseline_and_a_percent_sign_has_two_rings() -> None:
    stop, percent = FIXED_5X8.line("."), FIXED_5X8.line("%")
    assert (stop.top, stop.mask.size, stop.mask.getextrema()) == (-2, (2, 2), (255, 255))
    assert (percent.top, percent.mask.size) == (-6, (4, 6))
    twice = FIXED_5X8.times(2).line(".")
    assert (twice.top, twice.mask.size) == (-4, (4, 4))
    assert FIXED_5X8.width("5.") == FIXED_5X8.width("5:")


def test_text_is_composed_put_on_one_line_and_freed_of_what_has_no_shape() -> None:
    assert clean("Cafe\u0301\nau\tlait\u200d\ufe0f\x07") == "Café au lait"


@given(text=st.text(max_size=30), font=st.sampled_from(FONTS), tabular=st.booleans())
def test_any_text_can_be_drawn(text: str, font: Font, tabular: bool) -> None:
    line = font.line(text, tabular=tabular)
    assert line.width == font.width(text, tabular=tabular) >= 0
    assert line.width > 0 or not clean(text).strip()


@given(text=st.text("abc W…", max_size=30), width=st.integers(0, 80))
def test_shortened_text_fits_and_says_that_it_goes_on(text: str, width: int) -> None:
    short = shortened(FIXED_5X8, text, width)
    assert FIXED_5X8.width(short) <= width
    assert short in (text, "") or (
        short.endswith(ELLIPSIS) and text.startswith(short.removesuffix(ELLIPSIS))
    )


@given(text=st.text("ab \n", max_size=60), width=st.integers(1, 60))
def test_wrapped_text_keeps_its_words_in_order(text: str, width: int) -> None:
    lines = wrapped(TINY5, text, width)
    assert " ".join(lines).split() == text.split()
    assert all(TINY5.width(line) <= width or " " not in line for line in lines)


@given(
    elapsed_s=st.floats(0, 1e6), travel_px=st.integers(1, 2000), px_per_s=st.sampled_from([30, 40])
)
def test_scrolling_always_moves_on(elapsed_s: float, travel_px: int, px_per_s: int) -> None:
    moved, next_s, ends_s = scroll(elapsed_s, travel_px, px_per_s, 1.5)
    assert 0 <= moved <= travel_px
    assert ends_s == pytest.approx(3 + travel_px / px_per_s)
    then, after_s, _ = scroll(next_s, travel_px, px_per_s, 1.5)
    assert after_s > next_s
    assert then == (0 if moved == travel_px else moved + 1)
