"""Make a process that holds secrets hard to look into: no core dump, no ``ptrace``.

root can still read it, and so can whoever runs code in it. ``exec`` resets it.
"""

from __future__ import annotations

import resource
import sys

PR_SET_DUMPABLE = 4


def harden() -> None:
    """Of this process, for good.

    :raises OSError: the system does not let it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(PR_SET_DUMPABLE, 0)


def _prctl(option: int, argument: int) -> None:
    import ctypes  # 10 ms that most processes need not spend

    libc = ctypes.CDLL(None, use_errno=True)
    # A variadic function: each argument as wide as the system takes it.
    if libc.prctl(option, *(ctypes.c_ulong(each) for each in (argument, 0, 0, 0))) < 0:
        raise OSError(ctypes.get_errno(), "prctl is refused")
