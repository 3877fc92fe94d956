"""What the commands on secrets share: which sealed sources they are about, and what to print."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from framework.errors import ConfigError
from framework.project import FILE
from framework.secrets.place import Layout
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source


def sealed_sources(settings: SecretsSettings, *, layout: Layout = "document") -> Sequence[Source]:
    """All there are, in order. ``layout``: of the one that is proposed where there is none.

    :raises ConfigError: there is none.
    """
    sealed = [source for source in settings.sources if not source.plain]
    if sealed:
        return sealed
    if settings.path is None:
        where = f", and there is no {FILE} in this folder. Make one with these lines"
    else:
        where = f". Put these lines into {settings.path}"
    lines = '[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\n'
    if layout == "fields":
        lines += 'layout = "fields"\n'
    raise ConfigError(f"no place for sealed secrets is named yet{where}:\n\n{lines}")


def sealed_source(
    settings: SecretsSettings, named: str | None, *, layout: Layout = "document"
) -> Source:
    """The one that is called so, or the only one there is; ``layout`` as above.

    :raises ConfigError: there is none, or which one is meant is not clear.
    """
    by_name = {source.name: source for source in sealed_sources(settings, layout=layout)}
    there = ", ".join(by_name)
    if named in by_name:
        return by_name[named]
    if named is not None:
        near = get_close_matches(named, by_name, 1)
        hint = f"did you mean {near[0]}?" if near else f"there is {there}"
        raise ConfigError(f"no [[secrets.source]] that is sealed is called {named}; {hint}")
    if len(by_name) > 1:
        raise ConfigError(f"there are several sources: say which with --source: {there}")
    return next(iter(by_name.values()))


def printable(text: str) -> str:
    """A text that may be a stranger's, safe for a terminal: what is no character is spelt out."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
