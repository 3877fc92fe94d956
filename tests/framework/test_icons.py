"""The icons: each drawn at every size, in the colours that the art direction allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from framework import icons
from framework.colours import COLOURS
from framework.icons import NAMES, SIZES, icon_image


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_every_icon_is_drawn_for_every_size(name: str, size: int) -> None:
    image = icon_image(name, size)
    assert image is not None
    assert image.size == (size, size)
    flat = Image.new("RGB", image.size)
    flat.paste(image, mask=image)
    colours = {colour for _, colour in flat.getcolors() or []} - {(0, 0, 0)}
    assert 1 <= len(colours) <= 2
    assert colours <= set(COLOURS.values())
    box = flat.getbbox()
    assert box is not None
    assert min(box[2] - box[0], box[3] - box[1]) >= 0.6 * size


def test_the_largest_that_fits_is_taken() -> None:
    sizes = {room: icon_image("moon", room) for room in (7, 8, 15, 16, 23, 100)}
    assert {room: image and image.width for room, image in sizes.items()} == {
        7: None,
        8: 8,
        15: 12,
        16: 16,
        23: 16,
        100: 24,
    }


def test_the_names_are_the_files() -> None:
    assert sorted(path.stem for path in Path(icons.__file__).parent.glob("*.txt")) == list(NAMES)


def test_an_unknown_icon_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no icon 'mon'; the nearest is 'moon'"):
        icon_image("mon", 24)
