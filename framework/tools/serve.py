"""``matrix serve``: services in one process, each isolated from the others' failures."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.errors import ConfigError
from framework.process import configure_logging, exit_status
from framework.project import Project
from framework.server import ServerBase
from framework.tools.instances import make_instances, service_entries
from framework.tools.options import LogLevelOption
from framework.tools.say import say
from framework.watching import watched


def serve(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A service by its entry point (moon), as module:Class (tide:TideServer), or by "
            "its name in matrix.toml. Default: all [[service]] entries there.",
        ),
    ] = None,
    log_level: LogLevelOption = "info",
) -> None:
    """Run services, which fetch on a schedule and publish.

    Ctrl-C or SIGTERM ends them.
    """
    configure_logging(log_level)
    project = Project.find(os.environ, Path.cwd())
    services = make_instances(project, service_entries(project, targets or []), []).services
    if not services:
        raise ConfigError(
            "nothing to serve: name a TARGET (matrix list shows them), or add [[service]] entries "
            "to matrix.toml"
        )
    vitals = [each.vitals for each in services]
    sys.exit(exit_status(lambda: watched(lambda: serve_all(services), vitals)))


def _started(services: Sequence[ServerBase[Any, Any]]) -> Iterator[str]:
    """Who publishes where, and what is to be known of their configuration."""
    names: dict[str, list[str]] = {}
    for one in services:
        names.setdefault(one.bus_place, []).append(one.name)
    for place, those in names.items():
        yield f"serving {', '.join(those)} on {place}"
    for remark in dict.fromkeys(remark for one in services for remark in one.remarks):
        yield f"place: {remark}"


async def serve_all(services: Sequence[ServerBase[Any, Any]]) -> None:
    """Each on a bus of its own, until cancelled."""
    for line in _started(services):  # here, where whoever reads it can stop it in order
        say(line)
    async with asyncio.TaskGroup() as tasks:
        for service in services:
            tasks.create_task(service.serve())
