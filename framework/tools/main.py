"""The entry points. Whoever changes their mind while the rest is still being imported may leave."""

from __future__ import annotations

import atexit
import gc

from framework.interrupt import interruptible


def main() -> None:
    """``matrix``."""
    _run("main")


def encryptonator() -> None:
    """``matrix encrypt`` by itself."""
    _run("encryptonator")


def readstub() -> None:
    """``matrix read`` by itself."""
    _run("readstub")


def recryptonator() -> None:
    """``matrix rotate`` by itself."""
    _run("recryptonator")


def _run(entry: str) -> None:
    # All that was imported stays: to look for garbage in it when Python ends would take a sixth of
    # the time of a command.
    atexit.register(gc.freeze)
    with interruptible():
        # Here, because it takes a while.
        from framework.tools import app

        getattr(app, entry)()
