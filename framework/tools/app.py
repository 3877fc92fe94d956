"""All commands: where each is, and how one is run, by itself or as part of ``matrix``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer

from framework.errors import MatrixError
from framework.process import last_word
from framework.tools.demo import demo
from framework.tools.encrypt import encrypt
from framework.tools.list import list_
from framework.tools.read import read
from framework.tools.rotate import rotate
from framework.tools.serve import serve
from framework.tools.show import show

COMMANDS: Mapping[str, Callable[..., None]] = {
    "demo": demo,
    "serve": serve,
    "show": show,
    "list": list_,
    "encrypt": encrypt,
    "read": read,
    "rotate": rotate,
}


def main() -> None:
    """``matrix``."""
    app = _app(name="matrix", help="Feed an LED matrix from small services.", no_args_is_help=True)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    _run(app)


def encryptonator() -> None:
    """``matrix encrypt`` by itself."""
    _run_alone(encrypt)


def readstub() -> None:
    """``matrix read`` by itself."""
    _run_alone(read)


def recryptonator() -> None:
    """``matrix rotate`` by itself."""
    _run_alone(rotate)


def _app(**options: Any) -> typer.Typer:
    return typer.Typer(
        **options, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def _run_alone(command: Callable[..., None]) -> None:
    app = _app()
    app.command()(command)
    _run(app)


def _run(app: typer.Typer) -> None:
    try:
        app()
    except MatrixError as error:
        sys.exit(last_word(error))
