"""The local default of ``Store``: the file that people commit, damage and edit."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.secrets.local.filestore import FileStore
from framework.secrets.store import Conflict, Stored, StoreRefused

DATA = {"tide.token": "vault:v1:BBBB", "secrets.json": "vault:v1:AAAA"}
NOTES = {"place": "local"}


def refusal(path: Path) -> str:
    """What is said by every call, none of which touches it."""
    store, said = FileStore(path), set()
    for call in (
        store.read,
        lambda: store.create({}, {}),
        lambda: store.replace(Stored("1-0", {}), {}, {}),
    ):
        with pytest.raises(StoreRefused) as caught:
            call()
        assert not isinstance(caught.value, Conflict)
        assert caught.value.__context__ is None
        said.add(str(caught.value))
    (one,) = said
    return one


def test_it_reads_well_in_a_diff(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    version = FileStore(path).create(DATA, NOTES).version
    assert path.read_text() == (
        "{\n"
        f'  "version": "{version}",\n'
        '  "data": {\n'
        '    "secrets.json": "vault:v1:AAAA",\n'
        '    "tide.token": "vault:v1:BBBB"\n'
        "  },\n"
        '  "annotations": {\n'
        '    "place": "local"\n'
        "  }\n"
        "}\n"
    )


def test_its_name_is_its_path(tmp_path: Path) -> None:
    assert FileStore(tmp_path / "secrets.sealed").name == str(tmp_path / "secrets.sealed")


def test_its_mode_is_the_umask_s_and_then_the_user_s(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    umask = os.umask(0o027)
    try:
        held = FileStore(path).create(DATA, NOTES)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o664)
    FileStore(path).replace(held, DATA, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_copy_that_was_put_back_is_another_version(tmp_path: Path) -> None:
    path, copy = tmp_path / "secrets.sealed", tmp_path / "copy"
    store = FileStore(path)
    first = store.create(DATA, NOTES)
    shutil.copy(path, copy)
    second = store.replace(first, {"a": "b"}, {})
    shutil.copy(copy, path)
    assert store.read() == first
    with pytest.raises(Conflict):
        store.replace(second, {}, {})
    third = store.replace(first, {"a": "b"}, {})
    assert (second.version.split("-")[0], third.version.split("-")[0]) == ("2", "2")
    assert second.version != third.version
    with pytest.raises(Conflict):
        store.replace(second, {}, {})


def test_what_was_edited_by_hand_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    held = FileStore(path).create(DATA, NOTES)
    path.write_text(path.read_text().replace("AAAA", "CCCC"))
    with pytest.raises(Conflict):
        FileStore(path).replace(held, {}, {})
    assert "CCCC" in path.read_text()


def test_what_was_removed_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    held = FileStore(path).create(DATA, NOTES)
    path.unlink()
    with pytest.raises(Conflict, match="was removed since it was read"):
        FileStore(path).replace(held, DATA, NOTES)
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    held = FileStore(link).create(DATA, NOTES)
    replaced = FileStore(link).replace(held, {}, {})
    assert link.is_symlink()
    assert FileStore(real).read() == replaced


def test_truncated_anywhere_it_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    FileStore(path).create(DATA, NOTES)
    content = path.read_bytes()
    for length in range(len(content) - 1):  # the last byte is a line feed
        path.write_bytes(content[:length])
        assert "is damaged: it is not JSON, or not all of it" in refusal(path)
        assert path.read_bytes() == content[:length]


VERSION = "1-0123456789abcdef"


@pytest.mark.parametrize(
    "table",
    [
        [],
        None,
        {},
        {"data": {}, "annotations": {}},
        {"version": VERSION, "data": {}},
        {"version": VERSION, "data": {}, "annotations": {}, "more": 1},
        {"version": 1, "data": {}, "annotations": {}},
        {"version": "1", "data": {}, "annotations": {}},
        {"version": VERSION, "data": {"a": 1}, "annotations": {}},
        {"version": VERSION, "data": {"a": {"b": "c"}}, "annotations": {}},
        {"version": VERSION, "data": {}, "annotations": []},
    ],
)
def test_what_has_another_shape_is_refused(tmp_path: Path, table: object) -> None:
    path = tmp_path / "secrets.sealed"
    path.write_text(json.dumps(table))
    assert "is no sealed file" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b"<<<<<<< ours\n{}\n"],
    ids=["empty", "binary", "nested", "digits", "conflict"],
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secrets.sealed"
    path.write_bytes(content)
    assert "resolve the conflict in it" in refusal(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    descriptors = psutil.Process().num_fds()
    path.mkdir()
    assert "It is not a regular file" in refusal(path)
    path.rmdir()
    os.mkfifo(path)
    assert "It is not a regular file" in refusal(path)
    assert psutil.Process().num_fds() == descriptors


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "secrets.sealed"
    assert FileStore(path).read() is None
    with pytest.raises(StoreRefused, match="Make the folder that it is to be in"):
        FileStore(path).create({}, {})


def test_no_error_shows_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    path.write_text('{"version": "plaintext", "data": {"a": "plaintext"}, "annotations": {}}')
    assert "plaintext" not in refusal(path)
    path.write_text('{"plaintext": ')
    assert "plaintext" not in refusal(path)


TEXTS = st.dictionaries(st.text(), st.text())


@given(TEXTS, TEXTS)
def test_any_texts_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, str], annotations: dict[str, str]
) -> None:
    store = FileStore(tmp_path_factory.mktemp("any") / "secrets.sealed")
    created = store.create(data, annotations)
    assert store.read() == created == Stored(created.version, data, annotations)
