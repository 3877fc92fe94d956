"""Signs of life for systemd, where a unit asks for them with ``WatchdogSec=``.

What hangs, in a page that never returns or in a library of the LEDs, is started again by it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


async def with_watchdog(
    work: Callable[[], Coroutine[Any, Any, T]],
    environ: Mapping[str, str],
    *,
    hangs: Callable[[], bool] = lambda: False,
) -> T:
    """What ``work`` returns. Meanwhile the loop gives signs of life, if they are asked of this
    process and nothing ``hangs``; sd_notify(3) and sd_watchdog_enabled(3) say how."""
    if not environ.get("NOTIFY_SOCKET") or not environ.get("WATCHDOG_USEC"):
        return await work()
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return await work()
    every_s = int(environ["WATCHDOG_USEC"]) / 1e6 / 2
    beating = asyncio.create_task(_beat(environ["NOTIFY_SOCKET"], every_s, hangs))
    try:
        return await work()
    finally:
        beating.cancel()


async def _beat(address: str, every_s: float, hangs: Callable[[], bool]) -> None:
    if address.startswith("@"):  # of the abstract namespace
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.setblocking(False)
        while True:
            if not hangs():
                try:
                    systemd.sendto(b"WATCHDOG=1", address)
                except OSError as error:
                    log.warning("no sign of life to systemd: %s", error.strerror)
            await asyncio.sleep(every_s)
