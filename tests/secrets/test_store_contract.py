"""The contract of ``Store``, kept by every implementation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from framework.secrets.store import Conflict, Store, Stored

DATA = {"secrets.json": "vault:v1:AAAA", "tide.token": "vault:v12:BBBB"}
NOTES = {"matrix/place": "sealed for home, é"}


def test_there_is_none_until_it_is_created(store: Store) -> None:
    assert store.read() is None
    created = store.create(DATA, NOTES)
    assert (created.data, created.annotations) == (DATA, NOTES)
    assert store.read() == created
    assert store.read() == created


def test_it_is_not_created_twice(store: Store) -> None:
    created = store.create(DATA, NOTES)
    with pytest.raises(Conflict):
        store.create({}, {})
    assert store.read() == created


def test_a_replacement_is_whole(store: Store) -> None:
    replaced = store.replace(store.create(DATA, NOTES), {"secrets.json": "new"}, {})
    assert (replaced.data, replaced.annotations) == ({"secrets.json": "new"}, {})
    assert store.read() == replaced


@pytest.mark.parametrize("text", ["", "é\U0001f319", 'a"\\b\n\r\tc', "x" * 300_000])
def test_any_text_comes_back(store: Store, text: str) -> None:
    store.create({"secrets.json": text}, {})
    stored = store.read()
    assert stored is not None
    assert stored.data == {"secrets.json": text}


def test_a_version_never_returns(store: Store) -> None:
    """After a change: what changes nothing may keep it, as Kubernetes has it."""
    held = store.create(DATA, NOTES)
    versions = [held.version]
    for data in ({"secrets.json": "other"}, DATA, {"secrets.json": "other"}):
        held = store.replace(held, data, NOTES)
        versions.append(held.version)
    assert len(set(versions)) == len(versions)


def test_who_has_not_seen_the_last_write_changes_nothing(store: Store) -> None:
    stale = store.create(DATA, NOTES)
    back = store.replace(store.replace(stale, {"secrets.json": "other"}, {}), DATA, NOTES)
    with pytest.raises(Conflict):
        store.replace(stale, {"secrets.json": "lost"}, {})
    assert store.read() == back


def test_what_was_read_does_not_change(store: Store) -> None:
    data = dict(DATA)
    held = store.create(data, NOTES)
    data["secrets.json"] = "changed by the caller"
    store.replace(held, {}, {})
    assert held.data == DATA


def the_winner(write: Callable[[], Stored]) -> Stored:
    """Of two that write at once: the other one must have met a conflict."""
    ready = Barrier(2)

    def run() -> Stored:
        ready.wait()
        return write()

    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(run) for _ in range(2)]
    won = [result.result() for result in results if result.exception() is None]
    lost = [result.exception() for result in results if result.exception() is not None]
    assert [type(error) for error in lost] == [Conflict]
    return won[0]


def test_of_two_writers_at_once_one_wins(store: Store) -> None:
    created = the_winner(lambda: store.create({"secrets.json": "a"}, {}))
    assert store.read() == created
    replaced = the_winner(lambda: store.replace(created, {"secrets.json": "b"}, {}))
    assert store.read() == replaced
