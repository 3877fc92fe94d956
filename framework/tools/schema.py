"""``matrix schema``: what travels, as JSON Schema: for whoever subscribes with something else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.project import Project
from framework.server import ServerBase
from framework.targets import SERVICES, available, resolve
from framework.update import Update

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
    """Print the JSON Schema of what each service publishes: one object, by type of update.

    It describes the messages on the bus, envelope and values, as they are written.

    \b
        matrix schema
        matrix schema tide:TideServer > tide.schema.json
    """
    found: dict[str, Any] = {}
    base: type[Any] = ServerBase
    for target in targets or _all():
        values = resolve(target, SERVICES, base).values
        update: Any = Update.__class_getitem__(values)  # a class made at run time
        found[values.__name__] = {
            "$schema": DIALECT,
            **update.model_json_schema(mode="serialization"),
        }
    typer.echo(json.dumps(found, indent=2))


def _all() -> list[str]:
    entries = Project.find(os.environ, Path.cwd()).services
    return [
        *dict.fromkeys(each.use for each in entries),
        *(each.name for each in available(SERVICES)),
    ]
