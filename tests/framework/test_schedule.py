"""When to run next, and until when a value is good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.schedule import FIRST_RETRY, Schedule

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

TIDE = Schedule(period=10 * MINUTE, timeout=30 * SECOND, jitter=0.1)

spans = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=2))
chances = st.floats(0, 1, exclude_max=True)
schedules = st.builds(Schedule, period=spans, timeout=spans, jitter=st.floats(0, 1))


def test_the_period_counts_from_start_to_start() -> None:
    start = TIDE.after_success(T0, T0 + 20 * SECOND, hint=None, chance=0)
    assert start == T0 + 10 * MINUTE


def test_jitter_is_in_proportion_to_the_period() -> None:
    assert TIDE.after_success(T0, T0, hint=None, chance=0.5) == T0 + 10.5 * MINUTE


def test_a_fetch_that_outlasts_its_period_is_followed_at_once() -> None:
    finished = T0 + 11 * MINUTE
    assert TIDE.after_success(T0, finished, hint=None, chance=0) == finished


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (3 * MINUTE, T0 + 3 * MINUTE),
        (T0 + 3 * MINUTE, T0 + 3 * MINUTE),
        (timedelta(milliseconds=1), T0 + SECOND),
        (T0 - timedelta(days=9), T0 + 10 * MINUTE),
        (timedelta(0), T0 + 10 * MINUTE),
        (timedelta(days=400), T0 + timedelta(days=1)),
    ],
)
def test_a_hint_replaces_the_period_and_is_clamped(
    hint: datetime | timedelta, expected: datetime
) -> None:
    assert TIDE.after_success(T0, T0, hint=hint, chance=0) == expected


def test_jitter_of_a_long_hint_is_that_of_the_period() -> None:
    start = TIDE.after_success(T0, T0, hint=timedelta(hours=20), chance=0.999)
    assert start - (T0 + timedelta(hours=20)) <= MINUTE


@given(schedules, spans, chances, st.none() | st.timedeltas())
def test_the_next_start_is_never_before_now(
    schedule: Schedule, took: timedelta, chance: float, hint: timedelta | None
) -> None:
    finished = T0 + took
    start = schedule.after_success(T0, finished, hint=hint, chance=chance)
    assert start >= finished
    assert start <= max(finished, T0 + 2 * max(schedule.period, schedule.latest))


def test_failures_back_off_up_to_the_period() -> None:
    waits = [
        TIDE.after_failure(T0, failures=n, retry_after=None, chance=1) - T0 for n in range(1, 12)
    ]
    assert waits[:4] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert waits[-1] == TIDE.period


def test_the_source_may_ask_for_more_patience_but_not_for_less() -> None:
    def wait(retry_after: timedelta) -> timedelta:
        return TIDE.after_failure(T0, failures=1, retry_after=retry_after, chance=0) - T0

    assert wait(timedelta(hours=1)) == timedelta(hours=1)
    assert wait(timedelta(0)) == FIRST_RETRY / 2
    assert wait(timedelta(days=90)) == TIDE.latest


@given(schedules, st.integers(1, 10**9), chances, st.none() | st.timedeltas())
def test_a_retry_is_soon_but_never_at_once(
    schedule: Schedule, failures: int, chance: float, retry_after: timedelta | None
) -> None:
    again = schedule.after_failure(T0, failures=failures, retry_after=retry_after, chance=chance)
    assert again >= T0 + min(schedule.soonest, schedule.period)
    assert again <= T0 + max(schedule.period, 2 * schedule.latest, schedule.soonest)


def test_one_missed_run_does_not_cry_wolf() -> None:
    """The next run fails at its very last moment, the one after it succeeds as late as it may."""
    assert TIDE.lifetime == 2 * (11 * MINUTE) + 30 * SECOND
    valid, expires = TIDE.validity(T0, T0 + 10 * MINUTE, observed=None)
    assert valid == T0 + TIDE.lifetime
    assert expires == valid + TIDE.lifetime


def test_a_long_hint_keeps_a_value_good_until_its_next_run_is_over() -> None:
    planned = T0 + timedelta(hours=20)
    valid, _ = TIDE.validity(T0, planned, observed=None)
    assert valid == planned + TIDE.period + TIDE.timeout


def test_an_observation_ages_from_when_it_was_so() -> None:
    schedule = Schedule(period=10 * MINUTE, timeout=30 * SECOND, max_age=timedelta(hours=1))
    valid, expires = schedule.validity(T0, T0 + 10 * MINUTE, observed=T0 - 50 * MINUTE)
    assert valid == T0 + 10 * MINUTE
    assert expires == valid + schedule.lifetime


def test_an_observation_from_the_future_counts_as_of_now() -> None:
    schedule = Schedule(period=10 * MINUTE, timeout=30 * SECOND, max_age=5 * MINUTE)
    valid, _ = schedule.validity(T0, T0 + 10 * MINUTE, observed=T0 + timedelta(days=1))
    assert valid == T0 + 5 * MINUTE
