"""Word for systemd, where it wants to hear: that a start is through (``Type=notify``), and signs of
life after that (``WatchdogSec=``).

What hangs, in a page that never returns or in a library of the LEDs, is started again by it; what
waits for its secrets is not, because that is before the start is through.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from framework.outage import Outage

T = TypeVar("T")

log = logging.getLogger(__name__)


async def notifying(
    work: Callable[[], Coroutine[Any, Any, T]],
    environ: Mapping[str, str],
    *,
    hangs: Callable[[], bool] = lambda: False,
) -> T:
    """What ``work`` returns. Meanwhile the loop gives signs of life, if they are asked of this
    process and nothing ``hangs``; sd_notify(3) and sd_watchdog_enabled(3) say how."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return await work()
    telling = asyncio.create_task(_tell(address, _period_s(environ), hangs))
    try:
        return await work()
    finally:
        telling.cancel()


def _period_s(environ: Mapping[str, str]) -> float | None:
    """How often a sign of life is to be given: twice as often as asked. None: it is not asked."""
    text = environ.get("WATCHDOG_USEC", "")
    asked_us = int(text) if text.isdecimal() else 0
    is_for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return asked_us / 1e6 / 2 if is_for_us and asked_us else None


async def _tell(address: str, period_s: float | None, hangs: Callable[[], bool]) -> None:
    if address.startswith("@"):  # of the abstract namespace
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.setblocking(False)
        outage = Outage(log, "telling systemd")

        def say(what: bytes) -> None:
            try:
                systemd.sendto(what, address)
            except OSError as error:
                outage.failed(error.strerror or type(error).__name__)
            else:
                outage.recovered()

        say(b"READY=1")
        while period_s is not None:
            if not hangs():
                say(b"WATCHDOG=1")
            await asyncio.sleep(period_s)
