"""Writes a keyring or a sealed file in processes that are killed, stopped, or refused a step.

Run as a script by ``test_local_faults.py``, and used by ``runs.py``. A step is a call of the system
that opens or changes something. Whoever writes "done" was told that it was done.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from framework.errors import MatrixError
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.store import Conflict, Stored
from framework.secrets.transit import Sealed

Act = Callable[[int, str, Callable[[], Any], tuple[Any, ...]], Any]
"""What happens in the place of a step: its number, its name, itself, and what it was given."""

STEPS: tuple[tuple[Any, str], ...] = (
    (fcntl, "flock"),
    (os, "fchmod"),
    (os, "fsync"),
    (os, "ftruncate"),
    (os, "mkdir"),
    (os, "open"),
    (os, "replace"),
    (os, "unlink"),
    (os, "write"),
)
HOME = b"v1\0document\0local\0local\0home\0secrets.json"
OLD, NEW = {"secrets.json": "vault:v1:old/" * 20}, {"secrets.json": "vault:v2:new/" * 20}

real_write, real_kill = os.write, os.kill


def transit_at(path: Path) -> LocalTransit:
    return LocalTransit(path, patience_s=0.2)


def store_at(path: Path) -> FileStore:
    return FileStore(path, patience_s=0.2)


def held_at(path: Path) -> Stored:
    stored = store_at(path).read()
    assert stored is not None
    return stored


def make_keyring(path: Path) -> None:
    """Two versions, and what the first one sealed in a file outside the folder."""
    transit = LocalTransit.create(path)
    path.parent.with_suffix(".sealed").write_text(transit.encrypt(HOME, b"kept"))
    transit.rotate()


def make_store(path: Path) -> None:
    path.parent.mkdir()
    store_at(path).create(OLD, {})


def keyring_state(path: Path) -> str:
    if not path.exists():
        return "none"
    try:
        key = transit_at(path).read_key()
        kept = path.parent.with_suffix(".sealed")
        if kept.exists() and key.min_decryption_version == 1:
            assert transit_at(path).decrypt(Sealed(HOME, kept.read_text())) == b"kept"
    except MatrixError as error:
        return f"damaged: {error}"
    return f"latest {key.latest}, floor {key.min_decryption_version}"


def store_state(path: Path) -> str:
    try:
        stored = store_at(path).read()
    except MatrixError as error:
        return f"damaged: {error}"
    if stored is None:
        return "none"
    return {json.dumps(OLD): "old", json.dumps(NEW): "new"}[json.dumps(stored.data)]


@dataclass(frozen=True)
class Write:
    """What is there before, the write itself, and how to see what is there."""

    before: Callable[[Path], object]
    do: Callable[[Path], object]
    state: Callable[[Path], str]


WRITES = {
    "create keyring": Write(lambda path: None, LocalTransit.create, keyring_state),
    "rotate": Write(make_keyring, lambda path: transit_at(path).rotate(), keyring_state),
    "raise floor": Write(
        make_keyring, lambda path: transit_at(path).set_min_decryption_version(2), keyring_state
    ),
    "create": Write(
        lambda path: path.parent.mkdir(), lambda path: store_at(path).create(NEW, {}), store_state
    ),
    "replace": Write(
        make_store, lambda path: store_at(path).replace(held_at(path), NEW, {}), store_state
    ),
}


def patch(act: Act) -> None:
    """Let ``act`` decide what becomes of each step of this process."""
    numbers = itertools.count(1)
    for module, name in STEPS:
        setattr(module, name, patched(numbers, name, getattr(module, name), act))


def patched(
    numbers: itertools.count[int], name: str, real: Callable[..., Any], act: Act
) -> Callable[..., Any]:
    return lambda *args, **kwargs: act(next(numbers), name, lambda: real(*args, **kwargs), args)


def kill(number: int, when: str, say: Callable[[str], object]) -> Act:
    """Kill this process at one step: before it, after it, or, if it is a write, in the middle."""

    def act(at: int, name: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if at != number or (when == "half" and name != "write"):
            return real()
        say(name)
        if when == "half":
            real_write(args[0], args[1][: len(args[1]) // 2])
        elif when == "after":
            with suppress(OSError):
                real()
        return real_kill(os.getpid(), signal.SIGKILL)

    return act


def fail(number: int, reason: str, say: Callable[[str], object]) -> Act:
    """Refuse one step; a write may have got half way."""
    code = getattr(errno, reason)

    def act(at: int, name: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if at != number:
            return real()
        say(name)
        if name == "write":
            real_write(args[0], args[1][: len(args[1]) // 2])
        raise OSError(code, os.strerror(code))

    return act


def fill(number: int, reason: str, say: Callable[[str], object]) -> Act:
    """From one step on, refuse all that needs room."""
    code = getattr(errno, reason)

    def act(at: int, name: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if at == number:
            say(name)
        makes = name == "open" and args[1] & os.O_CREAT
        if at >= number and (makes or name in ("mkdir", "write", "fsync")):
            raise OSError(code, os.strerror(code))
        return real()

    return act


def stop(number: int, say: Callable[[str], object]) -> Act:
    """Stop this process before one step, until it is told to go on."""

    def act(at: int, name: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if at == number:
            say(name)
            real_kill(os.getpid(), signal.SIGSTOP)
        return real()

    return act


def stop_before(step: str) -> Act:
    def act(at: int, name: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if name == step:
            real_kill(os.getpid(), signal.SIGSTOP)
        return real()

    return act


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except MatrixError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def in_child(
    write: Callable[[], object],
    act: Callable[[Callable[[str], object]], Act],
    meanwhile: Callable[[], object] = lambda: None,
) -> str:
    """The name of the step that ``act`` spoiled, if it did, and how the write ended, if it did.

    ``meanwhile`` is done while it is stopped, if it is.
    """
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if not child:
            patch(act(lambda name: real_write(said.fileno(), f"{name}\n".encode())))
            real_write(said.fileno(), outcome(write).encode())
            os._exit(0)
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            meanwhile()
            os.kill(child, signal.SIGCONT)
            os.waitpid(child, 0)
        said.seek(0)
        return said.read()


def left(path: Path) -> str:
    names = {each.name for each in path.parent.glob("*")} - {".gitignore"}
    return " ".join(sorted(names))


def sweep(
    write: Write, path: Path, spoil: Callable[[int, str, Callable[[str], object]], Act], *ways: str
) -> None:
    """Spoil every step in turn, in each of the ways; print what came of it, and of the next run."""
    for number in itertools.count(1):
        reached = False
        for way in ways:
            write.before(path)
            said = in_child(lambda: write.do(path), partial(spoil, number, way))
            step, spoiled, ended = said.partition("\n")
            if spoiled:
                reached = True
                report = {"step": step, "way": way, "ended": ended}
                report |= {"now": write.state(path), "left": left(path)}
                report["again"] = outcome(lambda: write.do(path))
                report |= {"then": write.state(path), "left_then": left(path)}
                print(json.dumps(report))
            shutil.rmtree(path.parent, ignore_errors=True)
        if not reached:
            return


def contend(path: Path) -> None:
    """For each line of input: say that it was read, or write in the place of what was read."""
    held = held_at(path)
    for line in sys.stdin:
        if line == "read\n":
            held = held_at(path)
            print("read", flush=True)
        else:
            print(outcome(partial(FileStore(path).replace, held, NEW, {})), flush=True)


def count_up(path: Path, times: int) -> None:
    while times:
        held = held_at(path)
        with suppress(Conflict):
            FileStore(path).replace(held, {"n": str(int(held.data["n"]) + 1)}, {})
            times -= 1


def become_nobody() -> None:
    """Root may do everything, nobody may not."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def main(mode: str, what: str, path: Path) -> None:
    match mode:
        case "kill":
            sweep(WRITES[what], path, kill, "before", "half", "after")
        case "fail":
            sweep(WRITES[what], path, fail, "ENOSPC", "EROFS")
        case "contend":
            contend(path)
        case "count":
            count_up(path, int(what))
        case "rotate":
            for _ in range(int(what)):
                LocalTransit(path).rotate()
        case "stop":
            patch(stop_before("replace"))
            print(outcome(lambda: WRITES[what].do(path)))
        case "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            print(outcome(lambda: WRITES[what].do(path)))
        case "denied":
            become_nobody()
            print(outcome(lambda: WRITES[what].do(path)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
