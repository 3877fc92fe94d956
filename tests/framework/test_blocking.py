"""Blocking calls: in time, one at a time, never waited for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from framework.blocking import Blocking
from framework.errors import Unavailable
from framework.vitals import MOST_IN_VAIN, ServiceVitals


def tide() -> ServiceVitals:
    return ServiceVitals("tide", lambda: datetime.now(UTC))


async def test_it_returns_and_raises_what_the_call_does() -> None:
    blocking = Blocking(tide())
    assert await blocking.call(pow, 2, 5) == 32
    with pytest.raises(ZeroDivisionError):
        await blocking.call(divmod, 1, 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await blocking.call(next, iter(()))


async def test_never_two_at_once() -> None:
    blocking, running, most = Blocking(tide()), 0, 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)  # a library that blocks
        running -= 1

    await asyncio.gather(*(blocking.call(work) for _ in range(5)))
    assert most == 1


async def test_an_abandoned_call_keeps_others_out_until_it_returns() -> None:
    vitals = tide()
    blocking, release = Blocking(vitals), threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await blocking.call(release.wait)
    for _ in range(MOST_IN_VAIN - 1):
        assert vitals.hangs == ""
        with pytest.raises(Unavailable, match="has not returned"):
            await blocking.call(pow, 2, 2)
    assert vitals.hangs == "waits for a call that does not return; given up 10 times"
    release.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await blocking.call(pow, 2, 2) == 4
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                break
    assert vitals.hangs == ""


def test_nobody_waits_for_it_at_exit() -> None:
    program = """
import asyncio, time
from framework.blocking import Blocking
from framework.vitals import ServiceVitals

async def main():
    try:
        async with asyncio.timeout(0.05):
            await Blocking(ServiceVitals("tide", lambda: None)).call(time.sleep, 60)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "given up\n"
    assert done.stderr == ""
