"""All commands: where each is, and how one is run, by itself or as part of ``matrix``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from framework.errors import MatrixError
from framework.extras import DISTRIBUTION, needed_by
from framework.interrupt import Interrupted
from framework.process import guarded_output, last_word

COMMANDS: Mapping[str, str] = {
    "demo": "framework.tools.demo:demo",
    "serve": "framework.tools.serve:serve",
    "show": "framework.tools.show:show",
    "dev": "framework.tools.dev:dev",
    "panel": "framework.tools.panel:panel",
    "list": "framework.tools.list:list_",
    "check": "framework.tools.check:check",
    "schema": "framework.tools.schema:schema",
    "encrypt": "framework.tools.encrypt:encrypt",
    "read": "framework.tools.read:read",
    "rotate": "framework.tools.rotate:rotate",
    "reseal": "framework.tools.reseal:reseal",
    "access": "framework.tools.access:access",
}
WRITING = ("encrypt", "rotate", "reseal", "bootstrap")
"""Whoever interrupts one of these has to be told what that means."""


def main() -> None:
    """``matrix``. Only the command that is asked for is imported, or all, for their help."""
    app = _app(name="matrix", help="Feed an LED matrix from small services.", no_args_is_help=True)
    app.callback()(_options)
    asked = [name for name in sys.argv[1:2] if name in (*COMMANDS, "vault")]
    for name, where in COMMANDS.items():
        if not asked or name in asked:
            _add(app, where, name)
    if not asked or "vault" in asked:
        vault = _app(help="Administer Vault.", no_args_is_help=True)
        _add(vault, "framework.tools.vault:bootstrap", "bootstrap")
        app.add_typer(vault, name="vault")
    _run(app)


def encryptonator() -> None:
    """``matrix encrypt`` by itself."""
    _run_alone("encrypt")


def readstub() -> None:
    """``matrix read`` by itself."""
    _run_alone("read")


def recryptonator() -> None:
    """``matrix rotate`` by itself."""
    _run_alone("rotate")


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # here: no other command needs it

        typer.echo(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Of ``matrix`` itself. Without them, one command alone would not be called by its name."""


class _Command(TyperCommand):
    """One whose refusals are sentences."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # which is pydantic's
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            with needed_by(f"matrix {self.name}"):
                return super().invoke(ctx)
        except Interrupted:
            if self.name in WRITING:
                typer.echo(
                    "interrupted: what was not written yet stays as it is; run it again, which is "
                    "always safe",
                    err=True,
                )
            raise


def _app(**options: Any) -> typer.Typer:
    return typer.Typer(
        **options, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def _run_alone(name: str) -> None:
    app = _app()
    _add(app, COMMANDS[name])
    _run(app)


def _add(app: typer.Typer, where: str, name: str | None = None) -> None:
    app.command(name, cls=_Command)(resolve_name(where))


def _run(app: typer.Typer) -> None:
    try:
        with guarded_output():
            app()
    except MatrixError as error:
        sys.exit(last_word(error))
