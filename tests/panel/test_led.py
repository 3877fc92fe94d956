"""The look of LEDs as a still picture."""

from __future__ import annotations

import pytest
from PIL import Image

from framework.panel.led import GAP, UNLIT, contact_sheet, picture


def one_lit(colour: tuple[int, int, int] = (255, 128, 0)) -> Image.Image:
    frame = Image.new("RGB", (9, 9))
    frame.putpixel((4, 4), colour)
    return frame


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    red, green, blue = value
    return int(red), int(green), int(blue)


def test_every_dot_is_as_wide_as_the_pitch() -> None:
    assert picture(Image.new("RGB", (128, 64))).size == (1024, 512)


def test_a_dark_panel_still_shows_its_dots() -> None:
    image = picture(Image.new("RGB", (4, 4)), 10)
    assert pixel(image, 5, 5) == UNLIT
    assert pixel(image, 0, 0) == GAP


def test_a_lit_dot_is_brighter_than_its_value_and_glows_around_itself() -> None:
    image = picture(one_lit(), 10)
    red, green, blue = pixel(image, 45, 45)
    assert red == 255
    assert 128 < green < 160
    assert blue <= UNLIT[2] + 1
    assert pixel(image, 40, 40)[0] > GAP[0]
    assert pixel(image, 5, 5) == UNLIT


def test_dots_are_round_and_symmetrical() -> None:
    image = picture(one_lit(), 9)
    for turned in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        assert image.tobytes() == image.transpose(turned).tobytes()
    assert sum(pixel(image, 36, 36)) < sum(pixel(image, 36, 40))


@pytest.mark.parametrize("pitch_px", [1, 2, 3])
def test_small_dots_are_plain_squares(pitch_px: int) -> None:
    image = picture(one_lit((255, 255, 255)), pitch_px)
    assert image.size == (9 * pitch_px, 9 * pitch_px)
    assert {colour for _, colour in image.getcolors() or []} == {UNLIT, (255, 255, 255)}


def test_a_contact_sheet_holds_every_picture_and_its_caption() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = [("Moon", Image.new("RGB", (90, 40), colour)) for colour in colours]
    sheet = contact_sheet(pictures, columns=2)
    found = {colour: count for count, colour in sheet.getcolors(1000) or []}
    assert all(found[colour] == 90 * 40 for colour in colours)
    assert len(found) == 5
    plain = contact_sheet([("", image) for _, image in pictures], columns=2)
    assert sheet.tobytes() != plain.tobytes()


def test_a_contact_sheet_of_nothing_is_a_sheet() -> None:
    assert contact_sheet([]).width > 0
