"""``run``: one of our commands, in a process of its own that is forked from one that has imported
all of it. That takes a tenth of the time.

What a start does is left to tests that start the script: imports, interrupts, a terminal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

from framework.tools import main
from framework.tools.app import COMMANDS

PROGRAMS = {
    "matrix": main.main,
    "encryptonator": main.encryptonator,
    "readstub": main.readstub,
    "recryptonator": main.recryptonator,
}
LIMIT_S = 60.0

_forks = get_context("forkserver")
_forks.set_forkserver_preload(
    [
        *(where.partition(":")[0] for where in COMMANDS.values()),
        "framework.tools.vault",
        "framework.secrets.kubernetes.store",
        "framework.secrets.vault.login",
        "framework.secrets.vault.transit",
    ]
)


def run(
    program: str, *words: str, cwd: Path, env: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """What ``subprocess.run`` returns that captures its output as text."""
    with tempfile.TemporaryDirectory() as name:
        files = Path(name)
        (files / "0").write_text(given)
        process = _forks.Process(target=_be, args=(program, words, files, cwd, dict(env)))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(program, LIMIT_S)
        said = [(files / each).read_text() for each in "12"]
        return subprocess.CompletedProcess((program, *words), process.exitcode, *said)


def _be(program: str, words: tuple[str, ...], files: Path, cwd: Path, env: dict[str, str]) -> None:
    for number, mode in enumerate("rww"):
        with (files / str(number)).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace")
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    script = Path(sys.executable).with_name(program)
    sys.argv[:] = [str(script), *words]
    sys.path[0] = str(script.parent)
    PROGRAMS[program]()
