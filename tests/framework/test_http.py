"""``self.http`` of a service: in the harness, and against a server that misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel, ValidationError

from framework.config import Config
from framework.errors import Unavailable
from framework.http import Http
from framework.httpcache import MOST_REMEMBERED
from framework.httpreply import Reply
from framework.server import ServerBase
from framework.testing import Canned, Harness
from framework.update import Values
from tests.real.authority import Authority

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://tides.example/v1/tide"
EARLIER = "Sun, 01 Mar 2026 11:30:00 GMT"

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


async def test_what_not_modified_says_takes_the_place_of_what_was_said_before() -> None:
    async with Harness(tide_server(), now=T0) as h:
        held = {"ETag": "1", "Cache-Control": "max-age=60", "Age": "59", "X-Kept": "yes"}
        h.http.answers[URL] = Canned({"height": 3}, headers=held)
        await h.fetch()
        h.http.answers[URL] = Canned(
            status=304, headers={"ETag": "2", "Content-Type": "x; charset=utf-16"}
        )
        await h.advance(seconds=2)
        await h.fetch()  # and holds for sixty seconds from now
        await h.advance(seconds=59)
        await h.fetch()
        assert len(h.http.requests) == 2
        h.http.answers[URL] = Canned(status=304, headers={"Cache-Control": "no-cache"})
        for etag in ("2", "2"):
            await h.advance(seconds=2)
            await h.fetch()
            assert h.http.requests[-1].headers["if-none-match"] == etag
        assert len(h.http.requests) == 4
        assert height(h) == 3


async def test_what_went_wrong_meanwhile_does_not_make_it_be_sent_again() -> None:
    async with Harness(tide_server(), now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers={"ETag": "1"})
        await h.fetch()
        for wrong in (httpx2.ReadError("reset"), b" " * 3_000_000):
            h.http.answers[URL] = wrong
            await h.fetch()
            assert h.unavailable
        h.http.answers[URL] = Canned(status=304)
        await h.fetch()
        assert h.unavailable is None
        assert h.http.requests[-1].headers["if-none-match"] == "1"


@pytest.mark.parametrize("status", [400, 412, 431, 500])
async def test_a_server_that_cannot_stand_to_be_asked_about_a_change_is_asked_plainly(
    status: int,
) -> None:
    def answer(request: httpx2.Request) -> Canned:
        if "if-none-match" in request.headers:
            return Canned(status=status)
        return Canned({"height": 3}, headers={"ETag": "1"})

    async with Harness(tide_server(), now=T0, http={URL: answer}) as h:
        for _ in range(3):
            await h.fetch()
            assert h.unavailable is None
        asked = ["if-none-match" in request.headers for request in h.http.requests]
        assert asked == [False, True, False, True, False]


async def test_what_suddenly_is_of_no_use_is_asked_for_though_it_holds() -> None:
    class Moody(TideServer):
        good = True

        async def fetch(self) -> Tide:
            tide = await super().fetch()
            if not self.good:
                raise Unavailable("no use")
            return tide

    service = Moody(config=Config())
    async with Harness(service, now=T0) as h:
        held = {"Cache-Control": "max-age=86400", "ETag": "8"}
        h.http.answers[URL] = Canned({"height": 3}, headers=held)
        await h.fetch()
        service.good = False
        await h.fetch()
        assert (h.unavailable, len(h.http.requests)) == ("no use", 1)
        service.good = True
        h.http.answers[URL] = {"height": 4}
        await h.fetch()
        assert height(h) == 4
        assert h.http.requests[-1].headers["if-none-match"] == "8"


@pytest.mark.parametrize("bad", [{"heigth": 4}, b"<html>maintenance</html>", {"height": -99}])
async def test_what_could_not_be_used_is_asked_for_anew(bad: object) -> None:
    class Picky(TideServer):
        async def fetch(self) -> Tide:
            tide = await super().fetch()
            if tide.height_m < -10:
                raise Unavailable("the gauge is broken")
            return tide

    held = {"Cache-Control": "max-age=86400", "ETag": "8"}
    async with Harness(Picky(config=Config()), now=T0) as h:
        h.http.answers[URL] = Canned(bad, headers=held)
        await h.fetch()
        assert h.unavailable
        h.http.answers[URL] = {"height": 4}
        await h.fetch()
        assert height(h) == 4
        assert "if-none-match" not in h.http.requests[-1].headers


async def test_what_a_fetch_could_do_without_is_asked_for_anew_if_it_cannot_be_read() -> None:
    class Lenient(TideServer):
        async def fetch(self) -> Tide:
            try:
                return await super().fetch()
            except Unavailable:
                return Tide(height_m=0)

    async with Harness(Lenient(config=Config()), now=T0) as h:
        h.http.answers[URL] = Canned(b"<html>", headers={"Cache-Control": "max-age=86400"})
        await h.fetch()
        h.http.answers[URL] = {"height": 4}
        await h.fetch()
        assert height(h) == 4


async def test_what_was_good_for_one_reader_and_not_for_another_is_asked_for_anew() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, text="3 m", headers={"Cache-Control": "max-age=900"})

    async with _web(answer) as http:
        assert (await http.get(URL)).text == "3 m"
        http.keep()
        with pytest.raises(Unavailable):
            (await http.get(URL)).json()
        assert len(asked) == 1
        await http.get(URL)
        assert len(asked) == 2


async def test_what_was_before_the_last_good_reply_is_no_longer_asked_about() -> None:
    async with Harness(tide_server(), now=T0) as h:
        for headers in ({"ETag": "1"}, {}, {}):
            h.http.answers[URL] = Canned({"height": 3}, headers=headers)
            await h.fetch()
        asked = [request.headers.get("if-none-match") for request in h.http.requests]
        assert asked == [None, "1", None]


async def test_within_a_fetch_the_same_is_asked_for_once() -> None:
    class Twice(TideServer):
        async def fetch(self) -> Tide:
            assert (await self.http.get(URL)).is_new
            assert not (await self.http.get(URL)).is_new
            raise Unavailable("no use")

    async with Harness(Twice(config=Config()), now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers={"Cache-Control": "max-age=900"})
        await h.fetch()
        await h.fetch()
        assert (h.unavailable, len(h.http.requests)) == ("no use", 2)


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


async def test_nothing_holds_for_longer_than_a_day_whatever_a_server_says() -> None:
    held = {"Cache-Control": "max-age=31536000"}
    async with Harness(tide_server(), now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers=held)
        await h.fetch()
        h.http.answers[URL] = {"height": 4}
        await h.advance(days=1)
        await h.fetch()
        assert height(h) == 4


async def test_a_clock_that_is_mended_keeps_nothing_alive() -> None:
    async with Harness(tide_server(), now=T0) as h:
        h.http.answers[URL] = Canned({"height": 3}, headers={"Cache-Control": "max-age=60"})
        await h.fetch()
        h.http.answers[URL] = {"height": 4}
        h.bus.set_clock(timedelta(days=-3650))
        await h.bus.snapshot("tide")
        assert h.time.now() < T0 - timedelta(days=3000)
        await h.advance(minutes=2)
        await h.fetch()
        assert len(h.http.requests) == 2


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({}, 10),
        ({"Cache-Control": "max-age=60"}, 10),
        ({"Cache-Control": "max-age=3600"}, 60),
        ({"Expires": "Sun, 01 Mar 2026 12:25:00 GMT"}, 25),
        ({"Expires": "Sun, 01 Mar 2026 12:25:00 GMT", "Date": EARLIER}, 55),
        ({"Expires": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": EARLIER}, 24 * 60),
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


NOWHERE = "sends its callers on to what is no address of the web"


def sent_on(to: str) -> Canned:
    return Canned(status=302, headers={"Location": to})


@pytest.mark.parametrize(
    ("answer", "why", "asked"),
    [
        (Canned(status=404), "answers with status 404", 1),
        (Canned(status=403), "answers with status 403: it wants a key, or another one", 1),
        (Canned(status=429), "answers with status 429: it is asked too often", 1),
        (Canned(status=500), "answers with status 500", 3),
        (Canned(status=304), "answers with status 304", 1),
        (
            Canned(status=404, headers={"Expires": "Fri, 31 Dec 9999 23:59:59 GMT"}),
            "answers with status 404",
            1,
        ),
        (Canned(status=302, headers={"Location": URL}), "sends its callers in circles", 6),
        (sent_on("ftp://else.example/hunter2"), NOWHERE, 1),
        (sent_on("file:///etc/passwd"), NOWHERE, 1),
        (sent_on("https://else.example:99999/"), NOWHERE, 1),
        (sent_on("https://[::1/hunter2"), NOWHERE, 1),
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
        assert len(h.http.requests) == asked
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


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx2.Response(404), "else.example answers with status 404"),
        (httpx2.Response(200, text="x" * 100), "else.example answers with more than 10 bytes"),
        (httpx2.Response(200, text="<html>"), "else.example answers with .* not JSON"),
        (
            httpx2.Response(302, headers={"Location": "ftp://x/"}),
            "else.example sends its callers on to what is no address",
        ),
        (httpx2.ConnectError("refused"), "else.example cannot be reached"),
        (httpx2.ConnectTimeout("late"), "else.example does not answer in time"),
    ],
)
async def test_who_fails_after_a_redirection_is_named(
    answer: httpx2.Response | Exception, why: str
) -> None:
    def ask(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "tides.example":
            return httpx2.Response(302, headers={"Location": "https://else.example/"})
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with _web(ask) as http:
        with pytest.raises(Unavailable, match=f"^{why}"):
            (await http.get(URL, max_bytes=10)).json()


async def test_who_keeps_it_waiting_after_a_redirection_is_named(
    passing: Callable[[float], Awaitable[None]],
) -> None:
    async def ask(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "tides.example":
            return httpx2.Response(302, headers={"Location": "https://else.example/"})
        await passing(60)
        return await asyncio.Future()

    http = _http(transport=httpx2.MockTransport(ask))
    with pytest.raises(Unavailable, match=r"^else\.example does not answer in time"):
        await http.get(URL)
    await http.close()


async def test_no_cookie_is_sent_back() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, headers={"Set-Cookie": "session=1; Path=/"})

    async with _web(answer) as http:
        for _ in range(2):
            await http.get(URL)
    assert ["cookie" in request.headers for request in asked] == [False, False]


@pytest.mark.parametrize(
    "url",
    [
        "tides.example/v1",
        "file:///etc/passwd",
        "https://",
        "http:///x",
        "http://a:port/",
        "http://a:99999/",
        "http://a:-1/",
    ],
)
async def test_an_address_that_is_none(url: str) -> None:
    http = _http()
    with pytest.raises(Unavailable, match="no address of the web"):
        await http.get(url)
    await http.close()


@pytest.mark.parametrize(
    "value", ["hunter2\n", "hünter2", "hunter2€", " hunter2", "hun\0ter2", "a\r\nX: hunter2"]
)
async def test_a_header_that_cannot_be_sent_is_named(value: str) -> None:
    http = _http(transport=httpx2.MockTransport(lambda _: pytest.fail("it was sent")))
    with pytest.raises(Unavailable, match="the value of the header X-Key cannot be sent") as raised:
        await http.get(URL, headers={"X-Key": value})
    assert "ter2" not in str(raised.value)
    with pytest.raises(Unavailable, match="the name of a header cannot be sent"):
        await http.get(URL, headers={value: "X-Key"})
    await http.close()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("content-length", "5", "the header content-length follows from the request itself"),
        ("Transfer-Encoding", "chunked", "the header Transfer-Encoding follows"),
        ("Host", "tides.example", "the header Host follows"),
        ("X-Key", 5, "the value of the header X-Key must be a text, not int"),
        (b"X-Key", "x", "the name of a header cannot be sent"),
    ],
)
async def test_a_header_that_is_none_is_named(name: Any, value: Any, why: str) -> None:
    async with _web(lambda _: pytest.fail("it was sent")) as http:
        with pytest.raises(Unavailable, match=f"^{why}"):
            await http.get(URL, headers={name: value})


async def test_headers_of_any_fit_content_are_sent() -> None:
    headers = {"X-Empty": "", "X-Odd": "a \t~", "X_1": "!"}
    async with _web(lambda request: httpx2.Response(200, json=dict(request.headers))) as http:
        sent = (await http.get(URL, headers=headers)).json()
    assert {name.lower(): value for name, value in headers.items()}.items() <= sent.items()


async def test_params_are_added_to_those_of_the_address() -> None:
    asked: list[httpx2.QueryParams] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.params)
        return httpx2.Response(200)

    async with _web(answer) as http:
        await http.get(f"{URL}?key=K&unit=ft", params={"unit": "m", "n": [1, 2]})
        await http.get(f"{URL}?key=K", params={})
    whole = [("key", "K"), ("unit", "m"), ("n", "1"), ("n", "2")]
    assert [each.multi_items() for each in asked] == [whole, [("key", "K")]]


async def test_only_so_many_replies_are_remembered() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("if-none-match", ""))
        return httpx2.Response(200, headers={} if request.url.path == "/passing" else {"ETag": "1"})

    async with _web(answer) as http:
        for page in (*range(MOST_REMEMBERED + 1), "passing", 1, 0):
            http.begin()
            await http.get(f"https://tides.example/{page}")
            http.keep()
    assert asked == [""] * (MOST_REMEMBERED + 2) + ["1", ""]


# --------------------------------------------------------------------------- what a reply contains


@pytest.mark.parametrize(
    ("content", "declared", "text"),
    [
        ("Kö".encode(), "text/plain", "Kö"),
        ("\ufeffKö".encode(), 'text/plain; charset="UTF-8"', "Kö"),
        ("Kö".encode("latin-1"), "text/plain; charset=ISO-8859-1", "Kö"),
        ("Kö".encode("utf-16"), "text/plain; charset=utf-16", "Kö"),
        ("Kö".encode(), "text/plain; charset=nonsense", "Kö"),
        ("Kö".encode(), "text/plain; charset=zip", "Kö"),
        (b"a-9", "text/plain; charset=punycode", "a-9"),
    ],
)
def test_text_is_in_the_charset_that_is_declared(content: bytes, declared: str, text: str) -> None:
    assert Reply("h", content, {"content-type": declared}).text == text


def test_json_is_in_the_charset_that_is_declared() -> None:
    answer = '{"height": 1, "station": "Kö"}'
    for charset in ("utf-8", "iso-8859-1", "utf-16"):
        declared = {"content-type": f"application/json; charset={charset}"}
        reply = Reply("h", answer.encode(charset), declared)
        assert reply.json()["station"] == reply.model(Answer).station == "Kö"
    assert Reply("h", answer.encode("utf-8-sig"), {}).model(Answer).station == "Kö"


def test_what_is_in_no_charset_is_said_to_be_none() -> None:
    for content, charset in ((b"\xff", "utf-8"), (b"\xff", "ascii")):
        reply = Reply("h", content, {"content-type": f"x/y; charset={charset}"})
        with pytest.raises(Unavailable, match=f"h answers with .* not text in {charset.upper()}"):
            _ = reply.text
        for read in (reply.json, lambda reply=reply: reply.model(Answer)):
            with pytest.raises(Unavailable, match="h answers with something that is not JSON"):
                read()


def test_names_out_of_a_reply_are_shown_on_one_line_that_ends() -> None:
    class Tides(BaseModel):
        by_station: dict[str, float]

    odd = json.dumps({"by_station": {"\x1b[31m\nred" + "x" * 1_000_000: "high"}})
    with pytest.raises(Unavailable) as raised:
        Reply("h", odd.encode(), {}).model(Tides)
    said = str(raised.value)
    assert said.isprintable()
    assert "by_station. [31m redxxx" in said
    assert "Input should be a valid number" in said
    assert len(said) < 300


# --------------------------------------------------------------------------------- the canned web


async def test_canned_addresses_are_those_that_mean_the_same() -> None:
    web = {"HTTPS://Tides.example:443/v1/tide?b=2&a=1": {"height": 1}, "https://tides.example": {}}
    async with Harness(now=T0, http=web) as h:
        http = _http(transport=h.http)
        assert (await http.get(f"{URL}?a=1&b=2")).json() == {"height": 1}
        reply = await http.get("https://tides.example/?any=1")
        assert (reply.json(), reply.headers["date"]) == ({}, "Sun, 01 Mar 2026 12:00:00 GMT")
        await http.close()


async def test_who_does_not_say_what_the_web_answers_is_told() -> None:
    async with Harness(tide_server(), now=T0, http={f"{URL}?unit=m": {}, "https://x/": {}}) as h:
        with pytest.raises(LookupError) as raised:
            await h.fetch()
    assert str(raised.value) == (
        f"{URL}?key=... is asked, and the test answers with http= for\n  {URL}?unit=m\n  https://x/"
    )


# ------------------------------------------------------------------------- against a real server


def _http(transport: httpx2.AsyncBaseTransport | None = None) -> Http:
    return Http(
        user_agent="test",
        timeout=timedelta(minutes=1),
        now=lambda: T0,
        monotonic_s=time.monotonic,
        transport=transport,
    )


@asynccontextmanager
async def _web(answer: Callable[[httpx2.Request], httpx2.Response]) -> AsyncIterator[Http]:
    http = _http(transport=httpx2.MockTransport(answer))
    yield http
    await http.close()


@asynccontextmanager
async def _serving(speak: Speak, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of a server that does so with each connection, once a request is there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await speak(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http{'s' if tls else ''}://{host}:{port}/"


@pytest.fixture
async def passing(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Awaitable[None]]:
    """Lets so many seconds of the loop's time pass, at once."""
    loop = asyncio.get_running_loop()
    time_s, passed_s = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: time_s() + passed_s)

    async def let_pass(duration_s: float) -> None:
        nonlocal passed_s
        passed_s += duration_s
        await asyncio.sleep(0)  # the loop looks whose time is up

    return let_pass


async def test_a_server_may_take_all_the_time_that_there_is_and_is_not_asked_again(
    passing: Callable[[float], Awaitable[None]],
) -> None:
    asked = 0

    async def hesitate(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await passing(50)  # of the 54 that one request has
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

    http = _http()
    async with _serving(hesitate) as url:
        assert (await http.get(url)).text == "OK"
    assert asked == 1
    await http.close()


async def test_a_server_that_hangs_or_drips_or_is_not_there(
    passing: Callable[[float], Awaitable[None]],
) -> None:
    gone = asyncio.Event()
    asked = 0

    async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await passing(60)
        await gone.wait()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await passing(1)

    http = _http()
    for speak in (hang, drip):
        async with _serving(speak) as url:
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1 does not answer in time"):
                await http.get(url)
            gone.set()
    assert asked == 1
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        await http.get(url)
    await http.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "breaks off in the middle"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2",
            "breaks off in the middle",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: hunter2\r\n" * 20_000, "does not answer in HTTP"),
        (b"\0\1\2 hunter2\r\n\r\n", "does not answer in HTTP"),
        (b"", "does not answer in HTTP"),
    ],
)
async def test_a_server_that_speaks_no_http(
    said: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.http.FIRST_WAIT_S", 0.0)

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    http = _http()
    async with _serving(speak) as url:
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1 {why}") as raised:
            await http.get(url)
    assert "hunter2" not in str(raised.value)
    await http.close()


async def test_a_certificate_that_is_not_trusted_is_said_to_be_and_not_asked_for_again(
    tmp_path: Path,
) -> None:
    hellos = 0

    def count(*_: object) -> None:
        nonlocal hellos
        hellos += 1

    leaf = Authority(tmp_path).leaf("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    context.sni_callback = count
    http = _http()
    async with _serving(lambda *_: pytest.fail("it was trusted"), context) as url:
        with pytest.raises(Unavailable) as raised:
            await http.get(url)
    assert str(raised.value) == (
        "127.0.0.1 cannot be reached: its certificate is not trusted: "
        "unable to get local issuer certificate"
    )
    assert hellos == 1
    await http.close()


async def test_what_else_fails_in_tls_is_said_to_be_of_tls() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("hunter2") from ssl.SSLError(1, "wrong version of hunter2")

    async with _web(answer) as http:
        with pytest.raises(Unavailable) as raised:
            await http.get(URL)
    assert str(raised.value) == "tides.example cannot be reached: TLS fails"


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
