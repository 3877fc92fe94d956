"""What ``LocalTransit`` and ``FileStore`` withstand: processes that die, hang, or run together."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT

import psutil
import pytest

from framework import durable
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.store import Conflict, StoreUnavailable
from framework.secrets.transit import Sealed, TransitUnavailable
from tests.waiting import LIMIT_S, until_blocking

STEPS = Path(__file__).with_name("steps.py")

WRITES = {
    "create keyring": ["none", "latest 1, floor 1"],
    "rotate": ["latest 2, floor 1", "latest 3, floor 1", "latest 4, floor 1"],
    "raise floor": ["latest 2, floor 1", "latest 2, floor 2"],
    "create": ["none", "new"],
    "replace": ["old", "new"],
}
"""What is there before, after one write, and after another one, if that is something else."""
EXISTS = ("KeyringExists: there is a keyring", "Conflict: ")


def start(mode: str, what: object, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, STEPS, mode, str(what), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def output(process: subprocess.Popen[str]) -> str:
    """All that it says until it ends, which must be well."""
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    return said


def reports(mode: str, what: str, folder: Path) -> list[dict[str, str]]:
    lines = output(start(mode, what, folder / "home" / "file")).splitlines()
    return [json.loads(line) for line in lines]


def assert_it_recovers(what: str, report: dict[str, str]) -> None:
    """It is as before or as was meant, and the next one who writes finds nothing in the way."""
    states = WRITES[what]
    assert report["now"] in states[:2], report
    done = report["again"] == "done"
    assert done or report["again"].startswith(EXISTS), report
    place = states.index(report["now"])
    assert report["then"] == states[min(place + done, len(states) - 1)], report
    assert report["left_then"] == "file", report


@pytest.mark.parametrize("what", WRITES)
def test_killed_at_any_step_it_is_old_or_new(what: str, tmp_path: Path) -> None:
    found = reports("kill", what, tmp_path)
    for report in found:
        assert report["ended"] == "", report
        assert_it_recovers(what, report)
    killed = {(report["step"], report["way"], report["now"]) for report in found}
    before, after = WRITES[what][:2]
    assert {
        ("write", "half", before),
        ("fsync", "after", before),
        ("replace", "before", before),
        ("replace", "after", after),
    } <= killed


@pytest.mark.parametrize("what", WRITES)
def test_it_is_on_the_disk_before_it_takes_its_place(what: str, tmp_path: Path) -> None:
    """What a loss of power leaves is decided by this order."""
    steps = [each["step"] for each in reports("kill", what, tmp_path) if each["way"] == "before"]
    at = steps.index("replace")
    assert steps[at - 2 : at + 3] == ["write", "fsync", "replace", "open", "fsync"]


@pytest.mark.parametrize("what", WRITES)
def test_refused_any_step_it_says_so_and_is_old_or_new(what: str, tmp_path: Path) -> None:
    for report in reports("fail", what, tmp_path):
        assert_it_recovers(what, report)
        assert ".file.tmp" not in report["left"], report
        # Only the lock stays, until the next writer takes it over; or a folder was there already.
        if report["ended"] == "done":
            assert report["now"] == WRITES[what][1], report
            assert report["step"] in ("unlink", "mkdir"), report
        else:
            kind, _, text = report["ended"].partition(": ")
            refused = report["way"] == "EROFS" and report["now"] == WRITES[what][0]
            assert kind.endswith("Refused" if refused else "Unavailable"), report
            hint = {"ENOSPC": "Make room there", "EROFS": "Mount it writable"}[report["way"]]
            written = report["now"] == WRITES[what][1]
            assert ("It is in its place" if written else hint) in text, report


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that every user can look into, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """As full as it gets without a disk of one's own: no file may grow over 100 bytes."""
    path = tmp_path / "file"
    held = FileStore(path).create({"secrets.json": "x" * 1000}, {})
    said = output(start("full", "replace", path))
    assert said.startswith(f"StoreUnavailable: {path} cannot be written: File too large. ")
    assert FileStore(path).read() == held
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_read_only(open_folder: Path) -> None:
    path = open_folder / "file"
    held = FileStore(path).create({"secrets.json": "x"}, {})
    open_folder.chmod(0o555)
    said = output(start("denied", "replace", path))
    assert said.startswith(f"StoreRefused: {path} cannot be written: Permission denied. Run as")
    assert FileStore(path).read() == held


@pytest.mark.parametrize(
    ("what", "refused"), [("replace", "StoreRefused"), ("rotate", "TransitRefused")]
)
def test_a_file_that_may_not_be_read(what: str, refused: str, open_folder: Path) -> None:
    path = open_folder / "file"
    path.write_bytes(b"{}")
    path.chmod(0)
    said = output(start("denied", what, path))
    assert said.startswith(f"{refused}: {path} cannot be read: Permission denied. Run as")


def read_until_all_end(processes: list[subprocess.Popen[str]], read: Callable[[], None]) -> int:
    """Read all the while, so that a file that is missing or between two would be met."""
    reads = 0
    until_s = time.monotonic() + LIMIT_S
    while any(process.poll() is None for process in processes):
        assert time.monotonic() < until_s
        read()
        reads += 1
    for process in processes:
        output(process)
    return reads


def test_writers_at_once_lose_nothing_and_disturb_no_reader(tmp_path: Path) -> None:
    path = tmp_path / "file"
    store = FileStore(path)
    store.create({"n": "0"}, {})
    seen = [0]

    def read() -> None:
        stored = store.read()
        assert stored is not None
        seen.append(int(stored.data["n"]))

    assert read_until_all_end([start("count", 40, path) for _ in range(2)], read)
    read()
    assert seen[-1] == 80
    assert seen == sorted(seen)
    assert list(tmp_path.iterdir()) == [path]


def test_rotators_at_once_lose_no_version_and_disturb_no_reader(tmp_path: Path) -> None:
    path = tmp_path / "file"
    transit = LocalTransit.create(path)
    sealed = Sealed(b"context", transit.encrypt(b"context", b"x"))

    def read() -> None:
        assert transit.decrypt(sealed) == b"x"

    assert read_until_all_end([start("rotate", 25, path) for _ in range(2)], read)
    assert transit.read_key().latest == 51
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_processes_that_read_the_same_one_gets_a_conflict(tmp_path: Path) -> None:
    path = tmp_path / "file"
    FileStore(path).create({}, {})
    processes = [start("contend", "", path) for _ in range(2)]

    def tell(line: str) -> list[str]:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(line)
        return [(process.stdout and process.stdout.readline()) or "" for process in processes]

    for _ in range(20):
        assert tell("read\n") == ["read\n", "read\n"]
        first, second = sorted(tell("write\n"))
        assert (
            first == f"Conflict: {path} was written by somebody else: look at it, and run again\n"
        )
        assert second == "done\n"
    for process in processes:
        output(process)


def test_a_lock_that_was_removed_while_it_was_waited_for_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its holder and who makes a new one would both write."""
    lock = tmp_path / ".file.lock"
    flock = fcntl.flock
    held: list[int] = []

    def late(descriptor: int, operation: int) -> None:
        if not held:
            lock.unlink()  # as whoever held it does at last
        flock(descriptor, operation)
        held.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(fcntl, "flock", late)
    with durable.locked(tmp_path / "file"):
        assert lock.stat().st_ino == held[-1]
        with pytest.raises(durable.Busy), durable.locked(tmp_path / "file", patience_s=0):
            pytest.fail("two writers at once")


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """A process that hangs at its write, with the lock, until it is told to go on."""
    started: list[subprocess.Popen[str]] = []

    def stop(what: str) -> subprocess.Popen[str]:
        process = start("stop", what, tmp_path / "file")
        started.append(process)
        until_blocking(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        return process

    yield stop
    for process in started:
        process.kill()
        process.communicate()


def test_who_waits_for_a_hanging_store_learns_whose_it_is(
    tmp_path: Path, stopped: Callable[[str], subprocess.Popen[str]]
) -> None:
    path = tmp_path / "file"
    held = FileStore(path).create({}, {})
    (tmp_path / ".file.lock").write_text("99999999999")  # of one who was killed
    process = stopped("replace")
    store = FileStore(path, patience_s=0.1)
    assert store.read() == held
    descriptors = psutil.Process().num_fds()
    with pytest.raises(StoreUnavailable) as caught:
        store.replace(held, {"a": "b"}, {})
    assert psutil.Process().num_fds() == descriptors
    assert str(caught.value) == (
        f"{path} cannot be written: Process {process.pid} has been writing it all the while. "
        "If that one hangs, end it"
    )
    os.kill(process.pid, SIGCONT)
    assert output(process) == "done\n"
    with pytest.raises(Conflict):
        store.replace(held, {"a": "b"}, {})


def test_who_waits_for_a_hanging_keyring_learns_whose_it_is(
    tmp_path: Path, stopped: Callable[[str], subprocess.Popen[str]]
) -> None:
    path = tmp_path / "file"
    LocalTransit.create(path)
    process = stopped("rotate")
    transit = LocalTransit(path, patience_s=0.1)
    assert transit.read_key().latest == 1
    with pytest.raises(TransitUnavailable, match=f"Process {process.pid} has been writing it"):
        transit.rotate()
    os.kill(process.pid, SIGCONT)
    assert output(process) == "done\n"
    transit.rotate()
    assert transit.read_key().latest == 3


def test_a_hanging_writer_that_is_ended_leaves_nothing_in_the_way(
    tmp_path: Path, stopped: Callable[[str], subprocess.Popen[str]]
) -> None:
    path = tmp_path / "file"
    store = FileStore(path)
    held = store.create({}, {})
    stopped("replace").kill()
    assert store.replace(held, {"a": "b"}, {}) == store.read()
    assert list(tmp_path.iterdir()) == [path]
