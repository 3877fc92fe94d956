"""How long ``python -m services.moon`` takes to its first publish, and what it weighs."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import psutil

from framework.bus import Posted
from framework.redisbus import open_bus
from framework.secrets.asking import MODULE
from tests.bench import parts
from tests.bench.figures import Figure

RUNS = 5
PARTS = {
    "Python itself": "pass",
    "pydantic": "import pydantic",
    "the framework and ephem": "import services.moon",
    "redis.asyncio": "import services.moon, redis.asyncio",
}
"""Programs of which each holds all that the one before it does."""


async def moon() -> list[Figure]:
    """The best of a few starts, the disk's cache warm, each on an empty server."""
    first_ms, resident_mb = min([await _start(settle_s=0.5) for _ in range(RUNS)])
    imports, imported_ms = await importing(PARTS)
    rest_ms = first_ms - imported_ms
    return [
        Figure("start -> first publish", first_ms, "ms", None, 0),
        *imports,
        Figure("of it: configuration, connecting, computing", rest_ms, "ms", None, 0),
        Figure("resident memory after it", resident_mb, "MB", 45, 1),
    ]


async def importing(parts: Mapping[str, str]) -> tuple[list[Figure], float]:
    """What each program takes more than the one before it, and milliseconds of the last one: the
    best of a few, in turn."""
    runs = [[await _timed(program) for program in parts.values()] for _ in range(RUNS)]
    taken_ms = [min(each) for each in zip(*runs, strict=True)]
    return [
        Figure(f"of it: {part}", taken - before, "ms", None, 0)
        for part, taken, before in zip(parts, taken_ms, [0.0, *taken_ms], strict=False)
    ], taken_ms[-1]


async def sealed(start_sealed: Callable[[], Awaitable[float]]) -> list[Figure]:
    """The best of a few starts where redis_url is sealed, which ``start_sealed`` does once, beside
    the best where it is not; and the memory of the service, and last of the child that reads it."""
    plain_ms, sealed_ms = [], []
    for _ in range(RUNS):
        plain_ms.append((await _start())[0])
        sealed_ms.append(await start_sealed())
    heights: list[tuple[float, float]] = []
    watch = asyncio.ensure_future(_watch_heights(heights))
    await start_sealed()
    watch.cancel()
    service_mb, child_mb = max(heights, key=sum)
    first_ms = min(sealed_ms)
    return [
        Figure("start -> first publish, redis_url sealed", first_ms, "ms", None, 0),
        Figure("of it: reading the secrets", first_ms - min(plain_ms), "ms", None, 0),
        Figure("memory of both at its height", service_mb + child_mb, "MB", None, 1),
        Figure("of it: the service", service_mb, "MB", None, 1),
        Figure("of it: the child", child_mb, "MB", None, 1),
    ]


async def _start(settle_s: float = 0.0) -> tuple[float, float]:
    """Milliseconds to the first publish, on a server of its own, and, after a while, resident
    megabytes."""
    with parts.server_url() as url:
        return await start_on(url, {"MATRIX_REDIS_URL": url}, settle_s)


async def start_on(
    url: str,
    environ: Mapping[str, str],
    settle_s: float = 0.0,
    *,
    module: str = "services.moon",
    name: str = "moon",
) -> tuple[float, float]:
    """The same on this server, which ``environ`` has to lead to; of the service ``name`` that
    ``module`` runs."""
    published = asyncio.Event()
    bus = open_bus(url)

    def deliver(name: str, posted: Posted) -> bool:
        published.set()
        return True

    following = asyncio.ensure_future(bus.follow([name], deliver, lambda connected: None))
    await bus.snapshot(name)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env={**os.environ, **environ},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            await published.wait()
        first_ms = 1e3 * (time.perf_counter() - began)
        await asyncio.sleep(settle_s)
        resident_mb = psutil.Process(process.pid).memory_info().rss / 2**20
    finally:
        process.terminate()
        await process.wait()
        following.cancel()
        await asyncio.wait({following})
        await bus.close()
    return first_ms, resident_mb


async def _watch_heights(heights: list[tuple[float, float]]) -> None:
    """Note the memory of a service and of its child, as long as there are both."""
    me = psutil.Process()
    while True:
        for service in me.children():
            with suppress(psutil.Error):
                if "services.moon" in service.cmdline():
                    heights += [
                        (service.memory_info().rss / 2**20, child.memory_info().rss / 2**20)
                        for child in service.children()
                        if MODULE in child.cmdline()
                    ]
        await asyncio.sleep(0.002)


async def _timed(program: str) -> float:
    began = time.perf_counter()
    # Without the interpreter's tidying up at the end, which no start waits for.
    program += "; import os; os._exit(0)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await process.wait()
    return 1e3 * (time.perf_counter() - began)
