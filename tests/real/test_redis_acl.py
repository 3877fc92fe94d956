"""The least rights that ``framework.redisbus`` names are enough, and none of them is too much."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import framework.redisbus
from framework.bus import Held, Outcome, Posted
from framework.bustime import from_us, to_us
from framework.errors import BusUnavailable
from framework.redisbus import RedisBus

if TYPE_CHECKING:
    from tests.conftest import Server, Watcher

    Watch = Callable[..., Awaitable[Watcher]]

SERVICE = "~matrix:{tide}:state &matrix:{tide} +time +hmget +hset +publish +eval +evalsha"
DISPLAY = "%R~matrix:* &matrix:* +time +hmget +subscribe"
US = to_us(datetime.now(UTC))


def post(later_us: int) -> Posted:
    updated = from_us(US + later_us).isoformat().replace("+00:00", "Z")
    return Posted(US + later_us, json.dumps({"updated": updated}).encode())


@pytest.fixture
def acl_server(private_server: Callable[..., Server]) -> Server:
    return private_server()


@asynccontextmanager
async def user(server: Server, rights: str, *, db: int = 0) -> AsyncIterator[RedisBus]:
    start = ("on", ">p/w:?#@%", "resetkeys", "resetchannels", "-@all")
    server.command("ACL", "SETUSER", "some@one", *start, *rights.split())
    server.command("ACL", "LOG", "RESET")
    bus = RedisBus(f"redis://some%40one:p%2Fw%3A%3F%23%40%25@127.0.0.1:{server.port}/{db}")
    try:
        yield bus
    finally:
        await bus.close()


def denied(server: Server) -> list[bytes]:
    return [
        dict(zip(entry[::2], entry[1::2], strict=True))[b"object"]
        for entry in server.command("ACL", "LOG")
    ]


def test_the_docstring_names_them() -> None:
    assert framework.redisbus.__doc__ is not None
    assert SERVICE in framework.redisbus.__doc__
    assert DISPLAY in framework.redisbus.__doc__


async def test_a_service(acl_server: Server) -> None:
    async with user(acl_server, SERVICE) as bus:
        assert (await bus.publish("tide", post(0))).outcome is Outcome.ARRIVED
        assert (await bus.publish("tide", post(1))).outcome is Outcome.ARRIVED
        await bus.fail("tide", "dry")
        assert await bus.snapshot("tide") == Held(post(1), "dry")
        assert denied(acl_server) == []

        for call in (bus.publish("moon", post(0)), bus.snapshot("moon"), bus.fail("moon", "dry")):
            with pytest.raises(BusUnavailable, match="its ACL does not allow that"):
                await call


async def test_a_display(acl_server: Server, watch: Watch) -> None:
    async with user(acl_server, SERVICE) as service:
        await service.publish("tide", post(0))
        await service.fail("tide", "dry")
    async with user(acl_server, DISPLAY) as bus:
        watcher = await watch(bus, "tide", "moon")
        await watcher.until_failing(("tide", "dry"))
        await watcher.until_delivered(("tide", post(0)))
        acl_server.command("PUBLISH", "matrix:{moon}", post(1).body)
        await watcher.until_delivered(("tide", post(0)), ("moon", post(1)))
        assert denied(acl_server) == []

        for call in (bus.publish("tide", post(2)), bus.fail("tide", "no")):
            with pytest.raises(BusUnavailable, match="its ACL does not allow that"):
                await call
        assert await bus.snapshot("tide") == Held(post(0), "dry")


async def test_another_database_needs_select(acl_server: Server) -> None:
    async with user(acl_server, SERVICE, db=1) as bus:
        with pytest.raises(BusUnavailable, match=r"\+select"):
            await bus.publish("tide", post(0))
    async with user(acl_server, f"{SERVICE} +select", db=1) as bus:
        assert (await bus.publish("tide", post(0))).outcome is Outcome.ARRIVED


@pytest.mark.parametrize("right", SERVICE.split())
async def test_a_service_needs_every_right(acl_server: Server, right: str) -> None:
    rights = " ".join(each for each in SERVICE.split() if each != right)
    async with user(acl_server, SERVICE) as bus:
        await bus.publish("tide", post(0))
    async with user(acl_server, rights) as bus:
        acl_server.command("SCRIPT", "FLUSH")
        with pytest.raises(BusUnavailable, match="its ACL does not allow that"):
            await bus.publish("tide", post(1))
    async with user(acl_server, SERVICE) as bus:
        assert (await bus.snapshot("tide")).posted == post(0)


@pytest.mark.parametrize("right", DISPLAY.split())
async def test_a_display_needs_every_right(
    acl_server: Server, watch: Watch, right: str, caplog: pytest.LogCaptureFixture
) -> None:
    rights = " ".join(each for each in DISPLAY.split() if each != right)
    async with user(acl_server, rights) as bus:
        watcher = await watch(bus, "tide")
        assert watcher.connected == [False]
    assert "its ACL does not allow that" in caplog.text


async def test_what_the_servers_say_of_a_user_stays_there(acl_server: Server) -> None:
    async with user(acl_server, "+ping") as bus:
        with pytest.raises(BusUnavailable) as caught:
            await bus.publish("tide", post(0))
    assert "some" not in str(caught.value)
    assert caught.value.__context__ is None
