"""What encrypting and rotating withstand on real files: processes that die, hang, or run together,
a disk that fills up, and a file that is cut short.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from framework.errors import ConfigError, SecretsUnavailable
from framework.secrets.encryptor import Encryptor
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.local.source import FileSource
from framework.secrets.prune import Tree
from framework.secrets.reader import read
from framework.secrets.rotator import Entry, Outcome, rotate
from framework.secrets.source import Home
from framework.secrets.store import StoreRefused

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0

DOCUMENT = FileSource(path="home.sealed")
FIELDS = FileSource(path="parts.sealed", layout="fields")
DECLARED = Tree({"tide": {"token": {}, "station": {}}}, {})

OLD = "home: old old v2, parts: old old v2, key: v1 to v2"
STATES = {
    "document": [OLD, "home: new new v2, parts: old old v2, key: v1 to v2"],
    "first document": [
        "home: none, parts: old old v2, key: v1 to v2",
        "home: new new v2, parts: old old v2, key: v1 to v2",
    ],
    "document, passed by": [
        OLD,
        "home: old old v2, parts: old old v2, key: v1 to v3",
        "home: new new v2, parts: old old v2, key: v1 to v3",
        "home: new new v3, parts: old old v2, key: v1 to v3",
    ],
    "fields": [OLD, "home: old old v2, parts: new new v2, key: v1 to v2"],
    "first fields": [
        "home: old old v2, parts: none, key: v1 to v2",
        "home: old old v2, parts: new new v2, key: v1 to v2",
    ],
    "one field": [OLD, "home: old old v2, parts: old new v2, key: v1 to v2"],
    "prune": [OLD, "home: old old v2, parts: new v2, key: v1 to v2"],
    "rotate": [
        OLD,
        "home: old old v2, parts: old old v2, key: v1 to v3",
        "home: old old v3, parts: old old v2, key: v1 to v3",
        "home: old old v3, parts: old old v3, key: v1 to v3",
        "home: old old v3, parts: old old v3, key: v2 to v3",
    ],
}
"""What a run goes through: of each file the station and the token that a reader reads, and their
key version; of the key the lowest version that may be read, and the newest."""


def start(mode: str, what: object, path: Path, *, meanwhile: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.secrets.runs", mode, str(what), meanwhile, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def output(process: subprocess.Popen[str]) -> list[str]:
    """Each line that it says until it ends, which must be well."""
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    return said.splitlines()


def reports(mode: str, what: str, folder: Path, *, meanwhile: str = "") -> list[dict[str, str]]:
    lines = output(start(mode, what, folder / "house" / "file", meanwhile=meanwhile))
    return [json.loads(line) for line in lines]


def assert_the_next_run_ends_it(what: str, report: dict[str, str]) -> None:
    assert report["again"] == "done", report
    assert report["then"] == STATES[what][-1], report
    assert ".tmp" not in report["left_then"], report


@pytest.mark.parametrize("what", STATES)
def test_killed_at_any_step_all_is_readable_and_the_next_run_ends_it(
    what: str, tmp_path: Path
) -> None:
    found = reports("kill", what, tmp_path)
    for report in found:
        assert report["ended"] == "", report
        assert_the_next_run_ends_it(what, report)
    places = [STATES[what].index(report["now"]) for report in found]
    assert places == sorted(places)
    assert set(places) == set(range(len(STATES[what])))
    killed = Counter((report["step"], report["way"]) for report in found)
    for step in ("write", "fsync", "replace"):
        assert killed[step, "before"] >= len(STATES[what]) - 1
    assert killed["write", "half"] == killed["write", "before"]


@pytest.mark.parametrize(
    "what", ["document", "first document", "document, passed by", "prune", "rotate"]
)
def test_a_disk_that_is_full_or_read_only_from_any_step_on_is_named_and_nothing_is_lost(
    what: str, tmp_path: Path
) -> None:
    found = reports("full", what, tmp_path)
    for report in found:
        assert_the_next_run_ends_it(what, report)
        assert ".tmp" not in report["left"], report
        done = values(report["now"]) == values(STATES[what][-1])
        if report["ended"] == "done":
            assert done, report
        else:
            assert not done or what == "rotate", report
            reason = {"ENOSPC": "No space left on", "EROFS": "Read-only"}[report["way"]]
            assert re.search(f"cannot be written: .*{reason}", report["ended"]), report
            assert "by others" not in report["ended"], report
    assert {report["now"] for report in found} == set(STATES[what])


def values(state: str) -> str:
    """What a reader reads, under whatever key versions."""
    return re.sub(r" v\d+|, key: .*", "", state)


def assert_the_next_rotation_brings_all_up(report: dict[str, str]) -> None:
    assert report["again"] == "done", report
    assert values(report["at last"]) == values(report["now"]), report
    files, _, key = report["at last"].partition(", key: ")
    assert set(re.findall(r"v\d+", files)) == {key.rpartition(" ")[2]}, report


@pytest.mark.parametrize("what", ["document", "first document", "document, passed by", "prune"])
def test_an_encryptor_stopped_anywhere_through_rotations_and_a_raise(
    what: str, tmp_path: Path
) -> None:
    """Before it has the lock, it encrypts again; while it has it, it keeps the floor down."""
    raised = 0
    for report in reports("stop", what, tmp_path, meanwhile="rotations"):
        assert report["ended"] == "done", report
        assert values(report["now"]) == values(STATES[what][-1]), report
        assert_the_next_rotation_brings_all_up(report)
        if report["meanwhile"] == "done":
            assert re.search(r"key: v[45] to v[56]$", report["then"]), report
            raised += 1
        else:
            assert re.search("has been writing it|does not exist", report["meanwhile"]), report
            assert "key: v1 to" in report["then"], report
    assert raised >= (1 if what.startswith("first") else 7)


def test_a_rotator_stopped_anywhere_through_a_new_value_and_rotations_and_a_raise(
    tmp_path: Path,
) -> None:
    raised = 0
    for report in reports("stop", "rotate", tmp_path, meanwhile="a value, rotations"):
        refused = report["meanwhile"].startswith("StoreUnavailable")  # the value: it has the lock
        home = "old old" if refused else "other other"
        assert report["ended"] == "done", report
        assert values(report["now"]) == f"home: {home}, parts: old old", report
        assert_the_next_rotation_brings_all_up(report)
        raised += "key: v5 to v6" in report["then"]
    assert raised >= 10


ENDS = {
    ("document", "document"): [
        ("done", "done", "home: new new, parts: old old"),
        ("Overtaken", "done", "home: other other, parts: old old"),
        ("done", "StoreUnavailable", "home: new new, parts: old old"),
        ("done", "done", "home: other other, parts: old old"),
    ],
    ("prune", "another field"): [
        ("done", "done", "home: old old, parts: new"),
        ("Overtaken", "done", "home: old old, parts: other old"),
        ("done", "StoreUnavailable", "home: old old, parts: new"),
        ("done", "done", "home: old old, parts: other new"),
    ],
    ("one field", "another field"): [
        ("done", "done", "home: old old, parts: other new"),
        ("done", "StoreUnavailable", "home: old old, parts: old new"),
        ("done", "done", "home: old old, parts: other new"),
    ],
}
"""Of an encryptor that is stopped and one that is not: how each ends, and what is there then. The
first is stopped before it reads; after that; with the lock; after writing."""


@pytest.mark.parametrize(("what", "meanwhile"), ENDS)
def test_an_encryptor_stopped_anywhere_while_another_one_encrypts(
    what: str, meanwhile: str, tmp_path: Path
) -> None:
    ends = [
        (
            report["ended"].partition(":")[0],
            report["meanwhile"].partition(":")[0],
            values(report["now"]),
        )
        for report in reports("stop", what, tmp_path, meanwhile=meanwhile)
    ]
    assert [end for end, _ in itertools.groupby(ends)] == ENDS[what, meanwhile]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A path in a folder with a keyring and two sealed files."""
    path = tmp_path / "house" / "file"
    output(start("make", "rotate", path))
    return path


def token(source: FileSource, house: Path) -> str:
    """As a reader reads it: if the key version was retired since, it reads the file again."""
    home = Home(str(house.parent), str(house.parent / "keyring"))
    until_s = time.monotonic() + LIMIT_S
    while True:
        try:
            return str(read(source, home, DECLARED).values["tide"]["token"])
        except SecretsUnavailable:
            assert time.monotonic() < until_s


def test_rotators_and_an_encryptor_at_once_fail_no_reader_and_lose_no_value(house: Path) -> None:
    rotators = [start("rotate", 30, house) for _ in range(2)]
    encryptor = start("count up", 60, house)
    seen: dict[FileSource, list[str]] = {DOCUMENT: [], FIELDS: []}
    while any(process.poll() is None for process in (*rotators, encryptor)):
        for source, tokens in seen.items():
            tokens.append(token(source, house))
    rotations = [end for rotator in rotators for end in output(rotator)]
    encryptions = [line.split(" ", 2) for line in output(encryptor)]
    for tokens in seen.values():
        assert tokens == sorted(tokens)
        assert len(set(tokens)) > 2
    assert {end.partition(": /")[0] for end in rotations} <= {"done", "Unfinished: failed"}
    assert {end.partition(":")[0] for _, _, end in encryptions} <= {"done", "Conflict"}
    stored = {what: value for what, value, end in encryptions if end == "done"}
    assert output(start("rotate", 1, house)) == ["done"]
    (state,) = output(start("state", "rotate", house))
    document, fields = stored["document"], stored["fields"]
    assert values(state) == f"home: {document} {document}, parts: {fields} {fields}"


def test_of_two_encryptors_at_once_each_is_told_what_became_of_its_value(house: Path) -> None:
    processes = [start("contend", "", house) for _ in range(2)]

    def tell(*lines: str) -> list[str]:
        for process, line in zip(processes, lines, strict=True):
            assert process.stdin is not None
            process.stdin.write(line + "\n")
        said = [process.stdout.readline() for process in processes if process.stdout is not None]
        return [line.strip() for line in said]

    for number in range(40):
        mine, yours = f"mine-{number}", f"yours-{number}"
        ends = tell(mine, yours)  # of the same document
        assert {end.partition(":")[0] for end in ends} <= {"done", "Overtaken"}
        stored = [value for value, end in zip((mine, yours), ends, strict=True) if end == "done"]
        assert token(DOCUMENT, house) in stored
        assert tell(f"{mine} tide.token", f"{yours} tide.station") == ["done", "done"]
        assert token(FIELDS, house) == mine
    for process in processes:
        assert output(process) == []


def test_cut_short_anywhere_it_is_refused_by_all_and_left_as_it_is(tmp_path: Path) -> None:
    home = Home(str(tmp_path), str(tmp_path / "keyring"))
    transit = LocalTransit.create(tmp_path / "keyring")
    path = tmp_path / DOCUMENT.path
    store = FileStore(path)
    encryptor = Encryptor(transit, store, DOCUMENT.place)
    encryptor.document("secrets.json", b'{"tide": {"token": "old"}}')
    whole, keyring = path.read_bytes(), transit.path.read_bytes()
    assert read(DOCUMENT, home, DECLARED).values == {"tide": {"token": "old"}}
    for length in range(len(whole) - 1):  # the last byte is a line break, and can be spared
        path.write_bytes(whole[:length])
        with pytest.raises(StoreRefused, match=r"home\.sealed is damaged: .* restore it") as caught:
            encryptor.document("secrets.json", b"new")
        with pytest.raises(ConfigError) as read_caught:
            read(DOCUMENT, home, DECLARED)
        result = rotate(transit, [Entry(DOCUMENT.place, store)])
        assert result.outcome is Outcome.BLOCKED
        said = [str(read_caught.value), *(record.reason for record in result.records)]
        assert said == [str(caught.value)] * 2
        assert path.read_bytes() == whole[:length]
    assert transit.path.read_bytes() == keyring
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home.sealed", "keyring"]
