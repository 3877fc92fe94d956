"""``matrix panel --test``: what is shown, what follows from the answers, and what is kept."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from framework.errors import ConfigError, PanelUnavailable
from framework.panel.driver import opening, privileges, tryout, wire
from framework.panel.driver.light import turned
from framework.project import PanelEntry, Project
from framework.tools import panel as command
from framework.tools import tryout as dialog
from tests.panel.emulator import rgbmatrix

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


@pytest.mark.parametrize("seen", ["2143", "1432", "4321", "3214"])
def test_a_mirror_is_set_against_a_mirror(seen: str) -> None:
    assert tryout.turn(PanelEntry(), seen) is None

    def changed(before: str | None) -> Any:
        changes = tryout.mirror(PanelEntry(pixel_mapper_config=before), seen)
        return changes and changes["pixel_mapper_config"]

    assert changed(None) == "Mirror:H"
    assert changed("U-mapper") == "U-mapper;Mirror:H"
    assert changed("U-mapper;Mirror:H") == "U-mapper"
    assert changed("Mirror:H") is None


@pytest.mark.parametrize("seen", ["0", "1234", "2341", "2134"])
def test_what_is_no_mirror(seen: str) -> None:
    assert tryout.mirror(PanelEntry(), seen) is None


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
    monkeypatch.setattr(privileges, "drop_to", lambda user: None)  # the other tests are root's
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
    said = asked("r x r b r g b 12 1233 1234 n")
    assert "Not understood. Answer with r, g or b." in said
    assert "Each colour should be seen once. Once more:" in said
    assert said.count("Not understood. Answer with all four, so 1234 if right; 0 if") == 2
    assert written() == MATRIX_TOML


def test_panels_that_hang_in_two_rows(asked: Callable[[str], str]) -> None:
    Path("matrix.toml").write_text(MATRIX_TOML.replace("chain_length = 1", "chain_length = 4"))
    asked("r g b 0 2 n")
    assert 'pixel_mapper_config = "U-mapper"' in written()


def test_a_mapper_is_taken_out(closed_folder: Path) -> None:
    path = closed_folder / "matrix.toml"
    path.write_text('[panel]\npixel_mapper_config = "U-mapper"  # why?\nrows = 32 # yes\n')
    with path.open("r+b") as file:
        dialog.keep(file, {"pixel_mapper_config": None, "rotate": 90})
    assert path.read_text() == "[panel]\nrows = 32 # yes\nrotate = 90\n"


def test_a_picture_seen_in_a_mirror(asked: Callable[[str], str]) -> None:
    asked("r g b 2143 n")
    assert 'pixel_mapper_config = "Mirror:H"' in written()


def test_what_cannot_be_written_is_said_to_be_done_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"
    path.write_text(MATRIX_TOML)
    with path.open("r+b") as file:
        path.unlink()
        path.write_text("another")
        with pytest.raises(ConfigError, match=r"What belongs in \[panel\]:\nrotate = 90$"):
            dialog.keep(file, {"rotate": 90})
    assert path.read_text() == "another"


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    closed_folder: Path, emulator: None
) -> None:
    (closed_folder / "matrix.toml").write_text(MATRIX_TOML)
    project = Project.find({}, closed_folder)
    (closed_folder / "matrix.toml").unlink()
    (closed_folder / "matrix.toml").mkdir()
    with pytest.raises(ConfigError, match=r"matrix\.toml cannot be written: Is a directory"):
        dialog.try_out(project)


# ------------------------------------------------------------------------------ and other processes


def test_while_a_panel_process_has_the_leds_nothing_is_asked(asked: Callable[[str], str]) -> None:
    project = Project.find({}, Path.cwd())
    with opening.listen(wire.socket_path(project)), pytest.raises(PanelUnavailable):
        dialog.try_out(project)


def test_while_it_asks_no_panel_process_gets_them(
    asked: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wire.socket_path(Project.find({}, Path.cwd()))
    refused = []

    def drop_to(user: object) -> None:
        with pytest.raises(PanelUnavailable):
            opening.listen(path)
        with socket.socket(socket.AF_UNIX) as renderer, pytest.raises(ConnectionRefusedError):
            renderer.connect(str(path))
        refused.append(path)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(privileges, "drop_to", drop_to)
    asked("r g b 1234 n")
    assert refused == [path]


def test_a_folder_for_the_socket_is_not_needed(asked: Callable[[str], str]) -> None:
    Path(".matrix").rmdir()
    assert "All is as it should be." in asked("r g b 1234 n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop being root")
def test_root_is_dropped_before_anything_is_asked(closed_folder: Path) -> None:
    """The emulator refuses files from then on, and the user may not even enter the folder."""
    path = closed_folder / "matrix.toml"
    path.write_text(MATRIX_TOML)
    os.chown(path, 0, 12345)
    path.chmod(0o640)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("matrix"), "panel", "--test"],
        cwd=closed_folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(rgbmatrix.__file__).parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "Three colours are shown, one after the other.\n"
    uid = pwd.getpwnam("daemon").pw_uid
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert "Uid:" + f"\t{uid}" * 4 in status
    said, _ = process.communicate("r\ng\nb\n2341\ny\n", timeout=30)
    assert process.returncode == 0, said
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, 12345, 0o640)
    panel = Project.find({}, closed_folder).panel
    assert (panel.rotate, panel.gpio_slowdown) == (90, 2)
