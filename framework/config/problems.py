"""What is said of a configuration that cannot be: one line for each problem, never a value.

A line names class, section, field, type, what is wrong, and where it can be set right. Finding the
problems is left to ``gathering`` and to pydantic.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from framework.config.declared import Declared, declared
from framework.config.model import OWN_ERRORS, Config
from framework.config.sources import Origin
from framework.folding import fold

_WORDS = {
    "missing": "is missing",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "is none of these",
    "enum": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "string_type": "must be text, in quotes",
    "value_error": "is refused by the class's own check",
    "assertion_error": "is refused by the class's own check",
}
"""By pydantic's types of errors; the braces hold what the class says, never what was given."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Whose configuration it is."""

    cls: type[Config]
    name: str
    table_path: str
    """What the file is called that ``[config]`` stands in."""

    def __str__(self) -> str:
        return f"{self.cls.__name__} [{self.name}]"

    @property
    def prefix(self) -> str:
        """What its variables in the environment begin with."""
        return f"MATRIX_{fold(self.name).upper()}__"

    def table_place(self, section: Sequence[str], keys: Sequence[str]) -> str:
        """``[config.tide] station in matrix.toml``."""
        *tables, key = ("config", *section, *keys)
        return f"[{'.'.join(tables)}] {key} in {self.table_path}"

    def problem(
        self, path: Sequence[Declared], what: str, *, where: str = "", remedy: str = ""
    ) -> str:
        """A line about one field, or about a field of the model in it. ``where``: what gave the
        value, which counts more than all other places. ``remedy``: how it is set right there, if
        not as anywhere."""
        names, kind = ".".join(each.name for each in path), path[-1].type_text
        if where:
            what, remedy = f"{what}, from {where}", remedy or "correct it there"
        return f"{self} {names} ({kind}): {what}; {remedy or f'set {self._places(path)}'}"

    def unknown(self, key: str, where: str, fields: Iterable[Declared]) -> str:
        """A line about a name that nobody declared; it is shown only if it looks like one."""
        shown = (
            repr(key) if re.fullmatch(r"[A-Za-z][\w-]{0,50}", key) else "something that is no name"
        )
        known = [name for each in fields for name in each.keys]
        near = get_close_matches(key.lower(), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        return f"{self}: no field is called {shown}, in {where}; {hint}"

    def refused(self, error: ErrorDetails, origins: Mapping[str, Origin]) -> str:
        """A line about one error of pydantic, whose message and location may hold values."""
        path = _declared_part(declared(self.cls), error["loc"])
        what = _in_words(error, path)
        if not path:
            return f"{self}: {what}"
        names = ".".join(each.name for each in path)
        origin = origins.get(names) or origins.get(path[0].name)
        if origin is None or origin.source == "default":
            return self.problem(path, what)
        return self.problem(path, what, where=str(origin), remedy=origin.remedy)

    def _places(self, path: Sequence[Declared]) -> str:
        """Where a field can be set."""
        keys = [each.key for each in path]
        shared = path[0].shared
        section = [] if shared else [self.name]
        variable = ("MATRIX_" if shared else self.prefix) + "__".join(keys).upper()
        if path[-1].secret and path[-1].model is None:
            return f"{variable}, or {'.'.join([*section, *keys])} in the secrets"
        return f"{variable}, or {self.table_place(section, keys)}"


def _declared_part(fields: Iterable[Declared], loc: Sequence[int | str]) -> tuple[Declared, ...]:
    """As much of a location as consists of declared names: what follows may be anything."""
    path: list[Declared] = []
    for part in loc:
        owner = next((each for each in fields if part in each.keys), None)
        if owner is None:
            break
        path.append(owner)
        fields = declared(owner.model) if owner.model else ()
    return tuple(path)


def _in_words(error: ErrorDetails, path: Sequence[Declared]) -> str:
    kind, whole = error["type"], len(path) == len(error["loc"])
    if kind in OWN_ERRORS:
        return error["msg"]
    if whole and kind in _WORDS:
        context = defaultdict(lambda: "what its class says", error.get("ctx", {}))
        return _WORDS[kind].format_map(context)
    if path:
        return f"is not a valid {path[-1].type_text}"
    return "does not fit together" if whole else "is not declared"
