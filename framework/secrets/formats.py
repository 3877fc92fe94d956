"""From the text of a document to a mapping of JSON's types, in five ways of writing one.

Strict where a mistake would go unseen: a key given twice, a number that is none, a tag, an anchor.
No error quotes the text; it says where in it. What the names mean is left to ``prune``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from datetime import date, time
from io import StringIO
from typing import Any, Literal

from framework.errors import MatrixError
from framework.secrets.jsontypes import Problem, finite

Format = Literal["json", "yaml", "toml", "env", "text"]

OF_TEXTS: frozenset[Format] = frozenset({"env", "text"})
"""Those that know no types: all is text, and what is more must be JSON in it."""


class Malformed(MatrixError):
    """The text is not what it should be: "is not JSON, at line 3, column 7"."""


def parse(text: str, kind: Format, *, field: str | None = None) -> dict[str, Any]:
    """What a document says. ``field`` is what plain text fills.

    :raises Malformed: without any of the text.
    """
    outcome = _attempt(text, kind, field)
    del text  # a traceback keeps the locals of this frame
    if isinstance(outcome, dict):
        return outcome
    raise Malformed(outcome)


def parse_json(text: str) -> Any:
    """Any JSON, or a ``ValueError`` that must not be shown."""
    return json.loads(
        text, object_pairs_hook=_pairs, parse_constant=_refuse_constant, parse_float=finite
    )


def _attempt(text: str, kind: Format, field: str | None) -> dict[str, Any] | str:
    """The mapping, or what is wrong as data."""
    try:
        value = _read(text, kind, field)
        _refuse_halves(value)
    except Problem as problem:
        return str(problem)
    except json.JSONDecodeError as error:
        return f"is not JSON, at line {error.lineno}, column {error.colno}"
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (line \d+, column \d+|end of document)\)$", str(error))
        return f"is not TOML, at {found[1] if found else 'some line'}"
    except RecursionError:
        return "is nested too deeply to be read"
    except ValueError:  # int() of thousands of digits
        return "holds a number that is too long to be read"
    return value if isinstance(value, dict) else "must be a mapping of names to values"


def _read(text: str, kind: Format, field: str | None) -> Any:
    if kind == "json":
        return parse_json(text)
    if kind == "yaml":
        from framework.secrets import yaml_core  # PyYAML, which other formats do not pay for

        return yaml_core.parse(text)
    if kind == "toml":
        return _toml(tomllib.loads(text, parse_float=finite))
    if kind == "env":
        return _env(text)
    return _nested((field or "").split("."), as_field(text))


_HALF = re.compile(r"[\ud800-\udfff]")


def _refuse_halves(value: Any) -> None:
    """What JSON and YAML can write as an escape, and UTF-8 cannot at all."""
    if isinstance(value, str) and _HALF.search(value):
        raise Problem("holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_halves(key)
            _refuse_halves(inner)
    if isinstance(value, list):
        for inner in value:
            _refuse_halves(inner)


def as_field(text: str) -> str:
    """A text as the value of a field: editors end a file with a line break, which is no part."""
    return text.removesuffix("\n").removesuffix("\r")


def _nested(names: Iterable[str], value: object) -> dict[str, Any]:
    first, *rest = names
    return {first: _nested(rest, value) if rest else value}


# ------------------------------------------------------------------------------------------- JSON


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise Problem("names a key twice in one object")
    return table


def _refuse_constant(_: str) -> object:
    raise Problem("holds NaN or Infinity, which JSON does not know")


# ------------------------------------------------------------------------------------------- TOML


def _toml(value: Any) -> Any:
    """Dates and times as the text that pydantic reads: JSON has none."""
    if isinstance(value, dict):
        return {key: _toml(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_toml(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | time) else value


# ------------------------------------------------------------------------------------------- .env


def _env(text: str) -> dict[str, Any]:
    """``TIDE__TOKEN=...`` is ``tide.token``. Quotes and comments as in a shell, ``$`` as it is."""
    from dotenv.parser import parse_stream

    table: dict[str, Any] = {}
    for binding in parse_stream(StringIO(text)):
        at = f"line {binding.original.line}"
        if binding.error or (binding.key is not None and binding.value is None):
            raise Problem(f"is not KEY=value, at {at}")
        if binding.key is not None:
            _set(table, binding.key.lower().split("__"), binding.value, at)
    return table


def _set(table: dict[str, Any], names: list[str], value: object, at: str) -> None:
    *outer, last = names
    if not all(names):
        raise Problem(f"has a key with nothing before or after __, at {at}")
    for name in outer:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise Problem(f"gives a value both as a whole and in parts, at {at}")
    if last in table:
        raise Problem(f"names a key twice, or a value both as a whole and in parts, at {at}")
    table[last] = value
