"""The process that draws a page that is being written: once for each time that it is saved.

All of the user's code runs here, so that whatever it does ends with this process. The server
(``workbench``) starts it, and understands it through ``run``. It takes lines on standard input:
first what to draw, as JSON, then, with each further one, that what moves is to be drawn again. It
answers on what was standard output, with lines of JSON:

- ``{"doing": "importing tide.py", "limit_s": 20}``: what it begins, and how long that may take.
  If it takes longer, or breaks, the process ends, and the last it writes is where it was, as
  ``faulthandler`` does.
- ``{"files": [...]}``: the user's own that were imported.
- ``{"about": {...}}``: the page's title, and where the values of each feed come from.
- ``{"picture": 3, "bytes": 512}``, then so many bytes: a frame as it travels, whole.
- ``{"picture": 3, "problem": "..."}``: why there is none.
- ``{"drawn": true, "again_in_s": 0.1}``: that is all, until then. null: for good.
- ``{"problem": "..."}``: why there are no pictures at all. It is the last.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from framework.page import Page
from framework.panel.dev.scenes import AGES, SIZES, Scene, scenes
from framework.panel.dev.source import imported, own_files, shortened, told
from framework.panel.dev.values import find_values
from framework.panel.encoding import whole
from framework.process import configure_logging
from framework.project import Project
from framework.redact import redacted
from framework.tools.instances import make_instances

IMPORT_LIMIT_S = 20.0
CONFIGURATION_LIMIT_S = 90.0
"""Longer than secrets may take to read, unless somebody is more patient."""
DRAWING_LIMIT_S = 3.0
"""For one picture. A panel would have missed a hundred frames."""


class Teller:
    """Tells the server what is drawn and what is wrong."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def say(self, **message: object) -> None:
        self._stream.write(json.dumps(message).encode() + b"\n")

    def picture(self, number: int, frame: bytes) -> None:
        self.say(picture=number, bytes=len(frame))
        self._stream.write(frame)

    def begin(self, doing: str, limit_s: float) -> None:
        """From now on, do this; or end."""
        self.say(doing=doing, limit_s=limit_s)
        self._stream.flush()  # nothing may stand between this and what faulthandler writes
        faulthandler.dump_traceback_later(limit_s, exit=True, file=self._stream)

    def rest(self) -> None:
        """There is nothing to do."""
        faulthandler.cancel_dump_traceback_later()
        self._stream.flush()


def main() -> None:
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)  # whatever else is printed is for the terminal
        faulthandler.enable(stream)
        configure_logging("warning")
        asked = sys.stdin.readline()
        if asked:  # or it is not needed
            _answer(json.loads(asked), Teller(stream))


def _answer(order: Mapping[str, Any], teller: Teller) -> None:
    sys.dont_write_bytecode = True  # a file that is saved twice in a second may look unchanged
    try:
        teller.begin(f"importing {order['target']}", IMPORT_LIMIT_S)
        project = Project.find(os.environ, Path.cwd())
        entry = imported(order["target"], project)
        teller.begin("reading its configuration and its values", CONFIGURATION_LIMIT_S)
        page = make_instances(project, [], [entry]).pages[0].page
        found, at = asyncio.run(find_values(page, order["values"], datetime.now(UTC)))
    except BaseException as error:  # a stranger's page may raise anything
        teller.say(files=own_files(error))
        teller.say(problem=shortened(told(error, order["target"])))
        return
    teller.say(files=own_files())
    feeds = [
        {"name": one.title, "source": found[attribute].source}
        for attribute, one in page.following.items()
    ]
    teller.say(about={"title": page.label, "states": list(AGES), "sizes": SIZES, "feeds": feeds})
    values = {attribute: each.values for attribute, each in found.items()}
    _draw(page, dict(enumerate(scenes(page, values, at))), teller)


def _draw(page: Page[Any], left: dict[int, Scene], teller: Teller) -> None:
    """All that are ``left``, and again what moves, whenever the server asks."""
    began_s = time.monotonic()
    last: dict[int, bytes] = {}
    while True:
        changes = []
        elapsed_s = time.monotonic() - began_s
        for number, scene in list(left.items()):
            teller.begin(f"drawing {page.label}, {scene.name}", DRAWING_LIMIT_S)
            try:
                frame = scene.frame(elapsed_s)
            except BaseException as error:
                problem = redacted(told(error, scene.name), page.config)
                teller.say(picture=number, problem=shortened(problem))
                del left[number]  # it would go wrong again
                continue
            image = whole(frame.image, number)
            if image != last.get(number):
                teller.picture(number, image)
                last[number] = image
            if frame.change_in_s is not None:
                changes.append(frame.change_in_s)
        teller.say(drawn=True, again_in_s=min(changes, default=None))
        teller.rest()
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
