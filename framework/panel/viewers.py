"""The pages that are open in browsers: which of them can be seen, and the talk with each.

What they are sent, and what they may ask for, is for whoever is watched to say: the panel (``web``)
or a page that is being written (``dev.workbench``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Socket(Protocol):
    """The part of Starlette's ``WebSocket`` that is used here."""

    async def send_text(self, data: str) -> None: ...
    async def send_bytes(self, data: bytes) -> None: ...
    async def receive(self) -> Any: ...


class Viewer:
    """One open page, and what it was sent last: nothing is ever queued for it."""

    def __init__(self) -> None:
        self.watching = False
        self.news = asyncio.Event()
        self.seen = 0
        """The revision of what it was sent."""
        self.drawing = False
        """Whether a picture is still on its way to the screen."""


class Viewers:
    """All that are open."""

    def __init__(self) -> None:
        self._open: set[Viewer] = set()
        self.watched = asyncio.Event()
        """Set while any of them watches."""

    @contextmanager
    def joined_by(self, viewer: Viewer) -> Iterator[None]:
        """Within, it is one of them."""
        self._open.add(viewer)
        try:
            yield
        finally:
            self._open.discard(viewer)
            self._look_who_watches()

    def watch(self, viewer: Viewer, *, watching: bool) -> None:
        viewer.watching = watching
        viewer.news.set()
        self._look_who_watches()

    def announce(self) -> None:
        """There is news for all of them."""
        for viewer in self._open:
            viewer.news.set()

    def _look_who_watches(self) -> None:
        if any(viewer.watching for viewer in self._open):
            self.watched.set()
        else:
            self.watched.clear()


async def talk(
    socket: Socket, sending: Coroutine[Any, Any, None], obey: Callable[[str | None], None]
) -> None:
    """Until the page is gone. ``sending`` ends by itself only if it fails; ``obey`` is given each
    text that comes, and None for what is no text."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(sending)
        while (message := await socket.receive())["type"] == "websocket.receive":
            obey(message.get("text"))
        task.cancel()


def command(text: str | None) -> object:
    """What a page asks for; None if it is no JSON."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None
