"""``matrix read``: what a service or a page would get, and from where, without being one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from framework.config import Config
from framework.config.declared import declared
from framework.config.loading import Loaded, load_all
from framework.config.names import check_unique
from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import PageEntry, Project, ServiceEntry
from framework.secrets.asked import Found, read_asked
from framework.secrets.fields import data_key_of
from framework.secrets.settings import SecretsSettings
from framework.targets import PAGES, SERVICES, available, resolve, unknown
from framework.tools.instances import (
    PAGE,
    SERVICE,
    check_init,
    known_names,
    named_page,
    named_service,
    options_of,
)
from framework.tools.options import LogLevelOption
from framework.tools.sealed import printable, sealed_sources
from framework.tools.warn import warn_of_strays

SET = "set"
"""All that is said of a value that is not shown: nothing that tells it from another."""

Entry = ServiceEntry | PageEntry
Row = tuple[str, ...]


def read(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A service or a page by its entry point (moon), as module:Class "
            "(tide:TideServer), or by its name in matrix.toml. Default: all that are there.",
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            metavar="NAME",
            help="Instead of a TARGET: a field of the secrets, as SECTION.FIELD or FIELD. "
            "May be repeated.",
        ),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the values, on a terminal alone.")
    ] = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Read what a service or a page would get, and say from where.

    Everything is read and validated as it does itself: the environment, the secrets, matrix.toml.
    If this succeeds, so does the start of the service, by whoever may read the same; if not, it
    says what the service would. No value is shown, only that it is set.

    With --field it reads from the secrets alone, and needs no class. No other name is decrypted
    than those asked for, where each is sealed by itself.

    \b
        matrix read
        matrix read tide:TideServer
        matrix read --field tide.token --field latitude
        matrix read tide --reveal

    \b
    Exit status:
        0   all of it can be read
        74  what there is to say cannot be written
        75  the secrets cannot be read now: try again
        78  something is missing, wrong or refused
    """
    configure_logging(log_level)
    if targets and names:
        raise typer.BadParameter("give TARGETs or --field, not both", param_hint="--field")
    if reveal and not sys.stdout.isatty():
        raise typer.BadParameter(
            "values are shown on a terminal alone, and this is none. Drop --reveal, or have the "
            "program that needs a value read it with SecretManager",
            param_hint="--reveal",
        )
    project = Project.find(os.environ, Path.cwd())
    if not names:
        _read_instances(project, targets or [], reveal)
    elif missing := _read_fields(project, names, reveal):
        raise ConfigError("\n".join(missing))


# --------------------------------------------------------------------------- of services and pages


def _read_instances(project: Project, targets: Sequence[str], reveal: bool) -> None:
    chosen = _chosen(project, targets)
    if not chosen:
        raise ConfigError(
            "nothing to read: name a TARGET (matrix list shows them) or a --field, or add "
            "[[service]] or [[page]] entries to matrix.toml"
        )
    check_unique(name for _, name in chosen)
    warn_of_strays(project, os.environ, {name: cls.config_class for cls, name in chosen})
    loaded = load_all([(cls.config_class, name) for cls, name in chosen], project=project)
    for (cls, name), one in zip(chosen, loaded, strict=True):
        typer.echo(f"{name} ({cls.__name__})")
        _print_table([("field", "type", "from", "value"), *_rows(one, reveal)], indent="  ")
        for remark in one.remarks:
            typer.echo(f"  {remark}")
        typer.echo()


def _chosen(project: Project, targets: Sequence[str]) -> list[tuple[type[Any], str]]:
    """Class and name of each instance that is meant."""
    entries = [entry for target in targets for entry in _meant(project, target)]
    chosen = []
    for entry in entries if targets else _entries(project):
        group, base = (SERVICES, SERVICE) if isinstance(entry, ServiceEntry) else (PAGES, PAGE)
        cls = resolve(entry.use, group, base)
        check_init(cls, options_of(entry))
        chosen.append((cls, (entry.name or cls.default_name()).lower()))
    return chosen


def _entries(project: Project) -> list[Entry]:
    return [*project.services, *project.pages]


def _meant(project: Project, target: str) -> list[Entry]:
    """The entries that are called so, else what can be used so: a service and a page may both."""
    if not target:
        raise ConfigError("a TARGET is empty: name a service or a page (matrix list shows them)")
    named = (named_service(project, target), named_page(project, target))
    if there := [entry for entry in named if entry is not None]:
        return there
    if ":" in target:
        found: type[Any] = resolve(target, SERVICES, object)
        is_service, is_page = issubclass(found, SERVICE), issubclass(found, PAGE)
        if not (is_service or is_page):
            raise ConfigError(f"{target} is neither a service nor a page. Name a class that is one")
    else:
        is_service, is_page = (
            any(each.name == target for each in available(group)) for group in (SERVICES, PAGES)
        )
        if not (is_service or is_page):
            raise ConfigError(unknown(target, known_names(project, SERVICES, PAGES)))
    usable = (is_service, ServiceEntry(use=target)), (is_page, PageEntry(use=target))
    return [entry for fits, entry in usable if fits]


def _rows(loaded: Loaded[Config], reveal: bool) -> Iterator[Row]:
    """One for each field; one more for each further place that a part of it came from."""
    for each in declared(type(loaded.config)):
        origins = [
            origin for path, origin in loaded.origins.items() if path.partition(".")[0] == each.name
        ]
        if reveal:
            value = _revealed(getattr(loaded.config, each.name))
        else:
            value = SET if any(origin.source != "default" for origin in origins) else ""
        first, *others = dict.fromkeys(map(str, origins)) or ["default"]  # an empty model has none
        yield each.name, each.type_text, first, value
        for other in others:
            yield "", "", other, ""


# ----------------------------------------------------------------------------- of the secrets alone


def _read_fields(project: Project, names: Sequence[str], reveal: bool) -> list[str]:
    """Sentences about those that are nowhere: who raises them must not hold values."""
    data_keys = dict.fromkeys(data_key_of(*name.split(".")) for name in names)
    settings = SecretsSettings.of(project)
    if not settings.sources:
        sealed_sources(settings)  # says how to have one
    found = read_asked(settings, list(data_keys))
    rows = [(one.name, one.where or "nowhere", _value(one, reveal)) for one in found]
    _print_table([("field", "from", "value"), *rows])
    there = ", ".join(source.name for source in settings.sources)
    return [_missing(one, there) for one in found if one.where is None]


def _value(one: Found, reveal: bool) -> str:
    if one.where is None:
        return ""
    return _revealed(one.value) if reveal else SET


def _missing(one: Found, there: str) -> str:
    hint = (
        "check the name (SECTION.FIELD, or FIELD if it is shared), or seal it with matrix encrypt"
    )
    return f"{one.name} is not in {there}: {f'did you mean {one.near}?' if one.near else hint}"


# ---------------------------------------------------------------------------------- how it is shown


def _print_table(rows: Sequence[Row], indent: str = "") -> None:
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(size) for cell, size in zip(row, sizes, strict=True))
        typer.echo(indent + printable("  ".join(cells).rstrip()))


def _revealed(value: object) -> str:
    """As JSON, secrets in clear: where a text begins and ends can be seen."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return _plain(value.get_secret_value())
    if isinstance(value, BaseModel):
        return _plain(dict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str | int | float | None) else str(value)
