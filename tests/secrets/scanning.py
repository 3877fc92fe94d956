"""Looks through all of a living process's memory for secrets, whatever form they have there."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCANNED = """
import sys
from framework.secrets import hardening
from tests.secrets.dumpable import is_dumpable
print(is_dumpable(), flush=True)
# So that a user who is not root may scan it too.
hardening._prctl(hardening.PR_SET_DUMPABLE, 1)
print("ready", flush=True)
sys.stdin.read()
assert service.config.token
"""
"""The end of a program that has a ``service``: it lives until its standard input ends."""


@contextmanager
def living(code: str, *arguments: str, **options: Any) -> Iterator[int]:
    """The process id of such a program, once its service is configured."""
    with subprocess.Popen(
        [sys.executable, "-c", code + SCANNED, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # Nobody could look into it, until it let us.
            assert [process.stdout.readline() for _ in range(2)] == ["False\n", "ready\n"]
            yield process.pid
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            process.kill()


def counts(pid: int, secrets: Mapping[str, bytes]) -> dict[str, int]:
    """How often each is in the memory of the process."""
    wanted = {name: forms(secret) for name, secret in secrets.items()}
    total = dict.fromkeys(secrets, 0)
    for region in memory(pid):
        for name, patterns in wanted.items():
            total[name] += sum(region.count(pattern) for pattern in patterns)
    return total


def memory(pid: int) -> Iterator[bytes]:
    """Every mapping that can be read."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not found or line.endswith(("[vvar]", "[vvar_vclock]", "[vsyscall]")):
                continue
            start, end = int(found[1], 16), int(found[2], 16)
            file.seek(start)
            parts = []
            while start < end and (part := file.read(end - start)):
                parts.append(part)
                start += len(part)
            yield b"".join(parts)


def forms(secret: bytes) -> list[bytes]:
    """How it may lie in memory."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    try:
        text = secret.decode("ascii")
    except UnicodeDecodeError:
        pass
    else:
        found += [text.encode("utf-16-le"), text.encode("utf-32-le")]
    for before in range(3):
        # In base64 the first and last characters depend on what stands around it.
        for encoded in (base64.b64encode, base64.urlsafe_b64encode):
            found.append(encoded(bytes(before) + secret)[4:-4])
    return found
