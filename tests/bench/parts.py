"""What several benches need: a server, a page that shows one number, a sink that takes note."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from framework.bus import Bus, Posted, open_bus
from framework.bustime import to_us
from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.embedded import EmbeddedServer
from framework.feed import Feed
from framework.panel.show import Show
from framework.panel.sinks import Remote, Sink
from framework.panel.status import Status
from framework.update import Update, Values


class Level(Values):
    number: int


class LevelPage(DisplayBase):
    """Its first dot is lit or not as the number is odd or even."""

    level = Feed(Level)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(str(self.level.number), role="hero")
        lit = (255, 255, 255) if self.level.number % 2 else (0, 0, 0)
        canvas.image_draw.rectangle((0, 0, 3, 3), lit)


class Noting(Sink):
    """A panel that only says that it got a frame."""

    def __init__(self, note: Callable[[Image.Image], None] = lambda _: None) -> None:
        self._note = note

    @property
    def watched(self) -> bool:
        return True

    def show(self, frame: Image.Image) -> None:
        self._note(frame)

    def tell(self, status: Status) -> None: ...

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        started()
        await asyncio.Event().wait()


@contextmanager
def server_url() -> Iterator[str]:
    """A Valkey server of our own."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder)) as url:
        yield url


@asynccontextmanager
async def showing(url: str, page: DisplayBase[Any], sink: Sink) -> AsyncIterator[Bus]:
    """A panel that shows one page; the bus that it is given is another connection than its own."""
    started = asyncio.Event()
    panel_bus, bus = open_bus(url), open_bus(url)
    panel = asyncio.ensure_future(Show([page], [sink], panel_bus).run(started.set))
    try:
        await asyncio.wait(
            {panel, asyncio.ensure_future(started.wait())}, return_when="FIRST_COMPLETED"
        )
        yield bus
    finally:
        panel.cancel()
        with suppress(asyncio.CancelledError):
            await panel
        await panel_bus.close()
        await bus.close()


def level(number: int, now: datetime) -> Posted:
    """An update as a service would publish it."""
    update = Update(
        type="Level",
        updated=now,
        valid=now + timedelta(hours=1),
        expires=now + timedelta(hours=2),
        values=Level(number=number),
    )
    return Posted(to_us(now), update.to_wire())


def page() -> LevelPage:
    return LevelPage(config=Config())
