"""What several benches need: a server, a page that shows one number, a sink that takes note,
secrets to be read."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import create_model

from framework.bus import Bus, Posted
from framework.bustime import to_us
from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.embedded import EmbeddedServer
from framework.feed import Feed
from framework.panel.show import Show
from framework.panel.sinks import Remote, Sink
from framework.panel.status import Status
from framework.project import Project
from framework.redisbus import open_bus
from framework.secrets.encryptor import Encryptor
from framework.secrets.fields import fields_of
from framework.secrets.reading import read_documents
from framework.secrets.settings import SecretsSettings
from framework.update import Update, Values

TOKENS = {f"token_{number}": "x" * 40 for number in range(10)}
SECRETS: Mapping[str, object] = {"bench": TOKENS}
"""A document with ten fields."""
Tokens = create_model(
    "Tokens",
    __base__=Config,
    **dict.fromkeys(TOKENS, (str, ...)),  # type: ignore[call-overload]  # made of names at run time
)


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


def settings_in(folder: Path) -> SecretsSettings:
    """What ``matrix.toml`` there says."""
    return SecretsSettings.of(Project.find({"MATRIX_TOML": str(folder / "matrix.toml")}, folder))


def seal(settings: SecretsSettings, content: Mapping[str, object]) -> None:
    """Into the one source, in its layout."""
    (source,) = settings.sources
    with source.transit(settings.home) as transit:
        encryptor = Encryptor(transit, source.store(settings.home), source.place)
        if source.layout == "fields":
            encryptor.fields(fields_of(content))
        else:
            encryptor.document(source.data_key, json.dumps(content).encode())


def read_ms(folder: Path) -> float:
    """From starting the child to ``SECRETS``, handed over, from the one source there."""
    settings = settings_in(folder)
    began = time.perf_counter()
    (document,) = read_documents(settings, [(Tokens, "bench")])
    taken_ms = 1e3 * (time.perf_counter() - began)
    if document.values != SECRETS:
        raise RuntimeError("the fields did not arrive")
    return taken_ms


@asynccontextmanager
async def showing(url: str, page: DisplayBase[Any], *sinks: Sink) -> AsyncIterator[Bus]:
    """A panel that shows one page; the bus that it is given is another connection than its own."""
    started = asyncio.Event()
    panel_bus, bus = open_bus(url), open_bus(url)
    panel = asyncio.ensure_future(Show([page], sinks, panel_bus).run(started.set))
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
