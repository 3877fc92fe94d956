"""What a value of JSON is, in JSON's words; never the value, which may be anybody's."""

from __future__ import annotations

import math
from difflib import get_close_matches
from itertools import islice
from typing import Any

SHOWN_KEYS = 5
SHOWN_CHARACTERS = 40
COMPARED_KEYS = 200
"""To compare one takes time: a reply may have a hundred thousand keys."""


def kind(value: Any) -> str:
    """What a value is, in JSON's words; never the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case float() if math.isnan(value):
            return "NaN"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"


def described(node: Any, wanted: object = "") -> str:
    """What a value is, and what it has: of an object the keys, those first that are the nearest to
    ``wanted``. Never the value."""
    if isinstance(node, list):
        return f"a list of {len(node)}"
    if not isinstance(node, dict):
        return kind(node)
    keys = [str(key)[:SHOWN_CHARACTERS] for key in islice(node, COMPARED_KEYS)]
    near = get_close_matches(str(wanted)[:SHOWN_CHARACTERS], keys, n=SHOWN_KEYS, cutoff=0.4)
    shown = list(dict.fromkeys([*near, *keys]))[:SHOWN_KEYS]
    if not shown:
        return "an object without keys"
    more = " and others" if len(node) > len(shown) else ""
    return f"an object with the keys {', '.join(map(repr, shown))}{more}"
