"""How long ``python -m services.moon`` takes to its first publish, and what it weighs."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import psutil

from framework.bus import open_bus
from tests.bench import parts
from tests.bench.figures import Figure

RUNS = 3


async def moon() -> list[Figure]:
    """The best of a few starts (the disk's cache warm), each on an empty server."""
    starts = [await _start() for _ in range(RUNS)]
    first_s, resident_mb = min(starts)
    imports_s = min([await _timed("import services.moon") for _ in range(RUNS)])
    python_s = min([await _timed("pass") for _ in range(RUNS)])
    return [
        Figure("start -> first publish", 1e3 * first_s, "ms", None, 0),
        Figure("of it: Python itself", 1e3 * python_s, "ms", None, 0),
        Figure("of it: imports", 1e3 * (imports_s - python_s), "ms", None, 0),
        Figure(
            "of it: configuration, connecting, computing",
            1e3 * (first_s - imports_s),
            "ms",
            None,
            0,
        ),
        Figure("resident memory after it", resident_mb, "MB", 45, 1),
    ]


async def _start() -> tuple[float, float]:
    published = asyncio.Event()
    with parts.server_url() as url:
        bus = open_bus(url)
        following = asyncio.ensure_future(
            bus.follow(["moon"], lambda name, posted: published.set(), lambda connected: None)
        )
        await bus.snapshot("moon")
        await asyncio.sleep(0.2)
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.moon",
            env={**os.environ, "MATRIX_REDIS_URL": url},
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(30):
                await published.wait()
            first_s = time.perf_counter() - began
            await asyncio.sleep(0.5)
            resident_mb = psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            process.terminate()
            await process.wait()
            following.cancel()
            await asyncio.wait({following})
            await bus.close()
    return first_s, resident_mb


async def _timed(program: str) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await process.wait()
    return time.perf_counter() - began
