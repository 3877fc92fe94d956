"""Builds the servers that the tests in this folder need: ``python -m tests.real.build``.

What is built is kept in a private cache (``$MATRIX_REAL_CACHE``, or
``~/.cache/matrix-framework/real``), named after what it was made of, and built once. The first
time takes a quarter of an hour. Nothing of it is ever committed, packed or handed on: see the
licence in each ``go.mod``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
_TOLD_EVERY_S = 10.0
_ENVIRONMENT = {"CGO_ENABLED": "0"}


class BuildError(Exception):
    """What is missing or has failed, and what to do about it."""


@dataclass(frozen=True)
class Program:
    """One server: the folder of its ``go.mod`` and ``go.sum``, and what is built of them."""

    name: str
    module: str
    source: str = "."
    """A package, seen from the folder of ``code``."""
    code: str = ""
    """The folder with the Go code, where it is not that of the module."""
    link: tuple[str, ...] = field(default=())

    @property
    def mod(self) -> Path:
        return _HERE / self.module / "go.mod"

    @property
    def folder(self) -> Path:
        return _HERE / (self.code or self.module)

    @property
    def command(self) -> list[str]:
        link = " ".join(("-s", "-w", *self.link))
        return [
            *("go", "build", "-v", "-trimpath", "-ldflags", link),
            *("-modfile", os.path.relpath(self.mod, self.folder)),
        ]

    def digest(self) -> str:
        """Of all that it is made of, but for the version of Go."""
        digest = hashlib.sha256(repr((self.command, self.source, _ENVIRONMENT)).encode())
        for file in (self.mod, self.mod.with_suffix(".sum"), *sorted(self.folder.glob("*.go"))):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


VAULT = Program("vault 1.21.2", "vault")
OLD_VAULT = Program("vault 1.13.1", "vault_old", code="vault")
KUBE_APISERVER = Program(
    "kube-apiserver 1.36.3",
    "kube_apiserver",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    # Without this it calls itself v0.0.0-master.
    link=("-X", "k8s.io/component-base/version.gitVersion=v1.36.3"),
)
PROGRAMS = (VAULT, OLD_VAULT, KUBE_APISERVER)


def cache() -> Path:
    named = os.environ.get("MATRIX_REAL_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "matrix-framework" / "real"


def built(program: Program) -> Path | None:
    """The program, if it was built of what stands here; the newest, by whichever Go."""
    found = cache().glob(f"{_stem(program)}-*")
    return max(found, key=lambda file: file.stat().st_mtime, default=None)


def build(program: Program) -> Path:
    """The program, built now unless the cache has it."""
    binary = cache() / f"{_stem(program)}-{_go_version(program)}"
    cache().mkdir(parents=True, exist_ok=True)
    with _locked(program):
        if binary.exists():
            print(f"{program.name}: built before", flush=True)
        else:
            with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as folder:
                made = Path(folder) / "program"
                _build(program, made)
                made.replace(binary)
    return binary


def etcd() -> Path | None:
    """Debian's, Ubuntu's or any other etcd on PATH."""
    found = shutil.which("etcd")
    return Path(found) if found else None


def _stem(program: Program) -> str:
    return f"{program.name.replace(' ', '-')}-{program.digest()}"


def _go_version(program: Program) -> str:
    if shutil.which("go") is None:
        raise BuildError(
            f"go is not on PATH. Install Go {_needed(program)} or newer: https://go.dev/doc/install"
        )
    answer = subprocess.run(
        ["go", "env", "GOVERSION"], cwd=program.mod.parent, capture_output=True, text=True
    )
    version = answer.stdout.strip()
    numbers = re.fullmatch(r"go(\d+)\.(\d+)(?:\.(\d+))?.*", version)
    needed = tuple(int(number) for number in _needed(program).split("."))
    if numbers is None or tuple(int(number or 0) for number in numbers.groups()) < needed:
        raise BuildError(
            f"{program.name} needs Go {_needed(program)} or newer; this is "
            f"{version or answer.stderr.strip()}. Install a newer one: https://go.dev/doc/install"
        )
    return version.replace(" ", "-")


def _needed(program: Program) -> str:
    line = re.search(r"^go (\S+)$", program.mod.read_text(), re.MULTILINE)
    assert line is not None
    return line[1]


@contextmanager
def _locked(program: Program) -> Iterator[None]:
    """Two builds at once: the second waits and finds what the first has built."""
    with (cache() / f"{program.module}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{program.name}: waiting for another build of it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(program: Program, made: Path) -> None:
    began_s = told_s = time.monotonic()
    last: deque[str] = deque(maxlen=20)
    packages = 0
    print(f"{program.name}: building, which takes minutes the first time", flush=True)
    with subprocess.Popen(
        [*program.command, "-o", str(made), program.source],
        cwd=program.folder,
        env={**os.environ, **_ENVIRONMENT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as go:
        assert go.stderr is not None
        for line in go.stderr:
            last.append(line.rstrip())
            packages += not line.startswith("go: ")
            if time.monotonic() - told_s >= _TOLD_EVERY_S:
                told_s = time.monotonic()
                passed = _minutes(told_s - began_s)
                print(f"{program.name}: {passed}, {packages} packages, {last[-1]}", flush=True)
    if go.returncode:
        raise BuildError(
            f"{program.name} does not build ({' '.join(program.command)}, status "
            f"{go.returncode}). Its last lines:\n" + "\n".join(f"  {line}" for line in last)
        )
    size_mb = made.stat().st_size / 1e6
    passed = _minutes(time.monotonic() - began_s)
    print(f"{program.name}: built in {passed}, {size_mb:.0f} MB", flush=True)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def main() -> int:
    try:
        if etcd() is None:
            raise BuildError(
                "etcd is not on PATH, and kube-apiserver needs it. On Debian and Ubuntu: "
                "sudo apt install etcd-server"
            )
        for program in PROGRAMS:
            build(program)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"All are in {cache()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
