"""``MountedStore``: what kubelet does to a volume, at the worst moments."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from framework import durable
from framework.secrets.kubernetes.mounted import MountedStore
from framework.secrets.store import StoreRefused, StoreUnavailable

MARKER = "sEcReT-33e0"


class Volume:
    """A folder that is written as kubelet writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._numbers = itertools.count()

    def put(self, data: Mapping[str, bytes], *, remove: bool = True) -> None:
        """All data keys at once; what was there is removed afterwards."""
        link, new = self.folder / "..data", self.folder / "..data_tmp"
        before = self.folder / link.readlink() if link.is_symlink() else None
        state = self.folder / f"..2026_11_24.{next(self._numbers)}"
        state.mkdir()
        for key, content in data.items():
            (state / key).write_bytes(content)
            if not (self.folder / key).is_symlink():
                (self.folder / key).symlink_to(f"..data/{key}")
        new.symlink_to(state.name)
        new.replace(link)
        if before is not None and remove:
            shutil.rmtree(before)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "volume")


@pytest.fixture
def store(volume: Volume) -> MountedStore:
    return MountedStore(volume.folder, name="Secret led/matrix-secrets")


def test_what_is_mounted(volume: Volume, store: MountedStore) -> None:
    volume.put({"secrets.json": b"vault:v1:QUJD", "ca.p12": b"\xff\xfe", "notes": "é".encode()})
    held = store.read()
    assert held.data == {"secrets.json": "vault:v1:QUJD", "notes": "é"}
    assert (held.annotations, held.owner) == ({}, None)
    assert store.contents()["ca.p12"] == b"\xff\xfe"
    assert store.name == f"Secret led/matrix-secrets mounted at {volume.folder}"


def test_a_version_for_each_content(volume: Volume, store: MountedStore) -> None:
    contents: list[dict[str, bytes]] = [{"a": b"1"}, {"a": b"2"}, {"b": b"1"}]
    contents += [{"a": b"1", "b": b""}, {"a1": b""}, {}]
    versions = []
    for data in contents:
        volume.put(data)
        versions.append(store.read().version)
    assert len(set(versions)) == len(contents)
    volume.put(contents[0])
    assert store.read().version == versions[0]


def test_it_is_never_read_half_old_and_half_new(volume: Volume, store: MountedStore) -> None:
    keys = [f"key-{number}" for number in range(20)]
    volume.put(dict.fromkeys(keys, b"0"))
    stop = threading.Event()

    def rotate() -> None:
        for number in itertools.count(1):
            if stop.is_set():
                return
            volume.put(dict.fromkeys(keys, str(number).encode()))

    writer = threading.Thread(target=rotate)
    writer.start()
    try:
        read: list[str] = []
        while len(read) < 50:
            try:
                held = store.read()
            except StoreUnavailable:  # a kubelet that is never done
                continue
            assert len(held.data) == len(keys)
            assert len(set(held.data.values())) == 1
            read.append(held.version)
    finally:
        stop.set()
        writer.join()
    assert len(set(read)) > 1


@pytest.mark.parametrize("remove", [True, False])
def test_it_changes_while_it_is_read(
    volume: Volume, store: MountedStore, monkeypatch: pytest.MonkeyPatch, remove: bool
) -> None:
    """Whether or not the old state is gone already, it is read again."""
    volume.put({"a": b"old", "b": b"old"})
    read, times = durable.read, itertools.count()

    def swap(path: Path) -> tuple[bytes, os.stat_result]:
        if next(times) == 1:
            volume.put({"a": b"new", "b": b"new"}, remove=remove)
        return read(path)

    monkeypatch.setattr(durable, "read", swap)
    assert store.read().data == {"a": "new", "b": "new"}


def test_it_changes_all_the_while(
    volume: Volume, store: MountedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.put({"a": b"0"})
    read, times = durable.read, itertools.count(1)

    def swap(path: Path) -> tuple[bytes, os.stat_result]:
        volume.put({"a": f"{MARKER}{next(times)}".encode()}, remove=False)
        return read(path)

    monkeypatch.setattr(durable, "read", swap)
    with pytest.raises(StoreUnavailable, match="changed all the while it was read") as raised:
        store.read()
    assert raised.value.__context__ is None
    assert next(times) < 10


def test_an_optional_secret_that_is_not_there(volume: Volume, store: MountedStore) -> None:
    volume.put({})
    assert store.read().data == {}


@pytest.mark.parametrize("what", ["nothing", "a plain folder", "a file", "no link"])
def test_what_is_no_mount(tmp_path: Path, what: str) -> None:
    path = tmp_path / "secret"
    if what == "a file":
        path.write_text(MARKER)
    elif what != "nothing":
        path.mkdir()
        (path / "secrets.json").write_text(MARKER)
    if what == "no link":
        (path / "..data").mkdir()
    with pytest.raises(StoreRefused) as raised:
        MountedStore(path, name="Secret led/x").read()
    assert str(raised.value) == (
        f"{path} is no mounted Secret (it has no ..data): mount it as a volume, whole and not by "
        "subPath, and let mounted name that folder"
    )
    assert raised.value.__context__ is None


def test_one_that_may_not_be_read(
    volume: Volume, store: MountedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.put({"a": MARKER.encode()})

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(durable, "read", refuse)
    with pytest.raises(StoreRefused, match=r"cannot be read: Permission denied\. Run as") as raised:
        store.read()
    assert raised.value.__context__ is None
    assert MARKER not in str(raised.value)


def test_it_is_read_alone(volume: Volume, store: MountedStore) -> None:
    volume.put({"a": b"1"})
    held = store.read()
    with pytest.raises(StoreRefused, match="write it through the API server"):
        store.create({"a": "2"}, {})
    with pytest.raises(StoreRefused, match="write it through the API server"):
        store.replace(held, {"a": "2"}, {})
    assert store.read() == held
