"""What pages draw with: layout, text by its baseline, clipping, motion."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from framework.canvas import Canvas, Valign, allot
from framework.colours import COLOURS, rgb

WHITE = (255, 255, 255)


def ink(canvas: Canvas) -> tuple[int, int, int, int]:
    """The box around all that is lit."""
    box = canvas.image_of_page.getbbox()
    assert box is not None, "nothing is lit"
    return box


def dark(canvas: Canvas) -> bool:
    return canvas.image_of_page.getbbox() is None


def drawn(width: int, height: int, text: str, **options: object) -> Canvas:
    canvas = Canvas.blank(width, height, strict=True)
    canvas.text(text, WHITE, **options)  # type: ignore[arg-type]  # whatever a test wants to say
    return canvas


# Parts.


@pytest.mark.parametrize(
    ("height", "tier", "margin"),
    [(16, "S", 1), (47, "S", 1), (48, "M", 4), (64, "M", 4), (96, "L", 4)],
)
def test_tier_sets_the_margin(height: int, tier: str, margin: int) -> None:
    canvas = Canvas.blank(128, height)
    assert canvas.tier == tier
    assert (canvas.inset().width, canvas.inset().height) == (128 - 2 * margin, height - 2 * margin)
    assert canvas.inset().tier == tier


def test_rows_share_what_whole_sizes_leave() -> None:
    top, middle, bottom = Canvas.blank(128, 64).rows(10, 0.5, 0.5, gap=4)
    assert [part.height for part in (top, middle, bottom)] == [10, 23, 23]
    bottom.bar(1.0, WHITE)
    assert ink(bottom) == (0, 41, 128, 64)


def test_shares_below_one_leave_room() -> None:
    (part,) = Canvas.blank(100, 64).cols(0.25)
    assert part.width == 25


def test_a_role_is_a_row_as_high_as_its_capitals() -> None:
    heights = [
        part.height for part in Canvas.blank(128, 64).rows("hero", "title", "body", "caption")
    ]
    assert heights == [25, 10, 6, 5]


def test_what_no_longer_fits_whole_is_empty_and_takes_no_gap() -> None:
    first, second, third = Canvas.blank(64, 20).rows(10, 15, 6, gap=4)
    assert (first.height, second.height, third.height) == (10, 0, 6)
    second.text("unseen")
    second.bar(1.0)
    second.icon("moon")
    second.line(0, 0, 5, 5, color="text")
    second.disc(3, 3, 3, "text")
    second.spark([1, 2])
    second.columns([1, 2])
    second.image(Image.new("RGB", (4, 4), WHITE))
    second.pair("a", "b")
    assert dark(second)


@given(
    total=st.integers(0, 300),
    sizes=st.lists(st.integers(0, 80) | st.floats(0.01, 2.0), max_size=8),
    gap=st.integers(0, 5),
)
def test_parts_lie_in_order_inside_and_apart(
    total: int, sizes: list[int | float], gap: int
) -> None:
    places = allot(total, sizes, gap)
    assert len(places) == len(sizes)
    end = 0
    for (start, length), size in zip(places, sizes, strict=True):
        assert 0 <= start <= start + length <= total
        assert length in (0, size) or isinstance(size, float)
        if length:
            assert start == end
            end = start + length + gap


@pytest.mark.parametrize(
    ("size", "widths"), [((128, 64), (62, 62)), ((96, 64), (46, 46)), ((64, 64), (64, 64))]
)
def test_split_is_beside_if_wide_else_stacked(
    size: tuple[int, int], widths: tuple[int, int]
) -> None:
    first, second = Canvas.blank(*size).split()
    assert (first.width, second.width) == widths


def test_grid_has_as_many_cells_as_fit() -> None:
    canvas = Canvas.blank(128, 64)
    assert len(canvas.grid(20, 20, gap=4)) == 5 * 2
    assert len(canvas.grid(20, 20, 7, gap=4)) == 7
    assert {cell.height for cell in canvas.grid(20, 20, 5, gap=4)} == {64}
    assert canvas.grid(200, 20) == ()


def test_a_part_of_a_part_is_clipped_by_both() -> None:
    canvas = Canvas.blank(64, 32)
    part = canvas.region(10, 10, 20, 10).region(5, 5, 40, 40)
    assert (part.width, part.height) == (15, 5)
    part.bar(1.0, WHITE)
    assert ink(canvas) == (15, 15, 30, 20)


# Text.


@pytest.mark.parametrize("valign", ["top", "middle", "bottom"])
@pytest.mark.parametrize("role", ["title", "body", "caption"])
def test_text_stands_on_one_baseline_whatever_its_letters(role: str, valign: str) -> None:
    plain, hanging = (
        drawn(64, 64, text, role=role, valign=valign).image_of_page for text in ("H", "HÄgj")
    )
    (left, top, right, bottom), wide = plain.getbbox() or (0, 0, 0, 0), hanging.getbbox()
    assert (
        hanging.crop((left, top, right, bottom)).tobytes() == plain.crop(plain.getbbox()).tobytes()
    )
    assert wide is not None
    assert wide[1] <= top
    assert wide[3] >= bottom


def test_middle_is_the_middle_of_the_capitals() -> None:
    top, _, bottom = ink(drawn(64, 31, "HH", role="hero"))[1:]
    assert (top, 31 - bottom) == (8, 8)


@pytest.mark.parametrize("tier_height", [32, 64, 128])
@pytest.mark.parametrize("role", ["hero", "title", "body", "caption"])
def test_text_begins_and_ends_at_the_very_edge(role: str, tier_height: int) -> None:
    assert ink(drawn(128, tier_height, "H", role=role))[0] == 0
    assert ink(drawn(128, tier_height, "H", role=role, align="right"))[2] == 128


def test_auto_is_the_largest_that_fits() -> None:
    assert Canvas.blank(128, 64).text_size("18°")[1] == 25
    assert Canvas.blank(128, 64).inset(22).text_size("18°")[1] == 20
    assert Canvas.blank(24, 64).text_size("18°")[1] == 10
    assert Canvas.blank(128, 64).region(0, 0, 128, 7).text_size("18°")[1] == 6


def test_a_hero_steps_down_before_it_loses_a_digit() -> None:
    assert Canvas.blank(30, 32).text_size("100%", role="hero") == (29, 10)


def test_alt_is_tried_before_anything_is_left_out() -> None:
    first, second = (
        drawn(40, 32, "Wednesday", role="title", alt=["Wed"]),
        drawn(40, 32, "Wed", role="title"),
    )
    assert first.image_of_page.tobytes() == second.image_of_page.tobytes()


def test_an_ellipsis_ends_what_does_not_fit() -> None:
    canvas = drawn(40, 32, "Wednesday", role="title")
    assert ink(canvas)[2] <= 40
    short = drawn(40, 32, "Wed…", role="title")
    assert canvas.image_of_page.tobytes() == short.image_of_page.tobytes()


def test_text_without_room_is_dropped_not_cut() -> None:
    canvas = Canvas.blank(64, 64, strict=True)
    canvas.region(0, 0, 64, 4).text("text", role="caption")
    canvas.region(0, 10, 1, 20).text("text", role="title")
    assert dark(canvas)


def test_captions_are_capitals() -> None:
    lower, upper = (drawn(64, 64, text, role="caption") for text in ("sunrise", "SUNRISE"))
    assert lower.image_of_page.tobytes() == upper.image_of_page.tobytes()


def test_ticking_digits_keep_their_width() -> None:
    canvas = Canvas.blank(128, 64)
    assert len({canvas.text_size(text, tabular=True) for text in ("11:11", "23:58")}) == 1
    assert len({canvas.text_size(text) for text in ("11:11", "23:58")}) == 2


def test_wrapping_keeps_words_whole_and_line_ends() -> None:
    words = "Supercalifragilistic weather"
    wrapped = drawn(100, 64, words, overflow="wrap").image_of_page
    broken = drawn(100, 64, words.replace(" ", "\n"), overflow="wrap").image_of_page
    assert wrapped.tobytes() == broken.tobytes()
    assert wrapped.getbbox() is not None


@pytest.mark.parametrize("text", ["open", "jute", "Ïï"])
def test_a_letter_that_begins_left_of_a_stem_is_whole(text: str) -> None:
    at_edge, in_middle = Canvas.blank(128, 64), Canvas.blank(128, 64)
    at_edge.inset().text(text, WHITE, role="hero")
    in_middle.inset().text(text, WHITE, role="hero", align="center")
    lit = [each.image_of_page.convert("L").histogram()[255] for each in (at_edge, in_middle)]
    assert lit[0] == lit[1] > 0


@pytest.mark.parametrize("valign", ["top", "middle", "bottom"])
@pytest.mark.parametrize("size", [5, 9, 12, 17, 25])
def test_what_is_wrapped_keeps_off_the_last_row_with_its_descenders(
    size: int, valign: Valign
) -> None:
    canvas = Canvas.blank(64, 30)
    canvas.region(1, 29 - size, 62, size).text("Hgpq", WHITE, overflow="wrap", valign=valign)
    _, top, _, bottom = ink(canvas)
    assert bottom <= 29
    assert top >= 28 - size


def test_wrapping_that_has_no_room_ends_with_an_ellipsis() -> None:
    canvas = drawn(40, 16, "one two three four five six", role="body", overflow="wrap")
    other = drawn(40, 16, "one two\nthree four…", role="body", overflow="wrap")
    assert canvas.image_of_page.tobytes() == other.image_of_page.tobytes()


def test_a_pair_has_the_longest_label_that_fits() -> None:
    chosen, said = Canvas.blank(60, 64), Canvas.blank(60, 64)
    chosen.pair("Humidity of the air", "63%", WHITE, alt=["Humidity", "Hum"])
    said.pair("Humidity", "63%", WHITE)
    assert chosen.image_of_page.tobytes() == said.image_of_page.tobytes()
    assert ink(said)[0] == 0


def test_a_pair_keeps_its_value_and_drops_its_label() -> None:
    wide, narrow = Canvas.blank(60, 64), Canvas.blank(30, 64)
    wide.pair("Rise", "11:42", WHITE)
    narrow.pair("Rise", "11:42", WHITE)
    assert ink(wide)[0] == 0
    assert ink(narrow)[0] > 0
    assert (
        narrow.image_of_page.crop((4, 0, 30, 64)).tobytes()
        == wide.image_of_page.crop((34, 0, 60, 64)).tobytes()
    )


# Motion.


def scrolled(elapsed_s: float) -> Canvas:
    canvas = Canvas.blank(64, 32, elapsed_s=elapsed_s, strict=True)
    canvas.text("A long line that does not fit", role="title", overflow="scroll")
    return canvas


def test_what_stands_still_has_no_motion() -> None:
    canvas = drawn(64, 32, "short", overflow="scroll")
    assert (canvas.motion.next_change_s, canvas.motion.ends_at_s) == (None, None)


def test_scrolling_waits_then_moves_a_dot_at_a_time() -> None:
    start = scrolled(0.0)
    first_s = start.motion.next_change_s
    assert first_s is not None
    assert first_s == pytest.approx(1.5 + 1 / 30)
    assert scrolled(first_s - 0.01).image_of_page.tobytes() == start.image_of_page.tobytes()
    moved = scrolled(first_s).image_of_page
    assert (
        moved.crop((0, 0, 63, 32)).tobytes() == start.image_of_page.crop((1, 0, 64, 32)).tobytes()
    )


def test_scrolling_says_when_all_was_shown_and_begins_again() -> None:
    start = scrolled(0.0)
    ends_s = start.motion.ends_at_s
    assert ends_s is not None
    at_end = scrolled(ends_s - 1.0)
    assert ink(at_end)[2] == 64
    assert at_end.motion.next_change_s == pytest.approx(ends_s)
    assert scrolled(ends_s).image_of_page.tobytes() == start.image_of_page.tobytes()
    assert scrolled(ends_s).motion.ends_at_s == ends_s


def test_several_that_scroll_end_with_the_last_and_move_with_the_first() -> None:
    canvas = Canvas.blank(32, 64)
    upper, lower = canvas.rows(0.5, 0.5)
    upper.text("quite long", role="title", overflow="scroll")
    one = canvas.motion
    lower.text("quite a lot longer than that", role="title", overflow="scroll")
    assert canvas.motion.ends_at_s is not None
    assert one.ends_at_s is not None
    assert canvas.motion.ends_at_s > one.ends_at_s
    assert canvas.motion.next_change_s == one.next_change_s


# Shapes and pictures.


def test_bar_is_filled_from_the_left() -> None:
    canvas = Canvas.blank(100, 64)
    canvas.rows(2)[0].bar(0.3, WHITE)
    row = [canvas.image_of_page.getpixel((x, 0)) for x in range(100)]
    assert row.count(WHITE) == 30
    assert row[30:] == [COLOURS["track"]] * 70


def test_spark_spans_its_region_and_leaves_gaps_dark() -> None:
    canvas = Canvas.blank(21, 10)
    canvas.spark([0, 1, None, 3, 4], WHITE)
    image = canvas.image_of_page
    assert image.getpixel((0, 9)) == WHITE
    assert image.getpixel((20, 0)) == WHITE
    assert image.crop((7, 0, 14, 10)).getbbox() is None


@given(
    values=st.lists(st.integers(0, 9), min_size=2, max_size=300),
    width=st.integers(1, 30),
    fill=st.booleans(),
)
def test_a_spark_of_many_values_is_a_line_through_all_of_them(
    values: list[int], width: int, fill: bool
) -> None:
    canvas = Canvas.blank(width, 10)
    canvas.spark([*values, 0, 9], WHITE, fill=fill)
    points = [
        (round(place * (width - 1) / (len(values) + 1)), 9 - value)
        for place, value in enumerate([*values, 0, 9])
    ]
    picture = Image.new("L", (width, 10))
    draw = ImageDraw.Draw(picture)
    if fill:
        draw.polygon([*points, (points[-1][0], 9), (points[0][0], 9)], fill=80)
    draw.line(points, fill=255)
    assert canvas.image_of_page.tobytes() == picture.convert("RGB").tobytes()


def test_a_spark_of_very_many_values_is_drawn_with_few(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "line", lambda _, run, fill: lengths.append(len(run)))
    canvas = Canvas.blank(20, 10)
    canvas.spark(deque(range(100_000)))
    canvas.spark([1, None] * 50_000)
    assert lengths == [80, 80]


def test_a_gap_as_wide_as_a_dot_is_seen_among_many_values() -> None:
    canvas = Canvas.blank(21, 10)
    canvas.spark([1.0] * 1000 + [None] * 110 + [1.0] * 1000, WHITE)
    dots = [canvas.image_of_page.crop((x, 0, x + 1, 10)).getbbox() is not None for x in range(21)]
    assert dots == [True] * 10 + [False] + [True] * 10


def test_the_highest_of_many_values_stands_out_wherever_it_is() -> None:
    for place in range(0, 1000, 37):
        canvas = Canvas.blank(30, 8)
        canvas.columns([float(each == place) for each in range(1000)], WHITE)
        assert ink(canvas)[3] - ink(canvas)[1] == 8


def test_columns_are_as_high_as_their_values() -> None:
    canvas = Canvas.blank(11, 8)
    canvas.columns([8, 0, None, 4], WHITE)
    image = canvas.image_of_page
    heights = [sum(image.getpixel((x, y)) == WHITE for y in range(8)) for x in range(11)]
    assert heights == [8, 8, 0, 0, 0, 0, 0, 0, 0, 4, 4]


def test_disc_is_round_and_where_it_was_asked_for() -> None:
    canvas = Canvas.blank(32, 32, strict=True)
    canvas.disc(10, 12, 4, WHITE)
    image = canvas.image_of_page
    assert ink(canvas) == (6, 8, 14, 16)
    assert image.tobytes() != image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes()
    part = image.crop(ink(canvas))
    assert part.tobytes() == part.transpose(Image.Transpose.ROTATE_90).tobytes()


@pytest.mark.parametrize(
    ("fit", "box"),
    [("contain", (12, 0, 52, 20)), ("cover", (0, 0, 64, 20)), ("exact", (27, 7, 37, 12))],
)
def test_image_is_fitted_into_the_middle(fit: str, box: tuple[int, int, int, int]) -> None:
    canvas = Canvas.blank(64, 20)
    canvas.image(Image.new("RGB", (10, 5), WHITE), fit)  # type: ignore[arg-type]  # parametrized
    assert ink(canvas) == box


def test_image_shows_what_lies_below_where_it_is_transparent() -> None:
    canvas = Canvas.blank(8, 8)
    canvas.bar(1.0, "red")
    canvas.image(Image.new("RGBA", (8, 8), (255, 255, 255, 0)))
    assert canvas.image_of_page.getpixel((4, 4)) == rgb("red")


def test_an_icon_can_be_of_one_colour() -> None:
    canvas = Canvas.blank(64, 64)
    canvas.icon("clock", "faint")
    assert {colour for _, colour in canvas.image_of_page.getcolors() or []} == {
        (0, 0, 0),
        rgb("faint"),
    }


# Clipping.

OPERATIONS: list[Callable[[Canvas], None]] = [
    lambda c: c.icon("sun"),
    lambda c: c.image(Image.new("RGB", (300, 10), WHITE), "exact"),
    lambda c: c.bar(0.5),
    lambda c: c.spark([1, None, 3, 2], fill=True),
    lambda c: c.columns([1, -2, None, 5]),
    lambda c: c.line(-5, -5, 300, 200, color="text"),
    lambda c: c.disc(0, 0, 9, "text"),
    lambda c: c.image_draw.rectangle((-5, -5, 300, 300), fill=WHITE),
    lambda c: c.text("MMMMMMMMMMMM", overflow="clip"),
    lambda c: c.text("MMMMMMMMMMMM", overflow="scroll"),
]


@given(
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    box=st.tuples(*[st.integers(0, 60)] * 4),
    operation=st.sampled_from(OPERATIONS),
)
def test_nothing_is_ever_drawn_outside_a_region(
    width: int, height: int, box: tuple[int, int, int, int], operation: Callable[[Canvas], None]
) -> None:
    canvas = Canvas.blank(width, height)
    part = canvas.region(*box)
    operation(part)
    lit = canvas.image_of_page.getbbox()
    if lit is not None:
        assert lit[0] >= box[0]
        assert lit[1] >= box[1]
        assert lit[2] <= box[0] + part.width
        assert lit[3] <= box[1] + part.height


def test_letters_may_hang_over_but_not_far() -> None:
    canvas = Canvas.blank(64, 64)
    canvas.region(0, 20, 64, 10).text("ÄgjÉ", role="title")
    _, top, _, bottom = ink(canvas)
    assert 15 <= top < 20
    assert 30 < bottom <= 34


@pytest.mark.parametrize(
    "operation",
    [
        lambda c: c.line(0, 0, 64, 5, color="text"),
        lambda c: c.disc(3, 10, 4, "text"),
        lambda c: c.region(60, 0, 5, 5),
    ],
)
def test_strict_refuses_what_would_be_cut_off(operation: Callable[[Canvas], None]) -> None:
    operation(Canvas.blank(64, 32))
    with pytest.raises(ValueError, match="outside its region of 64x32"):
        operation(Canvas.blank(64, 32, strict=True))


# The way out.


def test_image_draw_draws_in_its_regions_coordinates_and_is_clipped() -> None:
    canvas = Canvas.blank(64, 32)
    canvas.region(10, 10, 8, 8).image_draw.rectangle((2, 2, 50, 50), fill=WHITE)
    assert ink(canvas) == (12, 12, 18, 18)


def test_image_draw_and_the_canvas_draw_over_each_other_in_turn() -> None:
    canvas = Canvas.blank(64, 32)
    part = canvas.region(10, 10, 8, 8)
    pen = part.image_draw
    pen.rectangle((0, 0, 7, 7), fill=(255, 0, 0))
    canvas.bar(1.0, WHITE)
    assert canvas.image_of_page.getpixel((12, 12)) == WHITE
    pen.point((2, 2), fill=(0, 0, 0))
    assert canvas.image_of_page.getpixel((12, 12)) == (0, 0, 0)
    assert canvas.image_of_page.getpixel((13, 13)) == WHITE


# Colours.


def test_an_unknown_colour_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no colour 'ambre'; the nearest is 'amber'"):
        Canvas.blank(8, 8).bar(1.0, "ambre")


@pytest.mark.parametrize("colour", [(0, 0, 256), (0, 0), (-1, 0, 0)])
def test_a_colour_that_cannot_be_is_refused(colour: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        rgb(colour)


def test_colours_with_a_meaning_survive_the_night() -> None:
    decoration = {"black", "track"}
    assert all(max(colour) >= 96 for name, colour in COLOURS.items() if name not in decoration)
