"""Events of a rotation: of which Secret, what they say, and that nothing depends on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.events import MAX_BYTES, Event, events_of, post
from framework.secrets.place import SecretPlace
from framework.secrets.plan import Settings
from framework.secrets.rotator import Entry, Result, Seen, rotate
from framework.secrets.store import Conflict, Stored, StoreRefused
from framework.secrets.transit import TransitUnavailable
from framework.testing.secrets import MemoryStore, MemoryTransit
from tests.secrets.httpserver import Answer
from tests.secrets.kubernetes_standin import NAMESPACE, KubernetesStandin

T0 = datetime(2026, 11, 24, 3, tzinfo=UTC)
ONE = SecretPlace("fields", "home", NAMESPACE, "one")
OTHER = SecretPlace("document", "home", NAMESPACE, "other")
ABOUT = Seen(ONE, "uid-1", "7")


class House:
    """A key, and a Secret with two fields, and one with a document, a day later."""

    def __init__(self) -> None:
        self.now = T0
        self.transit = MemoryTransit(lambda: self.now)
        self.one, self.other = MemoryStore("Secret led/one"), MemoryStore("Secret led/other")
        self.put(self.one, ONE, "latitude", "tide.token")
        self.put(self.other, OTHER, "secrets.json")
        self.now += timedelta(days=1)

    def put(self, store: MemoryStore, place: SecretPlace, *data_keys: str) -> None:
        data = {name: self.transit.encrypt(place.context(name), b"v") for name in data_keys}
        store.stored = Stored("5", data, uid=f"uid-{place.secret}")

    def rotate(self, *, retire: bool = False) -> Result:
        entries = [Entry(ONE, self.one), Entry(OTHER, self.other, ("secrets.json",))]
        return rotate(self.transit, entries, settings=Settings(retire=retire))

    def told(self, *, retire: bool = False) -> dict[str, tuple[str, str]]:
        events = events_of(self.rotate(retire=retire))
        return {each.about.place.secret: (each.reason, each.message) for each in events}


@pytest.fixture
def house() -> House:
    return House()


def raising(error: Exception, *calls: str) -> Any:
    def hook(call: str) -> None:
        if call in calls:
            raise error

    return hook


def test_what_was_rewrapped_is_told_and_then_there_is_nothing_to_tell(house: House) -> None:
    assert house.told() == {
        "one": ("Rotated", "rewrapped to key version 2: latitude, tide.token"),
        "other": ("Rotated", "rewrapped to key version 2: secrets.json"),
    }
    assert house.told() == {}


def test_it_is_of_the_secret_as_it_was_written(house: House) -> None:
    event = next(iter(events_of(house.rotate())))
    assert house.one.stored is not None
    assert event.about == Seen(ONE, house.one.stored.uid, house.one.stored.version)


def test_what_is_blocked_or_failed_is_told_with_the_reason(house: House) -> None:
    house.one.before = raising(Conflict("written by others all the time"), "replace")
    house.other.before = raising(StoreRefused("it is immutable"), "replace")
    assert house.told() == {
        "one": (
            "RotateFailed",
            "latitude: written by others all the time; tide.token: written by others all the time",
        ),
        "other": ("RotateBlocked", "secrets.json: it is immutable"),
    }


def test_a_secret_that_is_not_there_is_told_of_by_its_name(house: House) -> None:
    house.other.stored = None
    (event,) = (each for each in events_of(house.rotate()) if each.about.place is OTHER)
    assert event.about == Seen(OTHER)
    assert event.message.startswith("Secret led/other does not exist: encrypt its values")


def test_who_keeps_the_floor_where_it_is_is_told_though_all_was_rewrapped(house: House) -> None:
    assert house.one.stored is not None
    house.one.stored = replace(house.one.stored, owner="Argo CD")
    assert house.told()["one"][0] == "Rotated"
    house.now += timedelta(days=1)
    reason, message = house.told(retire=True)["one"]
    assert reason == "RotateBlocked"
    assert message.startswith("Argo CD writes it too")


@pytest.mark.parametrize("first", ["rewrap", "rotate"])
def test_a_vault_that_is_away_is_told_of_each_secret(house: House, first: str) -> None:
    seen: list[str] = []

    def away(call: str) -> None:
        seen.append(call)
        if first in seen and call == "rewrap":
            raise TransitUnavailable("Vault is sealed")

    house.transit.before = away
    failed = ("RotateFailed", "Vault is sealed")
    assert house.told() == {"one": failed, "other": failed}


def test_a_long_reason_is_cut_between_characters() -> None:
    message = Event(ABOUT, "RotateBlocked", "ä€" * 1000).body(T0)["message"]
    assert MAX_BYTES - 4 <= len(message.encode()) <= MAX_BYTES
    assert message.endswith("…")
    assert message.strip("ä€…") == ""


def test_its_name_is_one_of_kubernetes_however_long_the_secrets_is() -> None:
    place = replace(ONE, secret="a" * 199 + "." + "b" * 53)
    name = Event(Seen(place), "Rotated", "x").body(T0)["metadata"]["name"]
    assert name.startswith("a" * 199 + ".")
    assert ".." not in name
    assert len(name) <= 253


# ------------------------------------------------------------------------------------ in Kubernetes


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[KubernetesStandin]:
    with KubernetesStandin(tmp_path) as standin:
        yield standin


@pytest.fixture
def client(standin: KubernetesStandin) -> Iterator[KubernetesClient]:
    with closing(standin.client()) as client:
        yield client


BLOCKED = Event(ABOUT, "RotateBlocked", "it is immutable")


def stored(standin: KubernetesStandin) -> list[dict[str, Any]]:
    return [made for (resource, _, _), made in standin.objects.items() if resource == "events"]


def test_the_same_is_said_once_a_day(standin: KubernetesStandin, client: KubernetesClient) -> None:
    other = replace(BLOCKED, message="it is full")
    for events, at in (
        ([BLOCKED], T0),
        ([BLOCKED, other], T0 + timedelta(hours=20)),
        ([BLOCKED], T0 + timedelta(hours=21)),
    ):
        assert post(client, events, at) is None
    said = [(each["message"], each["lastTimestamp"][:10]) for each in stored(standin)]
    assert said == [
        ("it is immutable", "2026-11-24"),
        ("it is full", "2026-11-24"),
        ("it is immutable", "2026-11-25"),
    ]


def test_without_the_right_it_is_a_warning_and_one_is_enough(
    standin: KubernetesStandin, client: KubernetesClient
) -> None:
    standin.forbidden.add(("create", "events"))
    warning = post(client, [BLOCKED, BLOCKED], T0)
    assert warning is not None
    assert warning.endswith('- {apiGroups: [""], resources: [events], verbs: [create]}')
    assert len([each for each in standin.asked() if each.endswith("/events")]) == 1
    assert stored(standin) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404, {}), "answers with status 404"),
        (Answer(200, {}, after_s=-1), "cannot be reached: "),
    ],
)
@pytest.mark.usefixtures("asked_once")
def test_a_server_that_does_not_take_it_is_a_warning(
    standin: KubernetesStandin, client: KubernetesClient, answer: Answer, said: str
) -> None:
    standin.intercept = lambda request: answer
    warning = post(client, [BLOCKED], T0)
    assert warning is not None
    assert said in warning
