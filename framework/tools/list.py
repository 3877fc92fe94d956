"""``matrix list``: what there is to serve and to show, and how each would be configured here."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from framework.config.loading import Description, describe
from framework.config.sources import Sources
from framework.display import DisplayBase
from framework.errors import MatrixError
from framework.folding import fold
from framework.process import configure_logging
from framework.project import Project
from framework.secrets.settings import SecretsSettings
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, available, resolve
from framework.tools.options import LogLevelOption

_BEFORE_SECRETS = ("argument", "environment")


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing that can be named as a TARGET."""

    target: str
    name: str | None
    """Of the instance; None: the class's own."""
    group: str


def list_(log_level: LogLevelOption = "warning") -> None:
    """Show every service and page: those of matrix.toml, and those that are installed.

    For each: what it is configured by, and where each value would come from, here and now. Values
    are not shown, and the secrets are not read: whatever counts less than they do may come from
    there.
    """
    configure_logging(log_level)
    project = Project.find(os.environ, Path.cwd())
    sources = Sources.of_machine(project, os.environ)
    secrets = bool(SecretsSettings.of(project).sources)
    for title, group, base in (
        ("Services", SERVICES, ServerBase),
        ("Pages", PAGES, DisplayBase),
    ):
        for line in _section(title, group, base, project, sources, secrets):
            typer.echo(line)


def _section(
    title: str, group: str, base: type[Any], project: Project, sources: Sources, secrets: bool
) -> Iterator[str]:
    entries = project.services if group == SERVICES else project.pages
    if entries:
        yield f"{title} of {sources.table_path}"
        for entry in entries:
            yield from _lines(Listed(entry.use, entry.name, group), base, sources, secrets)
    yield f"{title} that are installed"
    for each in available(group):
        yield from _lines(Listed(each.name, None, group), base, sources, secrets)
    yield ""


def _lines(listed: Listed, base: type[Any], sources: Sources, secrets: bool) -> Iterator[str]:
    try:
        cls = resolve(listed.target, listed.group, base)
        name = cls.default_name() if listed.name is None else listed.name
        fields = describe(cls.config_class, name, sources)
    except MatrixError as error:
        yield f"  {listed.name or listed.target}"
        yield f"      cannot be used: {error}"
        return
    doc = (inspect.getdoc(cls) or "").partition("\n")[0]
    yield f"  {listed.name or listed.target:<12} {doc}"
    for what in _what(cls):
        yield f"      {what}"
    yield f"      configured by [config.{name.lower()}], MATRIX_{fold(name).upper()}__..."
    for field in fields:
        yield f"      {_field(field, secrets)}"


def _what(cls: type[Any]) -> Iterator[str]:
    """What it publishes or follows."""
    if issubclass(cls, ServerBase):
        yield f"publishes {cls.values.__name__} every {cls.period.total_seconds():g} s"
    elif cls.feeds:
        yield "follows " + ", ".join(
            feed.model.__name__ + ("" if feed.required else " (if there is any)")
            for feed in cls.feeds.values()
        )


def _field(field: Description, secrets: bool) -> str:
    if field.origin is not None:
        origin = str(field.origin)
    else:
        origin = "NOT SET, and required" if field.required else "default"
    if secrets and (field.origin is None or field.origin.source not in _BEFORE_SECRETS):
        origin += ", unless the secrets have it"
    return f"{field.field:<14} {field.type:<28} {origin}"
