"""Every failure is a sentence that says what to do, and shows of ``redis_url`` only the place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.bus import Posted
from framework.errors import BusUnavailable, ConfigError
from framework.redisbus import RedisBus, open_bus

if TYPE_CHECKING:
    from tests.conftest import Server

HIDDEN = "hunter2"


async def sentence(url: str, **limits: float) -> str:
    """What publishing says, and reading too; and that neither carries more than it says."""
    bus = RedisBus(url, **limits)
    calls = (bus.publish("tide", Posted(0, b"{}")), bus.fail("tide", "dry"), bus.snapshot("tide"))
    for call in calls:
        with pytest.raises(BusUnavailable) as caught:
            await call
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
    await bus.close()
    said = str(caught.value)
    assert HIDDEN not in said
    return said


@asynccontextmanager
async def stand_in(reply: bytes) -> AsyncIterator[str]:
    """A server that answers everything with this; with nothing, by closing the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while reply and await reader.read(65536):
            writer.write(reply * 2)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"


async def test_nobody_listens(private_server: Callable[..., Server]) -> None:
    server = private_server()
    server.kill()
    assert await sentence(f"redis://:{HIDDEN}@127.0.0.1:{server.port}/3") == (
        f"Cannot read tide on the bus at 127.0.0.1:{server.port}/3: "
        "nothing listens there; start the server, or correct redis_url"
    )


async def test_no_such_host() -> None:
    said = await sentence(f"redis://:{HIDDEN}@nowhere.invalid")
    assert "at nowhere.invalid:6379/0: the host is not known" in said


async def test_a_wrong_password(server: Server) -> None:
    said = await sentence(f"redis://user:{HIDDEN}@127.0.0.1:{server.port}/0")
    assert "does not accept the user and password" in said


async def test_a_password_is_wanted(private_server: Callable[..., Server]) -> None:
    server = private_server()
    server.command("CONFIG", "SET", "requirepass", HIDDEN)
    assert "it wants a password" in await sentence(server.url)


async def test_a_replica(private_server: Callable[..., Server]) -> None:
    server = private_server()
    server.command("REPLICAOF", "127.0.0.1", "1")
    bus = RedisBus(server.url)
    with pytest.raises(BusUnavailable, match="read-only replica; set redis_url to the primary"):
        await bus.publish("tide", Posted(0, b"{}"))
    await bus.close()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"-LOADING Redis is loading the dataset in memory", "still loading its data"),
        (b"-MISCONF Redis is configured to save", "cannot write to its disk"),
        (b"-MOVED 5 127.0.0.1:1", "part of a cluster"),
        (
            b"-ERR Error compiling script (new function): user_script:1: unexpected symbol",
            "needs Redis 7 or Valkey",
        ),
        (b"-BUSY hunter2 is busy running a script", "it refuses (BUSY); see its log"),
        (b"-ERR unknown command 'hunter2'", "it refuses (ERR); see its log"),
        (b"-hunter2", "it refuses (ERR); see its log"),
        (b"HTTP/1.1 400 Bad Request", "what answers there is no Redis"),
        (b"", "the connection was lost; look whether the server runs"),
    ],
    ids=lambda value: value.decode()[:20] if isinstance(value, bytes) else "",
)
async def test_what_a_server_may_say(reply: bytes, expected: str) -> None:
    async with stand_in(reply and reply + b"\r\n") as url:
        assert expected in await sentence(url)


async def test_silence() -> None:
    async with stand_in(b" ") as url:
        assert "no answer in time" in await sentence(url, timeout_s=0.1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "http://:hunter2@host/0",
        "unix:///hunter2",
        "redis://",
        "redis://:hunter2@host:port/0",
        "redis://:hunter2@host:70000/0",
        "redis://:hunter2@host/zero",
        "redis://:hun/ter2@host/0",
        "redis://:hunter2@[::1/0",
        "redis://:hun?ter2@host/0",
        "redis://:hunter2#@host/0",
        "redis://:hunter2@host/0?socket_timeout=5",
        "redis://:hunter2@host/0?ssl_ca_certs=ca.pem",
        "rediss://:hunter2@host/0?ssl_cert_reqs=none",
        "rediss://:hunter2@host/0?ssl_check_hostname=no",
    ],
)
def test_a_url_that_cannot_be_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="redis_url") as caught:
        open_bus(url)
    assert HIDDEN not in str(caught.value)
    assert "ter2" not in str(caught.value)
    assert caught.value.__context__ is None


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_no_url_that_is_refused_is_shown(rest: str) -> None:
    refusal: ConfigError | None = None
    try:
        open_bus(f"redis://:{HIDDEN}{rest}{HIDDEN}")
    except ConfigError as error:
        refusal = error
    assert refusal is None or (HIDDEN not in str(refusal) and refusal.__context__ is None)
