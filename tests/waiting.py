"""Waiting for what a process, a thread or a server does by itself, with one limit for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LIMIT_S = 30.0
"""So long only on a machine that stands still: whoever waits for it has failed."""
_EVERY_S = 0.01


async def until(there: Callable[[], object]) -> None:
    """Return as soon as it is so; the loop goes on meanwhile."""
    async with asyncio.timeout(LIMIT_S):
        while not there():
            await asyncio.sleep(_EVERY_S)


def until_blocking(there: Callable[[], object]) -> None:
    """The same, where there is no loop."""
    until_s = time.monotonic() + LIMIT_S
    while not there():
        if time.monotonic() > until_s:
            raise TimeoutError
        time.sleep(_EVERY_S)
