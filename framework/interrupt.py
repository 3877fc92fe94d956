"""Ctrl-C while a command is still being imported or constructed: there is no loop yet that stops.

Needs next to nothing, so that it can be there before all that takes time to import. From then on
``process`` is responsible.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_INTERRUPTED = 128 + signal.SIGINT


class Interrupted(BaseException):
    """Ctrl-C. No ``KeyboardInterrupt``: click says "Aborted!" for that, and leaves with 1."""


@contextmanager
def interruptible() -> Iterator[None]:
    """From now on Ctrl-C ends what is within in order, and the process in silence with 130."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise Interrupted

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Interrupted:
        sys.exit(EXIT_INTERRUPTED)
