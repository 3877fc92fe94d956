"""Says in the log what hangs, and at which line: the loop that hangs cannot."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from framework.vitals import Vitals

log = logging.getLogger(__name__)

LOOK_S = 1.0
FRAMES = 3
"""How many calls are named, the innermost last."""


@contextmanager
def hangs_told(vitals: Sequence[Vitals], *, look_s: float = LOOK_S) -> Iterator[None]:
    """Look after them, which this thread keeps alive, until the end of the block."""
    ended, thread = threading.Event(), threading.get_ident()

    def look() -> None:
        told: set[str] = set()
        while not ended.wait(look_s):
            hanging = {each.name: why for each in vitals if (why := each.hangs)}
            for name in hanging.keys() - told:
                log.error("%s %s, at %s", name, hanging[name], _place(thread))
            told = set(hanging)

    threading.Thread(target=look, name="hanging", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _place(thread: int) -> str:
    """Where that thread is: "stage.py:128 in _draw, tide_page.py:41 in draw"."""
    calls = traceback.extract_stack(sys._current_frames()[thread])[-FRAMES:]
    return ", ".join(f"{Path(one.filename).name}:{one.lineno} in {one.name}" for one in calls)
