"""A process that is stopped, as one that hangs is: it keeps its connections and does nothing."""

from __future__ import annotations

import os
import signal
import subprocess

Child = subprocess.Popen[bytes] | subprocess.Popen[str]


def freeze(process: Child) -> None:
    """Stop this child, and wait until every thread of it stands: the signal alone is not enough."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def thaw(process: Child) -> None:
    process.send_signal(signal.SIGCONT)
