"""What servers do to those who rely on them, and how ``RedisBus`` gets over it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from framework.bus import Outcome, Posted
from framework.bustime import from_us, to_us
from framework.errors import BusUnavailable
from framework.redisbus import RedisBus

if TYPE_CHECKING:
    from tests.conftest import Server, Watcher

    Watch = Callable[..., Awaitable[Watcher]]
    MakeServer = Callable[..., Server]

KEY = "matrix:{tide}:state"
CHANNEL = "matrix:{tide}"
US = to_us(datetime.now(UTC))


def post(later_us: int) -> Posted:
    updated = from_us(US + later_us).isoformat().replace("+00:00", "Z")
    return Posted(US + later_us, json.dumps({"updated": updated}).encode())


@asynccontextmanager
async def connected(server: Server, **limits: float) -> AsyncIterator[RedisBus]:
    bus = RedisBus(server.url, **limits)
    try:
        yield bus
    finally:
        await bus.close()


async def test_a_blocked_loop_does_not_make_the_time_late(server: Server) -> None:
    async with connected(server) as bus:
        read = bus._read

        async def blocked(names: Iterable[str]) -> list[Any]:
            answer = await read(names)
            time.sleep(0.3)  # noqa: ASYNC251  # a fetch() that blocks the loop
            return answer

        bus._read = blocked  # type: ignore[method-assign]  # a loop that is blocked
        await bus.snapshot("tide")
        seconds, us = server.command("TIME")
        assert bus.time.now() >= from_us(1_000_000 * int(seconds) + int(us))


async def test_killed_and_started_empty(private_server: MakeServer, watch: Watch) -> None:
    server = private_server()
    async with connected(server) as bus:
        watcher = await watch(bus, "tide")
        await bus.publish("tide", post(0))
        await watcher.until_delivered(("tide", post(0)))

        server.kill()
        await watcher.until_connected(True, False)
        with pytest.raises(BusUnavailable, match="nothing listens there"):
            await bus.publish("tide", post(1))

        server.start()
        await watcher.until_connected(True, False, True)
        assert (await bus.snapshot("tide")).posted is None
        await bus.publish("tide", post(1))
        await watcher.until_delivered(("tide", post(0)), ("tide", post(1)))


async def test_there_is_no_server_yet(private_server: MakeServer, watch: Watch) -> None:
    server = private_server()
    server.kill()
    async with connected(server) as bus:
        watcher = await watch(bus, "tide")
        assert watcher.connected == [False]

        server.start()
        await watcher.until_connected(False, True)


async def test_what_was_published_while_the_connection_was_gone(
    server: Server, watch: Watch
) -> None:
    async with connected(server) as bus:
        watcher = await watch(bus, "tide")
        for number in range(20):
            server.command("CLIENT", "KILL", "TYPE", "pubsub")
            await bus.publish("tide", post(number))
        await watcher.until(lambda: watcher.delivered[-1:] == [("tide", post(19))])

        assert watcher.delivered[-1] == ("tide", post(19))
        assert watcher.connected == [True]


async def test_frozen(private_server: MakeServer, watch: Watch) -> None:
    server = private_server()
    async with connected(server, timeout_s=1, reread_s=0.3) as bus:
        watcher = await watch(bus, "tide")

        server.freeze()
        await watcher.until_connected(True, False)
        with pytest.raises(BusUnavailable, match="no answer in time"):
            await bus.publish("tide", post(0))

        server.thaw()
        await watcher.until_connected(True, False, True)
        await bus.publish("tide", post(1))
        await watcher.until(lambda: watcher.delivered[-1:] == [("tide", post(1))])
        assert watcher.delivered[-1] == ("tide", post(1))


async def test_full(private_server: MakeServer, watch: Watch) -> None:
    server = private_server()
    async with connected(server) as bus:
        await bus.publish("tide", post(0))
        watcher = await watch(bus, "tide")

        server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(BusUnavailable, match="full; raise its maxmemory"):
            await bus.publish("tide", post(1))
        assert (await bus.snapshot("tide")).posted == post(0)

        server.command("CONFIG", "SET", "maxmemory", "0")
        await bus.publish("tide", post(2))
        await watcher.until_delivered(("tide", post(0)), ("tide", post(2)))


async def test_an_old_dump_is_restored(private_server: MakeServer, watch: Watch) -> None:
    server = private_server()
    async with connected(server) as bus:
        watcher = await watch(bus, "tide")
        await bus.publish("tide", post(0))
        server.command("SAVE")
        await bus.publish("tide", post(1))
        server.kill()
        await watcher.until_connected(True, False)
        server.start()
        await watcher.until_connected(True, False, True)

        assert (await bus.snapshot("tide")).posted == post(0)
        assert (await bus.publish("tide", post(1))).outcome is Outcome.ARRIVED
        assert (await bus.snapshot("tide")).posted == post(1)
        await watcher.until_delivered(("tide", post(0)), ("tide", post(1)))


async def test_scripts_are_flushed(server: Server) -> None:
    async with connected(server) as bus:
        await bus.publish("tide", post(0))
        server.command("SCRIPT", "FLUSH")
        assert (await bus.publish("tide", post(1))).outcome is Outcome.ARRIVED


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no JSON",
        b"[1, 2]",
        b"{}",
        b'{"updated": 5}',
        b'{"updated": "yesterday"}',
        b'{"updated": "2026-11-24T12:00:00"}',
        b'{"updated": "9999-12-31T23:59:59-23:00"}',
        b'{"updated": "0001-01-01T00:00:00Z"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda message: repr(message[:30]),
)
async def test_a_message_that_cannot_be_read_is_dropped(
    server: Server, watch: Watch, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server) as bus:
        watcher = await watch(bus, "tide")
        caplog.set_level(logging.WARNING)
        for _ in range(2):
            server.command("PUBLISH", CHANNEL, message)
        await bus.publish("tide", post(0))

        await watcher.until_delivered(("tide", post(0)))
        assert [record.message for record in caplog.records] == [
            "dropped a message on matrix:{tide}: no update (said once)"
        ]


@pytest.mark.parametrize(
    "command",
    [
        ("SET", KEY, "x"),
        ("HSET", KEY, "body", "{}"),
        ("HSET", KEY, "updated", "5"),
        ("HSET", KEY, "updated", "soon", "body", "{}"),
        ("HSET", KEY, "updated", "nan", "body", "{}"),
        ("HSET", KEY, "updated", "-5", "body", "{}"),
        ("HSET", KEY, "updated", "9" * 400, "body", "{}"),
    ],
    ids=" ".join,
)
async def test_what_is_held_and_cannot_be_read_is_nothing(
    server: Server, watch: Watch, command: tuple[str, ...]
) -> None:
    server.command(*command)
    async with connected(server) as bus:
        await bus.publish("moon", post(0))
        watcher = await watch(bus, "tide", "moon")

        assert (await bus.snapshot("tide")).posted is None
        await watcher.until_delivered(("moon", post(0)))
        if command[0] == "HSET":
            assert (await bus.publish("tide", post(0))).outcome is Outcome.ARRIVED
        else:
            with pytest.raises(BusUnavailable, match="not ours; delete that key"):
                await bus.publish("tide", post(0))


class Proxy:
    """A port that leads to the server. Subscriptions through it can be made deaf."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._subscriptions: list[asyncio.StreamWriter] = []
        self._deaf: set[asyncio.StreamWriter] = set()
        self.subscribed_again = asyncio.Event()

    def make_deaf(self) -> None:
        """Nothing that the server says reaches those that are subscribed now."""
        self._deaf.update(self._subscriptions)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = await asyncio.open_connection("127.0.0.1", self._server_port)
        await asyncio.gather(
            self._up(reader, writer, connection[1]), self._down(connection[0], writer)
        )

    async def _up(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, to: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            to.write(data)
            if b"SUBSCRIBE" in data:
                if self._deaf:
                    self.subscribed_again.set()
                self._subscriptions.append(client)
        to.close()

    async def _down(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if to not in self._deaf:
                to.write(data)
        to.close()


async def test_a_deaf_subscription_is_made_anew(server: Server, watch: Watch) -> None:
    """The connection stands and nothing comes through it, as behind a NAT that has forgotten it."""
    proxy = Proxy(server.port)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, connected(server) as publisher:
        bus = RedisBus(f"redis://127.0.0.1:{port}", reread_s=0.2)
        watcher = await watch(bus, "tide")
        proxy.make_deaf()
        await publisher.publish("tide", post(0))
        await watcher.until_delivered(("tide", post(0)))

        async with asyncio.timeout(5):
            await proxy.subscribed_again.wait()
        await publisher.publish("tide", post(1))
        await watcher.until_delivered(("tide", post(0)), ("tide", post(1)))
        assert watcher.connected == [True]
        await bus.close()
