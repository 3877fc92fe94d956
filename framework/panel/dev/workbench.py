"""A page while it is being written: drawn anew whenever it is saved, and shown in a browser.

Here is what is watched, what was drawn last, and what goes over the WebSocket. A process of its own
does the drawing (``run``); HTTP, and who is let in, are as for the panel (``webserver``). The
protocol, on ``/ws``:

- To the browser: ``{"look": {...}}`` once, and ``{"status": {...}}`` when it changed, as
  ``Workbench.status_json`` makes it; frames as the panel's (``web``), whole, with the picture's
  number in the place of the sequence number; and, after what has changed, ``{"end": true}``.
- From it: ``{"do": "drawn"}`` when all of that is on the screen: only then comes what has changed
  since; and ``{"do": "watch", "watching": true}``, as the panel's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image

from framework.panel import loopback
from framework.panel.dev.run import Run
from framework.panel.dev.values import feed_and_file
from framework.panel.encoding import HEADER
from framework.panel.viewers import Socket, Viewer, Viewers, command, talk
from framework.panel.web import load_webserver, look
from framework.project import FILE

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
POLL_S = 0.3
"""How often it is looked whether something was saved: cheap, and it works on every file system."""
GONE_S = 2.0
"""Some editors save by putting a new file in the place of the old one: so long it may be gone."""
FASTEST_S = 0.1
"""What moves is drawn ten times a second at most: sixteen pictures are a lot of work."""
GAP = 8
"""Between the pictures in the PNG, in dots."""
FILES = {
    "/": ("dev.html", "text/html"),
    "/dev.css": ("dev.css", "text/css"),
    "/dev.js": ("dev.js", "text/javascript"),
    "/leds.js": ("leds.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

Stamp = tuple[int, int]


@dataclass
class Gallery:
    """What one run has drawn."""

    about: Mapping[str, Any] = field(default_factory=dict)
    """The page's title, its feeds, and the states and sizes of the pictures."""
    pictures: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """By number: since which revision it looks so, and the frame."""
    problems: dict[int, str] = field(default_factory=dict)
    """Why there is no picture, by number."""
    problem: str | None = None
    """Why there are none at all."""


class Workbench:
    """Draws ``target`` from ``values`` (what may be in it, ``values.py`` says). Implements
    ``webserver.Panel``."""

    def __init__(self, target: str, values: Sequence[str], *, port: int | None = None) -> None:
        self._target = target
        self._values = values
        self._port = port
        self._gallery = Gallery()
        self._doing: str | None = None
        self._revision = 1
        self._told = 1
        """The revision that brought the newest status."""
        self._viewers = Viewers()
        self._spare: asyncio.Task[Run] | None = None
        """What draws the next time."""
        given = [str(feed_and_file(each)[1]) for each in values]
        files = [target.partition(":")[0], os.environ.get("MATRIX_TOML") or FILE, *given]
        self._stamps: dict[str, Stamp | None] = {}
        """Of each file that is watched, when and how large it was; None: it was not there."""
        self._there_s: dict[str, float] = {}
        """When each of them was there last, or was looked for first."""
        self._follow(files)

    async def run(self, started: Callable[[str], None]) -> NoReturn:
        """Until cancelled. ``started`` is told the address.

        :raises ConfigError: the port cannot be had.
        """
        webserver = load_webserver()
        with loopback.listen(HOST, self._port) as listening:
            async with asyncio.TaskGroup() as tasks:
                url = loopback.urls(listening)[0]
                serving = webserver.serve(self, listening, lambda: started(url), files=FILES)
                tasks.create_task(serving)
                tasks.create_task(self._work())
        raise AssertionError("its tasks run until they are cancelled")

    # What it does.

    async def _work(self) -> NoReturn:
        """Draw, and begin again whenever something was saved."""
        try:
            while True:
                run, self._spare = await self._prepared(), None
                try:
                    async with asyncio.TaskGroup() as tasks:
                        drawing = tasks.create_task(self._draw(run))
                        await self._until_saved()
                        drawing.cancel()
                finally:
                    await run.end()
        finally:
            if self._spare is not None:
                await (await self._spare).end()

    async def _draw(self, run: Run) -> None:
        gallery = Gallery()
        await run.begin(self._target, self._values)
        async for message, frame in run.messages():
            match message:
                case {"doing": str(doing)} if gallery is not self._gallery:
                    self._doing = doing
                    self._tell()
                case {"files": list(files)}:
                    self._follow(files)
                case {"about": dict(about)}:
                    gallery.about = about
                case {"picture": int(number), "problem": str(problem)}:
                    gallery.pictures.pop(number, None)
                    gallery.problems[number] = problem
                    if gallery is self._gallery:
                        self._tell()
                case {"picture": int(number)}:
                    gallery.pictures[number] = (self._next(), frame)
                case {"problem": str(problem)}:
                    gallery.problem = problem
                    self._show(gallery)
                    self._prepared()
                case {"drawn": True, "again_in_s": again_in_s}:
                    self._show(gallery)
                    self._prepared()
                    if again_in_s is not None:
                        await asyncio.sleep(max(again_in_s, FASTEST_S))
                        await self._viewers.watched.wait()
                        await run.go_on()

    def _show(self, gallery: Gallery) -> None:
        """All of it at once: until then, what was drawn last stays."""
        if gallery is not self._gallery or gallery.problem is not None:
            now = self._next()
            gallery.pictures = {
                number: (now, frame) for number, (_, frame) in gallery.pictures.items()
            }
            self._gallery = gallery
            self._doing = None
            self._tell()
        self._viewers.announce()

    def _prepared(self) -> asyncio.Task[Run]:
        """What the next save then need not wait for."""
        if self._spare is None:
            self._spare = asyncio.create_task(Run.spawn())
        return self._spare

    def _tell(self) -> None:
        self._told = self._next()
        self._viewers.announce()

    def _next(self) -> int:
        self._revision += 1
        return self._revision

    # What is watched.

    def _follow(self, files: Sequence[str]) -> None:
        now_s = time.monotonic()
        for file in files:
            self._stamps.setdefault(file, _stamp(file))
            self._there_s.setdefault(file, now_s)

    async def _until_saved(self) -> None:
        while True:
            if self._changed():
                return
            await asyncio.sleep(POLL_S)

    def _changed(self) -> bool:
        """Whether a file is not any more as it was."""
        now_s = time.monotonic()
        changed: dict[str, Stamp | None] = {}
        for file, before in self._stamps.items():
            stamp = _stamp(file)
            if stamp is not None:
                self._there_s[file] = now_s
            if stamp != before and (stamp is not None or now_s - self._there_s[file] > GONE_S):
                changed[file] = stamp
        self._stamps |= changed
        return bool(changed)

    # What the web server asks for.

    async def attend(self, socket: Socket) -> None:
        """Serve one browser, until it is gone."""
        viewer = Viewer()
        with self._viewers.joined_by(viewer):
            self._viewers.watch(viewer, watching=True)
            await talk(socket, self._send(viewer, socket), partial(self._obey, viewer))

    async def picture(self) -> Image.Image | None:
        """All of them: a state a row, a size a column."""
        return _joined(self._gallery)

    def status_json(self) -> str:
        return json.dumps(
            {
                "target": self._target,
                "doing": self._doing,
                "problem": self._gallery.problem,
                "problems": self._gallery.problems,
                **self._gallery.about,
            }
        )

    async def _send(self, viewer: Viewer, socket: Socket) -> None:
        await socket.send_text(json.dumps({"look": look()}))
        while True:
            await viewer.news.wait()
            viewer.news.clear()
            if viewer.drawing or not viewer.watching or viewer.seen == self._revision:
                continue
            since, viewer.seen, viewer.drawing = viewer.seen, self._revision, True
            pictures = list(self._gallery.pictures.values())
            if self._told > since:
                await socket.send_text(f'{{"status":{self.status_json()}}}')
            for revision, frame in pictures:
                if revision > since:
                    await socket.send_bytes(frame)
            await socket.send_text('{"end":true}')

    def _obey(self, viewer: Viewer, text: str | None) -> None:
        match command(text):
            case {"do": "drawn"}:
                viewer.drawing = False
                viewer.news.set()
            case {"do": "watch", "watching": bool(watching)}:
                self._viewers.watch(viewer, watching=watching)
            case _:
                log.warning("ignored what a page asked for: %.80r", text)


def _stamp(file: str) -> Stamp | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _joined(gallery: Gallery) -> Image.Image | None:
    if not gallery.pictures:
        return None
    sizes = gallery.about["sizes"]
    wide = sum(width + GAP for width, _ in sizes) - GAP
    row = max(height for _, height in sizes) + GAP
    joined = Image.new("RGB", (wide, row * len(gallery.about["states"]) - GAP))
    for number, (_, frame) in gallery.pictures.items():
        state, size = divmod(number, len(sizes))
        left = sum(width + GAP for width, _ in sizes[:size])
        width, height, *_ = HEADER.unpack_from(frame)
        rgb = zlib.decompress(frame[HEADER.size :])
        joined.paste(Image.frombytes("RGB", (width, height), rgb), (left, state * row))
    return joined
