"""A frame on its way to the LEDs and to a browser, how soon there is a first one, and how evenly
they come while all services publish."""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from framework.canvas import SCROLL_PAUSE_S, SCROLL_PX_PER_S, Canvas
from framework.config import Config, Place
from framework.display import DisplayBase
from framework.panel.encoding import Encoded, whole
from framework.panel.panelsink import PanelSink
from framework.panel.show import Show
from framework.panel.web import BrowserSink
from framework.process import SWITCH_S
from framework.redisbus import open_bus
from framework.server import ServerBase
from framework.testing.http import CannedHttp
from pages.moon import MoonPage
from pages.system import SystemPage
from pages.tile import TilePage
from pages.weather import WeatherPage
from services import airquality, weather
from services.airquality import AirQualityServer
from services.anyjson import JsonConfig, JsonServer
from services.moon import MoonServer
from services.system import SystemConfig, SystemServer
from services.weather import WeatherServer
from tests.bench import day, parts
from tests.bench.figures import Figure, spread
from tests.bench.watching import PanelProcess, browser
from tests.panel.latency import frame_to_leds
from tests.services.openmeteo import AIR, FORECAST

PICTURES = Path(__file__).parent.parent / "golden" / "pages"
ENCODED = 50
"""How often each picture is."""
LINE = "A line of text that is a good deal longer than the panel is wide, and never ends. " * 4
LINE_PX = 2000
"""It is a little longer than that."""
STILL_S = 5.0
SCROLLING_S = 20.0
STARTS = 3
WAIT = """
import sys, time
began_s, at_s = time.perf_counter(), []
for frame in range(1, int(60 * float(sys.argv[1]))):
    time.sleep(max(0, began_s + frame / 60 - time.perf_counter()))
    at_s.append(time.perf_counter())
print(*at_s)
"""
"""What this machine makes of a timer, just then."""
TOML = """
[panel]
driver = "rgbmatrix"
socket = "panel.sock"
"""


async def leds() -> list[Figure]:
    """The renderer and the panel process, without what drives the LEDs themselves."""
    taken_ms = [1e3 * taken_s for taken_s in await frame_to_leds()]
    return spread("frame rendered -> whole in the panel process, 128x64", taken_ms)


async def preview() -> list[Figure]:
    """What the browser is sent of each picture that there is of a page, all of it, and of what
    changes on every page in a day."""
    slowest_ms, sizes = 0.0, []
    for path in PICTURES.glob("*-128x64.png"):
        with Image.open(path) as picture:
            frame = picture.convert("RGB")
        slowest_ms = max(slowest_ms, _p50_ms(whole, frame, 1))
        sizes.append(len(whole(frame, 1)) / 1e3)
    pairs = [pair async for pair in day.changes()]
    changes = [len(_changed(*pair)) / 1e3 for pair in pairs]
    largest = pairs[changes.index(max(changes))]
    below = statistics.quantiles(changes, n=100)[98]
    return [
        Figure("whole: encoding the slowest of all pages, p50", slowest_ms, "ms", None, 2),
        Figure("whole: the largest, a full Moon", max(sizes), "kB", None, 2),
        Figure("whole: half of all are below", statistics.median(sizes), "kB", None, 2),
        Figure(f"changed: the largest of {len(pairs)} in a day", max(changes), "kB", 3, 2),
        Figure("changed: encoding that one, p50", _p50_ms(_changed, *largest), "ms", 1, 2),
        Figure("changed: 99 of 100 are below", below, "kB", None, 2),
    ]


def _changed(before: Image.Image, after: Image.Image) -> bytes:
    """``after``, for a browser that shows ``before``."""
    last = Encoded(before)
    return Encoded(after, after=last).message(last.number)


def _p50_ms(encode: Callable[..., bytes], *what: Any) -> float:
    taken_ms = []
    for _ in range(ENCODED):
        began_s = time.perf_counter()
        encode(*what)
        taken_ms.append(1e3 * (time.perf_counter() - began_s))
    return statistics.median(taken_ms)


async def still() -> list[Figure]:
    """A page that does not change, which a browser and a panel process show."""
    web_sink, panel = BrowserSink(), PanelProcess()
    with tempfile.TemporaryDirectory() as folder, parts.server_url() as url:
        path = Path(folder) / "panel.sock"
        async with (
            panel.listening(path),
            parts.showing(url, parts.page(), web_sink, PanelSink(path)) as bus,
            browser(web_sink) as watching,
        ):
            await bus.snapshot("level")
            await bus.publish("level", parts.level(1, bus.time.now()))
            await watching.lit.wait()
            await panel.lit.wait()
            await asyncio.sleep(1)
            sent, taken, frames = web_sink.bytes_sent, panel.bytes, panel.frames
            await asyncio.sleep(STILL_S)
    return [
        Figure("to a browser that watches", (web_sink.bytes_sent - sent) / STILL_S, "B/s", 0, 0),
        Figure("frames to the panel process", panel.frames - frames, "", 0, 0),
        Figure("signs of life to it", (panel.bytes - taken) / STILL_S, "B/s", None, 0),
    ]


async def first() -> list[Figure]:
    """``matrix show``, to the first frame at the panel process: the best of a few."""
    first_ms = min([await _first_ms() for _ in range(STARTS)])
    return [Figure("start -> first frame", first_ms, "ms", 1500, 0)]


async def _first_ms() -> float:
    panel = PanelProcess()
    with tempfile.TemporaryDirectory() as folder, parts.server_url() as url:
        toml = Path(folder) / "matrix.toml"
        toml.write_text(TOML)
        async with panel.listening(toml.with_name("panel.sock")):
            began_s = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *(Path(sys.executable).with_name("matrix"), "show", "clock"),
                env={**os.environ, "MATRIX_TOML": str(toml), "MATRIX_REDIS_URL": url},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(30):
                    await panel.lit.wait()
                return 1e3 * (time.perf_counter() - began_s)
            finally:
                process.terminate()
                await process.wait()


class Scroller(DisplayBase):
    """A line of text that moves by a dot at each frame, faster than text does by itself."""

    fps = 60

    def draw(self, canvas: Canvas, now: datetime) -> None:
        moved = round(now.timestamp() * self.fps) % (LINE_PX - canvas.width)
        elapsed_s = SCROLL_PAUSE_S + moved / SCROLL_PX_PER_S[canvas.tier]
        moving = Canvas.blank(canvas.width, canvas.height, elapsed_s=elapsed_s)
        moving.text(LINE, role="title", overflow="scroll")
        canvas.image(moving.image_of_page, "exact")


async def scrolling() -> list[Figure]:
    """Sixty frames a second, while every service publishes once a second from the same loop."""
    sys.setswitchinterval(SWITCH_S)  # as each process has it
    shown_s: list[float] = []
    canned = CannedHttp({weather.URL: FORECAST, airquality.URL: AIR, "http://json/": {"level": 7}})
    place = Place(latitude=52.52, longitude=13.41)
    services = [
        quick(MoonServer)(config=place),
        quick(SystemServer)(config=SystemConfig()),
        quick(JsonServer)(config=JsonConfig(url="http://json/", value="level")),
        quick(WeatherServer)(config=place),
        quick(AirQualityServer)(config=place),
    ]
    for service in services:
        service.on_web(canned)
    followers = [page(config=Config()) for page in (MoonPage, SystemPage, TilePage, WeatherPage)]
    sink = parts.Noting(lambda _: shown_s.append(time.perf_counter()))
    with parts.server_url() as url:
        bus = open_bus(url)
        show = Show([Scroller(config=Config()), *followers], [sink], bus)
        show.pin("scroller")
        tasks = [asyncio.ensure_future(one.serve(bus)) for one in services]
        tasks.append(asyncio.ensure_future(show.run()))
        await asyncio.sleep(1)
        waiting = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WAIT, str(SCROLLING_S)), stdout=asyncio.subprocess.PIPE
        )
        waited, _ = await waiting.communicate()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await bus.close()
    fewest = min(service.vitals.fetches - service.vitals.failures for service in services)
    if fewest < SCROLLING_S / 2:
        raise RuntimeError(f"a service has published only {fewest} times")
    shown_s = [at for at in shown_s if at > shown_s[-1] - SCROLLING_S]
    apart_ms = _apart_ms(shown_s)
    return [
        *spread("from one frame to the next", apart_ms, p99=18),
        Figure(f"the longest, in {SCROLLING_S:g} s (60 s asked)", max(apart_ms), "ms", None, 2),
        *spread("of a process that only waits, meanwhile", _apart_ms(map(float, waited.split()))),
    ]


def _apart_ms(at_s: Iterable[float]) -> list[float]:
    return [1e3 * (later - earlier) for earlier, later in itertools.pairwise(at_s)]


def quick(service: type[ServerBase[Any, Any]]) -> type[ServerBase[Any, Any]]:
    """The same once a second, whatever its source says."""
    often = {"every": lambda self: timedelta(seconds=1), "next_update": lambda self, values: None}
    return type(service.__name__, (service,), often)
