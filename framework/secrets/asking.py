"""Start the child that reads the secrets, ask it once, and make sure that it is gone.

What it says is data here: documents, or what is wrong. Nothing that it wrote is ever shown, but
for the last line of what it said before it was ready to read: up to then it held no secret.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, Literal, cast

from framework import durable
from framework.secrets.child import LENGTH_BYTES, LIFETIME_S, READY

MODULE = "framework.secrets.child"
_CHUNK = 65536
_FIRST_FREE = 3
"""Below are the numbers of the standard streams."""


Kind = Literal["unavailable", "refused"]
"""Whether the same may work later."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there are no documents."""

    kind: Kind
    sentence: str
    is_late: bool = False
    """Whether it took longer than it may."""


@dataclass(slots=True, repr=False)
class _Said:
    """What came from the child."""

    reply: bytearray = field(default_factory=bytearray)
    complaints: bytearray = field(default_factory=bytearray)
    status: int | None = None
    """None: it did not end in time, and was killed."""


def ask(request: Mapping[str, Any], *, limit_s: float = LIFETIME_S) -> list[Any] | Failure:
    """What the sources of ``request`` have, each, or why there is nothing."""
    if not sys.executable:
        return Failure("refused", "there is no Python to read the secrets with: sys.executable")
    try:
        said = _talk(json.dumps(request).encode(), time.monotonic() + limit_s)
    except OSError as error:
        kind: Kind = "refused" if durable.is_lasting(error) else "unavailable"
        return Failure(kind, f"{sys.executable} cannot be started to read them: {error.strerror}")
    return _understood(said, limit_s)


def _understood(said: _Said, limit_s: float) -> list[Any] | Failure:
    if not said.reply and said.complaints and said.status is not None and said.status > 0:
        last = said.complaints.decode(errors="replace").strip().rpartition("\n")[2]
        return Failure(
            "refused",
            f"the process that reads them cannot start with {sys.executable}: {last}. Install "
            "matrix-framework for that Python, not by PYTHONPATH",
        )
    head = len(READY) + LENGTH_BYTES
    length = int.from_bytes(said.reply[len(READY) : head])
    content = said.reply[head:]
    if said.reply.startswith(READY) and len(said.reply) >= head and len(content) == length:
        answer = _answer(content)
        if answer is not None:
            return answer
    if said.status is None:
        how = (
            f"did not end within {limit_s:.3g} s and was killed: see what holds it up (a disk, the "
            "network, too little memory), or raise [secrets] patience in matrix.toml"
        )
    elif said.status < 0:
        how = f"was killed by signal {-said.status}: the system's log may say why, as for memory"
    else:
        how = (
            f"ended with status {said.status} and without an answer: see with matrix read whether "
            "it always does"
        )
    is_late = said.status in (None, -signal.SIGALRM)
    return Failure("unavailable", f"the process that reads them {how}", is_late)


def _answer(content: bytearray) -> list[Any] | Failure | None:
    """None: it is none."""
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    if isinstance(answer, dict):
        match list(answer.items()):
            case [("documents", list(documents))]:
                return documents
            case [("unavailable" | "refused" as kind, str(sentence))]:
                return Failure(kind, sentence)
    return None


def _talk(request: bytes, until_s: float) -> _Said:
    """Ask, and hear it out; whatever happens, afterwards it has ended and been waited for."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb", buffering=0) as reply:
        theirs = _above_standard(theirs)
        try:
            process = subprocess.Popen(  # noqa: S603  # this Python, and a module of ours
                [sys.executable, "-I", "-m", MODULE, str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=(theirs,),
                env={},
                cwd="/",
            )
        finally:
            os.close(theirs)
        with process:
            try:
                return _hear(process, reply, request, until_s)
            finally:
                process.kill()


def _above_standard(descriptor: int) -> int:
    """The same, under a number that no standard stream has: where this process has one closed, the
    system hands its number out, and in the child that is the stream."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    finally:
        os.close(descriptor)


def _hear(
    process: subprocess.Popen[bytes], reply: IO[bytes], request: bytes, until_s: float
) -> _Said:
    said = _Said()
    stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    ear = {reply.fileno(): said.reply, stdout.fileno(): said.complaints}
    mouth = stdin.fileno()
    os.set_blocking(mouth, False)
    with selectors.DefaultSelector() as streams:
        streams.register(mouth, selectors.EVENT_WRITE)
        for number in ear:
            streams.register(number, selectors.EVENT_READ)
        while streams.get_map():
            ready = streams.select(max(0.0, until_s - time.monotonic()))
            if not ready:
                return said
            for key, _ in ready:
                if key.fd == mouth:
                    request = _rest(mouth, request)
                    if not request:
                        streams.unregister(mouth)
                        stdin.close()
                elif chunk := os.read(key.fd, _CHUNK):
                    ear[key.fd] += chunk
                else:
                    streams.unregister(key.fd)
    with suppress(subprocess.TimeoutExpired):
        said.status = process.wait(max(0.0, until_s - time.monotonic()))
    return said


def _rest(descriptor: int, content: bytes) -> bytes:
    """What is left to be written; nothing, if nobody reads it any more."""
    try:
        return content[os.write(descriptor, content) :]
    except BrokenPipeError:
        return b""
