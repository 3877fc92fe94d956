"""Whether a process was hardened, as it says itself."""

from __future__ import annotations

import ctypes
import sys

PR_GET_DUMPABLE = 3


def is_dumpable() -> bool:
    """Whether others of this user may look into this process."""
    return sys.platform != "linux" or bool(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE))
