"""What every sink promises, and what is the file's own."""

from __future__ import annotations

import asyncio
import codecs
import io
import logging
import os
import socket
import termios
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from framework.panel import led, sinks
from framework.panel.driver import opening, wire
from framework.panel.driver.wire import Head
from framework.panel.panelsink import PanelSink
from framework.panel.sinks import FileSink, Remote, Sink
from framework.panel.status import Status
from framework.panel.terminal import TerminalSink
from framework.panel.web import BrowserSink
from tests.panel.dots import Dots
from tests.panel.screen import Screen
from tests.waiting import until

STATUS = Status(
    now=datetime(2026, 3, 1, 12, tzinfo=UTC),
    connected=True,
    width=8,
    height=4,
    page="moon",
    why="because it is its turn",
    next_title=None,
    until=None,
    paused=False,
    pinned=False,
    pages=(),
    feeds=(),
)


WAITED_S = 10.0
"""How long a disk is slow here, and websockets waits for a page to take its leave."""


class NoButtons:
    """A remote for sinks that are not asked for anything here."""

    def next(self) -> None: ...
    def previous(self) -> None: ...
    def pause(self, paused: bool | None = None) -> None: ...
    def pin(self, name: str | None) -> None: ...
    def resize(self, width: int, height: int) -> None: ...
    def fix(self, size: tuple[int, int] | None) -> None: ...
    def wake(self) -> None: ...


class Consumer(Protocol):
    """Whoever looks at a sink's frames, and may stop taking them."""

    sink: Sink
    seen: list[Image.Image]

    async def begin(self) -> None: ...
    async def end(self) -> None: ...
    def stall(self) -> None: ...
    def resume(self) -> None: ...


class ListConsumer:
    """The least that a sink can be: it also says what the suite itself expects."""

    def __init__(self, folder: Path) -> None:
        self.sink = self
        self.seen: list[Image.Image] = []
        self.watched = True
        self._newest: Image.Image | None = None
        self._news = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def show(self, frame: Image.Image) -> None:
        self._newest = frame
        self._news.set()

    def tell(self, status: Status) -> None: ...

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        started()
        while True:
            await self._open.wait()
            await self._news.wait()
            self._news.clear()
            if self._newest is not None:
                self.seen.append(self._newest)

    async def begin(self) -> None: ...
    async def end(self) -> None: ...

    def stall(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()


class FileConsumer:
    """A disk that can be slow."""

    def __init__(self, folder: Path) -> None:
        self.sink = FileSink(folder / "now.png")
        self.seen: list[Image.Image] = []
        self._open = threading.Event()
        self._open.set()
        self._writing = threading.Lock()
        self._put = sinks._put
        self._patch = pytest.MonkeyPatch()

    async def begin(self) -> None:
        self._patch.setattr(sinks, "_put", self._slow_put)

    async def end(self) -> None:
        self._open.set()
        self._patch.undo()

    def _slow_put(self, path: Path, content: bytes) -> None:
        assert self._writing.acquire(blocking=False), "two writes at once"
        self._open.wait(WAITED_S)
        self._put(path, content)
        self.seen.append(read(path))
        self._writing.release()

    def stall(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()


class BrowserConsumer:
    """A page that can be slow to draw."""

    def __init__(self, folder: Path) -> None:
        self._browser = BrowserSink(0)
        self.sink = self._browser
        self.seen: list[Image.Image] = []
        self._open = asyncio.Event()
        self._open.set()
        self._reading: asyncio.Task[None] | None = None
        self._page: ClientConnection | None = None

    async def begin(self) -> None:
        self._page = await connect(f"{self._browser.url.replace('http', 'ws')}ws")
        self._reading = asyncio.create_task(self._read(self._page))

    async def end(self) -> None:
        self._open.set()
        if self._page and self._reading:
            await self._page.close()
            await self._reading

    async def _read(self, page: ClientConnection) -> None:
        dots = Dots()
        with suppress(ConnectionClosed):
            async for message in page:
                if isinstance(message, bytes):
                    dots.draw(message)
                    self.seen.append(dots.image)
                    await self._open.wait()
                    await page.send(f'{{"do": "drawn", "sequence": {dots.sequence}}}')

    def stall(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()


class PanelConsumer:
    """A panel process that can be slow to answer."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "panel.sock"
        self.sink = PanelSink(self._path)
        self.seen: list[Image.Image] = []
        self._open = asyncio.Event()
        self._open.set()
        self._serving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self._serving = asyncio.create_task(self._serve(opening.listen(self._path)))

    async def end(self) -> None:
        assert self._serving is not None
        await stopped(self._serving)

    async def _serve(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        with listening:
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            writer.write(Head(8, 4).to_wire())
            while True:
                head = await wire.read_head(reader)
                if head.length:
                    content = await reader.readexactly(head.length)
                    self.seen.append(Image.frombytes("RGB", head[:2], content))
                await self._open.wait()
                writer.write(wire.TAKEN)
        finally:
            writer.transport.abort()

    def stall(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()


class TerminalConsumer:
    """A terminal whose output can be stopped. It knows what the sink writes, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (100, 300))
        self.sink = TerminalSink(self._slave)
        os.set_blocking(self._master, False)
        self.seen: list[Image.Image] = []
        self.screen = Screen()
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    async def begin(self) -> None:
        self.resume()

    async def end(self) -> None:
        self.stall()
        os.close(self._slave)
        os.close(self._master)

    def _read(self) -> None:
        self.screen.feed(self._decoder.decode(os.read(self._master, 1 << 16)))
        picture = self.screen.image
        whole = len(picture.getcolors() or []) == 1  # as all frames of this suite are
        if whole and not (self.seen and self.seen[-1] == picture):
            self.seen.append(picture)

    def stall(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)

    def resume(self) -> None:
        asyncio.get_running_loop().add_reader(self._master, self._read)


CONSUMERS = [ListConsumer, FileConsumer, BrowserConsumer, PanelConsumer, TerminalConsumer]


@pytest.fixture(params=CONSUMERS)
async def consumer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Consumer]:
    """One that is served, for as long as the test lasts."""
    made: Consumer = request.param(tmp_path)
    starts = 0
    started = asyncio.Event()

    def count() -> None:
        nonlocal starts
        starts += 1
        started.set()

    serving = asyncio.create_task(made.sink.run(NoButtons(), count))
    await until(started.is_set)
    await made.begin()
    await until(lambda: made.sink.watched)
    yield made
    await made.end()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    assert starts == 1


def frame(number: int, size: tuple[int, int] = (8, 4)) -> Image.Image:
    return Image.new("RGB", size, (number, 255 - number, 7))


def read(path: Path) -> Image.Image:
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        return picture.convert("RGB")


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def shows(consumer: Consumer, expected: Image.Image) -> Callable[[], bool]:
    return lambda: bool(consumer.seen) and consumer.seen[-1] == expected


async def test_what_is_shown_is_seen(consumer: Consumer) -> None:
    for number in range(3):
        consumer.sink.show(frame(number))
        await until(shows(consumer, frame(number)))


async def test_frames_may_change_their_size(consumer: Consumer) -> None:
    for size in ((64, 32), (1, 1), (128, 64)):
        consumer.sink.show(frame(1, size))
        await until(shows(consumer, frame(1, size)))


async def test_the_newest_wins_over_a_slow_consumer(consumer: Consumer) -> None:
    consumer.sink.show(frame(0))
    await until(shows(consumer, frame(0)))
    consumer.stall()
    for number in range(1, 200):
        consumer.sink.show(frame(number))
        if number % 50 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = len(consumer.seen)
    consumer.resume()
    await until(shows(consumer, frame(199)))
    assert len(consumer.seen) - before <= 3


async def test_showing_and_telling_return_at_once(consumer: Consumer) -> None:
    consumer.stall()
    picture = frame(1, (256, 64))
    began_s = time.thread_time()  # of this thread alone, however busy the machine is
    for _ in range(1000):
        consumer.sink.show(picture)
        consumer.sink.tell(STATUS)
    assert time.thread_time() - began_s < 0.5


async def test_the_same_frame_again_is_no_news_to_who_saw_it(consumer: Consumer) -> None:
    picture = frame(1)
    for _ in range(3):
        consumer.sink.show(picture)
    await until(shows(consumer, picture))
    consumer.sink.show(frame(2))
    await until(shows(consumer, frame(2)))


@pytest.mark.parametrize("kind", CONSUMERS)
async def test_a_sink_ends_at_once_though_its_consumer_has_stalled(
    kind: Callable[[Path], Consumer], tmp_path: Path
) -> None:
    consumer = kind(tmp_path)
    serving = await served(consumer.sink)
    await consumer.begin()
    await until(lambda: consumer.sink.watched)
    consumer.stall()
    for number in range(3):
        consumer.sink.show(frame(number, (256, 64)))
        await asyncio.sleep(0.01)
    serving.cancel()
    ended, _ = await asyncio.wait([serving], timeout=WAITED_S / 2)
    assert ended
    await consumer.end()


# The LEDs.


class Fixing(NoButtons):
    """A remote that notes for which LEDs all is drawn."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None

    def fix(self, size: tuple[int, int] | None) -> None:
        self.size = size


async def test_all_is_drawn_for_leds_for_as_long_as_they_are_connected(tmp_path: Path) -> None:
    consumer, remote = PanelConsumer(tmp_path), Fixing()
    task = asyncio.create_task(consumer.sink.run(remote, lambda: None))
    await consumer.begin()
    await until(lambda: remote.size == (8, 4))
    await consumer.end()
    await until(lambda: remote.size is None)
    await stopped(task)


# The file.


async def served(sink: Sink) -> asyncio.Task[None]:
    started = asyncio.Event()
    serving = asyncio.create_task(sink.run(NoButtons(), started.set))
    await started.wait()
    return serving


async def stopped(serving: asyncio.Task[None]) -> None:
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_the_file_can_hold_the_look_of_the_leds(tmp_path: Path) -> None:
    path = tmp_path / "now.png"
    sink = FileSink(str(path), pitch_px=5)
    serving = await served(sink)
    sink.show(frame(200))
    await until(path.exists)
    await stopped(serving)
    assert read(path) == led.picture(frame(200), 5)


async def test_the_file_is_whole_whenever_it_is_read_and_nothing_is_left_beside_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "now.png"
    sink = FileSink(path)
    serving = await served(sink)
    sink.show(frame(0))
    await until(path.exists)
    for number in range(1, 60):
        sink.show(frame(number, (128, 64)))
        await asyncio.sleep(0)
        read(path)
    await until(lambda: read(path) == frame(59, (128, 64)))
    await stopped(serving)
    assert names(tmp_path) == ["now.png"]


async def test_a_file_that_cannot_be_written_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "absent" / "now.png"
    sink = FileSink(path)
    serving = await served(sink)
    with caplog.at_level(logging.ERROR):
        for number in range(3):
            sink.show(frame(number))
            await until(lambda: bool(caplog.records))
        path.parent.mkdir()
        sink.show(frame(3))
        await until(path.exists)
    await stopped(serving)
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot write {path}: No such file or directory; tried again with each frame"
    ]
