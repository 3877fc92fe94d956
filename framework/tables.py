"""The tables of a TOML file that users write: nothing in one is ignored, and what is wrong is said.

Which tables there are, and what they mean, is left to who reads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

Location = tuple[int | str, ...]
"""The keys and indices that lead to something in the file."""

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_WORDS = {
    "missing": "is missing",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_type": "must be text, in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "finite_number": "must be a finite number",
    "tuple_type": "must be written as [[{name}]]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "dataclass_type": "must be a table",
}


class Table(BaseModel):
    """A table of the file: nothing in it is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def in_words(
    path: Path,
    error: ValidationError,
    names: Callable[[Location], Iterable[str]],
    within: Location = (),
    words: Mapping[str, str] = {},
) -> list[str]:
    """A line for each problem of what stands ``within`` the file. No value is shown.

    ``names``: what may stand in the table that the last part of a location is in. ``words``: for
    kinds of problems that other files do not have.
    """
    lines = []
    for each in error.errors(include_url=False, include_input=False):
        loc, kind = (*within, *each["loc"]), each["type"]
        name = str(loc[-1])
        if kind == "default_factory_not_called":  # what it is made of has its own problem
            continue
        if kind in _UNKNOWN:
            known = list(names(loc))
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            lines.append(f"{path}: nothing is called {at(loc)}; {hint}")
        else:
            what = {**_WORDS, **words}.get(kind, "is not valid")
            what = what.format_map({"name": at(loc), **each.get("ctx", {})})
            lines.append(f"{path}: {at(loc)} {what}")
    return list(dict.fromkeys(lines))


def at(loc: Location) -> str:
    """A location as one says it, counted from one: ``page 1.use``."""
    return "".join(f" {part + 1}" if isinstance(part, int) else f".{part}" for part in loc)[1:]
