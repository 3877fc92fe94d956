"""The panel in a real Chromium: dots, words, buttons, keys and fingers."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from PIL import Image, ImageChops, ImageDraw, ImageStat
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from framework.panel import led
from framework.panel.encoding import HEADER
from framework.panel.status import FeedStatus, PageStatus, Status
from framework.panel.web import SIZES, BrowserSink
from framework.update import Freshness
from tests.chromium import CHROMIUM, launched
from tests.real.authority import Authority, Leaf
from tests.waiting import until

WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
NARROW: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
PHONE: dict[str, Any] = {
    **NARROW,
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}
TITLES = ("Weather", "Moon", "Clock")
COLOURS = ((255, 176, 32), (72, 190, 255), (255, 248, 235))
CANVAS = "document.getElementById('panel').toDataURL()"
LIT = (10, 20)
"""A dot that is lit on every page, in the page's colour."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}"),
]


class Panel:
    """A remote with three pages, which does what it is asked."""

    def __init__(self, sink: BrowserSink | None = None) -> None:
        self.sink = sink or BrowserSink(0)
        self.size = (128, 64)
        self.fixed = False
        self.credits = ("", "")
        self.page = 0
        self.paused = False
        self.pinned = False
        self.connected = True
        self.valid_for = timedelta(minutes=5)
        self.began = datetime.now(UTC)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        started = asyncio.Event()
        self._serving = asyncio.create_task(self.sink.run(self, started.set))
        await asyncio.wait_for(started.wait(), 5)

    async def stop(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving

    def next(self) -> None:
        self._turn((self.page + 1) % len(TITLES))

    def previous(self) -> None:
        self._turn((self.page - 1) % len(TITLES))

    def pause(self, paused: bool | None = None) -> None:
        self.paused = not self.paused if paused is None else paused
        self.wake()

    def pin(self, name: str | None) -> None:
        page = self.page if name is None else [one.lower() for one in TITLES].index(name)
        self.pinned = not (self.pinned and page == self.page)
        self._turn(page)

    def resize(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.wake()

    def fix(self, size: tuple[int, int] | None) -> None: ...

    def wake(self) -> None:
        self.sink.tell(self.status())
        self.sink.show(self.frame())

    def _turn(self, page: int) -> None:
        self.page = page
        self.wake()

    def frame(self) -> Image.Image:
        frame = Image.new("RGB", self.size)
        draw = ImageDraw.Draw(frame)
        draw.ellipse((34, 2, 62, 30), fill=COLOURS[self.page])
        draw.line((0, self.size[1] - 1, self.size[0], 0), fill=(200, 40, 60))
        frame.putpixel(LIT, COLOURS[self.page])
        return frame

    def status(self) -> Status:
        still = self.paused or self.pinned
        after = TITLES[(self.page + 1) % len(TITLES)]
        why = "it is pinned" if self.pinned else "all is paused" if self.paused else "of its turn"
        return Status(
            now=datetime.now(UTC),
            connected=self.connected,
            width=self.size[0],
            height=self.size[1],
            page=TITLES[self.page].lower(),
            why=f"because {why}",
            next_title=None if still else after,
            until=None if still else self.began + timedelta(hours=1),
            paused=self.paused,
            pinned=self.pinned,
            pages=tuple(PageStatus(title.lower(), title, "fresh") for title in TITLES),
            feeds=(
                FeedStatus(
                    "moon",
                    "Moon",
                    Freshness.FRESH,
                    self.began - timedelta(seconds=30),
                    self.began + self.valid_for,
                    self.began + self.valid_for * 2,
                    credit=self.credits[0],
                ),
                FeedStatus(
                    "tide", "Tide", None, failing="the gauge is dry", credit=self.credits[1]
                ),
            ),
            fixed=self.fixed,
            remark="Berlin, from your time zone",
        )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def panel() -> AsyncIterator[Panel]:
    one = Panel()
    await one.start()
    yield one
    await one.stop()


class Faults:
    """What must never happen on a page."""

    def __init__(self, page: Page) -> None:
        self.seen: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.seen.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))


@pytest_asyncio.fixture(loop_scope="module", params=[WIDE, NARROW, PHONE])
async def page(
    request: pytest.FixtureRequest, chromium: Browser, panel: Panel
) -> AsyncIterator[Page]:
    """The page in each width, with a frame on it; it complains of nothing and asks nobody else."""
    context = await chromium.new_context(**request.param)
    one = await context.new_page()
    faults = Faults(one)
    await opened(one, panel)
    yield one
    await context.close()
    assert faults.seen == []
    here = panel.sink.url.removeprefix("http://")
    assert {url.split("://")[1].split("/")[0] + "/" for url in faults.asked} == {here}


@pytest_asyncio.fixture(loop_scope="module")
async def wide(chromium: Browser, panel: Panel) -> AsyncIterator[Page]:
    context = await chromium.new_context(**WIDE)
    one = await context.new_page()
    await opened(one, panel)
    yield one
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def phone(chromium: Browser, panel: Panel) -> AsyncIterator[Page]:
    context = await chromium.new_context(**PHONE)
    one = await context.new_page()
    await opened(one, panel)
    yield one
    await context.close()


async def opened(page: Page, panel: Panel) -> None:
    await page.goto(panel.sink.url)
    await sees(page, COLOURS[panel.page])


async def sees(page: Page, colour: tuple[int, int, int]) -> None:
    """The lit dot comes to shine in this colour."""
    bright = [255 * (value / 255) ** led.BRIGHTNESS_EXPONENT for value in colour]
    seen: list[int] = []
    async with asyncio.timeout(5):
        while True:
            if await page.evaluate("window.panel?.sequence != null"):
                seen = await page.evaluate("([x, y]) => window.panel.pixel(x, y)", list(LIT))
                # The glow adds a little.
                if all(-3 <= one - due <= 40 for one, due in zip(seen, bright, strict=True)):
                    return
            await asyncio.sleep(0.01)


# What is seen.


async def test_the_dots_follow_the_panel(page: Page, panel: Panel) -> None:
    for turn in (1, 2, 0):
        panel.next()
        await sees(page, COLOURS[turn])


async def test_all_is_on_the_first_screen(page: Page, panel: Panel) -> None:
    await expect(page.locator("#sentence")).to_have_text(
        re.compile(r"^Weather, because of its turn; next Moon in \d+ min$")
    )
    for title in TITLES:
        await expect(page.locator("#pages").get_by_text(title)).to_be_in_viewport(ratio=1)
    await expect(page.locator("#feeds li").first).to_have_text(re.compile(r"^●Moon 3\d s$"))
    await expect(page.locator("#feeds li").last).to_have_text("○Tide nothing yet: the gauge is dry")
    await expect(page.locator("#remark")).to_have_text("Berlin, from your time zone")
    for part in ("#panel", "#sentence", "#controls", "#feeds", "#sizes", "#remark"):
        await expect(page.locator(part)).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_whose_data_it_is_is_said_once(page: Page, panel: Panel) -> None:
    panel.credits = ("Tides by the harbour", "Tides by the harbour")
    panel.wake()
    remark = page.locator("#remark")
    await expect(remark).to_have_text("Berlin, from your time zone · Tides by the harbour")
    await expect(remark).to_be_in_viewport(ratio=1)


async def test_a_size_can_be_chosen_while_no_leds_have_one(wide: Page, panel: Panel) -> None:
    sizes = wide.get_by_role("group", name="Size of the panel")
    for panel.fixed in (True, False):
        panel.wake()
        await expect(sizes).to_be_visible(visible=not panel.fixed)


async def test_a_dot_is_a_whole_number_of_device_pixels(page: Page, panel: Panel) -> None:
    for width, height in SIZES:
        await page.get_by_role("button", name=f"{width}×{height}").click()
        await expect(page.get_by_role("button", name=f"{width}×{height}")).to_have_attribute(
            "aria-pressed", "true"
        )
        await until_size(page, (width, height))
        wide, high, left, top, shown = await page.evaluate("""() => {
            const canvas = document.getElementById("panel");
            const { left, top, width } = canvas.getBoundingClientRect();
            return [canvas.width, canvas.height, left, top, width]
              .map((one, at) => (at < 2 ? one : one * devicePixelRatio));
        }""")
        assert (wide % width, high % height, wide / width) == (0, 0, high / height)
        assert shown == pytest.approx(wide, abs=0.05)  # layout rounds to 1/64 px
        assert left == pytest.approx(round(left), abs=0.05)
        assert top == pytest.approx(round(top), abs=0.05)


@pytest.mark.parametrize("size", [(128, 64), (64, 32)])
async def test_the_canvas_looks_like_the_picture_of_it(
    wide: Page, panel: Panel, size: tuple[int, int]
) -> None:
    panel.resize(*size)
    await until_size(wide, size)
    await looks_like(wide, panel.frame())


class Frames:
    """Those that a page is sent, and may be meddled with on their way."""

    def __init__(self) -> None:
        self.changes = 0
        """How many of them were not whole."""
        self.meddled = False
        """Whether the next of those is said to be of a base that the page does not have."""

    async def pass_through(self, page: Page) -> None:
        await page.route_web_socket("**/ws", self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        server.on_message(lambda message: page.send(self._passed(message)))

    def _passed(self, message: str | bytes) -> str | bytes:
        if isinstance(message, str):
            return message
        width, height, sequence, base = HEADER.unpack_from(message)
        if base == sequence:
            return message
        self.changes += 1
        if self.meddled:
            self.meddled = False
            base -= 1
        return HEADER.pack(width, height, sequence, base) + message[HEADER.size :]


@pytest_asyncio.fixture(loop_scope="module")
async def watched(chromium: Browser, panel: Panel) -> AsyncIterator[tuple[Page, Frames]]:
    context = await chromium.new_context(**WIDE)
    one, frames = await context.new_page(), Frames()
    await frames.pass_through(one)
    await opened(one, panel)
    yield one, frames
    await context.close()


async def test_what_has_changed_is_added_dot_by_dot(
    watched: tuple[Page, Frames], panel: Panel
) -> None:
    page, frames = watched
    for turn in (1, 2, 0, 1):
        panel.next()
        await sees(page, COLOURS[turn])
    assert frames.changes == 4
    await looks_like(page, panel.frame())
    other = await page.context.new_page()  # which gets it whole
    await opened(other, panel)
    assert await page.evaluate(CANVAS) == await other.evaluate(CANVAS)


async def test_instead_of_a_change_of_another_frame_all_of_it_is_drawn(
    watched: tuple[Page, Frames], panel: Panel
) -> None:
    page, frames = watched
    frames.meddled = True
    async with page.expect_event("pageerror") as failed:
        panel.next()
    assert "is not on the screen" in str(await failed.value)
    await sees(page, COLOURS[1])
    await looks_like(page, panel.frame())
    assert frames.changes == 1


async def looks_like(page: Page, frame: Image.Image) -> None:
    """The canvas shows this frame."""
    url = await page.evaluate(CANVAS)
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as shot:
        canvas = shot.convert("RGB")
    pitch = canvas.width // frame.width
    expected = led.picture(frame, pitch)
    assert max(ImageStat.Stat(ImageChops.difference(canvas, expected)).mean) < 3
    for shift in (0, pitch // 2):  # the middles of the dots, and the corners between them
        middles = [
            ImageChops.offset(one, shift, shift).resize(frame.size, Image.Resampling.NEAREST)
            for one in (canvas, expected)
        ]
        apart = ImageStat.Stat(ImageChops.difference(*middles))
        assert max(most for _, most in apart.extrema) <= 6


async def until_size(page: Page, size: tuple[int, int]) -> None:
    async with asyncio.timeout(5):
        while tuple(await page.evaluate("window.panel.size")) != size:
            await asyncio.sleep(0.01)
    await sees(page, COLOURS[0])


async def test_the_panel_has_words_for_who_cannot_see_it(wide: Page) -> None:
    await expect(wide.get_by_role("img", name="Weather, because of its turn")).to_be_visible()
    await expect(wide).to_have_title("Weather · Matrix")


async def test_time_goes_on_by_itself(wide: Page, panel: Panel) -> None:
    panel.valid_for = timedelta(seconds=2)
    panel.began = datetime.now(UTC)
    soon = panel.began + timedelta(seconds=5)
    panel.sink.tell(replace(panel.status(), until=soon))
    await expect(wide.locator("#sentence")).to_have_text(re.compile("next Moon in 5 s$"))
    await expect(wide.locator("#sentence")).to_have_text(re.compile("next Moon in 4 s$"))
    await expect(wide.locator("#feeds li").first).to_have_text(re.compile(r"^▲Moon 3\d s, late$"))
    await expect(wide.locator("#feeds li").first).to_have_text(re.compile("^✕Moon 3. s, expired$"))


async def test_a_page_that_is_still_wakes_once_a_second(wide: Page, panel: Panel) -> None:
    panel.pause()
    await expect(wide.locator("#sentence")).to_have_text("Weather, because all is paused")
    count = """() => {
        const real = window.setTimeout;
        window.timers = 0;
        window.setTimeout = (...all) => { window.timers += 1; return real(...all); };
        window.requestAnimationFrame = () => { window.timers += 1000; };
    }"""
    await wide.evaluate(count)
    sent = panel.sink.bytes_sent
    await asyncio.sleep(2.2)
    assert 1 <= await wide.evaluate("window.timers") <= 4
    assert panel.sink.bytes_sent == sent


# What is pressed.


async def test_the_buttons(page: Page, panel: Panel) -> None:
    await page.get_by_role("button", name="Next page").click()
    await sees(page, COLOURS[1])
    await page.get_by_role("button", name="Previous page").click()
    await sees(page, COLOURS[0])
    pause = page.get_by_role("button", name="Pause", exact=True)
    await pause.click()
    await expect(pause).to_have_attribute("aria-pressed", "true")
    assert panel.paused
    await pause.click()
    await expect(pause).to_have_attribute("aria-pressed", "false")
    pin = page.get_by_role("button", name="Pin this page")
    await pin.click()
    await expect(pin).to_have_attribute("aria-pressed", "true")
    await page.locator("#pages").get_by_role("button", name="Clock").click()
    await sees(page, COLOURS[2])
    assert panel.pinned


async def test_the_keys(wide: Page, panel: Panel) -> None:
    await wide.keyboard.press("ArrowRight")
    await sees(wide, COLOURS[1])
    await wide.keyboard.press("ArrowLeft")
    await sees(wide, COLOURS[0])
    await wide.keyboard.press("Space")
    await until(lambda: panel.paused)
    await wide.keyboard.press("p")
    await until(lambda: panel.pinned)
    before = await wide.evaluate("document.getElementById('panel').width")
    await wide.keyboard.press("f")
    await expect(wide.locator("#controls")).to_be_hidden()
    assert await wide.evaluate("document.getElementById('panel').width") > before
    await wide.keyboard.press("Escape")
    await expect(wide.locator("#controls")).to_be_visible()
    await wide.keyboard.press("?")
    await expect(wide.get_by_role("dialog", name="Keys")).to_be_visible()
    await wide.keyboard.press("ArrowRight")
    await wide.keyboard.press("Escape")
    await expect(wide.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert panel.page == 0


async def test_all_of_it_works_without_a_mouse(wide: Page, panel: Panel) -> None:
    reached = []
    for _ in range(20):
        await wide.keyboard.press("Tab")
        reached.append(
            await wide.evaluate(
                "document.activeElement.getAttribute('aria-label')"
                " ?? document.activeElement.textContent.trim()"
            )
        )
    assert {"Keys", "Previous page", "Pause", "Next page", "Pin this page"} < set(reached)
    assert {"Fill the screen", "●Moon", "64×32", "PNG of now"} < set(reached)
    await wide.get_by_role("button", name="Next page").focus()
    await wide.keyboard.press("Space")
    await sees(wide, COLOURS[1])
    await wide.keyboard.press("Enter")
    await sees(wide, COLOURS[2])
    assert not panel.paused


async def test_after_a_click_the_space_bar_pauses(wide: Page, panel: Panel) -> None:
    await wide.get_by_role("button", name="Next page").click()
    await sees(wide, COLOURS[1])
    await wide.keyboard.press("Space")
    await until(lambda: panel.paused)
    assert panel.page == 1


async def test_a_tap_is_next(phone: Page, panel: Panel) -> None:
    await phone.locator("#panel").tap()
    await sees(phone, COLOURS[1])
    assert not panel.pinned


async def test_a_long_press_pins(phone: Page, panel: Panel) -> None:
    box = await phone.locator("#panel").bounding_box()
    assert box is not None
    finger = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touch = await phone.context.new_cdp_session(phone)
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
    await until(lambda: panel.pinned)
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    pin = phone.get_by_role("button", name="Pin this page")
    await expect(pin).to_have_attribute("aria-pressed", "true")
    assert panel.page == 0


async def test_a_finger_that_moves_is_no_tap(phone: Page, panel: Panel) -> None:
    box = await phone.locator("#panel").bounding_box()
    assert box is not None
    finger = {"x": box["x"] + 100, "y": box["y"] + 100}
    moved = {"x": finger["x"] + 40, "y": finger["y"]}
    touch = await phone.context.new_cdp_session(phone)
    for what, points in (("touchStart", [finger]), ("touchMove", [moved]), ("touchEnd", [])):
        await touch.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})
    await phone.get_by_role("button", name="Pause", exact=True).tap()
    await until(lambda: panel.paused)
    assert panel.page == 0


# Through a proxy.


@asynccontextmanager
async def tls_before(port: int, leaf: Leaf) -> AsyncIterator[int]:
    """The port of one that ends TLS and says so, in the first request of each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    serving: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        writer.close()

    async def serve(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        onward.write(await here.readline() + b"X-Forwarded-Proto: https\r\n")
        await asyncio.gather(relay(here, onward), relay(there, back))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        server.close()
        await asyncio.wait(serving, timeout=5)


async def test_it_is_seen_through_a_proxy_with_tls(chromium: Browser, tmp_path: Path) -> None:
    panel = Panel(BrowserSink(0, host="0.0.0.0", token="t" * 24))  # noqa: S104  # as other machines reach it
    await panel.start()
    inner = urlsplit(panel.sink.url).port
    assert inner is not None
    async with tls_before(inner, Authority(tmp_path).leaf("proxy")) as port:
        context = await chromium.new_context(**WIDE, ignore_https_errors=True)
        page = await context.new_page()
        faults = Faults(page)
        await page.goto(f"https://127.0.0.1:{port}/?token={'t' * 24}")
        await sees(page, COLOURS[0])
        await page.get_by_role("button", name="Next page").click()
        await sees(page, COLOURS[1])
        (cookie,) = await context.cookies()
        assert cookie["secure"]
        assert f"wss://127.0.0.1:{port}/ws" in faults.asked
        assert faults.seen == []
        await context.close()
    await panel.stop()


# From another site.


async def test_a_link_on_another_site_leads_to_it(chromium: Browser) -> None:
    panel = Panel(BrowserSink(0, host="0.0.0.0", token="t" * 24))  # noqa: S104  # as other machines reach it
    await panel.start()
    port = urlsplit(panel.sink.url).port
    context = await chromium.new_context(**WIDE)
    page = await context.new_page()
    link = f'<a href="http://127.0.0.1:{port}/?token={"t" * 24}">the panel</a>'
    await page.route(
        "http://elsewhere.example/",
        lambda route: route.fulfill(body=link, content_type="text/html"),
    )
    await page.goto("http://elsewhere.example/")
    await page.get_by_role("link").click()
    await sees(page, COLOURS[0])
    assert page.url == f"http://127.0.0.1:{port}/"
    await context.close()
    await panel.stop()


# What goes wrong.


async def test_a_lost_connection_is_said_and_found_again(wide: Page, panel: Panel) -> None:
    lost = wide.locator("body.lost")
    await expect(lost).to_have_count(0)
    port = int(panel.sink.url.rsplit(":", 1)[1].strip("/"))
    await panel.stop()
    await expect(wide.get_by_role("status")).to_have_text("Connection lost, trying again…")
    await expect(lost).to_have_count(1)
    await expect(wide.locator("#sentence")).to_have_text("Weather, because of its turn")
    panel.sink = BrowserSink(port)
    panel.page = 2
    await panel.start()
    await sees(wide, COLOURS[2])
    await expect(wide.get_by_role("status")).to_be_empty()
    await expect(lost).to_have_count(0)


async def test_a_connection_that_never_was_is_said(chromium: Browser, panel: Panel) -> None:
    context = await chromium.new_context(**WIDE)
    page = await context.new_page()
    await page.add_init_script("""{
        const Real = WebSocket;
        window.WebSocket = class extends Real {
            constructor(url) { super(`${url}/nowhere`); }
        };
    }""")
    await page.goto(panel.sink.url)
    await expect(page.get_by_role("status")).to_have_text(re.compile("^No connection: a proxy"))
    await context.close()


async def test_a_frame_of_a_lost_connection_is_not_drawn_over_those_of_the_next(
    wide: Page, panel: Panel
) -> None:
    await wide.evaluate("""() => {
        const real = Response.prototype.arrayBuffer;
        window.held = [];
        Response.prototype.arrayBuffer = function () {
            return new Promise((resolve) => window.held.push(() => {
                const inflated = real.call(this);
                resolve(inflated);
                return inflated.then(() => {});
            }));
        };
    }""")
    panel.next()
    await until_held(wide, 1)
    port = int(panel.sink.url.rsplit(":", 1)[1].strip("/"))
    await panel.stop()
    panel.sink = BrowserSink(port)
    panel.page = 2
    await panel.start()
    await until_held(wide, 2)
    await wide.evaluate("window.held[1]()")
    await sees(wide, COLOURS[2])
    await wide.evaluate("window.held[0]()")
    await looks_like(wide, panel.frame())


async def until_held(page: Page, frames: int) -> None:
    async with asyncio.timeout(5):
        while await page.evaluate("window.held.length") != frames:
            await asyncio.sleep(0.01)


async def test_a_bus_that_is_away_is_said(wide: Page, panel: Panel) -> None:
    panel.connected = False
    panel.sink.tell(panel.status())
    await expect(wide.get_by_role("status")).to_have_text(re.compile("^The bus does not answer"))
    panel.connected = True
    panel.sink.tell(panel.status())
    await expect(wide.get_by_role("status")).to_be_empty()


async def test_a_tab_that_is_hidden_does_not_watch(wide: Page, panel: Panel) -> None:
    assert panel.sink.watched
    turn = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await wide.evaluate(turn, True)
    await until(lambda: not panel.sink.watched)
    encoded = panel.sink.frames_encoded
    panel.next()
    await wide.evaluate(turn, False)
    await sees(wide, COLOURS[1])
    assert panel.sink.frames_encoded == encoded + 1
