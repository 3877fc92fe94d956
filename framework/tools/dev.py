"""``matrix dev``: a page while it is being written."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from framework.process import configure_logging, exit_status
from framework.project import Project
from framework.tools.instances import page_entries
from framework.tools.options import PortOption


def dev(
    target: Annotated[
        str,
        typer.Argument(
            metavar="PAGE",
            help="A file (tide.py, or tide.py:TidePage if there are several pages in it); or a "
            "page as for matrix show: an entry point, module:Class, or its name in matrix.toml.",
        ),
    ],
    values: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[FEED=]FILE.json",
            help="What to draw it from: an update as it travels, or its values alone. FEED is the "
            "page's attribute, where that is not clear. May be given once for each feed. Default: "
            "the last update on the bus, if one answers, else something made up from the model: "
            "its examples, its defaults, or what is plausible.",
        ),
    ] = None,
    port: PortOption = None,
) -> None:
    """Show a page that you are writing, drawn anew at each save.

    Until Ctrl-C, a web page on this machine has it in four sizes, each fresh, late, expired and
    without any data, as the panel would show it. Whatever is wrong with it stands in the place of
    the pictures until it is mended: the traceback, or where it was when it took too long.

    \b
        matrix dev tide.py
        matrix dev tide.py --values tide.json
        matrix dev moon
    """
    configure_logging("warning")
    if ":" not in target and not target.endswith(".py"):  # no save would make a name of it
        page_entries(Project.find(os.environ, Path.cwd()), [target])
    # Here: Pillow is an extra.
    from framework.panel.dev.workbench import Workbench

    bench = Workbench(target, values or [], port=port)
    file = target.partition(":")[0]

    def started(url: str) -> None:
        typer.echo(f"{target} is at {url}")
        typer.echo("Save it, and it is drawn anew. Ctrl-C ends it.")
        if file.endswith(".py") and not Path(file).exists():
            typer.echo(f"there is no {file} yet: write it, or end this and name another", err=True)

    async def work() -> NoReturn:
        await bench.run(started)

    sys.exit(exit_status(work))
