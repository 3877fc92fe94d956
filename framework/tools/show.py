"""``matrix show``: pages on a panel."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from framework.errors import ConfigError
from framework.hosts import is_loopback
from framework.process import configure_logging, exit_status
from framework.project import Project
from framework.redisbus import open_bus
from framework.tools.instances import make_instances, page_entries
from framework.tools.options import (
    HostOption,
    LogLevelOption,
    PortOption,
    SizeOption,
    parse_size,
)
from framework.tools.say import say
from framework.vitals import PanelVitals
from framework.watching import watched

LOOPBACK = "127.0.0.1"


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
    host: HostOption = LOOPBACK,
    port: PortOption = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Also keep the newest frame in this PNG file, as LEDs look."),
    ] = None,
    terminal: Annotated[
        bool,
        typer.Option(
            "--terminal",
            help="In this terminal, instead of in a browser. The picture is in 24-bit colours, "
            "whatever NO_COLOR says.",
        ),
    ] = False,
    log_level: LogLevelOption = "info",
) -> None:
    """Show pages on the LEDs of [panel], and in a browser.

    The LEDs are those of matrix.toml, if there are any, and the browser is on this machine. Ctrl-C
    or SIGTERM ends it.
    """
    configure_logging(log_level)
    if terminal and (host, port) != (LOOPBACK, None):
        raise ConfigError(
            "--host and --port are the web page's, and --terminal is instead of it: leave them out"
        )
    if terminal and os.environ.get("TERM") == "dumb":
        raise ConfigError(
            "a terminal that is dumb, as TERM says, has no colours: use another, or leave "
            "--terminal out"
        )
    project = Project.find(os.environ, Path.cwd())
    pages = make_instances(project, [], page_entries(project, targets or [])).pages
    if not pages:
        raise ConfigError(
            "nothing to show: name a TARGET (matrix list shows them), or add [[page]] entries to "
            "matrix.toml"
        )
    # Here: Pillow is an extra.
    from framework.panel.panelsink import leds_of
    from framework.panel.show import Show, show_in_browser
    from framework.panel.sinks import FileSink, Sink
    from framework.panel.terminal import TerminalSink, held_log
    from framework.panel.webtoken import token_of

    token = None if terminal or is_loopback(host) else token_of(project.state)
    vitals = PanelVitals()
    width, height = parse_size(size, (project.panel.width, project.panel.height))
    leds = leds_of(project)
    remarks = dict.fromkeys(remark for one in pages for remark in one.page.remarks)

    async def work() -> NoReturn:
        bus = open_bus(pages[0].page.config.redis_url.get_secret_value())
        also: list[Sink] = [*leds(bus.time)]
        if file is not None:
            also.append(FileSink(file, pitch_px=8))
        shown = [one.page for one in pages]
        seconds = [one.seconds for one in pages]
        try:
            if terminal:
                sinks = [TerminalSink(), *also]
                show = Show(
                    shown,
                    sinks,
                    bus,
                    seconds=seconds,
                    width=width,
                    height=height,
                    vitals=vitals,
                )
                await show.run()
            await show_in_browser(
                shown,
                bus,
                seconds=seconds,
                width=width,
                height=height,
                remark=" · ".join(remarks) or None,
                host=host,
                port=port,
                token=token,
                also=also,
                vitals=vitals,
                started=lambda url: say(f"the panel is at {url}"),
            )
        finally:
            await bus.close()

    with held_log() if terminal else nullcontext():
        status = exit_status(lambda: watched(work, [vitals]))
    sys.exit(status)
