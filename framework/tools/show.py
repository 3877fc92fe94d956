"""``matrix show``: pages on a panel."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from framework.errors import ConfigError
from framework.process import configure_logging, exit_status
from framework.project import Project
from framework.tools.instances import make_pages, page_entries
from framework.tools.options import LogLevelOption, PortOption, SizeOption, parse_size


def show(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="A page by its entry point (moon), as module:Class (tide:TidePage), or by its "
            "name in matrix.toml. Default: all [[page]] entries there.",
        ),
    ] = None,
    size: SizeOption = None,
    port: PortOption = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Also keep the newest frame in this PNG file, as LEDs look."),
    ] = None,
    log_level: LogLevelOption = "info",
) -> None:
    """Show pages in a browser on this machine, until Ctrl-C or SIGTERM."""
    configure_logging(log_level)
    project = Project.find(os.environ, Path.cwd())
    pages = make_pages(page_entries(project, targets or []))
    if not pages:
        raise ConfigError(
            "nothing to show: name a TARGET (matrix list shows them), or add [[page]] entries to "
            "matrix.toml"
        )
    width, height = parse_size(size, (project.panel.width, project.panel.height))

    async def work() -> None:
        from framework.bus import open_bus
        from framework.panel.show import Show
        from framework.panel.sinks import FileSink, Sink
        from framework.panel.web import BrowserSink

        browser = BrowserSink(port=port)
        sinks: list[Sink] = [browser]
        if file is not None:
            sinks.append(FileSink(file, pitch_px=8))
        bus = open_bus(pages[0].page.config.redis_url.get_secret_value())
        panel = Show(
            [one.page for one in pages],
            sinks,
            bus,
            seconds=[one.seconds for one in pages],
            width=width,
            height=height,
        )
        try:
            await panel.run(lambda: typer.echo(f"the panel is at {browser.url}"))
        finally:
            await bus.close()

    sys.exit(exit_status(work))
