"""The rule "which of two updates wins", in Python, in the Lua script and in memory: one rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from framework.bus import Bus, Held, Outcome, Posted
from framework.bustime import from_us, to_us
from framework.redisbus import RedisBus
from framework.testing.bus import MemoryBus
from framework.testing.clock import FakeClock
from framework.update import supersedes

if TYPE_CHECKING:
    from tests.conftest import Server

SECOND = 1_000_000
NOW = to_us(datetime(2026, 11, 24, tzinfo=UTC))
MARGIN = 10 * SECOND
"""The server's clock runs while we compare: stay this far from the border of 60 s."""

around_now = st.one_of(
    st.integers(-3, 3),
    st.integers(-60 * SECOND - MARGIN, 60 * SECOND - MARGIN),
    st.integers(60 * SECOND + MARGIN, 10**9 * SECOND),
    st.integers(-(10**9) * SECOND, -60 * SECOND - MARGIN),
)


@pytest.mark.parametrize(
    ("new", "held", "expected"),
    [
        (0, None, True),
        (0, -1, True),
        (0, 0, False),
        (0, 1, False),
        (0, 60 * SECOND, False),
        (0, 60 * SECOND + 1, True),
        (60 * SECOND + 1, 60 * SECOND + 1, True),
        (-(10**12), -(10**12) - 1, True),
    ],
)
def test_the_rule(new: int, held: int | None, expected: bool) -> None:
    held_us = None if held is None else NOW + held
    assert supersedes(NOW + new, held_us, from_us(NOW)) is expected


@given(around_now, around_now)
def test_of_two_at_most_one_wins_unless_one_is_from_the_future(first: int, second: int) -> None:
    now = from_us(NOW)
    both = supersedes(NOW + first, NOW + second, now) and supersedes(NOW + second, NOW + first, now)
    assert not both or max(first, second) > 60 * SECOND


@pytest.fixture
def run() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def agrees(
    run: asyncio.Runner, bus: Bus, hold: Callable[[int], None], new: int, held: int | None
) -> None:
    """What the bus did is what the rule, and the refusal of what is far ahead, say."""
    run.run(bus.snapshot("tide"))
    now_us = to_us(bus.time.now())
    new_us = now_us + new
    held_us = None if held is None else now_us + held
    if held_us is not None:
        hold(held_us)
    receipt = run.run(bus.publish("tide", Posted(new_us, b"new")))

    ahead = new > 60 * SECOND
    wins = not ahead and supersedes(new_us, held_us, from_us(now_us))
    snapshot = run.run(bus.snapshot("tide")).posted
    if ahead:
        assert receipt.outcome is Outcome.AHEAD
    else:
        assert (receipt.outcome is Outcome.ARRIVED) is (wins or new_us == held_us)
    assert receipt.stored_us == (new_us if wins else held_us)
    was_held = None if held_us is None else Posted(held_us, b"held")
    assert snapshot == (Posted(new_us, b"new") if wins else was_held)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(new=around_now, held=st.none() | around_now)
@example(new=0, held=0)
@example(new=1, held=0)
@example(new=0, held=1)
def test_the_script_keeps_the_rule(
    run: asyncio.Runner, server: Server, new: int, held: int | None
) -> None:
    server.command("FLUSHALL")
    key = "matrix:{tide}:state"
    bus = RedisBus(server.url)
    try:
        agrees(
            run,
            bus,
            lambda us: server.command("HSET", key, "updated", us, "body", "held"),
            new,
            held,
        )
    finally:
        run.run(bus.close())


@given(new=around_now, held=st.none() | around_now)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_bus_in_memory_keeps_the_rule(run: asyncio.Runner, new: int, held: int | None) -> None:
    bus = MemoryBus(FakeClock(from_us(NOW)))
    agrees(run, bus, lambda us: bus.restore({"tide": Held(Posted(us, b"held"))}), new, held)
