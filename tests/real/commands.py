"""``Commands``: runs ``matrix``, each time in a process of its own that has imported all of it.

Run as a module, it is what those processes are forked from: that takes a tenth of the time.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, cast
from unittest.mock import patch

_ROOT = Path(__file__).parents[2]
_HASTY = "hasty"


@dataclass(frozen=True)
class End:
    """Of a command."""

    status: int
    """Negative: the signal that ended it."""
    said: str


class Commands:
    """One command after the other. ``hasty``: whatever they wait for before they try something
    again, they take for waited."""

    def __init__(self, *, hasty: bool = True) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.real.commands", *([_HASTY] if hasty else ())],
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def run(self, *words: str, **environ: str) -> End:
        """Returns when it has ended, however it does."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([words, environ]) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._line())
        return End(**json.loads(self._line()))

    def kill(self) -> None:
        """The one that runs now, by ``kill -9``."""
        os.kill(self._pid, signal.SIGKILL)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _serve() -> None:
    from framework.secrets.kubernetes import store  # noqa: F401  # with all that a command loads
    from framework.secrets.vault import login, transit  # noqa: F401
    from framework.tools import app, encrypt, reseal, rotate, vaultkey  # noqa: F401

    alone = {"encrypt": app.encryptonator, "rotate": app.recryptonator}
    gc.freeze()  # or the first collection in each child copies all of it
    for line in sys.stdin:
        words, environ = json.loads(line)
        with tempfile.TemporaryFile() as said:
            pid = os.fork()
            if not pid:
                os.dup2(said.fileno(), sys.stdout.fileno())
                os.dup2(said.fileno(), sys.stderr.fileno())
                main = alone.get(words[0])
                sys.argv = list(words) if main else ["matrix", *words]
                os.environ.update(environ)
                with patch("framework.secrets.resealing.ask", _asked):
                    _exit_as(main or app.main)
            print(pid, flush=True)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said.seek(0)
            print(json.dumps({"status": status, "said": said.read().decode()}), flush=True)


def _asked(request: Mapping[str, Any], **_: Any) -> Any:
    """Here, and not in a process that first imports it all."""
    from framework.secrets.asking import Failure, Kind
    from framework.secrets.child import answer

    [(kind, said)] = answer(request).items()
    return said if kind == "documents" else Failure(cast(Kind, kind), said)


def _exit_as(main: Callable[[], None]) -> NoReturn:
    """At once: to take down all that was imported takes as long as the command itself."""
    status = 1
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@contextmanager
def _taken_for_waited() -> Iterator[None]:
    skipped_s = 0.0
    monotonic = time.monotonic

    def sleep(duration_s: float) -> None:
        nonlocal skipped_s
        skipped_s += duration_s

    with patch("time.sleep", sleep), patch("time.monotonic", lambda: monotonic() + skipped_s):
        yield


if __name__ == "__main__":
    # Before anything is imported that may take those functions as they are.
    with _taken_for_waited() if _HASTY in sys.argv else nullcontext():
        _serve()
