"""``matrix list``: what there is to serve and to show, and how each would be configured here."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from framework.config.loading import Description, describe, load
from framework.config.sources import Sources
from framework.errors import MatrixError
from framework.folding import fold
from framework.process import configure_logging
from framework.project import PageEntry, Project, ServiceEntry
from framework.secrets.settings import SecretsSettings
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, available
from framework.tools.instances import class_of, make, name_of, target_of
from framework.tools.options import LogLevelOption
from framework.tools.warn import warn_of_strays
from framework.tools.wrapping import wrapped

Entry = ServiceEntry | PageEntry

INDENT = " " * 6
NAME_WIDTH, TYPE_WIDTH = 14, 22
UNREAD = (
    "The secrets are not read here. What they have counts, whatever stands below, but for what "
    "comes from the environment: matrix read shows it."
)


def list_(log_level: LogLevelOption = "warning") -> None:
    """Show every service and page, and how each is configured here.

    First those of matrix.toml, then those that are installed. For each: what it is configured by,
    and where each value would come from, here and now. Values are not shown, and the secrets are
    not read: whatever counts less than they do may come from there.
    """
    configure_logging(log_level)
    project = Project.find(os.environ, Path.cwd())
    sources = Sources.of_machine(project, os.environ)
    warn_of_strays(project, os.environ, {})
    installed_services = [ServiceEntry(use=each.name) for each in available(SERVICES)]
    installed_pages = [PageEntry(use=each.name) for each in available(PAGES)]
    if SecretsSettings.of(project).sources:
        typer.echo(wrapped(UNREAD, "") + "\n")
    for title, entries in (
        (f"Services of {sources.table_path}", project.services),
        ("Services that are installed", installed_services),
        (f"Pages of {sources.table_path}", project.pages),
        ("Pages that are installed", installed_pages),
    ):
        if entries:
            typer.echo("\n".join([title, *_lines(entries, sources), ""]))


def _lines(entries: Sequence[Entry], sources: Sources) -> Iterator[str]:
    found = [(entry, class_of(entry)) for entry in entries]
    labels = [target_of(entry, cls) for entry, cls in found]
    for label, (entry, cls) in zip(labels, found, strict=True):
        head = f"  {label:<{max(map(len, labels))}}  "
        if isinstance(cls, MatrixError):
            yield head.rstrip()
            yield f"{INDENT}cannot be used: {cls}"
            continue
        summary = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
        yield wrapped(summary, head) or head.rstrip()
        if label != entry.use:
            yield f"{INDENT}is {entry.use}"
        yield from _what(entry, cls, sources)


def _what(entry: Entry, cls: type[Any], sources: Sources) -> Iterator[str]:
    """What it publishes or follows, and how it is configured."""
    name = name_of(entry, cls)
    if isinstance(entry, ServiceEntry):
        yield f"{INDENT}publishes {cls.values.__name__} {_how_often(cls, name, sources)}"
    elif cls.feeds:
        yield wrapped(", ".join(_followed(entry, cls)), f"{INDENT}follows ")
    yield f"{INDENT}configured by [config.{name}], MATRIX_{fold(name).upper()}__..."
    try:
        for described in describe(cls.config_class, name, sources):
            yield _field(described)
    except MatrixError as error:
        yield f"{INDENT}cannot be used: {error}"


def _followed(entry: PageEntry, cls: type[Any]) -> Iterator[str]:
    for attribute, feed in cls.feeds.items():
        of = f" of {entry.feeds[attribute]}" if attribute in entry.feeds else ""
        yield f"{feed.model.__name__}{of}{'' if feed.required else ' (if there is any)'}"


def _how_often(cls: type[Any], name: str, sources: Sources) -> str:
    period = cls.period
    if cls.every is not ServerBase.every:
        try:
            period = make(
                cls, load(cls.config_class, name, sources=sources), {"name": name}
            ).every()
        except MatrixError:  # which is said when it is to run
            return "as often as its configuration says"
    return f"every {period.total_seconds():g} s"


def _field(field: Description) -> str:
    if field.origin is not None:
        origin = str(field.origin)
    else:
        origin = "NOT SET, and required" if field.required else "default"
    head = f"{INDENT}{field.field:<{NAME_WIDTH}} "
    if len(field.type) <= TYPE_WIDTH:
        return wrapped(origin, f"{head}{field.type:<{TYPE_WIDTH}} ")
    return wrapped(field.type, head) + "\n" + wrapped(origin, " " * (len(head) + TYPE_WIDTH + 1))
