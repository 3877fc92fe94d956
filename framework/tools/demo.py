"""``matrix demo``: everything on this machine: an embedded server, services, pages, a web page."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from framework.bus import Bus, open_bus
from framework.embedded import EmbeddedServer
from framework.process import EXIT_FAILED, configure_logging, exit_status
from framework.project import PageEntry, Project, ServiceEntry
from framework.server import ServerBase
from framework.tools.instances import ShownPage, make_instances
from framework.tools.options import LogLevelOption, PortOption, SizeOption, parse_size

SERVICES = (ServiceEntry(use="moon"),)
PAGES = (PageEntry(use="moon"), PageEntry(use="clock"))
"""What is shown when matrix.toml says nothing."""


def demo(
    snapshot: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="No browser: wait until each page has drawn from live data, write one PNG a page "
            "and a contact sheet to DIR, and exit; with 1 if a page got no data in time.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="How many seconds --snapshot waits for data.")
    ] = 30.0,
    size: SizeOption = None,
    port: PortOption = None,
    log_level: LogLevelOption = "warning",
) -> None:
    """Run everything on this machine, until Ctrl-C.

    That is an embedded Valkey server, the services and pages of matrix.toml (or Moon and Clock),
    and a web page that shows the panel live.
    """
    configure_logging(log_level)
    project = Project.find(os.environ, Path.cwd())
    services, pages = make_instances(project, project.services or SERVICES, project.pages or PAGES)
    width, height = parse_size(size, (project.panel.width, project.panel.height))
    state = project.make_state()

    async def everything() -> int:
        with EmbeddedServer(state) as url:
            bus = open_bus(url)
            try:
                async with asyncio.TaskGroup() as tasks:
                    serving = [tasks.create_task(one.serve(bus)) for one in services]
                    if snapshot is None:
                        await _live(services, pages, bus, width, height, port)
                    status = await _pictures(pages, bus, width, height, snapshot, timeout)
                    for service in serving:
                        service.cancel()
            finally:
                await bus.close()
            return status

    sys.exit(exit_status(everything))


async def _live(
    services: Sequence[ServerBase[Any, Any]],
    pages: Sequence[ShownPage],
    bus: Bus,
    width: int,
    height: int,
    port: int | None,
) -> NoReturn:
    from framework.panel.show import show_in_browser

    remarks = list(dict.fromkeys(remark for one in services for remark in one.remarks))

    def started(url: str) -> None:
        typer.echo(f"matrix     {url}")
        typer.echo(f"services   {', '.join(one.name for one in services)}")
        typer.echo(f"pages      {', '.join(one.page.name for one in pages)}")
        for remark in remarks:
            typer.echo(f"place      {remark}")
        typer.echo("Ctrl-C stops everything.")

    await show_in_browser(
        [one.page for one in pages],
        bus,
        seconds=[one.seconds for one in pages],
        width=width,
        height=height,
        remark=" · ".join(remarks) or None,
        port=port,
        started=started,
    )


async def _pictures(
    pages: Sequence[ShownPage], bus: Bus, width: int, height: int, folder: Path, timeout_s: float
) -> int:
    from framework.panel.snapshot import snapshot

    missing = await snapshot(
        [one.page for one in pages],
        bus,
        folder,
        width=width,
        height=height,
        timeout_s=timeout_s,
        say=lambda line: typer.echo(line),
    )
    typer.echo(f"{len(pages)} page{'s' * (len(pages) > 1)} and contact-sheet.png are in {folder}")
    if not missing:
        return 0
    for name, why in missing.items():
        typer.echo(f"{name}: {why}, after {timeout_s:g} s", err=True)
    typer.echo("--timeout waits longer, --log-level info says what the services do", err=True)
    return EXIT_FAILED
