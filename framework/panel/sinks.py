"""Where frames go: the protocol, what slow sinks have in common, and the one that writes a file."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from PIL import Image

from framework.panel import led
from framework.panel.status import Status

log = logging.getLogger(__name__)


class Remote(Protocol):
    """What a sink with buttons may ask of the panel. Every call returns at once."""

    def next(self) -> None: ...
    def previous(self) -> None: ...
    def pause(self, paused: bool | None = None) -> None:
        """None toggles."""
        ...

    def pin(self, name: str | None) -> None:
        """Keep this page on; None, or the page that is pinned, lets go."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Draw for a panel of this size from now on, 1 to ``LONGEST_SIDE`` each: not while
        another is fixed."""
        ...

    def fix(self, size: tuple[int, int] | None) -> None:
        """LEDs of this size are connected: draw for them and for no other size. None: they are
        gone."""
        ...

    def wake(self) -> None:
        """Somebody began to watch: draw and show what is on."""
        ...


class Sink(Protocol):
    """Something that shows frames (one contract suite runs every implementation).

    ``show`` and ``tell`` are called from the event loop and return at once: a sink that is slow
    drops frames by itself, the newest wins, and it never queues without bound. An error in a sink
    is the sink's own: it never reaches the panel's loop.
    """

    @property
    def watched(self) -> bool:
        """Whether anybody would see a frame now. While no sink is watched nothing is drawn."""
        ...

    def show(self, frame: Image.Image) -> None:
        """A frame, mode RGB, any size: one that differs from the last, or after ``wake`` the same.

        The sink may keep it: nobody draws into it again.
        """
        ...

    def tell(self, status: Status) -> None:
        """The panel's status changed."""
        ...

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        """Serve until cancelled; call ``started`` once when frames would be seen.

        Raises ``ConfigError`` if it cannot start (a port that is taken).
        """
        ...


class NewestSink:
    """What a sink is made of that takes its time, and then the newest frame there is."""

    def __init__(self) -> None:
        self._newest: Image.Image | None = None
        self._news = asyncio.Event()
        """Set with each frame; whoever takes one clears it."""

    @property
    def watched(self) -> bool:
        return True

    def show(self, frame: Image.Image) -> None:
        self._newest = frame
        self._news.set()

    def tell(self, status: Status) -> None:
        pass


class FileSink(NewestSink):
    """The newest frame as a PNG file: one pixel a dot, or as LEDs that are ``pitch_px`` apart.

    The file is replaced as a whole, so that a reader never sees half of one.
    """

    def __init__(self, path: str | PathLike[str], *, pitch_px: int | None = None) -> None:
        super().__init__()
        self._path = Path(path)
        self._pitch_px = pitch_px
        self._failing = False

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        started()
        while True:
            await self._news.wait()
            self._news.clear()
            if self._newest is not None:
                await asyncio.to_thread(self._write, self._newest)

    def _write(self, frame: Image.Image) -> None:
        try:
            _put(self._path, png(frame, self._pitch_px))
        except OSError as error:
            if not self._failing:
                reason = error.strerror or type(error).__name__
                log.error("cannot write %s: %s; tried again with each frame", self._path, reason)
            self._failing = True
        else:
            self._failing = False


def png(frame: Image.Image, pitch_px: int | None) -> bytes:
    """A frame as a PNG: one pixel a dot, or as LEDs that are ``pitch_px`` apart."""
    file = io.BytesIO()
    picture = frame if pitch_px is None else led.picture(frame, pitch_px)
    picture.save(file, "PNG")
    return file.getvalue()


def _put(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path`` under a name of its own, then put it in its place."""
    beside = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
