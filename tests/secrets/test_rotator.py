"""``rotate``: what it does, what it says of each data key, and what it leaves alone."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from framework.secrets.place import SEALED_FOR, SecretPlace
from framework.secrets.plan import Settings
from framework.secrets.rotator import ATTEMPTS, Action, Entry, Outcome, Record, Result, rotate
from framework.secrets.store import Conflict, Stored, StoreRefused, StoreUnavailable
from framework.secrets.transit import Sealed, TransitRefused, TransitUnavailable, version_of
from framework.secrets.vault.transit import open_transit
from framework.testing.secrets import MemoryStore, MemoryTransit
from tests.secrets.vault_standin import VaultStandin

HOME = SecretPlace("document", "prod", "home", "matrix-secrets")
PARTS = SecretPlace("fields", "prod", "home", "matrix-parts")
RETIRE = Settings(retire=True)
DAY = timedelta(days=1)


class House:
    """A key of one version that is a day and an hour old, and two Secrets under it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 3, tzinfo=UTC)
        self.pauses = 0
        self._puts = 0
        self.transit = MemoryTransit(lambda: self.now)
        self.home = MemoryStore("Secret home/matrix-secrets")
        self.parts = MemoryStore("Secret home/matrix-parts")
        self.put(self.home, HOME, {"secrets.json": b"the whole text"})
        self.put(self.parts, PARTS, {"latitude": b"52.1", "tide.token": b"abc"})
        self.entries = [
            Entry(HOME, self.home, ("secrets.json",)),
            Entry(PARTS, self.parts),
        ]
        self.now += DAY + timedelta(hours=1)

    def put(self, store: MemoryStore, place: SecretPlace, values: dict[str, bytes]) -> None:
        self._puts += 1
        store.stored = Stored(
            f"put {self._puts}",
            {key: self.transit.encrypt(place.context(key), value) for key, value in values.items()},
            {"matrix.edit/tide.token": "somebody's", "team": "weather"},
        )

    def rotate(
        self,
        *,
        settings: Settings | None = None,
        dry_run: bool = False,
        recover: bool = False,
        annotate: bool = False,
    ) -> Result:
        return rotate(
            self.transit,
            self.entries,
            settings=settings,
            dry_run=dry_run,
            recover=recover,
            annotate=annotate,
            pause=self._pause,
        )

    def open(self, store: MemoryStore, place: SecretPlace) -> dict[str, bytes]:
        assert store.stored is not None
        return {
            key: self.transit.decrypt(Sealed(place.context(key), text))
            for key, text in store.stored.data.items()
        }

    def _pause(self) -> None:
        self.pauses += 1


@pytest.fixture
def house() -> House:
    return House()


def versions(store: MemoryStore) -> set[int]:
    assert store.stored is not None
    return {version_of(text) for text in store.stored.data.values()}


def records(result: Result) -> dict[str, tuple[int | None, int | None, Action]]:
    return {each.data_key: (each.before, each.after, each.action) for each in result.records}


def once(error: Exception, on: str, *, times: int = 1) -> Callable[[str], None]:
    """A hook that raises this at the first calls of that name."""
    left = [times]

    def hook(call: str) -> None:
        if call == on and left[0]:
            left[0] -= 1
            raise error

    return hook


def always(error: Exception, *calls: str) -> Callable[[str], None]:
    def hook(call: str) -> None:
        if call in calls:
            raise error

    return hook


def test_a_new_version_and_everything_brought_up_to_it(house: House) -> None:
    result = house.rotate()
    assert result.outcome is Outcome.DONE
    assert (result.rotated, result.newest, result.floor) == (True, 2, None)
    assert records(result) == {
        "secrets.json": (1, 2, Action.REWRAPPED),
        "latitude": (1, 2, Action.REWRAPPED),
        "tide.token": (1, 2, Action.REWRAPPED),
    }
    assert result.records[0] == Record(
        HOME, "Secret home/matrix-secrets", "secrets.json", 1, 2, Action.REWRAPPED
    )
    assert house.open(house.home, HOME) == {"secrets.json": b"the whole text"}
    assert house.open(house.parts, PARTS) == {"latitude": b"52.1", "tide.token": b"abc"}


def test_a_second_run_has_nothing_to_do_and_writes_nothing(house: House) -> None:
    house.rotate()
    before = (house.home.stored, house.parts.stored)
    result = house.rotate()
    assert result.outcome is Outcome.NOTHING
    assert {each.action for each in result.records} == {Action.CURRENT}
    assert (house.home.stored, house.parts.stored) == before


def test_annotations_stay_and_what_is_not_listed_and_not_sealed(house: House) -> None:
    assert house.home.stored is not None
    plain = {"readme.txt": "not sealed", "broken": "vault:v1:"}
    house.home.stored = replace(house.home.stored, data={**house.home.stored.data, **plain})
    annotations = house.home.stored.annotations
    assert house.rotate().outcome is Outcome.DONE
    assert house.home.stored is not None
    assert {key: house.home.stored.data[key] for key in plain} == plain
    assert house.home.stored.annotations == annotations


def test_it_says_when_it_was_rewrapped_and_only_then(house: House) -> None:
    assert house.home.stored is not None
    before = house.home.stored.annotations
    assert house.rotate(annotate=True).outcome is Outcome.DONE
    said = {"matrix.rotated/at": "2026-11-25T04:00:00Z", "matrix.rotated/to": "2"}
    assert house.home.stored is not None
    assert house.home.stored.annotations == {**before, **said}
    house.now += timedelta(hours=1)
    written = house.home.stored
    assert house.rotate(annotate=True).outcome is Outcome.NOTHING
    assert house.home.stored is written


# What is listed and what is not


def test_a_field_that_is_not_listed_is_brought_up_too_and_never_locked_out(house: House) -> None:
    house.entries[1] = Entry(PARTS, house.parts, ("latitude",))
    for _ in range(3):
        assert house.rotate(settings=RETIRE).outcome is Outcome.DONE
        house.now += 2 * DAY
    assert house.transit.keyring.min_decryption_version == 3
    assert house.open(house.parts, PARTS) == {"latitude": b"52.1", "tide.token": b"abc"}


def test_one_that_is_not_listed_and_cannot_be_opened_stops_it_by_name(house: House) -> None:
    assert house.home.stored is not None
    copied = {"other": house.home.stored.data["secrets.json"]}
    house.home.stored = replace(house.home.stored, data={**house.home.stored.data, **copied})
    result = house.rotate()
    assert (result.outcome, result.rotated) == (Outcome.BLOCKED, False)
    assert records(result)["other"] == (1, 1, Action.BLOCKED)
    (reason,) = (each.reason for each in result.records if each.data_key == "other")
    assert reason.endswith("It is not listed: if it has another layout now, run matrix access")
    assert records(result)["secrets.json"] == (1, 1, Action.KEPT)


def test_a_listed_field_may_be_absent_but_not_all_of_them(house: House) -> None:
    house.entries[1] = Entry(PARTS, house.parts, ("latitude", "moon.token", "tide.token"))
    result = house.rotate()
    assert result.outcome is Outcome.DONE
    assert "moon.token" not in records(result)
    house.parts.stored = Stored("others", {"readme.txt": "not sealed"})
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert result.records[-1].reason.startswith("Secret home/matrix-parts holds nothing that is")


def test_a_listed_field_that_is_no_ciphertext_is_blocked(house: House) -> None:
    house.entries[1] = Entry(PARTS, house.parts, ("latitude", "tide.token"))
    assert house.parts.stored is not None
    clear = {**house.parts.stored.data, "latitude": "52.1"}
    house.parts.stored = replace(house.parts.stored, data=clear)
    result = house.rotate()
    assert records(result)["latitude"] == (None, None, Action.BLOCKED)
    assert records(result)["tide.token"] == (1, 2, Action.REWRAPPED)


def test_one_secret_may_hold_both_layouts(house: House) -> None:
    whole = SecretPlace("document", "prod", "home", "matrix-parts")
    assert house.parts.stored is not None
    document = house.transit.encrypt(whole.context("secrets.json"), b"all")
    data = {**house.parts.stored.data, "secrets.json": document}
    house.parts.stored = replace(house.parts.stored, data=data)
    fields = ("latitude", "tide.token")
    house.entries = [
        Entry(PARTS, house.parts, fields, elsewhere=frozenset({"secrets.json"})),
        Entry(whole, house.parts, ("secrets.json",), elsewhere=frozenset(fields)),
    ]
    assert house.rotate().outcome is Outcome.DONE
    assert versions(house.parts) == {2}


def test_what_is_not_listed_at_all_is_not_touched_and_keeps_the_floor(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY
    house.entries[1] = Entry(PARTS, house.parts, unlisted="access.json does not have it")
    before = house.parts.stored
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.floor) == (Outcome.BLOCKED, None)
    assert house.parts.stored is before
    assert (versions(house.home), versions(house.parts)) == ({3}, {2})
    assert result.records[-1].reason == "access.json does not have it"
    assert house.open(house.parts, PARTS) == {"latitude": b"52.1", "tide.token": b"abc"}


# Many


class Many:
    """So many Secrets of some fields each, and how often the Transit is asked what."""

    def __init__(self, secrets: int, fields: int = 1) -> None:
        self.now = datetime(2026, 11, 24, 3, tzinfo=UTC)
        self.transit = MemoryTransit(lambda: self.now)
        self.calls: dict[str, int] = {}
        self.transit.before = self._count
        self.entries = []
        for number in range(secrets):
            place = SecretPlace("fields", "prod", "home", f"parts-{number}")
            store = MemoryStore(f"Secret home/parts-{number}")
            names = [f"tide.field-{field}" for field in range(fields)]
            seal = self.transit.keyring.encrypt
            store.stored = Stored("1", {name: seal(place.context(name), b"v") for name in names})
            self.entries.append(Entry(place, store, tuple(names)))
        self.now += DAY

    def rotate(self) -> Result:
        return rotate(self.transit, self.entries, settings=RETIRE)

    def _count(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1


@pytest.mark.parametrize(("secrets", "fields", "batches"), [(100, 1, 1), (450, 1, 3), (60, 7, 3)])
def test_many_secrets_are_rewrapped_at_once(secrets: int, fields: int, batches: int) -> None:
    many = Many(secrets, fields)
    assert many.rotate().outcome is Outcome.DONE
    # Proven, rewrapped, verified.
    assert many.calls == {"rewrap": 3 * batches, "read_key": 2, "now": 1, "rotate": 1}
    many.now += DAY
    many.calls.clear()
    result = many.rotate()
    assert (result.outcome, result.floor) == (Outcome.DONE, 2)
    assert many.calls.pop("rewrap") == 3 * batches
    assert sum(many.calls.values()) == 6


class Tracked(Stored):
    """One that can be seen to be gone."""

    __slots__ = ("__weakref__",)


def test_a_hundred_secrets_are_a_dozen_calls_to_vault(tmp_path: Path) -> None:
    """Login and revocation, which there would be, included."""
    many = Many(100)
    with VaultStandin(tmp_path) as vault, open_transit(vault.settings(), vault.login()) as transit:
        for entry in many.entries:
            assert isinstance(entry.store, MemoryStore)
            (data_key,) = entry.data_keys
            text = vault.transit.encrypt(entry.place.context(data_key), b"v")
            entry.store.stored = Stored("1", {data_key: text})
        vault.transit.rotate()
        at_once = Settings(min_age=timedelta(-1), grace=timedelta(0), retire=True)
        for floor in (None, 3):
            vault.requests.clear()
            result = rotate(transit, many.entries, settings=at_once)
            assert (result.outcome, result.floor) == (Outcome.DONE, floor)
            batches = [path for path in vault.paths() if path.startswith("transit/rewrap")]
            assert len(batches) == 3
            assert len(vault.requests) + 2 - len(batches) <= 10


def test_never_more_than_one_group_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Many(450)
    alive: list[int] = [0]
    most = 0
    read = MemoryStore.read

    def tracked(store: MemoryStore) -> Stored | None:
        nonlocal most
        held = read(store)
        assert held is not None
        copy = Tracked(held.version, held.data, held.annotations)
        alive[0] += 1
        most = max(most, alive[0])
        weakref.finalize(copy, lambda: alive.append(alive.pop() - 1))
        return copy

    monkeypatch.setattr(MemoryStore, "read", tracked)
    assert many.rotate().outcome is Outcome.DONE
    assert 200 <= most <= 202


def test_what_is_in_the_way_of_one_secret_is_not_in_the_way_of_the_batch() -> None:
    many = Many(30)
    stores = [entry.store for entry in many.entries]
    assert all(isinstance(store, MemoryStore) for store in stores)
    away, written, refused = (store for store in stores[3:6] if isinstance(store, MemoryStore))
    away.before = once(StoreUnavailable("no answer"), "replace", times=2)
    written.before = once(Conflict("written by somebody else"), "replace")
    refused.before = always(StoreRefused("field is immutable"), "replace")
    result = many.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert Counter(each.action for each in result.records) == {
        Action.REWRAPPED: 29,
        Action.BLOCKED: 1,
    }
    # Three alone, twice each: rewrapped and verified.
    assert many.calls["rewrap"] == 3 + 3 * 2


def test_one_is_told_how_far_it_is() -> None:
    many = Many(3)
    told: list[tuple[str, int, int]] = []
    rotate(many.transit, many.entries, progress=lambda *step: told.append(step))
    assert told == [(step, n, 3) for step in ("proving", "rewrapping") for n in (1, 2, 3)]


def test_the_exit_codes() -> None:
    assert {outcome: outcome.exit_code for outcome in Outcome} == {
        Outcome.DONE: 0,
        Outcome.NOTHING: 3,
        Outcome.BLOCKED: 4,
        Outcome.FAILED: 5,
    }


# Dry runs


def test_a_dry_run_says_what_would_be_and_changes_nothing(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY
    keyring, before = house.transit.keyring, (house.home.stored, house.parts.stored)
    result = house.rotate(dry_run=True, settings=RETIRE)
    assert (house.transit.keyring, (house.home.stored, house.parts.stored)) == (keyring, before)
    assert (result.outcome, result.rotated, result.floor) == (Outcome.DONE, True, 2)
    assert {each.action for each in result.records} == {Action.DUE}
    assert {(each.before, each.after) for each in result.records} == {(2, 2)}


# A partial inventory


def no_such_secret(house: House) -> str:
    house.home.stored = None
    return "does not exist"


def an_empty_secret(house: House) -> str:
    house.home.stored = Stored("empty", {})
    house.entries[0] = Entry(HOME, house.home)
    return "holds nothing that is sealed"


def no_such_data_key(house: House) -> str:
    house.home.stored = Stored("other", {"readme.txt": "not sealed"})
    return "has no data key secrets.json"


def plaintext(house: House) -> str:
    house.home.stored = Stored("plain", {"secrets.json": '{"token": "in clear"}'})
    return "not a ciphertext (vault:vN:...): seal it with matrix encrypt"


def no_right(house: House) -> str:
    house.home.before = always(StoreRefused("may not be read: 403"), "read")
    return "may not be read: 403"


@pytest.mark.parametrize(
    "damage", [no_such_secret, an_empty_secret, no_such_data_key, plaintext, no_right]
)
def test_what_is_missing_or_unreadable_blocks_by_name_and_the_rest_is_rewrapped(
    house: House, damage: Callable[[House], str]
) -> None:
    house.rotate()
    house.now += 2 * DAY
    expected = damage(house)
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.rotated, result.floor) == (Outcome.BLOCKED, True, None)
    (blocked,) = (each for each in result.records if each.action is Action.BLOCKED)
    assert blocked.secret == house.home.name
    assert expected in blocked.reason
    assert "in clear" not in repr(result)
    assert versions(house.parts) == {3}
    assert house.transit.keyring.min_decryption_version == 1


@pytest.mark.parametrize("damage", [no_such_secret, plaintext, no_right])
def test_no_version_is_made_while_nothing_can_be_read(
    house: House, damage: Callable[[House], str]
) -> None:
    damage(house)
    del house.entries[1]
    for _ in range(3):
        result = house.rotate(settings=Settings(min_age=timedelta(0)))
        assert (result.outcome, result.rotated) == (Outcome.BLOCKED, False)
    assert house.transit.keyring.known.latest == 1


def test_what_is_away_fails_and_keeps_the_floor(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY
    house.home.before = always(StoreUnavailable("no answer"), "read")
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.floor) == (Outcome.FAILED, None)
    assert result.records[0].reason == "no answer"
    assert versions(house.parts) == {3}
    assert house.pauses == 0  # the Store has waited


def test_who_else_writes_blocks_the_raise_and_nothing_else(house: House) -> None:
    assert house.parts.stored is not None
    house.parts.stored = replace(house.parts.stored, owner="Argo CD")
    assert house.rotate().outcome is Outcome.DONE
    house.now += 2 * DAY
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.floor) == (Outcome.BLOCKED, None)
    assert versions(house.parts) == {3}
    assert len(result.reasons) == 1
    assert result.reasons[0].startswith("Secret home/matrix-parts: Argo CD writes it too")


def test_an_empty_inventory_is_said_and_does_not_rotate(house: House) -> None:
    result = rotate(house.transit, [], settings=RETIRE)
    assert result.outcome is Outcome.BLOCKED
    assert house.transit.keyring.known.latest == 1


# A restored Transit


def test_a_ciphertext_newer_than_the_key_stops_everything(house: House) -> None:
    young = house.transit.keyring
    house.rotate()
    house.now += 2 * DAY
    house.transit.keyring = young
    before = (house.home.stored, house.parts.stored)
    result = house.rotate(settings=RETIRE)
    assert result.outcome is Outcome.BLOCKED
    assert {each.action for each in result.records} == {Action.BLOCKED}
    assert "restored from an older backup" in result.records[0].reason
    assert house.transit.keyring is young
    assert (house.home.stored, house.parts.stored) == before


def test_a_ciphertext_that_does_not_verify_stops_before_rotating(house: House) -> None:
    young = house.transit.keyring
    house.rotate()
    house.transit.keyring = young.rotated(house.now)  # a version 2 again, and another one
    house.now += 2 * DAY
    house.put(house.parts, PARTS, {"latitude": b"52.1"})
    keyring, before = house.transit.keyring, (house.home.stored, house.parts.stored)
    result = house.rotate(settings=RETIRE)
    assert result.outcome is Outcome.BLOCKED
    assert records(result) == {
        "secrets.json": (2, 2, Action.BLOCKED),
        "latitude": (2, 2, Action.KEPT),
    }
    assert house.transit.keyring is keyring
    assert (house.home.stored, house.parts.stored) == before


def test_a_key_that_is_restored_while_it_is_rotated(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY
    young = replace(house.transit.keyring, versions=house.transit.keyring.versions[:1])

    def restore(call: str) -> None:
        if call == "rotate":
            house.transit.keyring = young.rotated(house.now)

    house.transit.after = restore
    before = (house.home.stored, house.parts.stored)
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert "was rotated, and now has 2" in result.reasons[0]
    assert (house.home.stored, house.parts.stored) == before


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (replace(PARTS, layout="document"), "layout document, and is read as layout fields"),
        (replace(PARTS, cluster="home"), "cluster home, and is read as cluster prod"),
    ],
)
def test_what_says_that_it_is_of_another_place_is_no_restored_backup(
    house: House, place: SecretPlace, said: str
) -> None:
    house.put(house.parts, place, {"latitude": b"52.1"})
    assert house.parts.stored is not None
    house.parts.stored = replace(house.parts.stored, annotations={SEALED_FOR: place.title})
    before = (house.transit.keyring, house.home.stored, house.parts.stored)
    result = house.rotate()
    assert (house.transit.keyring, house.home.stored, house.parts.stored) == before
    (reason,) = result.reasons
    assert reason.startswith("nothing was rotated or written: what is named seems to be sealed for")
    assert "run matrix access" in reason
    assert "backup" not in reason
    (blocked,) = (each for each in result.records if each.action is Action.BLOCKED)
    assert blocked.reason.startswith(f"it seems to be sealed for {said}. Correct its [[secrets.sou")
    assert "If that is not it: the ciphertext does not verify" in blocked.reason


def test_a_restored_backup_is_said_though_something_is_of_another_place_too(house: House) -> None:
    place = replace(PARTS, cluster="home")
    house.put(house.parts, place, {"latitude": b"52.1"})
    house.put(house.home, place, {"secrets.json": b"all"})
    assert house.parts.stored is not None
    house.parts.stored = replace(house.parts.stored, annotations={SEALED_FOR: place.title})
    (reason,) = house.rotate().reasons
    assert "restored from an older backup" in reason


# Recovery


def test_an_old_copy_below_the_floor_is_named_and_recovered_by_a_human(house: House) -> None:
    old = house.home.stored
    for _ in range(3):
        house.rotate(settings=RETIRE)
        house.now += 2 * DAY
    assert house.transit.keyring.min_decryption_version == 3
    assert old is not None
    house.home.stored = replace(old, version="restored")

    house.transit.rotate()
    for _ in range(2):
        result = house.rotate(settings=RETIRE)
        house.now += 2 * DAY
        assert (result.outcome, result.rotated) == (Outcome.BLOCKED, False)
        assert (result.newest, result.floor) == (5, None)
        assert result.records[0].action is Action.BLOCKED
        assert "matrix rotate --recover" in result.records[0].reason
        assert house.home.stored is not None
        assert house.home.stored.data == old.data
        assert versions(house.parts) == {5}

    result = house.rotate(settings=RETIRE, recover=True)
    assert (result.outcome, result.rotated, result.floor) == (Outcome.DONE, False, 1)
    assert house.open(house.home, HOME) == {"secrets.json": b"the whole text"}
    assert versions(house.home) == {5}

    house.now += 2 * DAY
    result = house.rotate(settings=RETIRE)
    assert (result.rotated, result.floor) == (True, 5)


def test_recovery_with_nothing_to_recover_leaves_the_floor(house: House) -> None:
    for _ in range(3):
        house.rotate(settings=RETIRE)
        house.now += 2 * DAY
    result = house.rotate(settings=RETIRE, recover=True)
    assert (result.outcome, result.floor) == (Outcome.NOTHING, None)


# Faults


@pytest.mark.parametrize("hook", ["before", "after"])
@pytest.mark.parametrize("call", ["read_key", "now", "rewrap", "set_min_decryption_version"])
def test_a_transit_that_is_away_ends_the_run_and_the_next_goes_on(
    house: House, hook: str, call: str
) -> None:
    """It is not asked again: it has waited by itself."""
    house.rotate()
    house.now += 2 * DAY
    setattr(house.transit, hook, once(TransitUnavailable("sealed"), call))
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.reasons, result.floor) == (Outcome.FAILED, ("sealed",), None)
    assert house.rotate(settings=RETIRE).outcome in (Outcome.DONE, Outcome.NOTHING)
    assert house.transit.keyring.min_decryption_version == 2
    assert (versions(house.home), house.pauses) == ({3}, 0)


def test_a_transit_that_stays_away_fails_and_the_next_run_ends_it(house: House) -> None:
    calls: list[str] = []

    def stop(call: str) -> None:
        calls.append(call)
        if call == "rewrap" and "rotate" in calls:
            raise TransitUnavailable("sealed")

    house.transit.before = stop
    result = house.rotate()
    assert (result.outcome, result.rotated, result.reasons) == (Outcome.FAILED, True, ("sealed",))
    assert {each.action for each in result.records} == {Action.DUE}
    house.transit.before = lambda call: None
    result = house.rotate()
    assert (result.outcome, result.rotated, result.newest) == (Outcome.DONE, False, 2)


def test_a_rotation_whose_reply_is_lost_is_not_repeated(house: House) -> None:
    house.transit.after = once(TransitUnavailable("no answer"), "rotate")
    result = house.rotate()
    assert (result.outcome, result.rotated, result.newest) == (Outcome.DONE, True, 2)


def test_a_rotation_that_did_not_arrive_fails_and_the_rest_is_done(house: House) -> None:
    house.transit.rotate()
    house.now += DAY
    house.transit.before = once(TransitUnavailable("no answer"), "rotate")
    result = house.rotate()
    assert (result.outcome, result.rotated, result.newest) == (Outcome.FAILED, False, 2)
    assert versions(house.parts) == {2}


@pytest.mark.parametrize("call", ["rotate", "set_min_decryption_version"])
def test_a_right_that_is_lacking_is_blocked(house: House, call: str) -> None:
    house.rotate()
    house.now += 2 * DAY
    house.transit.before = always(TransitRefused("permission denied"), call)
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.reasons) == (Outcome.BLOCKED, ("permission denied",))
    assert result.floor is None


def test_one_context_that_may_not_be_rewrapped_is_named_and_the_rest_is_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrap = house.transit.rewrap

    def picky(batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        return [
            TransitRefused("permission denied") if b"latitude" in sealed.context else reply
            for sealed, reply in zip(batch, rewrap(batch), strict=True)
        ]

    monkeypatch.setattr(house.transit, "rewrap", picky)
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert records(result) == {
        "secrets.json": (1, 2, Action.REWRAPPED),
        "latitude": (1, 1, Action.BLOCKED),
        "tide.token": (1, 2, Action.REWRAPPED),
    }


def test_what_does_not_verify_after_rewrapping_is_not_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrap = house.transit.rewrap

    def damaged(batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        return [
            "vault:v2:AAAA" if isinstance(reply, str) and b"latitude" in sealed.context else reply
            for sealed, reply in zip(batch, rewrap(batch), strict=True)
        ]

    monkeypatch.setattr(house.transit, "rewrap", damaged)
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert records(result)["latitude"] == (1, 1, Action.BLOCKED)
    assert records(result)["tide.token"] == (1, 2, Action.REWRAPPED)
    assert house.open(house.parts, PARTS) == {"latitude": b"52.1", "tide.token": b"abc"}


@pytest.mark.parametrize("hook", ["before", "after"])
def test_a_write_whose_reply_is_lost_is_looked_at_and_not_doubted(house: House, hook: str) -> None:
    setattr(house.parts, hook, once(StoreUnavailable("no answer"), "replace"))
    result = house.rotate()
    assert result.outcome is Outcome.DONE
    assert {each.action for each in result.records} == {Action.REWRAPPED}
    assert versions(house.parts) == {2}


def test_a_secret_that_is_written_all_the_time_fails_in_the_end(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY
    house.parts.before = always(Conflict("written by somebody else"), "replace")
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.floor) == (Outcome.FAILED, None)
    assert records(result)["latitude"] == (2, 2, Action.FAILED)
    assert versions(house.home) == {3}
    assert house.pauses == ATTEMPTS - 1


def test_an_immutable_secret_is_blocked_at_once(house: House) -> None:
    house.parts.before = always(StoreRefused("field is immutable"), "replace")
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert {each.reason for each in result.records[1:]} == {"field is immutable"}
    assert (versions(house.home), house.pauses) == ({2}, 0)


def test_a_value_that_comes_in_between_is_what_is_rewrapped(house: House) -> None:
    def interfere(call: str) -> None:
        if call == "replace":
            house.parts.before = lambda call: None
            house.put(house.parts, PARTS, {"latitude": b"newer", "tide.token": b"abc"})

    house.parts.before = interfere
    result = house.rotate()
    assert result.outcome is Outcome.DONE
    assert house.open(house.parts, PARTS) == {"latitude": b"newer", "tide.token": b"abc"}


def test_a_secret_that_vanishes_meanwhile_is_not_brought_back(house: House) -> None:
    def vanish(call: str) -> None:
        if call == "replace":
            house.parts.stored = None

    house.parts.before = vanish
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert house.parts.stored is None
    assert result.records[-1].reason.startswith("Secret home/matrix-parts does not exist")


def test_a_store_that_changes_what_is_written_is_found_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = house.parts.replace

    def meddle(held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        return replace(write(held, data, annotations), data={"latitude": "vault:v2:AAAA"})

    monkeypatch.setattr(house.parts, "replace", meddle)
    result = house.rotate()
    assert result.outcome is Outcome.BLOCKED
    assert "something else than was just written" in result.records[-1].reason
    assert "AAAA" not in repr(result)


def test_a_version_above_the_newest_known_is_another_rotators_and_current(house: House) -> None:
    def another(call: str) -> None:
        if call == "replace":
            house.parts.before = lambda call: None
            house.transit.rotate()
            house.put(house.parts, PARTS, {"latitude": b"52.1", "tide.token": b"abc"})

    house.parts.before = another
    result = house.rotate()
    assert result.outcome is Outcome.DONE
    assert result.newest == 2
    assert records(result)["latitude"] == (1, 3, Action.CURRENT)


def test_an_old_copy_that_appears_during_the_run_keeps_the_floor_below_it(house: House) -> None:
    old = house.home.stored
    house.rotate()
    house.now += 2 * DAY

    def restore(call: str) -> None:
        if call == "replace":
            house.home.before = lambda call: None
            assert old is not None
            house.home.stored = replace(old, version="restored")

    house.home.before = restore
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.floor) == (Outcome.DONE, None)
    assert house.open(house.home, HOME) == {"secrets.json": b"the whole text"}


def test_a_floor_that_another_run_has_raised_further_is_not_lowered(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY

    def raised(call: str) -> None:
        if call == "replace":
            house.transit.rotate()
            house.transit.set_min_decryption_version(3)

    house.parts.after = raised
    result = house.rotate(settings=RETIRE)
    assert (result.outcome, result.floor) == (Outcome.DONE, None)
    assert house.transit.keyring.min_decryption_version == 3


def test_what_is_retired_between_reading_and_rewrapping_is_read_again(house: House) -> None:
    house.rotate()
    house.now += 2 * DAY
    calls: list[str] = []

    def retire(call: str) -> None:
        calls.append(call)
        if calls.count("read") == 2:
            house.parts.after = lambda call: None
            house.transit.rotate()
            house.put(house.home, HOME, {"secrets.json": b"the whole text"})
            house.put(house.parts, PARTS, {"latitude": b"52.1", "tide.token": b"abc"})
            house.transit.set_min_decryption_version(3)

    house.parts.after = retire
    result = house.rotate()
    assert result.outcome is Outcome.DONE
    assert house.open(house.parts, PARTS) == {"latitude": b"52.1", "tide.token": b"abc"}
