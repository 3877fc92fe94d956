"""From what was asked for on the command line, or stands in ``matrix.toml``, to instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from framework.config import check_unique
from framework.display import DisplayBase
from framework.project import PageEntry, Project, ServiceEntry
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, resolve

# What a target must be a subclass of. Annotated, because mypy wants a type[...] to be concrete.
SERVICE: type[Any] = ServerBase
PAGE: type[Any] = DisplayBase


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page and, if the playlist says so, how long its turn is."""

    page: DisplayBase[Any]
    seconds: float | None


def service_entries(project: Project, targets: Sequence[str]) -> list[ServiceEntry]:
    """What to serve: ``targets``, each the name of an entry of ``matrix.toml`` or else what an
    entry's ``use`` may be; without targets, all entries."""
    named = {entry.name or entry.use: entry for entry in project.services}
    if not targets:
        return list(project.services)
    return [named.get(target) or ServiceEntry(use=target) for target in targets]


def page_entries(project: Project, targets: Sequence[str]) -> list[PageEntry]:
    """The same for pages."""
    named = {entry.name or entry.use: entry for entry in project.pages}
    if not targets:
        return list(project.pages)
    return [named.get(target) or PageEntry(use=target) for target in targets]


def make_services(entries: Sequence[ServiceEntry]) -> list[ServerBase[Any, Any]]:
    """Construct them, which reads their configuration.

    :raises ConfigError: a target does not exist, a name is taken twice, or configuration is wrong.
    """
    classes = [resolve(entry.use, SERVICES, SERVICE) for entry in entries]
    made = [cls(name=entry.name) for cls, entry in zip(classes, entries, strict=True)]
    check_unique([one.name for one in made])
    return made


def make_pages(entries: Sequence[PageEntry]) -> list[ShownPage]:
    """The same for pages."""
    classes = [resolve(entry.use, PAGES, PAGE) for entry in entries]
    made = [
        ShownPage(cls(name=entry.name, feeds=entry.feeds), entry.seconds)
        for cls, entry in zip(classes, entries, strict=True)
    ]
    check_unique([one.page.name for one in made])
    return made
