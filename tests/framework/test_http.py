"""``self.http`` of a service: in the harness, and against a server that misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import BaseModel, ValidationError

from framework.config import Config
from framework.errors import Unavailable
from framework.http import KEPT, Http
from framework.server import ServerBase
from framework.testing import Canned, Harness
from framework.update import Values

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://tides.example/v1/tide"
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Tide(Values):
    height_m: float


class Answer(BaseModel):
    height: float
    station: str = ""


class TideServer(ServerBase[Tide]):
    period = timedelta(minutes=10)
    jitter = 0.0

    async def fetch(self) -> Tide:
        reply = await self.http.get(URL, params={"key": "hunter2"})
        return Tide(height_m=reply.model(Answer).height)


def tide_server(contact: str = "") -> TideServer:
    return TideServer(config=Config(contact=contact))


def height(h: Harness) -> float | None:
    update = h.published(Tide)
    return update.values.height_m if update else None


async def test_what_is_there_is_validated_and_published() -> None:
    async with Harness(tide_server("me@example.org"), now=T0, http={URL: {"height": 3}}) as h:
        await h.fetch()
        assert height(h) == 3
        (asked,) = h.http.requests
        assert asked.url.params["key"] == "hunter2"
        assert asked.headers["user-agent"].startswith("matrix-framework/")
        assert asked.headers["user-agent"].endswith("(tide; me@example.org)")


def test_a_contact_is_fit_for_a_header() -> None:
    for contact in ("me\r\nX: y", "mé@example.org"):
        with pytest.raises(ValidationError, match="one line of ASCII"):
            Config(contact=contact)


@pytest.mark.parametrize(
    ("validators", "asked"),
    [
        ({"ETag": 'W/"7"'}, {"if-none-match": 'W/"7"'}),
        ({"Last-Modified": "yesterday"}, {"if-modified-since": "yesterday"}),
    ],
)
async def test_what_has_not_changed_is_not_sent_again_and_stays_good(
    validators: dict[str, str], asked: dict[str, str]
) -> None:
    async with Harness(tide_server(), now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers=validators)
        await h.fetch()
        h.http.answers[URL] = Canned(status=304)
        await h.advance(minutes=10)
        await h.fetch()
        update = h.published(Tide)
        assert update is not None
        assert (update.values.height_m, update.updated) == (3, T0 + timedelta(minutes=10))
        assert asked.items() <= dict(h.http.requests[1].headers).items()


async def test_a_shape_that_has_changed_is_not_renewed_by_the_next_not_modified() -> None:
    async with Harness(tide_server(), now=T0, http={URL: {"height": 3}}) as h:
        await h.fetch()
        h.http.answers[URL] = Canned({"heigth": 4}, headers={"ETag": "8"})
        await h.fetch()
        h.http.answers[URL] = Canned(status=304)
        await h.advance(minutes=10)
        await h.fetch()
        assert h.unavailable == "tides.example answers in another shape: height: Field required"
        update = h.published(Tide)
        assert update is not None
        assert (update.values.height_m, update.updated) == (3, T0)


async def test_what_still_holds_is_not_asked_for() -> None:
    held = {"Cache-Control": "max-age=900"}
    async with Harness(tide_server(), now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers=held)
        await h.fetch()
        await h.advance(minutes=10)
        await h.fetch()
        assert len(h.http.requests) == 1
        await h.advance(minutes=5)
        await h.fetch()
        assert len(h.http.requests) == 2


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({}, 10),
        ({"Cache-Control": "max-age=60"}, 10),
        ({"Cache-Control": "max-age=3600"}, 60),
        ({"Expires": "Sun, 01 Mar 2026 12:25:00 GMT", "Date": DATE}, 25),
        ({"Cache-Control": "max-age=999999999"}, 24 * 60),
    ],
)
async def test_until_when_it_holds_feeds_the_schedule(
    headers: dict[str, str], minutes: float
) -> None:
    service = tide_server()
    async with Harness(service, now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers=headers)
        wait = await service.step(service.publisher(h.bus))
        assert wait == timedelta(minutes=minutes)


@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_it_wants_to_be_left_alone_feeds_the_schedule(status: int) -> None:
    service = tide_server()
    async with Harness(service, now=T0) as h:
        h.http.answers[URL] = Canned(status=status, headers={"Retry-After": "3600"})
        wait = await service.step(service.publisher(h.bus))
        assert wait == timedelta(hours=1)
        assert len(h.http.requests) == 1


async def test_it_is_tried_again_where_that_may_help() -> None:
    answers = [Canned(status=502), httpx2.ReadError("reset"), Canned({"height": 3})]
    async with Harness(tide_server(), now=T0, http={URL: lambda _: answers.pop(0)}) as h:
        await h.fetch()
        assert (height(h), answers) == (3, [])


@pytest.mark.parametrize(
    ("answer", "why", "asked"),
    [
        (Canned(status=404), "answers with status 404", 1),
        (Canned(status=403), "answers with status 403: it wants a key, or another one", 1),
        (Canned(status=429), "answers with status 429: it is asked too often", 1),
        (Canned(status=500), "answers with status 500", 3),
        (Canned(status=304), "answers with status 304", 1),
        (Canned(status=302, headers={"Location": URL}), "sends its callers in circles", 1),
        (httpx2.ConnectTimeout("key=hunter2"), "does not answer in time", 3),
        (httpx2.ConnectError("key=hunter2"), "cannot be reached", 3),
        (b"<html>", "answers with something that is not JSON", 1),
        ({"height": None}, "answers in another shape: height: Input should be a valid number", 1),
        ([], "answers in another shape: the whole: Input should be an object", 1),
        (b" " * 3_000_000, "answers with more than 2097152 bytes", 1),
    ],
)
async def test_what_goes_wrong_is_said_without_the_address(
    answer: object, why: str, asked: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Harness(tide_server(), now=T0, http={URL: answer}) as h:
        await h.fetch()
        assert h.unavailable == f"tides.example {why}"
        assert len(h.http.requests) >= asked
    assert "hunter2" not in caplog.text


async def test_headers_do_not_follow_to_another_host() -> None:
    asked: list[httpx2.Request] = []
    places = {"/": "/here", "/here": "https://else.example/there"}

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if place := places.get(request.url.path):
            return httpx2.Response(302, headers={"Location": place})
        return httpx2.Response(200, text="found")

    http = _http(transport=httpx2.MockTransport(answer))
    reply = await http.get("https://tides.example/", headers={"X-Api-Key": "hunter2"})
    assert reply.text == "found"
    assert [request.headers.get("x-api-key") for request in asked] == ["hunter2", "hunter2", None]
    assert {request.headers["user-agent"] for request in asked} == {"test"}
    places["/here"] = "http://tides.example/there"
    with pytest.raises(Unavailable, match="where they would be overheard"):
        await http.get("https://tides.example/")
    await http.close()


async def test_who_does_not_say_what_the_web_answers_is_told() -> None:
    async with Harness(tide_server(), now=T0, http={"https://else.example/": {}}) as h:
        with pytest.raises(LookupError, match=r"tide is asked.*https://else\.example/: see http="):
            await h.fetch()


@pytest.mark.parametrize(
    "url", ["tides.example/v1", "file:///etc/passwd", "https://", "http://a:port/"]
)
async def test_an_address_that_is_none(url: str) -> None:
    http = _http()
    with pytest.raises(Unavailable, match="no address of the web"):
        await http.get(url)
    await http.close()


async def test_only_so_many_replies_are_kept() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("if-none-match", ""))
        return httpx2.Response(200, headers={"ETag": "1"})

    http = _http(transport=httpx2.MockTransport(answer))
    for number in (*range(KEPT + 1), KEPT, 0):
        await http.get(f"https://tides.example/{number}")
    await http.close()
    assert asked == [""] * (KEPT + 1) + ["1", ""]


# ------------------------------------------------------------------------- against a real server


def _http(timeout_s: float = 1.5, transport: httpx2.AsyncBaseTransport | None = None) -> Http:
    return Http(
        user_agent="test",
        timeout=timedelta(seconds=timeout_s),
        now=lambda: T0,
        transport=transport,
    )


@asynccontextmanager
async def _serving(speak: Speak) -> AsyncIterator[str]:
    """The address of a server that does so with each connection, once a request is there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await speak(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}/"


async def test_a_server_that_hangs_or_hangs_up() -> None:
    gone = asyncio.Event()

    async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await gone.wait()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    http = _http(0.3)
    async with _serving(hang) as url:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1 does not answer in time"):
            await http.get(url)
        gone.set()
    async with _serving(hang_up) as url:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached"):
            await http.get(url)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        await http.get(url)
    await http.close()


async def test_what_unpacks_to_more_than_is_wanted_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)

    http = _http()
    async with _serving(speak) as url:
        with pytest.raises(Unavailable, match="more than 1000000 bytes"):
            await http.get(url, max_bytes=1_000_000)
    await http.close()
