"""The entry points. Whoever changes their mind while the rest is still being imported may leave."""

from __future__ import annotations

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
    with interruptible():
        # Here, because it takes half a second.
        from framework.tools import app

        getattr(app, entry)()
