"""Ctrl-C or SIGTERM while there is no loop that stops: a command that works, or anything that is
still being imported or constructed.

Needs next to nothing, so that it can be there before all that takes time to import. Once there is a
loop, ``process`` is responsible.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_INTERRUPTED = 128 + signal.SIGINT


class Interrupted(BaseException):
    """By a signal. No ``KeyboardInterrupt``: click says "Aborted!" for that, and leaves with 1."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """From now on either ends what is within in order, so that no token is left behind, and the
    process with 128 and the signal's number."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise Interrupted(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, interrupt)
    try:
        yield
    except Interrupted as interrupted:
        sys.exit(128 + interrupted.number)
