"""The panel in a browser without a browser: the protocol, who is let in, and how it ends."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import logging
import re
import signal
import socket
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from framework.errors import ConfigError
from framework.panel import led, loopback, web, webserver
from framework.panel.encoding import HEADER
from framework.panel.status import FeedStatus, PageStatus, Status
from framework.panel.web import BrowserSink
from framework.panel.webtoken import token_of
from framework.update import Freshness
from tests.panel.dots import Dots
from tests.waiting import until

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STATUS = Status(
    now=T0,
    connected=True,
    width=8,
    height=4,
    page="moon",
    why="because it is its turn",
    next_title="Clock",
    until=T0 + timedelta(seconds=6),
    paused=False,
    pinned=False,
    pages=(PageStatus("moon", "Moon", "fresh"), PageStatus("clock", "Clock", "failed", "no")),
    feeds=(
        FeedStatus("moon", "Moon", Freshness.LATE, T0, T0, T0 + timedelta(minutes=1), dropped=2),
        FeedStatus("tide", "Tide", None),
    ),
)


class Buttons:
    """A remote that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.on_wake: Callable[[], None] = lambda: None

    def next(self) -> None:
        self.asked.append(("next",))

    def previous(self) -> None:
        self.asked.append(("previous",))

    def pause(self, paused: bool | None = None) -> None:
        self.asked.append(("pause", paused))

    def pin(self, name: str | None) -> None:
        self.asked.append(("pin", name))

    def resize(self, width: int, height: int) -> None:
        self.asked.append(("resize", width, height))

    def fix(self, size: tuple[int, int] | None) -> None: ...

    def wake(self) -> None:
        self.asked.append(("wake",))
        self.on_wake()

    @property
    def pressed(self) -> list[tuple[object, ...]]:
        return [one for one in self.asked if one != ("wake",)]


class Served:
    """A sink that runs, and what a test needs of it."""

    def __init__(self, sink: BrowserSink, buttons: Buttons) -> None:
        self.sink = sink
        self.buttons = buttons

    @property
    def port(self) -> int:
        port = urlsplit(self.sink.url).port
        assert port is not None
        return port

    def page(self, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/ws", **options)

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        def ask() -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            body = answer.read()
            connection.close()
            return answer.status, told, body

        return await asyncio.to_thread(ask)


@asynccontextmanager
async def running(sink: BrowserSink | None = None) -> AsyncIterator[Served]:
    sink = sink or BrowserSink(0)
    buttons = Buttons()
    started = asyncio.Event()
    serving = asyncio.create_task(sink.run(buttons, started.set))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    waiting.cancel()
    if serving.done():
        serving.result()
    try:
        yield Served(sink, buttons)
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with running() as one:
        one.sink.tell(STATUS)
        first = frame(1)
        one.sink.show(first)
        one.buttons.on_wake = lambda: one.sink.show(first)
        yield one


def frame(number: int, size: tuple[int, int] = (8, 4)) -> Image.Image:
    return Image.new("RGB", size, (number, 255 - number, 7))


def starry(number: int, size: tuple[int, int] = (8, 4)) -> Image.Image:
    """One that is long if it is whole, and differs little from the next."""
    sky = Image.frombytes("RGB", size, Random(7).randbytes(3 * size[0] * size[1]))
    sky.putpixel((1, 2), (number, 255 - number, 7))
    return sky


async def text(page: ClientConnection) -> Any:
    """The next message, which is JSON."""
    async with asyncio.timeout(5):
        message = await page.recv()
    assert isinstance(message, str)
    return json.loads(message)


async def picture(page: ClientConnection, dots: Dots | None = None) -> tuple[int, Image.Image]:
    """The next frame, whatever is said before it, on the ``dots`` that are there."""
    dots = dots or Dots()
    async with asyncio.timeout(5):
        while True:
            message = await page.recv()
            if isinstance(message, bytes):
                break
    dots.draw(message)
    assert dots.sequence is not None
    return dots.sequence, dots.image


async def draw(page: ClientConnection, dots: Dots) -> Image.Image:
    """The next frame; it says that it has drawn it."""
    sequence, image = await picture(page, dots)
    await ask(page, "drawn", sequence=sequence)
    return image


async def ask(page: ClientConnection, what: str, **more: object) -> None:
    await page.send(json.dumps({"do": what, **more}))


async def silence(page: ClientConnection) -> None:
    """Nothing more was sent: the answer to a ping would come after it."""
    await (await page.ping())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(page.recv(), 0.01)


# To a page.


async def test_a_new_page_hears_the_look_then_the_status_then_sees_the_frame(
    served: Served,
) -> None:
    async with served.page() as page:
        look = (await text(page))["look"]
        assert look["diameter"] == led.DOT_DIAMETER
        assert look["unlit"] == list(led.UNLIT)
        status = (await text(page))["status"]
        assert status["why"] == "because it is its turn"
        assert datetime.fromisoformat(status["until"]) == STATUS.until
        assert [one["state"] for one in status["pages"]] == ["fresh", "failed"]
        assert [one["freshness"] for one in status["feeds"]] == ["late", None]
        assert (await picture(page))[1] == frame(1)


async def test_nothing_is_encoded_while_nobody_watches(served: Served) -> None:
    for number in range(10):
        served.sink.show(frame(number))
        await asyncio.sleep(0)
    assert not served.sink.watched
    assert (served.sink.frames_encoded, served.sink.bytes_sent) == (0, 0)
    async with served.page() as page:
        await picture(page)
        assert served.sink.watched
        assert served.sink.frames_encoded == 1
        assert served.sink.bytes_sent > 0
    await until(lambda: not served.sink.watched)


async def test_the_first_page_wakes_the_panel_and_never_sees_what_was_on_before(
    served: Served,
) -> None:
    def draw_soon() -> None:
        asyncio.get_running_loop().call_later(0.05, served.sink.show, frame(2))

    served.buttons.on_wake = draw_soon
    async with served.page() as page:
        assert (await picture(page))[1] == frame(2)
    assert served.buttons.asked == [("wake",)]


async def test_a_page_that_drew_the_last_frame_is_sent_what_has_changed(served: Served) -> None:
    dots = Dots()
    async with served.page() as page:
        assert await draw(page, dots) == frame(1)
        served.sink.show(starry(0))
        assert await draw(page, dots) == starry(0)
        for number in (9, 255, 3):
            sent = served.sink.bytes_sent
            served.sink.show(starry(number))
            assert await draw(page, dots) == starry(number)
            assert not dots.came_whole
            assert served.sink.bytes_sent - sent < HEADER.size + 30


async def test_a_frame_that_is_shorter_whole_is_sent_whole(served: Served) -> None:
    dots = Dots()
    async with served.page() as page:
        await draw(page, dots)
        for image in (starry(0), frame(2)):
            served.sink.show(image)
            assert await draw(page, dots) == image
            assert dots.came_whole


async def test_a_page_that_lags_is_sent_all_of_the_newest_frame(served: Served) -> None:
    dots, slow_dots = Dots(), Dots()
    async with served.page() as page, served.page() as slow:
        await draw(page, dots)
        sequence, _ = await picture(slow, slow_dots)
        for number in (0, 9):
            served.sink.show(starry(number))
            assert await draw(page, dots) == starry(number)
        assert not dots.came_whole
        await ask(slow, "drawn", sequence=sequence)
        assert await draw(slow, slow_dots) == starry(9)
        assert slow_dots.came_whole
        served.sink.show(starry(3))
        for each, of_each in ((page, dots), (slow, slow_dots)):
            assert await draw(each, of_each) == starry(3)
            assert not of_each.came_whole


async def test_a_page_that_failed_to_draw_is_sent_all_of_it_once(served: Served) -> None:
    dots = Dots()
    async with served.page() as page:
        await draw(page, dots)
        served.sink.show(starry(0))
        await draw(page, dots)
        served.sink.show(starry(5))
        sequence, _ = await picture(page, dots)
        assert not dots.came_whole
        await ask(page, "failed", sequence=sequence)
        assert await picture(page, dots) == (sequence, starry(5))
        assert dots.came_whole
        await ask(page, "failed", sequence=sequence)
        await silence(page)
        for number, whole in ((9, True), (3, False)):
            served.sink.show(starry(number))
            assert await draw(page, dots) == starry(number)
            assert dots.came_whole is whole


async def test_after_a_resize_the_first_frame_is_whole(served: Served) -> None:
    dots = Dots()
    served.sink.show(starry(0))
    served.buttons.on_wake = lambda: None
    async with served.page() as page:
        await draw(page, dots)
        for number, whole in ((0, True), (9, False)):
            served.sink.show(starry(number, (4, 8)))
            assert await draw(page, dots) == starry(number, (4, 8))
            assert dots.came_whole is whole


async def test_numbers_begin_anew_after_the_last_one(served: Served) -> None:
    dots, last = Dots(), starry(0)
    served.sink.show(last)
    served.buttons.on_wake = lambda: served.sink.show(last)
    assert served.sink._frame is not None
    served.sink._frame.number = 2**32 - 1
    async with served.page() as page:
        await draw(page, dots)
        assert dots.sequence == 2**32 - 1
        for number in (9, 3):
            served.sink.show(starry(number))
            assert await draw(page, dots) == starry(number)
            assert not dots.came_whole
        assert dots.sequence == 1


async def test_who_comes_back_is_sent_all_of_the_frame(served: Served) -> None:
    dots, last = Dots(), starry(0)
    served.sink.show(last)
    served.buttons.on_wake = lambda: served.sink.show(last)
    for _ in range(2):
        async with served.page() as page:
            assert await draw(page, dots) == last
            assert dots.came_whole


@pytest.mark.parametrize(("missed", "whole"), [(0, False), (1, True)])
async def test_who_looks_again_is_sent_what_has_changed_if_it_missed_nothing(
    served: Served, missed: int, whole: bool
) -> None:
    dots = Dots()
    async with served.page() as page:
        await draw(page, dots)
        served.sink.show(starry(0))
        await draw(page, dots)
        await ask(page, "watch", watching=False)
        await until(lambda: not served.sink.watched)
        for _ in range(missed):
            served.sink.show(starry(3))
        served.buttons.on_wake = lambda: served.sink.show(starry(9))
        await ask(page, "watch", watching=True)
        assert await draw(page, dots) == starry(9)
        assert dots.came_whole is whole


async def test_each_form_of_a_frame_is_made_once_for_all_pages(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress = Mock(wraps=zlib.compress)
    monkeypatch.setattr(zlib, "compress", compress)
    async with served.page() as first, served.page() as second:
        pages = [(first, Dots()), (second, Dots())]
        for page in pages:
            await draw(*page)
        assert compress.call_count == 1
        for number in (0, 9):
            compress.reset_mock()
            served.sink.show(starry(number))
            for page in pages:
                assert await draw(*page) == starry(number)
        served.buttons.on_wake = lambda: None
        async with served.page() as third:
            assert (await picture(third))[1] == starry(9)
        assert compress.call_count == 2
    assert served.sink.frames_encoded == 3


async def test_a_page_gets_no_other_frame_before_it_drew_the_last_one(served: Served) -> None:
    async with served.page() as page:
        sequence, _ = await picture(page)
        for number in range(2, 50):
            served.sink.show(frame(number))
            await asyncio.sleep(0)
        await silence(page)
        await ask(page, "drawn", sequence=sequence + 1000)
        await silence(page)
        await ask(page, "drawn", sequence=sequence)
        assert (await picture(page))[1] == frame(49)


async def test_a_page_that_draws_nothing_keeps_nobody_else_waiting(served: Served) -> None:
    async with served.page() as slow, served.page() as page:
        await picture(slow)
        dots = Dots()
        await draw(page, dots)
        for number in range(2, 10):
            served.sink.show(frame(number))
            assert await draw(page, dots) == frame(number)


async def test_a_page_that_cannot_be_seen_does_not_watch(served: Served) -> None:
    async with served.page() as page:
        sequence, _ = await picture(page)
        await ask(page, "drawn", sequence=sequence)
        await ask(page, "watch", watching=False)
        await until(lambda: not served.sink.watched)
        served.sink.tell(replace(STATUS, paused=True))
        served.sink.show(frame(2))
        await silence(page)
        served.buttons.on_wake = lambda: served.sink.show(frame(3))
        await ask(page, "watch", watching=True)
        assert (await text(page))["status"]["paused"] is True
        assert (await picture(page))[1] == frame(3)


async def test_the_time_goes_on_in_a_status_that_is_old(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    elapsed_s = 0.0
    monkeypatch.setattr(served.sink._clock, "monotonic_s", lambda: elapsed_s)
    served.sink.tell(STATUS)
    elapsed_s = 90.0
    async with served.page() as page:
        await text(page)
        now = datetime.fromisoformat((await text(page))["status"]["now"])
    assert now == T0 + timedelta(seconds=90)


# From a page.


async def test_the_buttons_reach_the_panel(served: Served) -> None:
    async with served.page() as page:
        await ask(page, "next")
        await ask(page, "previous")
        await ask(page, "pause")
        await ask(page, "pin", name="clock")
        await ask(page, "resize", width=256, height=64)
        await until(lambda: len(served.buttons.pressed) == 5)
    assert served.buttons.pressed == [
        ("next",),
        ("previous",),
        ("pause", None),
        ("pin", "clock"),
        ("resize", 256, 64),
    ]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "next",
        "null",
        "[]",
        "[" * 4000,
        '"next"',
        "{}",
        '{"do": null}',
        '{"do": ["next"]}',
        '{"do": "explode"}',
        '{"do": "pin"}',
        '{"do": "pin", "name": 7}',
        '{"do": "pin", "name": "a page that is not there"}',
        '{"do": "resize", "width": 64}',
        '{"do": "resize", "width": 0, "height": 32}',
        '{"do": "resize", "width": 512, "height": 512}',
        '{"do": "resize", "width": 64.0, "height": 32}',
        '{"do": "resize", "width": true, "height": true}',
        '{"do": "resize", "width": 1e400, "height": 32}',
        '{"do": "watch", "watching": "no"}',
        b"\x00\x01",
    ],
)
async def test_what_is_not_understood_is_ignored_and_noted_in_short(
    served: Served, message: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with served.page() as page:
            await page.send(message)
            await ask(page, "next")
            await until(lambda: bool(served.buttons.pressed))
    assert served.buttons.pressed == [("next",)]
    (note,) = [one.getMessage() for one in caplog.records if one.name == web.__name__]
    assert len(note) < 160


def test_a_page_may_ask_for_the_sizes_that_its_switch_offers() -> None:
    html = (webserver.STATIC / "index.html").read_text()
    offered = re.findall(r'data-width="(\d+)" data-height="(\d+)">(\d+)×(\d+)<', html)
    assert [tuple(map(int, sides)) for sides in offered] == [size * 2 for size in web.SIZES]


class Talker:
    """A page that says these things and is gone."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    async def send_text(self, data: str) -> None: ...
    async def send_bytes(self, data: bytes) -> None: ...
    async def receive(self) -> Any:
        if not self._said:
            return {"type": "websocket.disconnect"}
        return {"type": "websocket.receive", "text": self._said.pop(0)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
COMMANDS = st.fixed_dictionaries(
    {"do": st.sampled_from(["drawn", "failed", "watch", "pin", "resize"]) | JSON},
    optional=dict.fromkeys(("sequence", "watching", "name", "width", "height"), JSON),
)


@given(st.lists(st.text() | (COMMANDS | JSON).map(json.dumps)))
def test_nothing_that_is_said_breaks_the_sink(said: list[str]) -> None:
    sink, buttons = BrowserSink(0), Buttons()
    sink._remote = buttons
    sink.tell(STATUS)
    asyncio.run(sink.attend(Talker(said)))
    assert not sink.watched
    for what, *more in buttons.pressed:
        assert what in {"next", "previous", "pause", "pin", "resize"}
        if what == "resize":
            assert all(type(side) is int for side in more)
            assert tuple(more) in web.SIZES


async def test_a_message_that_is_too_long_ends_that_page_only(served: Served) -> None:
    async with served.page() as page, served.page() as other:
        await page.send("x" * (webserver.LONGEST_COMMAND_BYTES + 1))
        async with asyncio.timeout(5):
            await page.wait_closed()
        await ask(other, "next")
        await until(lambda: served.buttons.pressed == [("next",)])


# Over HTTP.


async def test_the_page_comes_whole_from_here_and_may_take_nothing_from_elsewhere(
    served: Served,
) -> None:
    for path, (_, media_type) in webserver.FILES.items():
        status, headers, body = await served.get(path)
        assert status == 200
        assert headers["content-type"].startswith(media_type)
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert b"https://" not in body
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")
    _, _, html = await served.get("/")
    for inline in (b"<style", b"style=", b"onclick", b"<script>"):
        assert inline not in html


async def test_the_png_of_now(served: Served) -> None:
    served.buttons.on_wake = lambda: served.sink.show(frame(9))
    status, headers, body = await served.get("/now.png?look=raw")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert opened(body) == frame(9)
    _, _, body = await served.get("/now.png")
    assert opened(body) == led.picture(frame(9), webserver.PICTURE_PITCH_PX)
    assert not served.sink.watched


def opened(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.convert("RGB")


async def test_before_anything_was_shown_there_is_no_png_and_no_status() -> None:
    async with running() as served:
        assert [(await served.get(path))[0] for path in ("/now.png", "/status.json")] == [503, 503]


async def test_the_status_can_be_asked_for(served: Served) -> None:
    status, headers, body = await served.get("/status.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    said = json.loads(body)
    assert said["page"] == "moon"
    assert said["feeds"][0]["dropped"] == 2


@pytest.mark.parametrize("path", ["/", "/now.png", "/status.json", "/panel.js"])
async def test_a_name_that_somebody_else_points_here_is_refused(served: Served, path: str) -> None:
    status, _, body = await served.get(path, Host=f"evil.example:{served.port}")
    assert status == 403
    assert b"moon" not in body.lower()


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null"])
async def test_a_page_from_elsewhere_is_refused(served: Served, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with served.page(origin=Origin(origin)):
            pass
    assert refusal.value.response.status_code == 403
    assert not served.sink.watched


async def test_a_page_of_ours_is_let_in(served: Served) -> None:
    async with served.page(origin=Origin(f"http://127.0.0.1:{served.port}")) as page:
        assert "look" in await text(page)


# With a token.

TOKEN = "a-token-of-24-bytes-or-so-----"  # noqa: S105  # of these tests


@pytest.fixture
async def guarded() -> AsyncIterator[Served]:
    """As other machines reach it."""
    async with running(BrowserSink(0, host="0.0.0.0", token=TOKEN)) as one:  # noqa: S104  # as other machines reach it
        one.sink.tell(STATUS)
        yield one


async def test_the_address_gives_a_cookie_and_the_cookie_lets_in(guarded: Served) -> None:
    assert guarded.sink.url == f"http://{socket.gethostname()}:{guarded.port}/?token={TOKEN}"
    status, headers, _ = await guarded.get(f"/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax"} <= set(attributes)
    assert (await guarded.get("/", Cookie=cookie))[0] == 200
    async with guarded.page(
        additional_headers={"Cookie": cookie}, origin=Origin(f"http://127.0.0.1:{guarded.port}")
    ) as page:
        assert "look" in await text(page)


async def test_other_machines_are_told_the_name_and_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loopback, "_own_address", lambda family: ["192.168.1.7"])
    sink = BrowserSink(0, host="0.0.0.0", token=TOKEN)  # noqa: S104  # as other machines reach it
    async with running(sink) as one:
        assert sink.urls == [
            f"http://{name}:{one.port}/?token={TOKEN}"
            for name in (socket.gethostname(), "192.168.1.7")
        ]


async def test_two_panels_on_one_host_know_their_own_cookies(guarded: Served) -> None:
    other = "b" * len(TOKEN)
    async with running(BrowserSink(0, host="0.0.0.0", token=other)) as one:  # noqa: S104  # as other machines reach it
        kept = [
            (await served.get(f"/?token={token}"))[1]["set-cookie"].split(";")[0]
            for served, token in ((guarded, TOKEN), (one, other))
        ]
        assert len({cookie.split("=")[0] for cookie in kept}) == 2
        for served in (guarded, one):
            assert (await served.get("/", Cookie="; ".join(kept)))[0] == 200


@pytest.mark.parametrize("other", ['filters={"a": [1]}', "path=a/b c", "name=J\xf6rg", "bare", "="])
async def test_what_else_the_host_keeps_hides_no_cookie(guarded: Served, other: str) -> None:
    kept = (await guarded.get(f"/?token={TOKEN}"))[1]["set-cookie"].split(";")[0]
    for cookies in (f"{other}; {kept}", f"{kept}; {other}", f"{kept[:-1]}; {other};{kept}"):
        assert (await guarded.get("/", Cookie=cookies))[0] == 200


@pytest.mark.parametrize("scheme", ["https", "HTTPS, http"])
async def test_behind_tls_the_cookie_is_for_tls_alone(guarded: Served, scheme: str) -> None:
    forwarded = {"X-Forwarded-Proto": scheme}
    _, headers, _ = await guarded.get(f"/?token={TOKEN}", **forwarded)
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert cookie == f"__Host-matrix-panel-{guarded.port}={TOKEN}"
    assert {"Secure", "Path=/"} <= set(attributes)
    assert (await guarded.get("/", Cookie=cookie))[0] == 200
    _, headers, _ = await guarded.get(f"/?token={TOKEN}", **{"X-Forwarded-Proto": "http"})
    assert "Secure" not in headers["set-cookie"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/now.png", "/now.png"),
        ("//evil.example/x", "/evil.example/x"),
        ("/%2F/evil.example", "/evil.example"),
        ("/%5Cevil.example", "/%5Cevil.example"),
        ("/%09/evil.example", "/%09/evil.example"),
    ],
)
async def test_the_address_leads_to_this_host(guarded: Served, path: str, place: str) -> None:
    status, headers, _ = await guarded.get(f"{path}?token={TOKEN}")
    assert (status, headers["location"]) == (303, place)


async def test_the_address_keeps_what_else_is_asked_for(guarded: Served) -> None:
    status, headers, _ = await guarded.get(f"/now.png?look=raw&token={TOKEN}&of=a%26b%2F")
    assert (status, headers["location"]) == (303, "/now.png?look=raw&of=a%26b%2F")


async def test_who_cannot_send_headers_shows_it_in_the_address_of_the_socket(
    guarded: Served, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"ws://127.0.0.1:{guarded.port}/ws?token="
    async with connect(f"{address}{TOKEN}") as page:
        assert "look" in await text(page)
    for wrong, origin in (("x", None), (TOKEN, Origin("http://evil.example"))):
        with pytest.raises(InvalidStatus):
            async with connect(f"{address}{wrong}", origin=origin):
                pass
    assert TOKEN not in caplog.text


async def test_what_a_proxy_does_not_pass_on_is_said_once(
    guarded: Served, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        status, _, _ = await guarded.get(
            "/", Authorization=f"Bearer {TOKEN}", Origin="https://panel.example", Host="inner:8080"
        )
        assert status == 403
    await guarded.get("/", Origin="https://evil.example")
    (warning,) = [one.getMessage() for one in caplog.records]
    assert "its Origin is https://panel.example, its Host inner:8080" in warning
    assert "pass on the Host" in warning


async def test_scripts_show_it_as_a_bearer(guarded: Served) -> None:
    status, _, body = await guarded.get("/status.json", Authorization=f"Bearer {TOKEN}")
    assert (status, json.loads(body)["page"]) == (200, "moon")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": "matrix-panel-{port}="},
        {"Cookie": f"matrix-panel-{{port}}={TOKEN[:-1]}"},
        {"Cookie": f"matrix-panel={TOKEN}"},
        {"Cookie": "matrix-panel-{port}=\x80; ;=;"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Host": "localhost"},
        {"Cookie": f"matrix-panel-{{port}}={TOKEN}", "Origin": "http://evil.example"},
    ],
)
async def test_without_it_nobody_sees_anything(guarded: Served, headers: dict[str, str]) -> None:
    headers = {name: value.replace("{port}", str(guarded.port)) for name, value in headers.items()}
    for path in ("/", "/now.png", "/status.json", "/leds.js", "/?token=", "/?token=%00"):
        status, told, body = await guarded.get(path, **headers)
        assert status == 403
        assert "set-cookie" not in told
        assert body.startswith(b"This panel answers only to who has its token")
    with pytest.raises(InvalidStatus):
        async with guarded.page():
            pass


def test_the_token_is_made_once_and_is_for_this_user_alone(tmp_path: Path) -> None:
    state = tmp_path / ".matrix"
    token = token_of(state)
    assert len(token) == 32
    assert token_of(state) == token
    path = state / "web-token"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short\n")
    with pytest.raises(ConfigError, match=r"holds no token\. Remove it"):
        token_of(state)


# How it starts and ends.


def test_other_machines_need_a_token() -> None:
    with pytest.raises(ConfigError, match="needs a token"):
        BrowserSink(host="192.168.1.7")


def test_there_is_no_address_before_it_runs() -> None:
    with pytest.raises(RuntimeError):
        _ = BrowserSink().url


async def test_without_a_port_the_next_free_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as first:
        monkeypatch.setattr(loopback, "USUAL_PORT", first.port)
        async with running(BrowserSink()) as second:
            assert first.port < second.port <= first.port + loopback.OTHER_PORTS
            assert (await second.get("/"))[0] == 200


async def test_a_port_that_is_taken_is_a_fault_of_the_configuration() -> None:
    async with running() as first:
        with pytest.raises(ConfigError, match=str(first.port)):
            await BrowserSink(first.port).run(Buttons(), lambda: None)


async def test_signals_stay_with_whoever_owns_the_process() -> None:
    def mine(number: int, stack: object) -> None: ...

    before = {one: signal.signal(one, mine) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        async with running() as served:
            await served.get("/")
            assert all(signal.getsignal(one) is mine for one in before)
        assert all(signal.getsignal(one) is mine for one in before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def test_it_ends_at_once_though_sockets_are_open() -> None:
    async with running() as served:
        silent = socket.create_connection(("127.0.0.1", served.port))
        deaf = await deafened(served)
        served.sink.tell(STATUS)
        pages = [await served.page() for _ in range(5)]
        await picture(pages[0])
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 1.5
    for page in pages:
        await page.wait_closed()
    silent.close()
    deaf.close()


async def deafened(served: Served) -> socket.socket:
    """A page that never reads: so much is said to it that the sockets between are full."""
    loop = asyncio.get_running_loop()
    page = socket.socket()
    page.setblocking(False)
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(page, ("127.0.0.1", served.port))
    await loop.sock_sendall(
        page,
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    await loop.sock_recv(page, 12)
    served.sink.show(frame(1))
    long = replace(STATUS, remark="x" * 1_000_000)
    said, unchanged = served.sink.bytes_sent, 0
    async with asyncio.timeout(10):
        while unchanged < 20:
            served.sink.tell(long)
            await asyncio.sleep(0.005)
            unchanged = unchanged + 1 if served.sink.bytes_sent == said else 0
            said = served.sink.bytes_sent
    return page
