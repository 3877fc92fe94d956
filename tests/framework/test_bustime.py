"""The bus's time, and the clock that stands in for it in tests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.bustime import BusTime, from_us, to_us
from framework.testing.clock import FakeClock

T0 = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
aware = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


@given(aware)
def test_microseconds_are_exact(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


@given(st.integers(min_value=0, max_value=253402300799999999))
def test_and_back(us: int) -> None:
    assert to_us(from_us(us)) == us
    assert from_us(us).tzinfo is UTC


def test_before_the_first_reading_it_is_the_local_clock() -> None:
    clock = BusTime()
    assert not clock.known
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_after_it_the_local_clock_does_not_matter() -> None:
    clock = FakeClock(T0, known=False)
    clock.read(to_us(T0 + HOUR))
    clock.set_wall(datetime(1970, 1, 1, tzinfo=UTC))
    assert clock.known
    assert clock.now() == T0 + HOUR


def test_it_goes_on_between_readings() -> None:
    clock = BusTime()
    before_s = clock.monotonic_s()
    clock.read(to_us(T0))
    after_s = clock.monotonic_s()
    while clock.monotonic_s() - after_s < 0.002:
        pass
    passed = clock.now() - T0
    longest = timedelta(seconds=clock.monotonic_s() - before_s)
    assert timedelta(milliseconds=2) <= passed <= longest


async def test_a_machine_that_sleeps_has_slept_when_it_wakes() -> None:
    clock = FakeClock(T0)
    before_s = clock.monotonic_s()
    clock.suspend(8 * HOUR)
    assert clock.now() == T0 + 8 * HOUR
    assert clock.monotonic_s() - before_s == (8 * HOUR).total_seconds()


def test_a_jump_of_the_bus_is_a_jump_of_its_time_and_not_of_durations() -> None:
    clock = FakeClock(T0)
    before_s = clock.monotonic_s()
    clock.read(to_us(T0 - HOUR))
    assert clock.now() == T0 - HOUR
    assert clock.monotonic_s() == before_s


class Elapsing(BusTime):
    """One whose elapsed time the test sets; the bus's true time runs at ``rate`` beside it."""

    def __init__(self, *, rate: float = 1) -> None:
        super().__init__()
        self.elapsed_s = 100.0
        self.rate = rate

    def _elapsed_us(self) -> int:
        return round(self.elapsed_s * 1e6)

    def ask(self, *, there_s: float, back_s: float) -> None:
        """The question takes ``there_s``, the answer ``back_s`` until it is looked at."""
        asked_s = self.monotonic_s()
        self.elapsed_s += there_s
        bus_us = to_us(self.truth())
        self.elapsed_s += back_s
        self.read(bus_us, asked_s=asked_s)

    def truth(self) -> datetime:
        return T0 + timedelta(seconds=self.elapsed_s * self.rate)

    def error_s(self) -> float:
        return (self.now() - self.truth()).total_seconds()


def test_an_answer_that_waited_for_the_loop_does_not_make_old_data_look_new() -> None:
    clock = Elapsing()
    clock.ask(there_s=0.001, back_s=2)
    assert 0 <= clock.error_s() <= 0.001


def test_a_slow_reading_does_not_replace_a_good_one() -> None:
    clock = Elapsing()
    clock.ask(there_s=0.001, back_s=0.001)
    clock.elapsed_s += 10
    clock.ask(there_s=2, back_s=0)
    assert 0 <= clock.error_s() <= 0.02


def test_a_good_reading_replaces_a_slow_one() -> None:
    clock = Elapsing()
    clock.ask(there_s=4, back_s=0)
    clock.ask(there_s=0.001, back_s=0.001)
    assert 0 <= clock.error_s() <= 0.001


@pytest.mark.parametrize("rate", [0.9995, 1.0005])
def test_readings_follow_a_clock_that_is_set_slowly(rate: float) -> None:
    clock = Elapsing(rate=rate)
    for _ in range(100):
        clock.ask(there_s=0.001, back_s=0.001)
        clock.elapsed_s += 10
    assert abs(clock.error_s()) <= 0.02


def test_a_bus_whose_clock_was_set_is_believed_however_slow_the_answer() -> None:
    clock = Elapsing()
    clock.ask(there_s=0.001, back_s=0.001)
    clock.read(to_us(clock.truth() - HOUR), asked_s=clock.monotonic_s() - 2)
    assert abs(clock.error_s() + 3600) <= 2


@given(st.lists(st.tuples(*[st.floats(0, 5)] * 3), min_size=1))
def test_it_is_never_behind_and_no_worse_than_the_last_reading(
    readings: list[tuple[float, float, float]],
) -> None:
    clock = Elapsing()
    for wait_s, there_s, back_s in readings:
        clock.elapsed_s += wait_s
        clock.ask(there_s=there_s, back_s=back_s)
        assert -1e-5 <= clock.error_s() <= there_s + 1e-5


async def test_waiting_ends_with_the_event() -> None:
    clock, event = BusTime(), asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await clock.wait(event, 10) is True


async def test_waiting_ends_with_the_time() -> None:
    assert await BusTime().wait(asyncio.Event(), 0.001) is False


# The clock that stands in.


def test_whether_it_is_known_can_be_set() -> None:
    clock = FakeClock(T0, known=False)
    assert not clock.known
    clock.known = True
    assert clock.known
    assert clock.now() == T0
    clock.known = False
    assert not clock.known


async def test_a_clock_stands_still() -> None:
    clock = FakeClock(T0)
    assert clock.now() == clock.now() == T0
    await clock.advance(HOUR)
    assert clock.now() == T0 + HOUR


async def test_what_waits_wakes_in_order_each_at_its_time() -> None:
    clock, never = FakeClock(T0), asyncio.Event()
    woken: list[tuple[str, timedelta]] = []

    async def repeat(name: str, period_s: float) -> None:
        while not await clock.wait(never, period_s):
            woken.append((name, clock.now() - T0))

    tasks = [asyncio.create_task(repeat("a", 20)), asyncio.create_task(repeat("b", 25))]
    await clock.advance(timedelta(seconds=60))

    assert woken == [
        (name, timedelta(seconds=s))
        for name, s in (("a", 20), ("b", 25), ("a", 40), ("b", 50), ("a", 60))
    ]
    for task in tasks:
        task.cancel()


async def test_what_a_wakened_task_does_is_done_before_the_clock_goes_on() -> None:
    clock = FakeClock(T0)
    seen: list[datetime] = []

    async def deep(levels: int) -> None:
        if levels:
            await asyncio.create_task(deep(levels - 1))
        else:
            seen.append(clock.now())

    async def work() -> None:
        await clock.wait(asyncio.Event(), 5)
        await deep(30)

    task = asyncio.create_task(work())
    await clock.advance(HOUR)
    assert seen == [T0 + timedelta(seconds=5)]
    await task


async def test_an_event_ends_the_wait_at_once() -> None:
    clock, event = FakeClock(T0), asyncio.Event()
    waiting = asyncio.create_task(clock.wait(event, 5))
    await clock.advance(timedelta(seconds=4))
    event.set()
    assert await waiting is True
    assert clock.now() == T0 + timedelta(seconds=4)


@pytest.mark.parametrize("timeout_s", [0, -1])
async def test_no_time_is_no_wait(timeout_s: float) -> None:
    assert await FakeClock(T0).wait(asyncio.Event(), timeout_s) is False


async def test_a_sleep_of_the_machine_ends_every_wait_late() -> None:
    clock = FakeClock(T0)
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 5))
    await clock.advance(timedelta())
    clock.suspend(HOUR)
    assert await waiting is False
    assert clock.now() == T0 + HOUR


async def test_a_wait_that_is_cancelled_is_forgotten() -> None:
    clock = FakeClock(T0)
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 5))
    await clock.advance(timedelta())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await clock.advance(HOUR)
    assert clock.now() == T0 + HOUR
