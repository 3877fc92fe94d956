"""The panel in a terminal: what is written to it, and what is left of it."""

from __future__ import annotations

import asyncio
import codecs
import errno
import logging
import os
import pty
import signal
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from framework.errors import ConfigError
from framework.panel.terminal import TerminalSink, cells_of, changes, held_log
from tests import forked
from tests.panel.screen import Screen
from tests.panel.test_sinks import NoButtons, frame, stopped, until

ROOM = os.terminal_size((80, 24))


class Terminal:
    """Both ends of one."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.screen = Screen()
        self.resize(80, 24)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        os.set_blocking(self.ours, False)

    def resize(self, columns: int, lines: int) -> None:
        termios.tcsetwinsize(self.theirs, (lines, columns))

    def read(self) -> Screen:
        try:
            while True:
                self.screen.feed(self._decoder.decode(os.read(self.ours, 4096)))
        except BlockingIOError:
            return self.screen

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.theirs)[3] & termios.ECHO)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    os.close(made.ours)
    os.close(made.theirs)


def test_a_frame_is_drawn_dot_by_dot() -> None:
    picture = Image.frombytes("RGB", (5, 4), os.urandom(60))
    screen = Screen()
    screen.feed(changes(None, cells_of(picture), ROOM))
    assert screen.image == picture


def test_only_what_changed_is_written() -> None:
    old = Image.new("RGB", (128, 64), "navy")
    new = old.copy()
    new.putpixel((7, 8), (255, 0, 0))
    new.putpixel((8, 9), (255, 0, 0))
    new.putpixel((100, 63), (1, 2, 3))
    room = os.terminal_size((128, 32))
    screen = Screen()
    screen.feed(changes(None, cells_of(old), room))
    assert screen.written == 128 * 32
    written = changes(cells_of(old), cells_of(new), room)
    screen.feed(written)
    assert screen.written == 128 * 32 + 3
    assert written.count("H") == 2  # neighbours need no jump
    assert screen.image == new
    assert changes(cells_of(new), cells_of(new), room) == ""


def test_a_terminal_that_is_too_small_says_so() -> None:
    screen = Screen()
    screen.feed(changes(None, cells_of(frame(1, (81, 2))), ROOM))
    assert "needs 81 columns and 1 lines, and there are 80 and 24" in screen.words
    assert screen.words.endswith("or its letters smaller, or start it with --size 64x32.")
    assert screen.written == 0
    assert screen.modes == {"?7": "h"}  # else the end of it would not be on the screen
    screen.feed(changes(None, cells_of(frame(1)), ROOM))
    assert screen.modes == {"?7": "l"}
    assert changes(cells_of(frame(1, (81, 2))), cells_of(frame(2, (81, 2))), ROOM) == ""


@pytest.mark.parametrize("room", [(63, 24), (80, 15)])
def test_what_has_no_room_either_is_not_proposed(room: tuple[int, int]) -> None:
    text = changes(None, cells_of(frame(1, (128, 64))), os.terminal_size(room))
    assert "--size" not in text


async def test_it_follows_the_size_of_the_terminal(terminal: Terminal) -> None:
    sink = TerminalSink(terminal.theirs)
    task = asyncio.create_task(sink.run(NoButtons(), lambda: None))
    sink.show(frame(1, (60, 40)))
    await until(lambda: terminal.read().image == frame(1, (60, 40)))
    terminal.resize(59, 24)
    await until(lambda: "Make the window larger" in terminal.read().words)
    terminal.resize(60, 20)
    await until(lambda: terminal.read().image == frame(1, (60, 40)))
    await stopped(task)


@pytest.mark.parametrize("crash", [False, True])
async def test_the_terminal_is_left_as_it_was(terminal: Terminal, crash: bool) -> None:
    sink = TerminalSink(terminal.theirs)
    task = asyncio.create_task(sink.run(NoButtons(), lambda: None))
    await until(lambda: terminal.read().modes == {"?1049": "h", "?25": "l"})
    assert not terminal.echoes
    if crash:
        sink.show("no frame")  # type: ignore[arg-type]  # what should never be
        with pytest.raises(AttributeError):
            await task
    else:
        await stopped(task)
    assert terminal.read().modes == {"?1049": "l", "?25": "h", "?7": "h"}
    assert terminal.echoes
    assert os.get_blocking(terminal.theirs)


async def test_it_is_left_as_it_was_though_its_output_is_stopped(terminal: Terminal) -> None:
    sink = TerminalSink(terminal.theirs)
    task = asyncio.create_task(sink.run(NoButtons(), lambda: None))
    await until(lambda: terminal.read().modes.get("?25") == "l")
    termios.tcflow(terminal.theirs, termios.TCOOFF)  # as Ctrl-S does
    sink.show(frame(1))
    await asyncio.sleep(0)
    await stopped(task)
    assert terminal.read().modes == {"?1049": "l", "?25": "h", "?7": "h"}
    assert terminal.echoes


async def test_matrix_show_in_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    words = ["show", "clock", "--terminal", "--size", "64x32"]
    showing = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("matrix"),
        *words,
        cwd=tmp_path,
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
    )
    await until(lambda: terminal.read().written >= 64 * 16, 20)
    assert terminal.screen.image.width == 64
    showing.send_signal(signal.SIGINT)
    assert await showing.wait() == 0
    assert terminal.read().modes == {"?1049": "l", "?25": "h", "?7": "h"}
    assert terminal.echoes


async def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(
    terminal: Terminal, tmp_path: Path
) -> None:
    left = {"?1049": "l", "?25": "h", "?7": "h"}
    showing = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("matrix"),
        *("show", "clock", "--terminal", "--size", "64x32"),
        cwd=tmp_path,
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
    )
    process = psutil.Process(showing.pid)
    for _ in range(2):
        await until(lambda: terminal.read().written >= 64 * 16, 20)
        assert not terminal.echoes
        showing.send_signal(signal.SIGTSTP)
        await until(lambda: process.status() == psutil.STATUS_STOPPED)
        assert terminal.read().modes == left
        assert terminal.echoes
        terminal.screen.written = 0
        showing.send_signal(signal.SIGCONT)
    await until(lambda: terminal.read().written >= 64 * 16)
    showing.send_signal(signal.SIGTERM)
    assert await showing.wait() == 0
    assert terminal.read().modes == left


@pytest.mark.parametrize("words", [("--port", "8081"), ("--host", "::")])
def test_what_is_for_the_web_page_is_not_ignored(tmp_path: Path, words: tuple[str, str]) -> None:
    environ = dict(os.environ)
    done = forked.run("matrix", "show", "clock", "--terminal", *words, cwd=tmp_path, env=environ)
    assert done.returncode == 78
    assert "--host and --port are the web page's" in done.stderr


def test_a_terminal_of_another_user_is_refused(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match=r"cannot be opened: Permission denied\. .*script -q"):
        TerminalSink(terminal.theirs)


def test_what_is_no_terminal_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(ConfigError, match="not a terminal"):
        TerminalSink(file.fileno())


def test_what_is_logged_to_a_terminal_waits(terminal: Terminal) -> None:
    root = logging.getLogger()
    stream = os.fdopen(os.dup(terminal.theirs), "w")
    handler = logging.StreamHandler(stream)
    root.addHandler(handler)
    try:
        with held_log():
            logging.getLogger("x").error("oh")
            assert terminal.read().words == ""
        assert "oh" in terminal.read().words
        logging.getLogger("x").error("ah")
        assert "ah" in terminal.read().words
    finally:
        root.removeHandler(handler)
        stream.close()
