"""What a service weighs that asks the web and answers for its health, and whether a panel grows."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from framework.bustime import BusTime
from framework.panel.panelsink import PanelSink
from framework.panel.show import Show
from framework.panel.sinks import FileSink, Sink
from framework.panel.web import BrowserSink
from framework.testing.bus import MemoryBus
from tests.bench import parts, start
from tests.bench.figures import Figure
from tests.bench.watching import PanelProcess, browser

FRAMES = 100_000
LONGEST_S = 20.0
STARTS = 3
WARM = 2000
"""After so many frames every cache is full."""
ANSWER = b'{"level": 7}'
TOML = """
[config.json]
url = "http://127.0.0.1:{web}/"
value = "level"

[health]
host = "127.0.0.1"
port = {health}
"""


async def service() -> list[Figure]:
    """The best of a few, each on an empty server; asked for its metrics once."""
    resident_mb = min([await _weighed() for _ in range(STARTS)])
    return [Figure("resident memory after its first publish", resident_mb, "MB", 54, 1)]


async def frames() -> list[Figure]:
    """A page that changes as fast as it can be drawn, on every sink that there is."""
    process, drawn = psutil.Process(), asyncio.Event()
    noting = parts.Noting(lambda _: drawn.set())
    bus, page = MemoryBus(BusTime()), parts.page()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:  # a file may be written
        path, file = Path(name) / "panel.sock", Path(name) / "frame.png"
        web = BrowserSink()
        sinks: list[Sink] = [web, PanelSink(path), FileSink(file), noting]
        started = asyncio.Event()
        show = asyncio.ensure_future(Show([page], sinks, bus).run(started.set))
        panel = PanelProcess()
        async with panel.listening(path):
            await started.wait()
            async with browser(web) as watching:
                shown, warm_mb, began_s = 0, 0.0, time.monotonic()
                while shown < FRAMES and time.monotonic() - began_s < LONGEST_S:
                    drawn.clear()
                    shown += 1
                    number = 10_000 + shown % 10_000  # as wide as the last one
                    await bus.publish("level", parts.level(number, bus.time.now()))
                    await drawn.wait()
                    if shown == WARM:
                        warm_mb = process.memory_info().rss / 2**20
                grown_mb = process.memory_info().rss / 2**20 - warm_mb
                if shown <= WARM or not (panel.frames and watching.frames):
                    raise RuntimeError(f"{shown} frames, of which not every sink saw one")
        show.cancel()
        with suppress(asyncio.CancelledError):
            await show
    return [
        Figure(f"frames in {LONGEST_S:g} s ({FRAMES:,} asked)", shown, "", None, 0),
        Figure("of them drawn by the browser", watching.frames, "", None, 0),
        Figure("of them taken by the panel process", panel.frames, "", None, 0),
        Figure(f"resident memory grown since frame {WARM}", grown_mb, "MB", 1, 2),
    ]


async def _weighed() -> float:
    with parts.server_url() as url, tempfile.TemporaryDirectory() as folder:
        health = _free_port()
        async with _web() as web:
            toml = Path(folder) / "matrix.toml"
            toml.write_text(TOML.format(web=web, health=health))
            environ = {"MATRIX_REDIS_URL": url, "MATRIX_TOML": str(toml)}
            (_, resident_mb), _ = await asyncio.gather(
                start.start_on(url, environ, 1.0, module="services.anyjson", name="json"),
                _asked(f"http://127.0.0.1:{health}/metrics"),
            )
    return resident_mb


async def _asked(url: str) -> None:
    """Once it has something to say."""

    def ask() -> bytes:
        with suppress(OSError), urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310  # ours
            content: bytes = reply.read()
            return content
        return b""

    async with asyncio.timeout(30):
        while b'matrix_publish_seconds_count{service="json"} 1' not in await asyncio.to_thread(ask):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _web() -> AsyncIterator[int]:
    """A port that answers with JSON."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + ANSWER)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
