"""Runs the work of a process while it is looked after: a port says how it is, if ``[health]`` names
one; systemd is told that it lives, if it asks; and the log says what hangs."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from framework.hanging import hangs_told
from framework.project import Project
from framework.systemd import notifying
from framework.vitals import Vitals

T = TypeVar("T")


async def watched(work: Callable[[], Coroutine[Any, Any, T]], vitals: Sequence[Vitals]) -> T:
    """What ``work`` returns.

    :raises ConfigError: the port cannot be had.
    """
    health = Project.find(os.environ, Path.cwd()).health
    with ExitStack() as stack:
        stack.enter_context(hangs_told(vitals))
        if health.port is not None:
            # Here: its library costs what not everybody wants to pay.
            from framework.health import open_health

            stack.enter_context(open_health(health.host, health.port, vitals))
        return await notifying(work, os.environ, hangs=lambda: any(each.hangs for each in vitals))
