"""The contract of ``Bus``: one suite for the bus in memory and for every server it is meant for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from framework.bus import Bus, Held, Outcome, Posted, Receipt
from framework.bustime import from_us, to_us
from framework.errors import BusUnavailable
from framework.redisbus import RedisBus
from framework.testing.bus import MemoryBus
from framework.testing.clock import FakeClock

if TYPE_CHECKING:
    from tests.conftest import Server, Watcher

    Watch = Callable[..., Awaitable[Watcher]]

SECOND = 1_000_000


class World(Protocol):
    """One server, and what happens to it from outside."""

    def bus(self) -> Bus: ...
    def put(self, name: str, updated_us: int, body: bytes) -> None: ...
    def empty(self) -> None: ...
    def cut(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self._bus = MemoryBus(FakeClock(datetime(2026, 11, 24, 12, tzinfo=UTC)))

    def bus(self) -> Bus:
        return self._bus

    def put(self, name: str, updated_us: int, body: bytes) -> None:
        self._bus.restore(self._bus.dump() | {name: Held(Posted(updated_us, body))})

    def empty(self) -> None:
        self._bus.restore({})

    def cut(self) -> None:
        self._bus.cut()


class RedisWorld:
    def __init__(self, url: str, command: Callable[..., object]) -> None:
        self._url = url
        self._command = command

    def bus(self) -> Bus:
        return RedisBus(self._url)

    def put(self, name: str, updated_us: int, body: bytes) -> None:
        key = f"matrix:{{{name}}}:state"
        self._command("HSET", key, "updated", updated_us, "body", body)

    def empty(self) -> None:
        self._command("FLUSHALL")

    def cut(self) -> None:
        self._command("CLIENT", "KILL", "TYPE", "pubsub")


@pytest.fixture(params=["memory", "valkey", "redis"])
def world(request: pytest.FixtureRequest, server_of: Callable[[str], Server]) -> World:
    if request.param == "memory":
        return MemoryWorld()
    server = server_of(request.param)
    return RedisWorld(server.url, server.command)


@pytest.fixture
async def bus(world: World) -> AsyncIterator[Bus]:
    bus = world.bus()
    yield bus
    await bus.close()


def post(updated_us: int, height: float = 1.5) -> Posted:
    updated = from_us(updated_us).isoformat().replace("+00:00", "Z")
    return Posted(updated_us, json.dumps({"updated": updated, "height": height}).encode())


async def now_us(bus: Bus) -> int:
    await bus.snapshot("nothing")
    return to_us(bus.time.now())


async def test_nothing_is_held_at_first(bus: Bus) -> None:
    assert await bus.snapshot("tide") == Held()


async def test_reading_makes_the_time_known(bus: Bus) -> None:
    assert abs(await now_us(bus) - to_us(bus.time.now())) < SECOND
    assert bus.time.known


async def test_publishing_makes_the_time_known(bus: Bus) -> None:
    await bus.publish("tide", post(0))
    assert bus.time.known


@pytest.mark.parametrize(
    "body",
    [b"{}", '{"name":"Föhr – 13.10"}'.encode(), b"[]" * 60_000, bytes(range(256)), b""],
    ids=["short", "not ASCII", "long", "every byte", "empty"],
)
async def test_what_is_published_is_held_byte_for_byte(bus: Bus, body: bytes) -> None:
    posted = Posted(await now_us(bus), body)

    assert await bus.publish("tide", posted) == Receipt(Outcome.ARRIVED, posted.updated_us)
    assert (await bus.snapshot("tide")).posted == posted
    assert await bus.snapshot("moon") == Held()


async def test_the_newer_replaces_the_older(bus: Bus) -> None:
    us = await now_us(bus)
    await bus.publish("tide", post(us - 1))

    assert (await bus.publish("tide", post(us))).outcome is Outcome.ARRIVED
    assert (await bus.snapshot("tide")).posted == post(us)


async def test_the_older_never_replaces_the_newer(bus: Bus) -> None:
    us = await now_us(bus)
    await bus.publish("tide", post(us))

    assert await bus.publish("tide", post(us - 1)) == Receipt(Outcome.SUPERSEDED, us)
    assert (await bus.snapshot("tide")).posted == post(us)


async def test_the_same_again_has_arrived(bus: Bus) -> None:
    us = await now_us(bus)
    await bus.publish("tide", post(us))

    assert await bus.publish("tide", post(us)) == Receipt(Outcome.ARRIVED, us)


async def test_far_ahead_is_refused(bus: Bus) -> None:
    us = await now_us(bus)
    await bus.publish("tide", post(us))

    ahead = await bus.publish("tide", post(us + 70 * SECOND))

    assert ahead == Receipt(Outcome.AHEAD, us)
    assert (await bus.snapshot("tide")).posted == post(us)
    assert await bus.publish("moon", post(us + 70 * SECOND)) == Receipt(Outcome.AHEAD, None)
    assert await bus.snapshot("moon") == Held()


async def test_a_little_ahead_is_accepted(bus: Bus) -> None:
    us = await now_us(bus)
    assert (await bus.publish("tide", post(us + 50 * SECOND))).outcome is Outcome.ARRIVED


async def test_held_from_the_future_is_replaced_by_now(bus: Bus, world: World) -> None:
    us = await now_us(bus)
    world.put("tide", us + 86_400 * SECOND, b"{}")

    assert (await bus.publish("tide", post(us))).outcome is Outcome.ARRIVED
    assert (await bus.snapshot("tide")).posted == post(us)


async def test_what_is_held_from_the_future_is_no_excuse(bus: Bus, world: World) -> None:
    """Published before the bus's clock was set back: it must be fetched again."""
    us = await now_us(bus) + 86_400 * SECOND
    world.put("tide", us, b"{}")

    assert await bus.publish("tide", post(us)) == Receipt(Outcome.AHEAD, us)


async def test_why_there_is_nothing_is_held_though_there_never_was_anything(bus: Bus) -> None:
    await bus.fail("tide", "Föhr cannot be reached")

    assert await bus.snapshot("tide") == Held(None, "Föhr cannot be reached")
    assert await bus.snapshot("moon") == Held()


async def test_why_there_is_nothing_newer_is_held_beside_the_last(bus: Bus) -> None:
    us = await now_us(bus)
    await bus.publish("tide", post(us))
    assert await bus.snapshot("tide") == Held(post(us), "")

    await bus.fail("tide", "dry")
    assert await bus.snapshot("tide") == Held(post(us), "dry")


async def test_what_is_published_is_failing_no_more(bus: Bus) -> None:
    us = await now_us(bus)
    await bus.fail("tide", "dry")
    await bus.publish("tide", post(us))
    assert await bus.snapshot("tide") == Held(post(us), "")

    await bus.fail("tide", "dry again")
    assert (await bus.publish("tide", post(us - 1))).outcome is Outcome.SUPERSEDED
    assert (await bus.publish("tide", post(us + 70 * SECOND))).outcome is Outcome.AHEAD
    assert await bus.snapshot("tide") == Held(post(us), "dry again")


async def test_a_follower_first_gets_what_is_held(bus: Bus, watch: Watch) -> None:
    us = await now_us(bus)
    await bus.publish("tide", post(us))

    watcher = await watch(bus, "tide", "moon")

    await watcher.until_delivered(("tide", post(us)))
    assert watcher.connected == [True]


async def test_a_follower_gets_what_is_published(bus: Bus, watch: Watch) -> None:
    us = await now_us(bus)
    watcher = await watch(bus, "tide", "moon")
    for name, later_us in (("tide", 0), ("sun", 1), ("moon", 2), ("tide", 3)):
        await bus.publish(name, post(us + later_us))

    await watcher.until_delivered(
        ("tide", post(us)), ("moon", post(us + 2)), ("tide", post(us + 3))
    )


async def test_every_follower_gets_it(bus: Bus, watch: Watch) -> None:
    us = await now_us(bus)
    watchers = [await watch(bus, "tide"), await watch(bus, "tide")]
    await bus.publish("tide", post(us))

    for watcher in watchers:
        await watcher.until_delivered(("tide", post(us)))


async def test_a_follower_never_goes_back(bus: Bus, world: World, watch: Watch) -> None:
    """The server came back empty, and a slow old service is the first to publish."""
    us = await now_us(bus)
    watcher = await watch(bus, "tide")
    await bus.publish("tide", post(us))
    await watcher.until_delivered(("tide", post(us)))

    world.empty()
    assert (await bus.publish("tide", post(us - SECOND))).outcome is Outcome.ARRIVED
    await bus.publish("tide", post(us + 1))

    await watcher.until_delivered(("tide", post(us)), ("tide", post(us + 1)))


async def test_what_is_announced_but_no_news_is_not_delivered(bus: Bus, watch: Watch) -> None:
    us = await now_us(bus)
    watcher = await watch(bus, "tide")
    for later_us in (0, 0, -1, 1):
        await bus.publish("tide", post(us + later_us))

    await watcher.until_delivered(("tide", post(us)), ("tide", post(us + 1)))


async def test_a_follower_that_was_given_the_future_takes_the_present(
    bus: Bus, world: World, watch: Watch
) -> None:
    us = await now_us(bus)
    future_us = us + 86_400 * SECOND
    world.put("tide", future_us, post(future_us).body)
    watcher = await watch(bus, "tide")
    await bus.publish("tide", post(us))

    await watcher.until_delivered(("tide", post(future_us)), ("tide", post(us)))


async def test_what_could_not_be_used_hides_nothing(bus: Bus, world: World, watch: Watch) -> None:
    """A broken service, whose clock is ahead as well, beside a good one."""
    us = await now_us(bus)
    broken = post(us + 50 * SECOND)
    watcher = await watch(bus, "tide")
    watcher.useless = (broken,)
    await bus.publish("tide", broken)
    await watcher.until_delivered(("tide", broken))

    world.cut()  # and it is read again
    world.empty()
    await bus.publish("tide", post(us))

    await watcher.until_delivered(("tide", broken), ("tide", post(us)))


async def test_a_broken_connection_is_mended_in_silence(
    bus: Bus, world: World, watch: Watch
) -> None:
    us = await now_us(bus)
    watcher = await watch(bus, "tide")
    world.cut()
    await bus.publish("tide", post(us))

    await watcher.until_delivered(("tide", post(us)))
    assert watcher.connected == [True]


async def test_a_follower_is_told_why_and_when_that_is_over(
    bus: Bus, world: World, watch: Watch
) -> None:
    await bus.fail("tide", "dry")
    watcher = await watch(bus, "tide", "moon")
    await watcher.until_failing(("tide", "dry"))

    await bus.publish("tide", post(await now_us(bus)))
    await watcher.until_failing(("tide", "dry"), ("tide", ""))

    await bus.fail("moon", "no moon")
    world.cut()  # and it is read again
    await watcher.until_failing(("tide", "dry"), ("tide", ""), ("moon", "no moon"))


async def test_a_server_that_came_back_empty_says_nothing_of_failures(
    bus: Bus, world: World, watch: Watch
) -> None:
    us = await now_us(bus)
    await bus.fail("tide", "dry")
    watcher = await watch(bus, "tide", "moon")
    world.empty()
    await bus.publish("moon", post(us))
    world.cut()
    await bus.fail("moon", "no moon")
    world.cut()

    await watcher.until_failing(("tide", "dry"), ("moon", "no moon"))


async def test_following_nothing_is_for_the_time(bus: Bus, watch: Watch) -> None:
    watcher = await watch(bus)
    assert watcher.connected == [True]
    assert bus.time.known


async def test_following_ends_when_it_is_cancelled(bus: Bus) -> None:
    task = asyncio.create_task(bus.follow(["tide"], lambda *_: True, lambda _: None))
    await bus.snapshot("tide")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_closing_twice_is_harmless(bus: Bus) -> None:
    await bus.snapshot("tide")
    await bus.close()
    await bus.close()


# The faults of the bus in memory; those of real servers are in tests/real/.

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
US = to_us(T0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def memory(clock: FakeClock) -> MemoryBus:
    return MemoryBus(clock)


@pytest.fixture
async def watcher(memory: MemoryBus, watch: Watch) -> Watcher:
    return await watch(memory, "tide")


def seen(watcher: Watcher) -> list[int]:
    return [posted.updated_us - US for _, posted in watcher.delivered]


async def test_a_lost_message_is_found_by_the_next_reading(
    memory: MemoryBus, clock: FakeClock, watcher: Watcher
) -> None:
    memory.drop()
    await memory.publish("tide", post(US))
    assert seen(watcher) == []

    await clock.advance(timedelta(seconds=10))
    assert seen(watcher) == [0]


async def test_a_lost_message_is_found_after_a_broken_connection(
    memory: MemoryBus, watcher: Watcher
) -> None:
    memory.drop()
    await memory.publish("tide", post(US))
    memory.cut()
    assert seen(watcher) == [0]


async def test_a_failure_is_found_by_the_next_reading(
    memory: MemoryBus, clock: FakeClock, watcher: Watcher
) -> None:
    await memory.fail("tide", "dry")
    assert watcher.failing == []

    await clock.advance(timedelta(seconds=10))
    assert watcher.failing == [("tide", "dry")]


async def test_twice_delivered_is_once_taken(memory: MemoryBus, watcher: Watcher) -> None:
    memory.duplicate()
    await memory.publish("tide", post(US))
    await memory.publish("tide", post(US + 1))
    assert seen(watcher) == [0, 1]


async def test_out_of_order_the_newer_stays(memory: MemoryBus, watcher: Watcher) -> None:
    memory.reorder()
    await memory.publish("tide", post(US))
    await memory.publish("tide", post(US + 1))
    assert seen(watcher) == [1]


async def test_a_publish_whose_reply_is_lost_has_arrived(
    memory: MemoryBus, watcher: Watcher
) -> None:
    memory.lose_replies()
    with pytest.raises(BusUnavailable):
        await memory.publish("tide", post(US))

    assert seen(watcher) == [0]
    assert (await memory.publish("tide", post(US))).outcome is Outcome.ARRIVED


async def test_away_and_back(memory: MemoryBus, clock: FakeClock, watcher: Watcher) -> None:
    await memory.publish("tide", post(US))
    memory.go_away()
    await clock.advance(timedelta(seconds=60))
    for call in (memory.publish("tide", post(US + 1)), memory.snapshot("tide")):
        with pytest.raises(BusUnavailable):
            await call
    assert watcher.connected == [True, False]

    memory.come_back()
    assert watcher.connected == [True, False, True]
    assert (await memory.snapshot("tide")).posted == post(US)


async def test_back_empty(memory: MemoryBus, watcher: Watcher) -> None:
    await memory.publish("tide", post(US))
    memory.go_away()
    memory.come_back(empty=True)

    assert await memory.snapshot("tide") == Held()
    assert seen(watcher) == [0]


async def test_frozen_is_noticed_and_gets_over_it(
    memory: MemoryBus, clock: FakeClock, watcher: Watcher
) -> None:
    memory.freeze()
    publishing = asyncio.create_task(memory.publish("tide", post(US)))
    await clock.advance(timedelta(seconds=4))
    assert not publishing.done()
    await clock.advance(timedelta(seconds=11))
    with pytest.raises(BusUnavailable):
        await publishing
    assert watcher.connected == [True, False]

    memory.thaw()
    assert watcher.connected == [True, False, True]


async def test_an_old_dump(memory: MemoryBus, watcher: Watcher) -> None:
    await memory.publish("tide", post(US))
    dump = memory.dump()
    await memory.publish("tide", post(US + 1))
    memory.restore(dump)

    assert (await memory.snapshot("tide")).posted == post(US)
    assert seen(watcher) == [0, 1]


async def test_the_servers_clock_is_set(memory: MemoryBus, clock: FakeClock) -> None:
    memory.set_clock(timedelta(days=1))
    assert clock.now() == T0
    await memory.snapshot("tide")
    assert clock.now() == T0 + timedelta(days=1)
    assert (await memory.publish("tide", post(US + 86_400 * SECOND))).outcome is Outcome.ARRIVED

    memory.set_clock(-timedelta(days=1))
    assert (await memory.publish("tide", post(US))).outcome is Outcome.ARRIVED
