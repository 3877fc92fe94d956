"""All commands: where each is, and how one is run, by itself or as part of ``matrix``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperCommand

from framework.errors import MatrixError
from framework.process import guarded_output, last_word
from framework.tools.access import access
from framework.tools.demo import demo
from framework.tools.encrypt import encrypt
from framework.tools.list import list_
from framework.tools.read import read
from framework.tools.rotate import rotate
from framework.tools.serve import serve
from framework.tools.show import show
from framework.tools.vault import bootstrap

COMMANDS: Mapping[str, Callable[..., None]] = {
    "demo": demo,
    "serve": serve,
    "show": show,
    "list": list_,
    "encrypt": encrypt,
    "read": read,
    "rotate": rotate,
    "access": access,
}


def main() -> None:
    """``matrix``."""
    app = _app(name="matrix", help="Feed an LED matrix from small services.", no_args_is_help=True)
    for name, command in COMMANDS.items():
        app.command(name, cls=_Command)(command)
    vault = _app(help="Administer Vault.", no_args_is_help=True)
    vault.command("bootstrap", cls=_Command)(bootstrap)
    app.add_typer(vault, name="vault")
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


class _Command(TyperCommand):
    """One whose refusals are sentences."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # which is pydantic's
            raise


def _app(**options: Any) -> typer.Typer:
    return typer.Typer(
        **options, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def _run_alone(command: Callable[..., None]) -> None:
    app = _app()
    app.command(cls=_Command)(command)
    _run(app)


def _run(app: typer.Typer) -> None:
    try:
        with guarded_output():
            app()
    except MatrixError as error:
        sys.exit(last_word(error))
