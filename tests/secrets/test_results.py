"""The annotation with the result: of what it speaks, when it is written, and when it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from framework.secrets.kubernetes.results import MAX_BYTES, annotate
from framework.secrets.place import SecretPlace
from framework.secrets.plan import Settings
from framework.secrets.renewal import ROTATED_RESULT
from framework.secrets.rotator import ATTEMPTS, Action, Entry, rotate
from framework.secrets.store import Conflict, Stored, StoreRefused, StoreUnavailable
from framework.testing.secrets import Hook, MemoryStore, MemoryTransit

ONE = SecretPlace("fields", "home", "led", "one")
OTHER = SecretPlace("document", "home", "led", "other")
DAY = timedelta(days=1)


class House:
    """A key, and two Secrets that are a day old, the first of which has a field in clear."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 3, tzinfo=UTC)
        self.transit = MemoryTransit(lambda: self.now)
        self.one, self.other = MemoryStore("Secret led/one"), MemoryStore("Secret led/other")
        self.entries = [Entry(ONE, self.one, ("moon.pin",)), Entry(OTHER, self.other)]
        self.other.stored = Stored("1", {"secrets.json": self.sealed(OTHER, "secrets.json")})
        self.put("in clear")
        self.now += DAY

    def sealed(self, place: SecretPlace, data_key: str) -> str:
        return self.transit.encrypt(place.context(data_key), b"v")

    def put(self, text: str) -> None:
        self.one.stored = Stored(f"at {self.now}", {"moon.pin": text}, self.annotations(self.one))

    def run(self, *, retire: bool = False) -> set[Action]:
        settings = Settings(retire=retire)
        result = rotate(self.transit, self.entries, settings=settings, annotate=True)
        annotate(self.entries, result)
        return {record.action for record in result.records if record.secret == self.one.name}

    @staticmethod
    def annotations(store: MemoryStore) -> dict[str, str]:
        return {} if store.stored is None else dict(store.stored.annotations)

    @property
    def said(self) -> str | None:
        return self.annotations(self.one).get(ROTATED_RESULT)


@pytest.fixture
def house() -> House:
    return House()


def raising(error: Exception, on: str, *, times: int) -> Hook:
    """At the first calls of that name."""
    left = [times]

    def hook(call: str) -> None:
        if call == on and left[0]:
            left[0] -= 1
            raise error

    return hook


def test_what_is_blocked_says_so_once(house: House) -> None:
    assert house.run() == {Action.BLOCKED}
    assert house.said == (
        "blocked: moon.pin: what is stored is not a ciphertext (vault:vN:...): seal it with matrix "
        "encrypt"
    )
    assert ROTATED_RESULT not in house.annotations(house.other)
    written = house.one.stored
    house.now += DAY
    house.run()
    assert house.one.stored is written


def test_it_says_something_else_where_something_else_is_in_the_way(house: House) -> None:
    house.run()
    house.one.stored = Stored("emptied", {}, house.annotations(house.one))
    house.run()
    assert house.said == "blocked: Secret led/one holds nothing that is sealed: " + (
        "encrypt its values, or take it off matrix.toml (and access.json, if it has it)"
    )


@pytest.mark.parametrize("wait", [timedelta(0), DAY])
def test_it_is_gone_with_what_it_was_about(house: House, wait: timedelta) -> None:
    """By a rewrap, or by who sealed it anew with the newest version."""
    house.run()
    house.put(house.sealed(ONE, "moon.pin"))
    house.now += wait
    assert house.run() == {Action.REWRAPPED if wait else Action.CURRENT}
    assert house.said is None
    assert ("matrix.rotated/to" in house.annotations(house.one)) == bool(wait)


def test_of_a_run_that_failed_it_says_what_it_said(house: House) -> None:
    house.run()
    before = house.said
    house.put(house.sealed(ONE, "moon.pin"))
    house.now += DAY
    house.one.before = raising(Conflict("written by others"), "replace", times=ATTEMPTS)
    assert house.run() == {Action.FAILED}
    assert house.said == before


def test_it_keeps_all_that_lies_beside_it(house: House) -> None:
    assert house.one.stored is not None
    house.one.stored = replace(house.one.stored, annotations={"team": "weather"})
    data = house.one.stored.data
    house.run()
    assert house.one.stored.data == data
    assert house.annotations(house.one).keys() == {"team", ROTATED_RESULT}


def test_who_else_writes_it_and_keeps_the_floor_is_said_too(house: House) -> None:
    house.put(house.sealed(ONE, "moon.pin"))
    assert house.one.stored is not None
    house.one.stored = replace(house.one.stored, owner="Argo CD")
    house.run(retire=True)
    assert (house.said or "").startswith("blocked: Argo CD writes it too")


def test_it_is_never_long(house: House) -> None:
    house.one.stored = Stored("many", {f"moon.pin{n}": "€" for n in range(200)})
    house.entries[0] = Entry(ONE, house.one)
    house.run()
    assert house.said is not None
    assert MAX_BYTES - 4 <= len(house.said.encode()) <= MAX_BYTES


@pytest.mark.parametrize("error", [StoreRefused, StoreUnavailable, Conflict])
def test_where_it_cannot_be_written_nothing_else_becomes_of_it(
    house: House, error: type[Exception]
) -> None:
    house.one.before = raising(error("no"), "replace", times=1)
    assert house.run() == {Action.BLOCKED}
    assert house.said is None


def test_what_somebody_has_written_since_is_left_alone(house: House) -> None:
    result = rotate(house.transit, house.entries)
    house.put("another in clear")
    written = house.one.stored = replace(house.one.stored or Stored("", {}), version="theirs")
    annotate(house.entries, result)
    assert house.one.stored is written


def test_what_is_not_to_be_looked_at_or_not_there_is_not_written(house: House) -> None:
    house.one.stored = None
    house.run()
    assert house.one.stored is None
    house.entries[0] = Entry(ONE, house.one, unlisted="access.json does not have it")
    house.one.before = raising(AssertionError("it is looked at"), "read", times=1)
    assert house.run() == {Action.BLOCKED}
