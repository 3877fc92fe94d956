"""``matrix show``: pages on a panel."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from framework.bus import open_bus
from framework.errors import ConfigError
from framework.process import configure_logging, exit_status
from framework.project import Project
from framework.tools.instances import make_instances, page_entries
from framework.tools.options import LogLevelOption, PortOption, SizeOption, parse_size


def show(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
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
    pages = make_instances(project, [], page_entries(project, targets or [])).pages
    if not pages:
        raise ConfigError(
            "nothing to show: name a TARGET (matrix list shows them), or add [[page]] entries to "
            "matrix.toml"
        )
    width, height = parse_size(size, (project.panel.width, project.panel.height))
    remarks = dict.fromkeys(remark for one in pages for remark in one.page.remarks)

    async def work() -> NoReturn:
        from framework.panel.show import show_in_browser
        from framework.panel.sinks import FileSink

        bus = open_bus(pages[0].page.config.redis_url.get_secret_value())
        try:
            await show_in_browser(
                [one.page for one in pages],
                bus,
                seconds=[one.seconds for one in pages],
                width=width,
                height=height,
                remark=" · ".join(remarks) or None,
                port=port,
                also=[] if file is None else [FileSink(file, pitch_px=8)],
                started=lambda url: typer.echo(f"the panel is at {url}"),
            )
        finally:
            await bus.close()

    sys.exit(exit_status(work))
