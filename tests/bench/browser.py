"""From a service's publish to the changed dot in a real Chromium."""

from __future__ import annotations

import asyncio
import random
import time

from framework.panel.web import BrowserSink
from tests.bench import parts
from tests.bench.figures import Figure, spread
from tests.chromium import launched

SAMPLES = 60

WATCH = """
() => {
  // For each new frame: whether the first dot is lit, and when, by the machine's own clock. The dot
  // is read only when there is a new frame: reading it at every refresh would cost three of them.
  window.seen = [];
  let last = null;
  const look = () => {
    if (window.panel.sequence !== last) {
      last = window.panel.sequence;
      const at = performance.timeOrigin + performance.now();
      window.seen.push([window.panel.pixel(1, 1)[0] > 128, at]);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""


async def publish_to_dot() -> list[Figure]:
    sink = BrowserSink()
    with parts.server_url() as url:
        async with parts.showing(url, parts.page(), sink) as bus, launched() as browser:
            await bus.snapshot("level")
            page = await browser.new_page(
                viewport={"width": 1280, "height": 800},
                bypass_csp=True,  # playwright waits for conditions by eval
            )
            await bus.publish("level", parts.level(0, bus.time.now()))
            await page.goto(sink.url)
            await page.wait_for_function("window.panel && window.panel.sequence > 0")
            await page.evaluate(WATCH)
            began_ms = []
            for number in range(1, SAMPLES + 1):
                began_ms.append(time.time() * 1e3)
                await bus.publish("level", parts.level(number, bus.time.now()))
                # Not in step with the screen's refresh, and nothing else asked of the browser.
                await asyncio.sleep(random.uniform(0.1, 0.2))
            seen = await page.evaluate("window.seen")
    lit = [number % 2 == 1 for number in range(1, SAMPLES + 1)]
    if [is_lit for is_lit, _ in seen[1:]] != lit:
        raise RuntimeError(f"{SAMPLES} frames were published, the screen showed {len(seen) - 1}")
    samples_ms = [at - began for (_, at), began in zip(seen[1:], began_ms, strict=True)]
    return spread("publish -> changed dot in Chromium, 128x64", samples_ms[5:], p50=35)
