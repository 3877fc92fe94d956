"""Those who take frames: a browser and a panel process, as far as the sinks see them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from framework.panel.driver import wire
from framework.panel.driver.wire import Head
from framework.panel.encoding import HEADER
from framework.panel.web import BrowserSink


class PanelProcess:
    """Takes what it is sent at once, and counts it."""

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self.lit = asyncio.Event()
        """Whether there was a frame."""

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        async with await asyncio.start_unix_server(self._take, path):
            yield

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(Head(128, 64).to_wire())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await wire.read_head(reader)
                await reader.readexactly(head.length)
                self.bytes += len(head.to_wire()) + head.length
                if head.length:
                    self.frames += 1
                    self.lit.set()
                writer.write(wire.TAKEN)
        writer.close()


class Watching:
    """A browser that draws each frame at once."""

    def __init__(self) -> None:
        self.frames = 0
        self.lit = asyncio.Event()

    async def watch(self, page: ClientConnection) -> None:
        async for message in page:
            if isinstance(message, bytes):
                self.frames += 1
                self.lit.set()
                _, _, sequence, _ = HEADER.unpack_from(message)
                await page.send(json.dumps({"do": "drawn", "sequence": sequence}))


@asynccontextmanager
async def browser(sink: BrowserSink) -> AsyncIterator[Watching]:
    """One that watches ``sink``, which runs."""
    watching = Watching()
    async with connect(f"ws://{urlsplit(sink.url).netloc}/ws") as page:
        task = asyncio.ensure_future(watching.watch(page))
        yield watching
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
