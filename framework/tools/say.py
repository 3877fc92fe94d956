"""What a command that goes on says of itself when it begins: to whoever started it, or to a log."""

from __future__ import annotations

import logging

import typer

from framework.process import logs_json


def say(line: str) -> None:
    """On standard output; where logs are for a machine, as one line of them."""
    if logs_json():
        logging.getLogger("matrix").info(line)
    else:
        typer.echo(line)
