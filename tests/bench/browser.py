"""From a service's publish to the changed dot in a real Chromium."""

from __future__ import annotations

import asyncio
import time

from playwright.async_api import Page, async_playwright

from framework.panel.web import BrowserSink
from tests.bench import parts
from tests.bench.figures import Figure, spread

SAMPLES = 60
CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

WATCH = """
() => {
  // When each change of the first dot was there to be painted, by the machine's own clock.
  window.seen = [];
  let last = null;
  const look = () => {
    const lit = window.panel.pixel(1, 1)[0] > 128;
    if (lit !== last) {
      window.seen.push([lit, performance.timeOrigin + performance.now()]);
      last = lit;
    }
    requestAnimationFrame(look);
  };
  look();
}
"""


async def publish_to_dot() -> list[Figure]:
    sink = BrowserSink()
    with parts.server_url() as url:
        async with parts.showing(url, parts.page(), sink) as bus, async_playwright() as playwright:
            await bus.snapshot("level")
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
            page = await chromium.new_page(viewport={"width": 1280, "height": 800})
            await bus.publish("level", parts.level(0, bus.time.now()))
            await page.goto(sink.url)
            await page.wait_for_function("window.panel && window.panel.sequence > 0")
            await page.evaluate(WATCH)
            samples_ms = [await _one(bus, page, number) for number in range(1, SAMPLES + 6)]
            await chromium.close()
    return spread("publish -> changed dot in Chromium, 128x64", samples_ms[5:], p50=35)


async def _one(bus: parts.Bus, page: Page, number: int) -> float:
    lit = bool(number % 2)
    began_ms = time.time() * 1e3
    await bus.publish("level", parts.level(number, bus.time.now()))
    changed = "lit => { const last = window.seen.at(-1); return last[0] === lit && last[1]; }"
    seen = await page.wait_for_function(changed, arg=lit, timeout=5000)
    at_ms = float(await seen.json_value())
    await asyncio.sleep(0.05)
    return at_ms - began_ms
