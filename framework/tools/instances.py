"""From what was asked for on the command line, or stands in ``matrix.toml``, to instances."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from framework.config import Config
from framework.config.loading import Loaded, load_all
from framework.config.names import check_unique
from framework.display import DisplayBase
from framework.errors import ConfigError
from framework.folding import fold
from framework.project import FILE, PageEntry, Project, ServiceEntry
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, available, resolve

_log = logging.getLogger("matrix")

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


def make_instances(
    project: Project, services: Iterable[ServiceEntry], pages: Iterable[PageEntry]
) -> tuple[list[ServerBase[Any, Any]], list[ShownPage]]:
    """Read the configuration of all, and construct them.

    :raises ConfigError: a target does not exist, a name is taken twice, or configuration is wrong.
    :raises SecretsUnavailable: the secrets could not be read for now.
    """
    served = [(entry, resolve(entry.use, SERVICES, SERVICE)) for entry in services]
    shown = [(entry, resolve(entry.use, PAGES, PAGE)) for entry in pages]
    names = [_name(entry, cls) for entry, cls in served]
    names += [_name(entry, cls) for entry, cls in shown]
    check_unique(names)
    _warn_of_sections(project, names)
    # All at once: the secrets of all are then read by one process.
    classes = [cls.config_class for _, cls in (*served, *shown)]
    loaded = iter(load_all(list(zip(classes, names, strict=True)), project=project))
    return (
        [_made(cls, next(loaded), name=entry.name) for entry, cls in served],
        [
            ShownPage(_made(cls, next(loaded), name=entry.name, feeds=entry.feeds), entry.seconds)
            for entry, cls in shown
        ],
    )


def _made(cls: type[Any], loaded: Loaded[Config], **options: Any) -> Any:
    made = cls(config=loaded.config, **options)
    made.remarks = loaded.remarks
    return made


def _name(entry: ServiceEntry | PageEntry, cls: type[Any]) -> str:
    name: str = entry.name or cls.default_name().lower()
    return name


def _warn_of_sections(project: Project, made: Iterable[str]) -> None:
    """Say which sections of ``[config]`` belong to nobody: most likely a name is misspelt."""
    known = {fold(name): name for name in made}
    sections = [key for key, value in project.config.items() if isinstance(value, Mapping)]
    strangers = [section for section in sections if fold(section) not in known]
    if not strangers:
        return  # What others are called, only an import of their classes can tell.
    possible: set[str] = set()
    for name, target in _others(project):
        if name is None:
            possible |= set(map(fold, re.split("[.:]", target)))
        else:
            known[fold(name)] = name
    for section in strangers:
        if fold(section) in known.keys() | possible:
            continue
        near = get_close_matches(fold(section), known, 1)
        _log.warning(
            "[config.%s] of %s belongs to no service or page here: %s",
            section,
            project.path.name if project.path else FILE,
            f"did you mean {known[near[0]]}?" if near else f"there are {', '.join(known.values())}",
        )


def _others(project: Project) -> Iterator[tuple[str | None, str]]:
    """The entries of the file and the classes that are installed, by name and target.

    A name is None if it is the class's own, which cannot be imported here.
    """
    for group, base, entries in (
        (SERVICES, SERVICE, project.services),
        (PAGES, PAGE, project.pages),
    ):
        named = [(entry.name, entry.use) for entry in entries]
        for name, target in (*named, *((None, each.value) for each in available(group))):
            yield name or _default_name(target, group, base), target


def _default_name(target: str, group: str, base: type[Any]) -> str | None:
    try:
        name: str = resolve(target, group, base).default_name()
    except ConfigError:
        return None
    return name.lower()
