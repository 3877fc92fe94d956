"""Paths into JSON: ``current.temperature``, ``items[0].value``, ``[-1]``, ``prices[*][1]``.

A path is the part of JSONPath (RFC 9535) that everybody guesses, with or without its ``$``:

    name        the value of that key; dots between keys
    ["a.b"]     the same for a key with a dot, a bracket or a space at an end; or for "$" itself
    [0] [-1]    an entry of a list, from its start or from its end
    [*]         every entry of a list: what follows is looked for in each, and a list comes of it

An empty path is the whole. Nothing is evaluated. Where JSONPath answers a wrong path with nothing,
we say how far it led and what is there.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, TypeAlias

from framework import Unavailable
from services.jsonkind import described


class Every(Enum):
    """The step into every entry of a list."""

    ENTRY = "*"


Step: TypeAlias = str | int | Every
"""Into an object, into a list, into all of a list."""
Path: TypeAlias = tuple[Step, ...]

_STEP = re.compile(
    r"""
    (?: ^ | \. ) (?P<key> [^.\[\]]+ )
    | \s* \[ \s*
      (?: (?P<index> -?[0-9]{1,9} ) | (?P<quoted> "(?: [^"\\] | \\. )*" ) | \* )
      \s* \] \s*
    """,
    re.VERBOSE,
)
_ROOT = re.compile(r"\s* \$ \s* (?= [.\[] | \Z )", re.VERBOSE)


def parse(text: str) -> Path:
    """The steps of a path.

    :raises ValueError: it is none; says from which character on, and nothing of it.
    """
    steps: list[Step] = []
    root = _ROOT.match(text)
    at = root.end() if root else 0
    while at < len(text):
        match = _STEP.match(text, at)
        try:
            if match is None:
                raise ValueError
            steps.append(_step(match))
        except ValueError:
            break
        at = match.end()
    else:
        return tuple(steps)
    raise ValueError(
        f"is no path from its character {at + 1} on: one reads current.temperature, "
        'items[0].value, items[-1], items[*].value or ["a key with a . in it"]'
    )


def _step(match: re.Match[str]) -> Step:
    key, index, quoted = match.group("key", "index", "quoted")
    if key is not None:
        if not key.strip():
            raise ValueError
        return key.strip()
    if index is not None:
        return int(index)
    return Every.ENTRY if quoted is None else str(json.loads(quoted))


def find(document: Any, path: Path) -> Any:
    """What is at ``path`` in a document that ``json`` has read.

    :raises Unavailable: nothing is; says how far it leads and what is there.
    """
    return _find(document, path, 0)


def _find(node: Any, path: Path, at: int) -> Any:
    for place, step in enumerate(path[at:], start=at):
        if isinstance(step, str):
            if not isinstance(node, dict) or step not in node:
                raise _lost(node, path, place)
            node = node[step]
        elif not isinstance(node, list):
            raise _lost(node, path, place)
        elif isinstance(step, int):
            if not -len(node) <= step < len(node):
                raise _lost(node, path, place)
            node = node[step]
        else:
            return [_find(entry, path, place + 1) for entry in node]
    return node


def _lost(node: Any, path: Path, at: int) -> Unavailable:
    there = described(node, path[at])
    return Unavailable(f"there is no {written(path[: at + 1])}: {named(path[:at])} is {there}")


def written(path: Path) -> str:
    """A path as one writes it."""
    text = ""
    for step in path:
        if isinstance(step, Every):
            text += "[*]"
        elif isinstance(step, int):
            text += f"[{step}]"
        elif re.search(r"[.\[\]]", step) or step in ("", "$") or step != step.strip():
            text += f"[{json.dumps(step)}]"
        else:
            text += f".{step}" if text else step
    return text


def named(path: Path) -> str:
    """What is at a path, as one speaks of it."""
    return written(path) or "the whole"
