"""What Git makes of a file. Where there is no Git, nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Literal

LIMIT_S = 5.0


def standing(path: Path) -> Literal["tracked", "untracked"] | None:
    """``untracked``: the next ``git add`` may take it. None: it is ignored, or in no repository."""
    path = Path(os.path.realpath(path))
    command = ["git", "-C", str(path.parent), "--literal-pathspecs", "ls-files", "-t"]
    command += ["--cached", "--others", "--exclude-standard", "--", path.name]
    try:
        done = subprocess.run(  # noqa: S603  # the Git that this user has
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if not done.stdout:
        return None
    return "untracked" if done.stdout.startswith(b"? ") else "tracked"
