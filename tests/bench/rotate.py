"""What a rotation costs with a real Vault and a real API server: one Secret's, beside its requests
alone; the command, as a process; and what more Secrets cost.

Where they are is left to ``home``, what is done without the framework to ``barerotation``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest.mock import patch

from framework.secrets.access import Access, Secret
from framework.secrets.vault.policies import ROTATOR, rotator_name
from framework.tools.rotate import rotate
from tests.bench import parts, start
from tests.bench.barerotation import Asked, Requests
from tests.bench.figures import Figure, spread
from tests.bench.home import DATA_KEY, DOCUMENT, HOME, Home, home, secret

RUNS = 10
PROCESSES = 5
MANY_RUNS = 3
MANY = (25, 50, 100)
COMMAND = Path(sys.executable).with_name("recryptonator")

# What another tool, which decrypts in its process, takes for one Secret: 150 ms as it says itself,
# without its imports; the whole process was measured on two cores.
OTHER_MS = 150.0
OTHER_PROCESS_S = 0.92
OTHER_PROCESS_MB = 66.6

PARTS = {
    "Python itself": "pass",
    "pydantic": "import pydantic",
    "typer": "import pydantic, typer",
    "hvac": "import pydantic, typer, hvac",
    "kubernetes": "import pydantic, typer, hvac, kubernetes.client, kubernetes.config",
    "the framework": (
        "import framework.tools.app, framework.tools.rotate, framework.tools.vaultkey, "
        "framework.secrets.kubernetes.events"
    ),
}
"""Programs of which each holds all that the one before it does."""
WEIGH = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Starts what is measured. The height of a process's memory is at least that of who started it, so
that is one which has none."""


async def rotating() -> list[Figure]:
    """In this process and by its requests alone, in turn; as a process; then of many Secrets."""
    with home() as at_home:
        rotator = _Rotator.made(at_home)
        times = _rotate_in_turn(rotator)
        process_s, process_mb = _best_process(rotator)
        many, calls = _rotate_many(rotator)
    imports, imported_ms = await start.importing(PARTS)
    return [
        *spread("one Secret, imports done", times["all"], p50=OTHER_MS),
        *spread("of it: from its first request on", times["rotator"]),
        *spread("its requests alone, on new connections", times["new"]),
        *spread("its requests alone, on open connections", times["open"]),
        _ratio("from its first request on, to those alone", times["rotator"], times["new"], 1.5),
        Figure("recryptonator, the process", process_s, "s", 0.65 * OTHER_PROCESS_S, 2),
        *imports,
        Figure("of it: the work, and the end", 1e3 * process_s - imported_ms, "ms", None, 0),
        Figure("its memory at its height", process_mb, "MB", 0.85 * OTHER_PROCESS_MB),
        *(Figure(f"{each} Secrets, median", median(many[each]), "ms", None, 0) for each in MANY),
        _ratio("100 Secrets to 4 times 25", many[100], [4 * each for each in many[25]], 1.1),
        Figure("calls to Vault for 100 Secrets", calls, "", 12, 0),
    ]


def _ratio(
    name: str, times_ms: list[float], to_ms: list[float], target: float | None = None
) -> Figure:
    return Figure(f"{name}, medians", median(times_ms) / median(to_ms), "x", target, 2)


def _rotate_in_turn(rotator: _Rotator) -> Mapping[str, list[float]]:
    """Milliseconds of each way."""
    one = rotator.access((DOCUMENT,))
    times: dict[str, list[float]] = {"all": [], "rotator": [], "new": [], "open": []}
    for _ in range(RUNS):
        rotator.wait()
        began = time.perf_counter()
        with Asked() as asked:
            rotator.rotate(one)
        times["all"].append(1e3 * (time.perf_counter() - began))
        times["rotator"].append(asked.taken_ms)
        with closing(Requests(rotator.home, rotator.token)) as requests:
            for connections in ("new", "open"):
                with Asked() as alone:
                    requests.rotate()
                times[connections].append(alone.taken_ms)
                if alone.requests != asked.requests:
                    raise RuntimeError(f"a rotation has other requests: {asked.requests}")
    return times


def _best_process(rotator: _Rotator) -> tuple[float, float]:
    """Seconds and megabytes."""
    one = rotator.access((DOCUMENT,))
    seconds, megabytes = zip(*(rotator.process(one) for _ in range(PROCESSES)), strict=True)
    return min(seconds), min(megabytes)


def _rotate_many(rotator: _Rotator) -> tuple[Mapping[int, list[float]], int]:
    """Milliseconds for so many Secrets, and the calls to Vault for most of them."""
    others = [secret(f"document-{number}", "document", DATA_KEY) for number in range(1, max(MANY))]
    for each in others:
        rotator.home.seal(each, parts.SECRETS)
    times: dict[int, list[float]] = {count: [] for count in MANY}
    for _ in range(MANY_RUNS):
        for count in MANY:
            several = rotator.access((DOCUMENT, *others[: count - 1]))
            rotator.wait()
            with Asked() as asked:
                rotator.rotate(several)
            times[count].append(asked.taken_ms)
    return times, sum(" /v1/" in each for each in asked.requests)


@dataclass(frozen=True)
class _Rotator:
    """The service account that rotates, and its job, which always makes a new version."""

    home: Home
    token: str
    """For the API server."""
    toml: Path

    @classmethod
    def made(cls, home: Home) -> _Rotator:
        rights = {"secrets": ["get", "update"], "events": ["create"]}
        kubeconfig = home.account(ROTATOR, rights)
        token = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
        login = home.pod(rotator_name(HOME))
        due = "[secrets.rotate]\nmin_age_hours = 0"
        home.seal(DOCUMENT, parts.SECRETS)
        return cls(home, token, home.configured(DOCUMENT, kubeconfig, login, due) / "matrix.toml")

    def access(self, secrets: tuple[Secret, ...]) -> Path:
        """An ``access.json`` with these alone."""
        file = self.home.folder / f"access-{len(secrets)}.json"
        only = HOME.model_copy(update={"inventory": secrets, "workloads": ()})
        file.write_text(Access(namespaces=(only,)).text())
        return file

    def rotate(self, file: Path) -> None:
        """In this process, all that the command does."""
        with patch.dict(os.environ, self._environ), redirect_stdout(io.StringIO()) as said:
            try:
                rotate(file)
            except SystemExit as end:
                status = end.code
        if status != 0:
            raise RuntimeError(f"matrix rotate ended with status {status}: {said.getvalue()}")

    def process(self, file: Path) -> tuple[float, float]:
        """Seconds of a process that does so, and its megabytes at their height."""
        self.wait()
        done = subprocess.run(
            [sys.executable, "-c", WEIGH, COMMAND, "--from", file],
            env=os.environ | self._environ,
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds, kibibytes = done.stdout.split()
        return float(seconds), int(kibibytes) / 1024

    def wait(self) -> None:
        """Until a rotation is due: Vault counts in seconds."""
        key = self.home.vault.must("GET", f"{HOME.mount}/keys/{HOME.key}")["data"]
        newest = max(key["keys"].values())
        while self.home.vault.must("GET", "sys/health")["server_time_utc"] <= newest:
            time.sleep(0.02)

    @property
    def _environ(self) -> Mapping[str, str]:
        return {"MATRIX_TOML": str(self.toml)}
