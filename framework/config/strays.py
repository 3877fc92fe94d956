"""Names in ``[config]`` and in the environment that nobody answers to: most likely misspelt.

Responsible for finding them, and for what is said of them: names, never values. What the section of
an instance holds is judged in ``gathering``, when that instance is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from operator import eq

from framework.config.declared import Declared, declared
from framework.config.model import Place
from framework.folding import fold

Fields = Sequence[Declared]

_PREFIX = "MATRIX_"
_OWN = ("toml", "log_format", "health_port")
"""Variables that are no field's: the file, the form of logs, the port of ``[health]``."""
_NEAR = 0.6
"""How much a name is like the one that is meant, at least: from 0 to 1."""
_NEARER = 0.7
"""The same in the environment, where others may have variables that begin like ours."""


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a name may belong to."""

    fields: Mapping[str, Fields | None]
    """By the name of each instance; None: its class could not be looked at."""
    possible: frozenset[str] = frozenset()
    """What other instances may be called, folded: their classes could not be looked at either."""
    everyone: bool = True
    """Whether there is nobody else, as far as can be known: else no section is a stray."""

    @property
    def sections(self) -> dict[str, str]:
        """The names of the instances, by what they fold to."""
        return {fold(name): name for name in self.fields}

    @property
    def complete(self) -> bool:
        """Whether every field is known that there can be."""
        return self.everyone and not self.possible and None not in self.fields.values()

    def keys(self, name: str, *, shared: bool = False) -> list[str]:
        """What the fields of an instance answer to."""
        return _keys(self.fields[name] or (), shared=shared)

    def shared(self) -> list[str]:
        """What all fields answer to that are looked for at the top level."""
        keys = _keys(declared(Place), shared=True)
        for name in self.fields:
            keys += self.keys(name, shared=True)
        return list(dict.fromkeys(keys))


def strays(
    table: Mapping[str, object], path: str, environ: Iterable[str], known: Known
) -> Iterator[str]:
    """A line for each stray of ``[config]``, which stands in ``path``, and of the environment."""
    for key, value in table.items():
        if fold(key) in known.sections.keys() | known.possible:
            continue
        if isinstance(value, Mapping):
            if known.everyone:
                near = _hint(_nearest(fold(key), known.sections), known.sections)
                yield f"[config.{key}] of {path} belongs to no service or page here: {near}"
        elif key not in known.shared() and (hint := _hint_for_field(key, known)):
            yield f"[config] {key} of {path} is read by no service or page here: {hint}"
    for variable in sorted(environ):
        if variable.upper().startswith(_PREFIX):
            meant = _meant(variable.upper().removeprefix(_PREFIX).lower(), known)
            if meant is not None and variable != (meant := f"{_PREFIX}{meant.upper()}"):
                yield (
                    f"environment {variable} is read by no service or page here: "
                    f"did you mean {meant}?"
                )


def _hint(near: str | None, known: Mapping[str, str]) -> str:
    if near is not None:
        return f"did you mean {known[near]}?"
    return f"there are {', '.join(known.values())}"


def _hint_for_field(key: str, known: Known) -> str | None:
    """What may be meant at the top level; None: it may be a field of somebody who is not known."""
    owner = next((name for name in known.fields if key in known.keys(name)), None)
    if owner is not None and known.everyone:
        return f"did you mean it in [config.{owner}]?"
    shared = {each: each for each in known.shared()}
    near = _nearest(fold(key), shared)
    return _hint(near, shared) if near is not None or known.complete else None


def _meant(variable: str, known: Known) -> str | None:
    """The variable that is meant, all without prefix and in lower case; the same if it is one of
    ours; None: it is like none of ours."""
    shared = [key.lower() for key in (*known.shared(), *_OWN)]
    sections = sorted(known.sections, key=len, reverse=True)  # tide_2 before tide
    if variable in shared or any(variable.startswith(f"{section}__") for section in sections):
        return variable
    written, mark, key = variable.partition("__")
    if mark and (written in known.possible or not known.everyone):
        return None
    if mark:
        section = _nearest(written, sections, least=_NEARER)
    else:
        section = next((each for each in sections if variable.startswith(f"{each}_")), None)
        key = variable.removeprefix(f"{section}_")
    if section is None:
        return None if mark else _nearest(variable, shared, least=_NEARER)
    keys = [each.lower() for each in known.keys(known.sections[section])]
    return f"{section}__{_nearest(key, keys, least=_NEARER) or key}"


def _nearest(text: str, among: Collection[str], *, least: float = _NEAR) -> str | None:
    """The one most like ``text``; of equals the one that begins most like it, then the first."""

    def likeness(each: str) -> tuple[float, list[bool]]:
        return SequenceMatcher(None, each, text).ratio(), [*map(eq, each, text)]

    near = get_close_matches(text, among, len(among) or 1, least)
    return max(sorted(near), key=likeness, default=None)


def _keys(fields: Fields, *, shared: bool) -> list[str]:
    return [key for each in fields if each.shared or not shared for key in each.keys]
