"""Who sends frames to the panel process, and whose is shown.

Any number of renderers may be connected, and the one that came last counts: ``matrix demo`` tried
for a minute takes the panel, and gives it back when it ends. One that no longer gives a sign of
life counts only if no other does. What that looks like is left to ``light``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from socket import socket
from typing import NoReturn

from PIL import Image

from framework.brightness import FULL
from framework.outage import Outage
from framework.panel.driver import wire
from framework.panel.driver.wire import Head, NotUnderstood

log = logging.getLogger(__name__)

MOST_RENDERERS = 8
SILENT_S = 5.0
"""A renderer that said nothing for so long draws nothing either."""


@dataclass(slots=True, eq=False)
class Renderer:
    """One that is, or was, connected."""

    heard_s: float
    """When it last gave a sign of life."""
    brightness: int = FULL
    frame: Image.Image | None = None


class Receiver:
    """Takes frames; ``news`` is set when something came."""

    def __init__(
        self,
        listening: socket,
        size: tuple[int, int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``size``: what renderers are told to draw for."""
        self.news = asyncio.Event()
        self._listening = listening
        self._size = size
        self._clock = clock
        self._renderers: list[Renderer] = []
        """That are connected, the latest last."""
        self._shown: Renderer | None = None
        self._outage = Outage(log, "renderer")

    def newest(self) -> Renderer | None:
        """Whose frame is to be shown; None if there never was one."""
        since_s = self._clock() - SILENT_S
        for one in self._renderers:
            if one.frame is not None and one.heard_s >= since_s:
                self._shown = one
        return self._shown

    async def run(self) -> NoReturn:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        self._listening.setblocking(False)
        async with asyncio.TaskGroup() as tasks:
            with self._listening:
                # Not asyncio's own server: it would look at the socket's path, where whoever has
                # dropped root may not go.
                while True:
                    connection, _ = await loop.sock_accept(self._listening)
                    tasks.create_task(self._attend(connection))

    async def _attend(self, connection: socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        renderer = Renderer(self._clock())
        try:
            if len(self._renderers) >= MOST_RENDERERS:
                raise NotUnderstood(f"{MOST_RENDERERS} are connected already")
            self._renderers.append(renderer)
            log.info("a renderer has come; %d connected", len(self._renderers))
            await self._take(renderer, reader, writer)
        except NotUnderstood as error:
            self._outage.failed(f"sent away: {error}")
        except (asyncio.IncompleteReadError, ConnectionError):
            log.info("a renderer has gone; %d connected", len(self._renderers) - 1)
        finally:
            if renderer in self._renderers:
                self._renderers.remove(renderer)
            writer.transport.abort()
            self.news.set()

    async def _take(
        self, renderer: Renderer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> NoReturn:
        writer.write(Head(*self._size).to_wire())
        while True:
            head = await wire.read_head(reader)
            if head.length:
                if renderer.frame is None:  # one that has come, not one that was there all along
                    self._outage.recovered()
                content = await reader.readexactly(head.length)
                renderer.frame = Image.frombytes("RGB", (head.width, head.height), content)
            renderer.brightness = head.brightness
            renderer.heard_s = self._clock()
            writer.write(wire.TAKEN)
            self.news.set()
