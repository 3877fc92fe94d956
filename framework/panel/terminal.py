"""The panel in a terminal with 24-bit colours: two dots a character, one above the other.

Only characters that changed are written, and never more than the terminal takes: over a slow line,
or while output is stopped, frames are dropped. Whatever ends it, the screen is as it was before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from logging.handlers import MemoryHandler
from typing import NoReturn, TypeAlias

from PIL import Image

from framework.errors import ConfigError
from framework.panel.sinks import NewestSink, Remote
from framework.process import surely
from framework.termmodes import Modes, without

log = logging.getLogger(__name__)

WRAP, NO_WRAP = "\x1b[?7h", "\x1b[?7l"
"""Whether what is too long for a line goes on in the next."""
ENTER = "\x1b[?1049h\x1b[?25l"
"""The other screen, no cursor."""
LEAVE = f"\x1b[0m{WRAP}\x1b[?25h\x1b[?1049l"
CLEAR = "\x1b[0m\x1b[2J\x1b[H"
PATIENCE_S = 0.5
"""How long at the end it may take before it takes anything."""
LOOK_S = 0.5
"""How often the size of the terminal is looked at."""
SMALL = (64, 32)
"""Of a panel, in dots: what to try where a larger one has no room."""

_HELD = 10_000

Cells: TypeAlias = Sequence[Sequence[bytes]]
"""Rows of characters: red, green and blue of the upper dot, and then of the lower one."""


@contextmanager
def held_log() -> Iterator[None]:
    """Within, what is logged to a terminal is kept for afterwards: it would be in the picture."""
    root = logging.getLogger()
    streams = [one for one in root.handlers if isinstance(one, logging.StreamHandler)]
    shown = [one for one in streams if one.stream.isatty()]
    held = [MemoryHandler(_HELD, logging.CRITICAL + 1, one) for one in shown]

    def release() -> None:
        for now, before in zip(held, shown, strict=True):
            root.removeHandler(now)
            root.addHandler(before)
            now.close()

    for now, before in zip(held, shown, strict=True):
        root.removeHandler(before)
        root.addHandler(now)
    with surely(release):
        yield


class TerminalSink(NewestSink):
    """The terminal that ``descriptor`` leads to: standard output. While it runs, Ctrl-Z is its.

    :raises ConfigError: it is none. Once it is to run: it is another user's.
    """

    _terminal: int
    """Open while it runs, and nobody else's."""
    _modes: Modes
    """As they were."""

    def __init__(self, descriptor: int = 1) -> None:
        super().__init__()
        if not os.isatty(descriptor):
            raise ConfigError("standard output is not a terminal: run it in one, or do without")
        self._descriptor = descriptor
        self._is_entered = False
        """Whether the terminal is ours: not while the process is stopped or in the background."""

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        self._terminal = _opened_anew(self._descriptor)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._stop)
        try:
            self._modes = termios.tcgetattr(self._terminal)
            started()
            with surely(self._restore):
                await self._follow()
        except (OSError, termios.error) as error:
            log.error("the terminal is gone: %s", os.strerror(error.args[0]))
        finally:
            loop.remove_signal_handler(signal.SIGTSTP)
            os.close(self._terminal)

    def _stop(self) -> None:
        """What Ctrl-Z asks for, with the terminal left as it was. Returns when it goes on."""
        self._restore()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._news.set()

    def _echo_nothing(self) -> None:
        """What is typed meanwhile would be in the picture."""
        silent = without(self._modes, termios.ECHO)
        termios.tcsetattr(self._terminal, termios.TCSANOW, silent)

    def _is_in_background(self) -> bool:
        """Whether the shell has the terminal: who then changes its modes is stopped."""
        with suppress(OSError):  # another one than that which the process was started from
            return os.tcgetpgrp(self._terminal) != os.getpgrp()
        return False

    def _restore(self) -> None:
        if not self._is_entered:
            return
        self._is_entered = False
        with suppress(OSError, termios.error):  # of a terminal that is gone
            if not self._is_in_background():
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._modes)
                termios.tcflow(self._terminal, termios.TCOON)  # Ctrl-S may have stopped it
            select.select([], [self._terminal], [], PATIENCE_S)
            os.write(self._terminal, LEAVE.encode())

    async def _follow(self) -> NoReturn:
        room, cells = os.terminal_size((0, 0)), None
        while True:
            self._news.clear()
            if self._is_in_background():
                self._restore()
            elif not self._is_entered:
                self._is_entered, cells = True, None
                self._echo_nothing()
                await self._write(ENTER)
            size = os.get_terminal_size(self._terminal)
            if size != room:
                room, cells = size, None
            if self._newest is not None:
                wish = cells_of(self._newest)
                await self._write(changes(cells, wish, room))
                cells = wish
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()

    async def _write(self, text: str) -> None:
        left = text.encode()
        while left and self._is_entered:
            try:
                left = left[os.write(self._terminal, left) :]
            except BlockingIOError:
                await self._until_writable()

    async def _until_writable(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._terminal, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._terminal)


def _opened_anew(descriptor: int) -> int:
    """Not to wait for it must be our affair alone, not that of the shell too."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:  # it belongs to who logged in, and that was somebody else
        raise ConfigError(
            f"this terminal cannot be opened: {error.strerror}. Have one of your own: "
            "script -q /dev/null, and run it in there"
        ) from None


def cells_of(frame: Image.Image) -> Cells:
    """A frame as characters; of an odd last row the lower half is black."""
    width, dots = frame.width, frame.tobytes()
    rows = [dots[start : start + 3 * width] for start in range(0, len(dots), 3 * width)]
    rows += [bytes(3 * width)] * (len(rows) % 2)
    return [
        [upper[x : x + 3] + lower[x : x + 3] for x in range(0, 3 * width, 3)]
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def changes(old: Cells | None, new: Cells, room: os.terminal_size) -> str:
    """What to write where ``old`` stands to have ``new``; None: to a screen that holds anything."""
    width, height = len(new[0]), len(new)
    afresh = old is None or (len(old[0]), len(old)) != (width, height)
    if 0 < room.columns < width or 0 < room.lines < height:  # 0: that is not known
        return _too_small(width, height, room) if afresh else ""
    written = [CLEAR + NO_WRAP] if afresh else []
    colours, pen = b"", (-1, -1)
    for y, row in enumerate(new):
        for x, cell in enumerate(row):
            if old is not None and not afresh and old[y][x] == cell:
                continue
            if pen != (x, y):
                written.append(f"\x1b[{y + 1};{x + 1}H")
            if colours != cell:
                upper, lower = ";".join(map(str, cell[:3])), ";".join(map(str, cell[3:]))
                written.append(f"\x1b[38;2;{upper};48;2;{lower}m")
            written.append("▀")
            colours, pen = cell, (x + 1, y)
    return "".join(written)


def _too_small(width: int, height: int, room: os.terminal_size) -> str:
    columns, lines = SMALL[0], SMALL[1] // 2
    has_room = columns <= room.columns and lines <= room.lines
    or_else = f", or start it with --size {columns}x{SMALL[1]}" if has_room else ""
    return (
        f"{CLEAR}{WRAP}The panel needs {width} columns and {height} lines, and there are "
        f"{room.columns} and {room.lines}.\r\nMake the window larger, or its letters smaller"
        f"{or_else}."
    )
