"""``matrix panel``: the process that lights the LEDs, and takes frames from ``matrix show``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from framework.process import configure_logging, exit_status
from framework.project import Project
from framework.systemd import notifying
from framework.tools.options import LogLevelOption
from framework.tools.say import say


def panel(
    test: Annotated[
        bool,
        typer.Option("--test", help="Show patterns, ask three questions, set [panel] right."),
    ] = False,
    log_level: LogLevelOption = "info",
) -> None:
    """Light the LEDs that [panel] of matrix.toml describes.

    Until Ctrl-C or SIGTERM. Started by root it opens them, becomes [panel] user, and is never root
    again. Frames come from matrix show, over a Unix socket.
    """
    # Here: Pillow is an extra.
    from framework.panel.driver.opening import open_panel
    from framework.panel.driver.wire import socket_path

    configure_logging(log_level)
    project = Project.find(os.environ, Path.cwd())
    if test:
        from framework.tools.tryout import try_out

        try_out(project)
        return
    path = socket_path(project)
    light = open_panel(project.panel, path)
    say(f"the panel takes frames at {path}")
    sys.exit(exit_status(lambda: notifying(light.run, os.environ)))
