"""What the commands on secrets share: which sealed sources they are about, and what to print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from shlex import quote
from typing import Any

from framework.errors import ConfigError
from framework.project import FILE
from framework.secrets.place import Layout
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source

OPTIONS = {"namespace": "--namespace", "secret": "--name", "data_key": "--data-key"}
"""What says on the command line what a ``[[secrets.source]]`` says by these names."""
_IN_A_FILE = """[[secrets.source]]
kind = "file"
path = "secrets.sealed"
"""
_IN_KUBERNETES = """[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "{namespace}"
secret = "{secret}"
"""
_IN_VAULT = """
[secrets.vault]
address = "https://vault.example.org:8200"
key = "matrix"
# who logs in: for you, vault login and export VAULT_TOKEN_FILE=~/.vault-token; in pods, VAULT_ROLE
"""


def sealed_sources(
    settings: SecretsSettings,
    *,
    layout: Layout = "document",
    place: Mapping[str, str] | None = None,
) -> Sequence[Source]:
    """All there are, in order. ``layout`` and ``place`` (by the names of ``OPTIONS``): of the one
    that is proposed where there is none.

    :raises ConfigError: there is none.
    """
    sealed = [source for source in settings.sources if not source.plain]
    if sealed:
        return sealed
    if settings.path is None:
        where = f", and there is no {FILE} in this folder. Make one with these lines"
    else:
        where = f". Put these lines into {settings.path}"
    lines, vault = _IN_A_FILE, ""
    if place and place.keys() & {"namespace", "secret"}:
        names = {"namespace": "matrix", "secret": "matrix-secrets", **place}
        lines = _IN_KUBERNETES.format(**names)
        vault = _IN_VAULT if settings.vault is None else ""
    if layout == "fields":
        lines += 'layout = "fields"\n'
    raise ConfigError(f"no place for sealed secrets is named yet{where}:\n\n{lines}{vault}")


def sealed_source(
    settings: SecretsSettings,
    named: str | None,
    *,
    layout: Layout = "document",
    place: Mapping[str, str],
) -> Source:
    """The one that is called so, or the only one that fits ``place`` best, and then ``layout``,
    moved there if it is not there.

    :raises ConfigError: there is none, or which one is meant is not clear.
    """
    empty = [OPTIONS[name] for name, value in place.items() if not value]
    if empty:
        raise ConfigError(f"{empty[0]} is empty: say a name, or leave it out")
    by_name = {
        source.name: source for source in sealed_sources(settings, layout=layout, place=place)
    }
    among = list(by_name.values()) if named is None else [_called(named, by_name)]
    for name, value in place.items():
        among = [each for each in among if getattr(each, name, None) == value] or among
    among = [each for each in among if each.layout == layout] or among
    if len(among) > 1:
        raise ConfigError(f"there are several sources: say which, with {_options(among)}")
    return _moved(among[0], place, by_name)


def _called(named: str, by_name: Mapping[str, Source]) -> Source:
    found = by_name.get(named) or by_name.get(f"Secret {named}")
    if found is not None:
        return found
    near = get_close_matches(named, by_name, 1)
    meant = [by_name[name] for name in near] or by_name.values()
    hint = f"did you mean {_options(meant)}?"
    raise ConfigError(f"no [[secrets.source]] that is sealed is called {named}; {hint}")


def _moved(source: Source, place: Mapping[str, str], by_name: Mapping[str, Source]) -> Source:
    """One like ``source``, at ``place``."""
    foreign = [OPTIONS[name] for name in place if not hasattr(source, name)]
    if foreign:
        raise ConfigError(
            f"{source.name} is a file, and {foreign[0]} is of a Secret in Kubernetes: leave it "
            "out, or say with --source which Secret it is to be like"
        )
    changes: Mapping[str, Any] = place
    moved = replace(source, **changes)
    for name, what in moved.misfits(place.keys()):
        raise ConfigError(f"{OPTIONS.get(name, name)} {what}")
    if moved.name != source.name and moved.name in by_name:
        raise ConfigError(
            f"{moved.name} has a [[secrets.source]] of its own, which says how it is sealed: "
            f"{_options([moved])}"
        )
    return moved


def _options(sources: Iterable[Source]) -> str:
    """What names each on the command line."""
    return " or ".join(f"--source {quote(source.name)}" for source in sources)


def printable(text: str) -> str:
    """A text that may be a stranger's, safe for a terminal: what is no character is spelt out."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
