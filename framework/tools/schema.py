"""``matrix schema``: what travels, as JSON Schema: for whoever subscribes with something else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.errors import ConfigError
from framework.project import Project
from framework.targets import SERVICES, available, resolve
from framework.tools.instances import SERVICE
from framework.update import Update, Values

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A service, as for matrix serve. Default: those of matrix.toml, and all that are "
            "installed.",
        ),
    ] = None,
) -> None:
    """Print what each service publishes, as JSON Schema.

    That is one object, by type of update. It describes the messages on the bus, envelope and
    values, as they are written.

    \b
        matrix schema
        matrix schema tide:TideServer > tide.schema.json
    """
    published = _published(dict.fromkeys(targets) if targets else _all())
    typer.echo(json.dumps({name: _schema(each) for name, each in published.items()}, indent=2))


def _all() -> Iterator[str]:
    """Those of the file, and those that are installed, but for what cannot be loaded: whoever needs
    the others may lack what that needs."""
    named = [each.use for each in Project.find(os.environ, Path.cwd()).services]
    for target in dict.fromkeys([*named, *(each.name for each in available(SERVICES))]):
        try:
            resolve(target, SERVICES, SERVICE)
        except ConfigError as error:
            typer.echo(f"left out: {error}", err=True)
        else:
            yield target


def _published(targets: Iterable[str]) -> dict[str, type[Values]]:
    """What they publish, by type.

    :raises ConfigError: there is no such service, or two mean different things by one type.
    """
    found: dict[str, type[Values]] = {}
    by: dict[str, str] = {}
    for target in targets:
        values: type[Values] = resolve(target, SERVICES, SERVICE).values
        name = values.__name__
        if found.setdefault(name, values) is not values:
            raise ConfigError(
                f"{by[name]} and {target} publish different things, both of type {name}. Ask for "
                f"one at a time: matrix schema {target}"
            )
        by.setdefault(name, target)
    return found


def _schema(values: type[Values]) -> dict[str, Any]:
    update: Any = Update.__class_getitem__(values)  # a class made at run time
    return {"$schema": DIALECT, **update.model_json_schema(mode="serialization")}
