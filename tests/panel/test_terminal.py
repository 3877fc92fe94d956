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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

from framework.errors import ConfigError
from framework.panel.terminal import TerminalSink, cells_of, changes, held_log
from tests import forked
from tests.panel.screen import Screen
from tests.panel.test_sinks import NoButtons, frame, stopped
from tests.waiting import until

ROOM = os.terminal_size((80, 24))
LEFT = {"?1049": "l", "?25": "h", "?7": "h"}
"""The modes when it is over."""
ENVIRON = {**os.environ, "TERM": "xterm-256color", "PS1": ""}


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


def test_a_terminal_that_is_dumb_is_refused(tmp_path: Path) -> None:
    environ = {**os.environ, "TERM": "dumb"}
    done = forked.run("matrix", "show", "clock", "--terminal", cwd=tmp_path, env=environ)
    assert done.returncode == 78
    assert "TERM says" in done.stderr


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
    assert terminal.read().modes == LEFT
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
    assert terminal.read().modes == LEFT
    assert terminal.echoes


async def test_matrix_show_in_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    words = ["show", "clock", "--terminal", "--size", "64x32"]
    showing = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("matrix"),
        *words,
        cwd=tmp_path,
        env=ENVIRON,
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
    )
    await until(lambda: terminal.read().written >= 64 * 16)
    assert terminal.screen.image.width == 64
    showing.send_signal(signal.SIGINT)
    assert await showing.wait() == 0
    assert terminal.read().modes == LEFT
    assert terminal.echoes


async def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(
    terminal: Terminal, tmp_path: Path
) -> None:
    showing = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("matrix"),
        *("show", "clock", "--terminal", "--size", "64x32"),
        cwd=tmp_path,
        env=ENVIRON,
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
    )
    process = psutil.Process(showing.pid)
    for _ in range(2):
        await until(lambda: terminal.read().written >= 64 * 16)
        assert not terminal.echoes
        showing.send_signal(signal.SIGTSTP)
        await until(lambda: process.status() == psutil.STATUS_STOPPED)
        assert terminal.read().modes == LEFT
        assert terminal.echoes
        terminal.screen.written = 0
        showing.send_signal(signal.SIGCONT)
    await until(lambda: terminal.read().written >= 64 * 16)
    showing.send_signal(signal.SIGTERM)
    assert await showing.wait() == 0
    assert terminal.read().modes == LEFT


OPENING = "import os; os.open(os.ttyname(0), os.O_RDWR); os.execlp('sh', 'sh', '-i')"
"""A shell whose terminal it is: that of the first who opens it in a session without."""


@pytest.fixture
async def shell(terminal: Terminal, tmp_path: Path) -> AsyncIterator[Callable[[str], None]]:
    """Types at the prompt of a shell with jobs, where a page is on the screen."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OPENING),
        cwd=tmp_path,
        env=ENVIRON,
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        start_new_session=True,
    )

    def type_(text: str) -> None:
        terminal.screen.written = 0
        os.write(terminal.ours, text.encode())

    matrix = Path(sys.executable).with_name("matrix")
    type_(f"{matrix} show clock --terminal --size 64x32\n")
    await until(lambda: terminal.read().written >= 64 * 16)
    yield type_
    os.killpg(running.pid, signal.SIGKILL)
    await running.wait()


async def test_a_job_that_was_stopped_can_be_ended(
    terminal: Terminal, shell: Callable[[str], None]
) -> None:
    shell("\x1a")
    await until(lambda: terminal.read().modes == LEFT)
    shell("kill %1; kill -CONT %1; while kill -0 %1; do sleep 0.1; done; echo over: $?\n")
    await until(lambda: "over: 0" in terminal.read().words)
    assert terminal.screen.modes == LEFT
    assert terminal.screen.written == 0


async def test_in_the_background_it_leaves_the_terminal_alone(
    terminal: Terminal, shell: Callable[[str], None]
) -> None:
    shell("\x1a")
    await until(lambda: terminal.read().modes == LEFT)
    shell("bg; sleep 1; jobs\n")
    await until(lambda: "Running" in terminal.read().words)
    assert terminal.screen.modes == LEFT
    assert terminal.screen.written == 0
    shell("fg\n")
    await until(lambda: terminal.read().written >= 64 * 16)
    shell("\x03")
    await until(lambda: terminal.read().modes == LEFT)
    shell("echo over: $?\n")
    await until(lambda: "over: 0" in terminal.read().words)


HANGING = """
from pathlib import Path
from framework import DisplayBase

class Hanging(DisplayBase):
    fps = 5

    def draw(self, canvas, now):
        canvas.disc(1, 1, 1, "sky")
        while Path("drawn").exists():
            Path("hangs").touch()
        self.log.warning("drawn once")
        Path("drawn").touch()
"""


async def test_the_terminal_is_left_as_it_was_by_a_page_that_hangs(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "hanging.py").write_text(HANGING)
    showing = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("matrix"),
        *("show", "hanging:Hanging", "--terminal", "--size", "8x4"),
        cwd=tmp_path,
        env=ENVIRON,
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
    )
    await until((tmp_path / "hangs").exists)
    assert terminal.read().modes == {"?1049": "h", "?25": "l", "?7": "l"}
    while showing.returncode is None:  # two that come at once would be one
        showing.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.wait_for(showing.wait(), 0.1)
    assert showing.returncode == 130
    assert terminal.read().modes == LEFT
    assert terminal.echoes
    assert "drawn once" in terminal.screen.words  # which the log held


@pytest.mark.parametrize("room", [(0, 0), (80, 0), (0, 24)])
def test_where_the_size_is_not_known_it_is_drawn(room: tuple[int, int]) -> None:
    screen = Screen()
    screen.feed(changes(None, cells_of(frame(1)), os.terminal_size(room)))
    assert screen.image == frame(1)


@pytest.mark.parametrize("words", [("--port", "8081"), ("--host", "::")])
def test_what_is_for_the_web_page_is_not_ignored(tmp_path: Path, words: tuple[str, str]) -> None:
    environ = dict(os.environ)
    done = forked.run("matrix", "show", "clock", "--terminal", *words, cwd=tmp_path, env=environ)
    assert done.returncode == 78
    assert "--host and --port are the web page's" in done.stderr


async def test_a_terminal_of_another_user_is_refused(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match=r"cannot be opened: Permission denied\. .*script -q"):
        await TerminalSink(terminal.theirs).run(NoButtons(), lambda: None)


async def test_what_it_opened_is_open_only_while_it_runs(terminal: Terminal) -> None:
    process = psutil.Process()
    before = process.num_fds()
    sink = TerminalSink(terminal.theirs)
    assert process.num_fds() == before
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(sink.run(NoButtons(), lambda: opened.set_result(process.num_fds())))
    assert await opened == before + 1
    await stopped(task)
    assert process.num_fds() == before


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
