"""From a service's publish to the frame that a sink is handed, over a real Valkey server."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from PIL import Image

from tests.bench import parts
from tests.bench.figures import Figure, spread

SAMPLES = 500


async def publish_to_frame() -> list[Figure]:
    samples_ms: list[float] = []
    shown = asyncio.Event()

    def note(frame: Image.Image) -> None:
        shown.set()

    with parts.server_url() as url:
        async with parts.showing(url, parts.page(), parts.Noting(note)) as bus:
            await bus.snapshot("level")
            at = bus.time.now()
            for number in range(SAMPLES + 20):
                shown.clear()
                # The bus's time goes back a little when it is read more exactly: that one of two
                # publishes is the newer takes care, when they are a millisecond apart.
                at = max(bus.time.now(), at + timedelta(microseconds=1))
                posted = parts.level(number, at)
                began = time.perf_counter()
                await bus.publish("level", posted)
                async with asyncio.timeout(5):
                    await shown.wait()
                samples_ms.append((time.perf_counter() - began) * 1e3)
    return spread("publish -> frame", samples_ms[20:], p50=3, p99=15)
