"""``matrix panel --test``: what is shown, what follows from the answers, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from framework.errors import ConfigError
from framework.panel.driver import tryout
from framework.panel.driver.light import turned
from framework.project import PanelEntry, Project
from framework.tools import panel as command
from framework.tools import tryout as dialog

SEQUENCES: list[Any] = ["".join(one) for one in permutations("RGB")]
MATRIX_TOML = """\
# My panel.
[panel]
driver = "rgbmatrix"   # a Pi 4
rows = 32
chain_length = 1

[[page]]
use = "clock"
"""


@pytest.mark.parametrize("wired", SEQUENCES)
@pytest.mark.parametrize("told", [None, *SEQUENCES])
def test_after_the_change_each_colour_is_seen_as_itself(wired: str, told: Any) -> None:
    """``wired``: which colour of the LEDs hangs on the pins for red, green and blue."""

    def seen(sequence: str) -> str:
        return "".join(wired[sequence.index(colour)] for colour in "RGB")

    changes = tryout.sequence(PanelEntry(led_rgb_sequence=told), seen(told or "RGB"))
    assert changes is not None
    assert seen(changes.get("led_rgb_sequence", told or "RGB")) == "RGB"
    assert (changes == {}) == (seen(told or "RGB") == "RGB")


@pytest.mark.parametrize("seen", ["RRB", "RG", "", "RGBR"])
def test_colours_that_were_not_seen_once_each(seen: str) -> None:
    assert tryout.sequence(PanelEntry(), seen) is None


def numbers(image: Image.Image) -> str:
    """Which numbers stand in the corners of a square, clockwise from the top left."""
    size = image.size
    known = tryout.corners(size)
    side = size[0] // 2
    boxes = [(0, 0), (side, 0), (side, side), (0, side)]
    found = ""
    for box in boxes:
        part = image.crop((*box, box[0] + side, box[1] + side))
        for turn in (0, 90, 180, 270):
            for number, (x, y) in zip("1234", boxes, strict=True):
                if turned(known.crop((x, y, x + side, y + side)), turn) == part:
                    found += number
    return found


@pytest.mark.parametrize("hangs", [0, 90, 180, 270])
@pytest.mark.parametrize("told", [0, 90, 180, 270])
def test_after_the_change_the_numbers_are_in_their_corners(hangs: int, told: Any) -> None:
    def seen(rotate: int) -> str:
        return numbers(turned(turned(tryout.corners((64, 64)), rotate), hangs))

    assert numbers(tryout.corners((64, 64))) == "1234"
    changes = tryout.turn(PanelEntry(rotate=told), seen(told))
    assert changes is not None
    assert seen(changes.get("rotate", told)) == "1234"


@pytest.mark.parametrize("seen", ["0", "2143", "1324", "123", "12341", ""])
def test_a_picture_that_is_not_just_turned(seen: str) -> None:
    assert tryout.turn(PanelEntry(), seen) is None


def test_how_the_panels_hang() -> None:
    plain, mapped = PanelEntry(), PanelEntry(pixel_mapper_config="U-mapper")
    assert tryout.layout(plain, "1") == {}
    assert tryout.layout(plain, "3") == {"pixel_mapper_config": "V-mapper"}
    assert tryout.layout(mapped, "1") == {"pixel_mapper_config": None}
    assert tryout.layout(mapped, "2") == {}


def test_each_time_a_step_slower_until_it_is_of_no_use() -> None:
    steps = [tryout.slowdown(PanelEntry(gpio_slowdown=now)) for now in (None, 0, 1, 4, 5)]
    assert [one and one["gpio_slowdown"] for one in steps] == [2, 1, 2, 5, None]


@pytest.mark.parametrize("size", [(128, 64), (64, 32), (32, 16)])
def test_the_patterns_reach_every_side(size: tuple[int, int]) -> None:
    assert tryout.corners(size).getbbox() == (0, 0, *size)
    first, last = tryout.column(size, 0), tryout.column(size, size[0] - 1)
    assert first.getpixel((0, 0)) == last.getpixel((size[0] - 1, 0)) != (0, 0, 0)
    assert first.size == last.size == size


# -------------------------------------------------------------------------------------- the dialog


@pytest.fixture
def asked(
    closed_folder: Path, emulator: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """Runs the command with these answers; what it says."""
    (closed_folder / ".matrix").mkdir(mode=0o700)
    (closed_folder / "matrix.toml").write_text(MATRIX_TOML)
    monkeypatch.chdir(closed_folder)
    monkeypatch.delenv("MATRIX_TOML", raising=False)
    monkeypatch.setattr(dialog, "WALK_S", 0.01)
    app = typer.Typer()
    app.command()(command.panel)

    def ask(answers: str) -> str:
        result = CliRunner().invoke(app, ["--test"], input="\n".join([*answers.split(), ""]))
        assert result.exception is None, result.output
        return result.output

    return ask


def written() -> str:
    return Path("matrix.toml").read_text()


def test_a_panel_that_is_right(asked: Callable[[str], str]) -> None:
    assert "All is as it should be." in asked("r g b 1234 n")
    assert written() == MATRIX_TOML


def test_what_was_wrong_is_set_right_and_the_rest_of_the_file_kept(
    asked: Callable[[str], str],
) -> None:
    said = asked("b x bb g r 3412 y")
    added = 'led_rgb_sequence = "BGR"\nrotate = 180\ngpio_slowdown = 2\n'
    assert written() == MATRIX_TOML.replace("chain_length = 1\n", f"chain_length = 1\n{added}")
    assert "[panel] rotate = 180" in said
    assert "Run matrix panel --test again" in said
    found = Project.find({}, Path.cwd()).panel
    assert (found.led_rgb_sequence, found.rotate, found.gpio_slowdown) == ("BGR", 180, 2)


def test_answers_that_cannot_be_are_asked_again(asked: Callable[[str], str]) -> None:
    assert "Once more" in asked("r r b r g b 1234 n")
    assert written() == MATRIX_TOML


def test_panels_that_hang_in_two_rows(asked: Callable[[str], str]) -> None:
    Path("matrix.toml").write_text(MATRIX_TOML.replace("chain_length = 1", "chain_length = 4"))
    asked("r g b 0 2 n")
    assert 'pixel_mapper_config = "U-mapper"' in written()


def test_a_mapper_is_taken_out(closed_folder: Path) -> None:
    path = closed_folder / "matrix.toml"
    path.write_text('[panel]\npixel_mapper_config = "U-mapper"  # why?\nrows = 32 # yes\n')
    dialog.keep(path, {"pixel_mapper_config": None, "rotate": 90})
    assert path.read_text() == "[panel]\nrows = 32 # yes\nrotate = 90\n"


def test_what_cannot_be_written_is_said_to_be_done_by_hand(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"What belongs in \[panel\]:\nrotate = 90$"):
        dialog.keep(tmp_path / "absent" / "matrix.toml", {"rotate": 90})
