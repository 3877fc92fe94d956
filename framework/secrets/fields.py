"""From a document to sealed fields: which data keys there are, and what each one holds.

The way back is the reader's: ``reader`` and ``prune``. What a name means is left to the classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from framework.errors import ConfigError
from framework.folding import fold
from framework.secrets.formats import as_field

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def data_key_of(*names: str) -> str:
    """The data key of a field: ``("tide", "token")`` is ``tide.token``, ``("latitude",)`` itself.

    :raises ConfigError: it cannot be the name of one.
    """
    *section, name = names
    if len(names) > 2 or not all(map(_NAME.fullmatch, names)):
        raise ConfigError(
            "a sealed field is called SECTION.FIELD, or FIELD if it is a shared one, of letters, "
            "digits, _ and -: tide.token, latitude"
        )
    return ".".join([*map(fold, section), name])


def fields_of(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Every field of a document by its data key. A nested model is one field, as JSON.

    :raises ConfigError: a name that is none, two for one, or no value. Nothing is quoted that may
        be a value in the wrong place.
    """
    fields: dict[str, bytes] = {}
    for names, value in _fields(document):
        data_key = data_key_of(*names)
        if data_key in fields:
            raise ConfigError(f"it has {data_key} twice, written in two ways: give one value")
        if value is None:
            raise ConfigError(f"{data_key} has no value (null): give it one, or leave it out")
        fields[data_key] = content_of(value)
    return fields


def names_of(document: Mapping[str, Any]) -> tuple[list[str], int]:
    """What a document has, as data keys would be called, and how much more: what is no name may be
    a value in the wrong place."""
    all_names = [names for names, _ in _fields(document)]
    known = [".".join(names) for names in all_names if all(map(_NAME.fullmatch, names))]
    return known, len(all_names) - len(known)


def content_of(value: object) -> bytes:
    """What is sealed for the value of a field: a text as it is, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # A reader takes a last line break for an editor's: one that is meant needs another behind it.
    return (text if as_field(text) == text else text + "\r\n").encode()


def _fields(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from (((name, inner), each) for inner, each in value.items())
        else:
            yield (name,), value
