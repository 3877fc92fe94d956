"""From what was asked for on the command line, or stands in ``matrix.toml``, to instances."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from framework.config import Config
from framework.config.loading import Loaded, load_all
from framework.config.names import check_unique
from framework.display import DisplayBase
from framework.errors import ConfigError, MatrixError
from framework.folding import fold
from framework.project import PageEntry, Project, ServiceEntry
from framework.server import ServerBase
from framework.targets import (
    PAGES,
    SERVICES,
    available,
    misplaced,
    raised_at,
    resolve,
    unknown,
)
from framework.tools.warn import warn_of_feeds, warn_of_strays

Entry = TypeVar("Entry", ServiceEntry, PageEntry)

# What a target must be a subclass of. Annotated, because mypy wants a type[...] to be concrete.
SERVICE: type[Any] = ServerBase
PAGE: type[Any] = DisplayBase


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page and, if the playlist says so, how long its turn is."""

    page: DisplayBase[Any]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Instances:
    """What was constructed."""

    services: Sequence[ServerBase[Any, Any]]
    pages: Sequence[ShownPage]
    kept: Mapping[str, Sequence[str]]
    """By the name of each: its fields whose values came from the secrets."""


def service_entries(project: Project, targets: Sequence[str]) -> list[ServiceEntry]:
    """What to serve: ``targets``, each the name of an entry of ``matrix.toml`` or else what an
    entry's ``use`` may be; without targets, all entries.

    :raises ConfigError: a target is neither.
    """
    if not targets:
        return list(project.services)
    return [
        named_service(project, target) or ServiceEntry(use=_checked(project, target, SERVICES))
        for target in targets
    ]


def page_entries(project: Project, targets: Sequence[str]) -> list[PageEntry]:
    """The same for pages."""
    if not targets:
        return list(project.pages)
    return [
        named_page(project, target) or PageEntry(use=_checked(project, target, PAGES))
        for target in targets
    ]


def named_service(project: Project, target: str) -> ServiceEntry | None:
    """The entry that a target names: by its name, by its ``use`` if it has none, or else by the
    name that its class gives it, to know which it is imported."""
    return _named(target, project.services, SERVICES, SERVICE)


def named_page(project: Project, target: str) -> PageEntry | None:
    """The same for pages."""
    return _named(target, project.pages, PAGES, PAGE)


def known_names(project: Project, *groups: str) -> set[str]:
    """What a target may be, other than ``module:Class``. The classes of the file are imported."""
    entries: Mapping[str, Sequence[ServiceEntry | PageEntry]] = {
        SERVICES: project.services,
        PAGES: project.pages,
    }
    names = {target_of(entry, class_of(entry)) for group in groups for entry in entries[group]}
    return names | {each.name for group in groups for each in available(group)}


def class_of(entry: ServiceEntry | PageEntry) -> type[Any] | MatrixError:
    """Its class, or why there is none."""
    group, base = (SERVICES, SERVICE) if isinstance(entry, ServiceEntry) else (PAGES, PAGE)
    try:
        return resolve(entry.use, group, base)
    except MatrixError as error:
        return error


def target_of(entry: ServiceEntry | PageEntry, cls: type[Any] | MatrixError) -> str:
    """How it is called as a target: by its name, if it has one that can be known."""
    if entry.name or ":" not in entry.use or isinstance(cls, MatrixError):
        return entry.name or entry.use
    return name_of(entry, cls)


def _checked(project: Project, target: str, group: str) -> str:
    """A target that names no entry.

    :raises ConfigError: it cannot be an entry's ``use`` either.
    """
    if ":" in target or any(target == each.name for each in available(group)):
        return target
    other = PAGES if group == SERVICES else SERVICES
    if fold(target) in map(fold, known_names(project, other)):
        raise ConfigError(misplaced(target, other))
    raise ConfigError(unknown(target, known_names(project, group)))


def _named(target: str, entries: Sequence[Entry], group: str, base: type[Any]) -> Entry | None:
    for entry in entries:
        if target == entry.use and entry.name is None:
            return entry
        if entry.name is not None and fold(target) == fold(entry.name):
            return entry
    for entry in entries:
        if ":" in target or entry.name is not None:
            continue
        try:
            name = name_of(entry, resolve(entry.use, group, base))
        except ConfigError:
            continue  # It is said when that one is to run.
        if fold(target) == fold(name):
            return entry
    return None


def make_instances(
    project: Project, services: Iterable[ServiceEntry], pages: Iterable[PageEntry]
) -> Instances:
    """Read the configuration of all, and construct them.

    :raises ConfigError: a target does not exist, a name is taken twice, or configuration is wrong.
    :raises SecretsUnavailable: the secrets could not be read for now.
    """
    served = [(entry, resolve(entry.use, SERVICES, SERVICE)) for entry in services]
    shown = [(entry, resolve(entry.use, PAGES, PAGE)) for entry in pages]
    names = [name_of(entry, cls) for entry, cls in served]
    names += [name_of(entry, cls) for entry, cls in shown]
    check_unique(names)
    for service, cls in served:
        check_init(cls, options_of(service))
    for page, cls in shown:
        check_init(cls, options_of(page))
    classes = [cls.config_class for _, cls in (*served, *shown)]
    warn_of_strays(project, os.environ, dict(zip(names, classes, strict=True)))
    # All at once: the secrets of all are then read by one process.
    loaded = load_all(list(zip(classes, names, strict=True)), project=project)
    given = iter(loaded)
    made = [make(cls, next(given), options_of(entry)) for entry, cls in served]
    paged = [(make(cls, next(given), options_of(entry)), entry) for entry, cls in shown]
    warn_of_feeds(project, [one.name for one in made], paged)
    return Instances(
        made,
        [ShownPage(page, entry.seconds) for page, entry in paged],
        {name: _from_secrets(one) for name, one in zip(names, loaded, strict=True)},
    )


def options_of(entry: ServiceEntry | PageEntry) -> dict[str, Any]:
    """What its class is called with, beside its configuration."""
    if isinstance(entry, PageEntry):
        return {"name": entry.name, "feeds": entry.feeds}
    return {"name": entry.name}


def check_init(cls: type[Any], options: Mapping[str, Any]) -> None:
    """Refuse a class that cannot be called so.

    :raises ConfigError: its ``__init__`` does not take what it is to be given.
    """
    names = ("config", *options)
    try:
        inspect.signature(cls).bind(**dict.fromkeys(names))
    except ValueError:  # it has none to look at
        return
    except TypeError:
        *most, last = (f"{name}=" for name in names)
    else:
        return
    raise ConfigError(
        f"{cls.__name__}: its __init__ must accept {', '.join(most)} and {last} and hand them to "
        "super().__init__(), and require nothing else"
    )


def make(cls: type[Any], loaded: Loaded[Config], options: Mapping[str, Any]) -> Any:
    """An instance.

    :raises ConfigError: its ``__init__`` refuses what it is given, or breaks.
    """
    try:
        made = cls(config=loaded.config, **options)
    except MatrixError:
        raise
    except Exception as error:  # a stranger's class may do anything, and hold values in it
        problem = f"{cls.__name__}: its __init__ raised {type(error).__name__}{raised_at(error)}"
        if isinstance(error, AttributeError) and not raised_at(error):  # it has none of its own
            problem = f"{cls.__name__}: {error}"  # the names of its attribute and its class
    else:
        made.remarks = loaded.remarks
        return made
    raise ConfigError(f"{problem}. Mend it")


def _from_secrets(loaded: Loaded[Config]) -> list[str]:
    """The fields of which at least a part came from there."""
    paths = [path for path, origin in loaded.origins.items() if origin.source == "secrets"]
    return list(dict.fromkeys(path.partition(".")[0] for path in paths))


def name_of(entry: ServiceEntry | PageEntry, cls: type[Any]) -> str:
    """Of the instance."""
    name: str = entry.name or cls.default_name().lower()
    return name
