"""Runs the work of a process while a port says how it is, if ``[health]`` names one."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from framework.project import Project
from framework.vitals import Vitals

T = TypeVar("T")


async def watched(work: Callable[[], Coroutine[Any, Any, T]], vitals: Sequence[Vitals]) -> T:
    """What ``work`` returns.

    :raises ConfigError: the port cannot be had.
    """
    health = Project.find(os.environ, Path.cwd()).health
    if health.port is None:
        return await work()
    from framework.health import open_health  # whose library costs what not everybody wants to pay

    with open_health(health.host, health.port, vitals):
        return await work()
