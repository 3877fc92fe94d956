"""What is most likely a mistake, and is said before anything runs: names that nobody answers to.

How such a name is recognised is decided in ``config.strays``; here is found out whose names there
are. To that end the classes of others are imported, but only if there is something to be said.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from framework.config import Config
from framework.config.declared import declared
from framework.config.strays import Fields, Known, strays
from framework.display import DisplayBase
from framework.errors import MatrixError
from framework.project import FILE, PageEntry, Project, ServiceEntry
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, available, resolve

_log = logging.getLogger("matrix")


@dataclass(frozen=True, slots=True)
class Other:
    """An entry of the file, or a class that is installed."""

    target: str
    cls: type[Any] | None
    """None: it cannot be imported here."""
    name: str | None
    """Of the instance; None: the class's own, which cannot be known."""


def warn_of_strays(
    project: Project, environ: Iterable[str], made: Mapping[str, type[Config]]
) -> None:
    """Say which names of ``[config]`` and of the environment nobody answers to. ``made``: the
    configuration classes of what runs here, by name."""
    path = project.path.name if project.path else FILE
    fields: dict[str, Fields | None] = {name: declared(cls) for name, cls in made.items()}
    if not any(strays(project.config, path, environ, Known(fields))):
        return  # What others are called, only an import of their classes can tell.
    possible: set[str] = set()
    for other in _others(project):
        if other.name is None:
            possible |= _parts(other.target)
        else:
            fields.setdefault(other.name, _fields(other.cls))
    for line in strays(project.config, path, environ, Known(fields, frozenset(possible))):
        _log.warning("%s", line)


def warn_of_feeds(
    project: Project, services: Iterable[str], pages: Sequence[tuple[DisplayBase[Any], PageEntry]]
) -> None:
    """Say which feeds no service has that is made here or stands in the file, if any does.

    ``services``: the names of those that are made. A page that is not made here is not imported for
    this either: what counts is what the file says that it follows.
    """
    published = {*services, *(entry.name for entry in project.services if entry.name)}
    unnamed = [entry.use for entry in project.services if entry.name is None]
    likely = published.union(*map(_parts, unnamed))
    missing = [wish for wish in _wanted(project, pages) if wish[0] not in likely]
    if not missing or not likely:
        return
    for use in unnamed:
        other = _other(use, None, SERVICES, ServerBase)
        if other.name is None:
            return  # It may be the one.
        published.add(other.name)
    for feed, page in missing:
        near = get_close_matches(feed, published, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(published))}"
        if feed not in published:
            _log.warning("no service here publishes %s, which %s follows: %s", feed, page, hint)


def _wanted(
    project: Project, pages: Sequence[tuple[DisplayBase[Any], PageEntry]]
) -> Iterator[tuple[str, str]]:
    """Feeds that ought to be there, and which page follows them."""
    for page, entry in pages:
        for attribute, feed in page.following.items():
            if feed.required or attribute in entry.feeds:
                yield feed.name, page.name
    made = [entry for _, entry in pages]
    for entry in project.pages:
        if entry not in made:
            for name in entry.feeds.values():
                yield name, entry.name or entry.use


def _others(project: Project) -> Iterator[Other]:
    groups: tuple[tuple[str, type[Any], Sequence[ServiceEntry | PageEntry]], ...] = (
        (SERVICES, ServerBase, project.services),
        (PAGES, DisplayBase, project.pages),
    )
    for group, base, entries in groups:
        for entry in entries:
            yield _other(entry.use, entry.name, group, base)
        for each in available(group):
            yield _other(each.value, None, group, base)


def _other(target: str, name: str | None, group: str, base: type[Any]) -> Other:
    try:
        cls = resolve(target, group, base)
    except MatrixError:
        return Other(target, None, name)
    return Other(target, cls, name or cls.default_name().lower())


def _fields(cls: type[Any] | None) -> Fields | None:
    try:
        return None if cls is None else declared(cls.config_class)
    except MatrixError:
        return None


def _parts(target: str) -> set[str]:
    """What an instance of a class that is not imported is most likely called."""
    return {part.lower() for part in re.split("[.:]", target)}
