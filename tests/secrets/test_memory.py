"""``MemoryTransit`` and ``MemoryStore``: the faults that tests of others ask them for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from framework.secrets.store import Conflict, StoreUnavailable
from framework.secrets.transit import TransitRefused, TransitUnavailable
from framework.testing.secrets import MemoryStore, MemoryTransit

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_request_that_does_not_arrive_changes_nothing() -> None:
    def away(call: str) -> None:
        raise TransitUnavailable(f"{call}: nobody there")

    transit = MemoryTransit()
    transit.before = away
    with pytest.raises(TransitUnavailable, match="rotate: nobody there"):
        transit.rotate()
    assert transit.keyring.known.latest == 1


def test_a_lost_reply_comes_after_the_effect() -> None:
    def lost(call: str) -> None:
        raise StoreUnavailable(f"{call}: no answer")

    store = MemoryStore()
    store.after = lost
    with pytest.raises(StoreUnavailable, match="create: no answer"):
        store.create({"a": "b"}, {})
    assert store.stored is not None
    assert store.stored.data == {"a": "b"}


def test_somebody_may_write_in_between() -> None:
    store = MemoryStore()
    held = store.create({}, {})

    def intrude(call: str) -> None:
        store.before = lambda call: None
        store.replace(held, {"by": "somebody else"}, {})

    store.before = intrude
    with pytest.raises(Conflict):
        store.replace(held, {"by": "us"}, {})
    assert store.stored is not None
    assert store.stored.data == {"by": "somebody else"}


def test_every_call_is_told_of_with_its_name_refused_or_not() -> None:
    calls: list[str] = []
    transit = MemoryTransit(lambda: T0)
    transit.before = lambda call: calls.append(f"before {call}")
    transit.after = lambda call: calls.append(f"after {call}")
    transit.now()
    with pytest.raises(TransitRefused):
        transit.set_min_decryption_version(2)
    assert calls == [
        "before now",
        "after now",
        "before set_min_decryption_version",
        "after set_min_decryption_version",
    ]


def test_versions_are_dated_by_the_clock_that_was_given() -> None:
    times = iter((T0, T0 + timedelta(hours=1)))
    transit = MemoryTransit(lambda: next(times))
    transit.rotate()
    assert transit.read_key().versions == {1: T0, 2: T0 + timedelta(hours=1)}


def test_it_can_be_restored_from_a_backup() -> None:
    transit = MemoryTransit()
    backup = transit.keyring
    transit.rotate()
    transit.keyring = backup
    assert transit.read_key().latest == 1
