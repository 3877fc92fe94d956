"""What a panel costs while next to nothing happens."""

from __future__ import annotations

import asyncio
import resource

from framework.panel.web import BrowserSink
from pages.clock import Clock, ClockConfig
from tests.bench import parts
from tests.bench.figures import Figure

STILL_S = 5.0
TICKING_S = 10.0


async def still() -> list[Figure]:
    """A page that does not change, in a browser sink without a browser."""
    sink = BrowserSink()
    with parts.server_url() as url:
        async with parts.showing(url, parts.page(), sink) as bus:
            await bus.snapshot("level")
            await bus.publish("level", parts.level(1, bus.time.now()))
            await asyncio.sleep(0.5)
            before_s = _cpu_s()
            await asyncio.sleep(STILL_S)
            used_s = _cpu_s() - before_s
    return [
        Figure("frames encoded", sink.frames_encoded, "", 0, 0),
        Figure("bytes sent", sink.bytes_sent, "", 0, 0),
        Figure("CPU, of one core", 100 * used_s / STILL_S, "%", None, 2),
    ]


async def ticking() -> list[Figure]:
    """A clock with seconds on a panel that is watched, following nothing."""
    frames = 0

    def note(frame: object) -> None:
        nonlocal frames
        frames += 1

    page = Clock(config=ClockConfig(seconds=True))
    with parts.server_url() as url:
        async with parts.showing(url, page, parts.Noting(note)):
            await asyncio.sleep(1.5)
            frames = 0
            before_s = _cpu_s()
            await asyncio.sleep(TICKING_S)
            used_s = _cpu_s() - before_s
    if not TICKING_S - 1 <= frames <= TICKING_S + 1:
        raise RuntimeError(f"{frames} frames in {TICKING_S:g} s: the clock did not tick")
    return [Figure("CPU of the display, of one core", 100 * used_s / TICKING_S, "%", 0.5, 2)]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
