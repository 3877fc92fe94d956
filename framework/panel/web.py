"""The panel in a browser: who watches, what each of them has seen, and what they may ask for.

What goes over the WebSocket is here. HTTP is ``webserver``'s; who is let in is ``loopback``'s and
``webtoken``'s; which pages are open is ``viewers``'s; and the dots are drawn by ``static/leds.js``.
The protocol, on ``/ws``:

To the page, text is JSON and binary is a frame.

- ``{"look": {…}}``, once: the constants of ``led``.
- ``{"status": {…}}``, when it changed: ``Status``, its times in ISO 8601, freshness as a word.
- A frame: width and height (16 bits each), its sequence number and that of its base (32 bits
  each), little-endian, then zlib-compressed RGB, row by row. A frame that is its own base is whole;
  any other is to be added to its base, byte by byte, modulo 256. The base is the frame that was
  drawn last. The next one is sent when this one was drawn, and it is then the newest there is: a
  slow page sees fewer frames, never older ones.

From the page, always JSON; what is not understood is ignored.

- ``{"do": "drawn", "sequence": n}``: a frame is on the screen. ``{"do": "failed", "sequence": n}``:
  it could not be drawn, and is sent again, once, as a whole; or the next one is.
- ``{"do": "watch", "watching": true}``: whether the page can be seen. It begins as true.
- ``{"do": "next"}``, ``{"do": "previous"}``, ``{"do": "pause"}`` (toggles),
  ``{"do": "pin", "name": "moon"}``, ``{"do": "resize", "width": 64, "height": 32}`` (``SIZES``).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from PIL import Image

from framework.bustime import BusTime
from framework.errors import ConfigError
from framework.extras import needed_by
from framework.hosts import is_loopback
from framework.panel import led, loopback
from framework.panel.encoding import Encoded
from framework.panel.sinks import Remote
from framework.panel.status import Status
from framework.panel.viewers import Socket, Viewer, Viewers, command, talk

log = logging.getLogger(__name__)

REDRAW_S = 0.5
"""When the first one begins to watch, what is held is old: so long the panel has to draw anew."""
SIZES = ((64, 32), (128, 64), (256, 64), (64, 64))
"""What a page may ask for: its switch offers no others, and a large panel is a lot of work."""


class _Viewer(Viewer):
    def __init__(self) -> None:
        super().__init__()
        self.frame: int | None = None
        """The one that it was sent last."""
        self.failed: int | None = None
        """The one that could not be drawn last."""
        self.drawn: int | None = None
        """The frame that the next one may be added to."""


class BrowserSink:
    """A page that shows the panel and holds its buttons: to this machine, or to who has ``token``.

    Without ``port`` it is 8080, or the next one of twenty that is free. Nothing is encoded while
    nobody watches; a frame is encoded once for everybody.

    :raises ConfigError: other machines reach ``host``, and there is no ``token``.
    """

    def __init__(
        self, port: int | None = None, *, host: str = "127.0.0.1", token: str | None = None
    ) -> None:
        if token is None and not is_loopback(host):
            raise ConfigError(f"other machines reach {host}: the panel there needs a token")
        self._port = port
        self._host = host
        self._token = token
        self._urls: list[str] = []
        self._remote: Remote | None = None
        self._viewers = Viewers()
        self._frame: Encoded | None = None
        self._current = asyncio.Event()
        """Whether the frame held is what is on: it is not, if it is from before anybody watched."""
        self._status: Status | None = None
        self._revision = 0
        self._clock = BusTime()
        self._told_s = 0.0
        self._frames_encoded = 0
        self._bytes_sent = 0

    @property
    def urls(self) -> Sequence[str]:
        """Where the page is, with the token if there is one; known from when ``run`` has called
        ``started``. More than one, if it is not sure that browsers know the first."""
        if not self._urls:
            raise RuntimeError("the browser sink has no address before it was started")
        return self._urls

    @property
    def url(self) -> str:
        """The first of ``urls``."""
        return self.urls[0]

    @property
    def frames_encoded(self) -> int:
        return self._frames_encoded

    @property
    def bytes_sent(self) -> int:
        """Frames and texts, before they are wrapped in WebSocket messages."""
        return self._bytes_sent

    @property
    def watched(self) -> bool:
        return self._viewers.watched.is_set()

    def show(self, frame: Image.Image) -> None:
        last = self._frame
        if last is None or frame is not last.image:  # else the panel was woken, and nothing changed
            self._frame = Encoded(frame, after=last)
        self._current.set()
        self._viewers.announce()

    def tell(self, status: Status) -> None:
        self._status = status
        self._told_s = self._clock.monotonic_s()
        self._revision += 1
        self._viewers.announce()

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        webserver = load_webserver()
        self._remote = remote
        with loopback.listen(self._host, self._port) as listening:
            shown = "" if self._token is None else f"?token={self._token}"
            self._urls = [f"{url}{shown}" for url in loopback.urls(listening)]
            await webserver.serve(self, listening, started, token=self._token)

    # What the web server asks for.

    async def attend(self, socket: Socket) -> None:
        """Serve one page, until it is gone."""
        with self._viewing() as viewer:
            await talk(socket, self._send(viewer, socket), partial(self._obey, viewer))

    async def picture(self) -> Image.Image | None:
        """The frame that is on; None if there never was one."""
        with self._viewing():
            await self._until_current()
            return self._frame.image if self._frame else None

    def status_json(self) -> str | None:
        """What was said last, with the time as it is now."""
        if self._status is None:
            return None
        elapsed = timedelta(seconds=self._clock.monotonic_s() - self._told_s)
        return to_json(replace(self._status, now=self._status.now + elapsed))

    # To a page.

    @contextmanager
    def _viewing(self) -> Iterator[_Viewer]:
        viewer = _Viewer()
        with self._viewers.joined_by(viewer):
            self._watch(viewer, watching=True)
            yield viewer

    def _watch(self, viewer: _Viewer, *, watching: bool) -> None:
        if watching and not self.watched:
            self._current.clear()
        self._viewers.watch(viewer, watching=watching)
        if watching and self._remote is not None:
            self._remote.wake()

    async def _until_current(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(REDRAW_S):
                await self._current.wait()
        self._current.set()

    async def _send(self, viewer: _Viewer, socket: Socket) -> None:
        await self._text(socket, json.dumps({"look": look()}))
        while True:
            await viewer.news.wait()
            viewer.news.clear()
            if viewer.watching and viewer.seen != self._revision:
                await self._send_status(viewer, socket)
            if viewer.watching and not viewer.drawing:
                await self._send_frame(viewer, socket)

    async def _send_status(self, viewer: _Viewer, socket: Socket) -> None:
        viewer.seen = self._revision
        said = self.status_json()
        if said is not None:
            await self._text(socket, f'{{"status":{said}}}')

    async def _send_frame(self, viewer: _Viewer, socket: Socket) -> None:
        if self._frame is None or viewer.frame == self._frame.number:
            return
        await self._until_current()
        frame = self._frame
        viewer.frame = frame.number
        viewer.drawing = True
        self._frames_encoded += not frame.asked_for
        message = frame.message(viewer.drawn)
        self._bytes_sent += len(message)
        await socket.send_bytes(message)

    async def _text(self, socket: Socket, text: str) -> None:
        self._bytes_sent += len(text)
        await socket.send_text(text)

    # From a page.

    def _obey(self, viewer: _Viewer, text: str | None) -> None:
        remote = self._remote
        if remote is None:
            return
        match command(text):
            case {"do": "drawn", "sequence": int(sequence)}:
                if sequence == viewer.frame:
                    viewer.drawing = False
                    viewer.drawn = sequence
                    viewer.news.set()
            case {"do": "failed", "sequence": int(sequence)}:
                if sequence == viewer.frame:
                    viewer.drawing = False
                    viewer.drawn = None
                    if sequence != viewer.failed:  # else it would be sent for ever
                        viewer.failed, viewer.frame = sequence, None
                    viewer.news.set()
            case {"do": "watch", "watching": bool(watching)}:
                self._watch(viewer, watching=watching)
            case {"do": "next"}:
                remote.next()
            case {"do": "previous"}:
                remote.previous()
            case {"do": "pause"}:
                remote.pause()
            case {"do": "pin", "name": str(name)} if self._has_page(name):
                remote.pin(name)
            case {"do": "resize", "width": int(x), "height": int(y)} if (x, y) in SIZES:
                remote.resize(x, y)
            case _:
                log.warning("ignored what a page asked for: %.80r", text)

    def _has_page(self, name: str) -> bool:
        return self._status is not None and any(page.name == name for page in self._status.pages)


def load_webserver() -> ModuleType:
    """Imported when it is needed: Starlette and uvicorn are an extra, and slow to load."""
    with needed_by("the panel in a browser"):
        return import_module("framework.panel.webserver")


def to_json(status: Status) -> str:
    """``status`` as it travels: ASCII, times in ISO 8601, freshness as a word."""
    said = asdict(status)
    for told, feed in zip(said["feeds"], status.feeds, strict=True):
        told["freshness"] = None if feed.freshness is None else feed.freshness.name.lower()
    return json.dumps(said, default=datetime.isoformat, separators=(",", ":"))


def look() -> dict[str, Any]:
    """How a dot looks, for ``leds.js``."""
    return {
        "diameter": led.DOT_DIAMETER,
        "softEdge": led.DOT_SOFT_EDGE,
        "unlit": led.UNLIT,
        "gap": led.GAP,
        "exponent": led.BRIGHTNESS_EXPONENT,
        "glowSigma": led.GLOW_SIGMA,
        "glowShare": led.GLOW_SHARE,
        "plainBelow": led.PLAIN_BELOW_PX,
    }
