"""The ``matrix`` command: what all commands share, and where each is."""

from __future__ import annotations

import sys

import typer

from framework.errors import MatrixError
from framework.process import last_word
from framework.tools.demo import demo
from framework.tools.list import list_
from framework.tools.serve import serve
from framework.tools.show import show

app = typer.Typer(
    name="matrix",
    help="Feed an LED matrix from small services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo)
app.command("serve")(serve)
app.command("show")(show)
app.command("list")(list_)


def main() -> None:
    """The entry point."""
    # The working directory comes last: a folder called pages must not shadow ours.
    try:
        app()
    except MatrixError as error:
        sys.exit(last_word(error))
