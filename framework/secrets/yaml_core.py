"""YAML with JSON's types alone, by the core schema of YAML 1.2; for ``formats``.

No tags, no anchors, no second document: what a document says is what one reads in it. PyYAML's own
loaders follow YAML 1.1, where ``no`` is false, ``12:30`` is 750 and ``2026-01-01`` is a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from yaml import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from framework.secrets.jsontypes import Problem, finite

_PLAIN: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = tuple(
    (re.compile(pattern), value_of)
    for pattern, value_of in (
        (r"~|null|Null|NULL|", lambda _: None),
        (r"true|True|TRUE", lambda _: True),
        (r"false|False|FALSE", lambda _: False),
        (r"[-+]?[0-9]+", int),
        (r"0o[0-7]+|0x[0-9a-fA-F]+", lambda digits: int(digits, 0)),
        (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", finite),
        (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", lambda _: finite("nan")),
    )
)
"""What has no quotes and is no text. All else is: ``no``, ``12:30``, ``2026-01-01``."""


def parse(text: str) -> Any:
    """What a document says.

    :raises Problem: what is wrong, and where, without any of the text.
    """
    try:
        return _document(yaml.parse(text, Loader=yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        problem = f"is not YAML{_at(error.problem_mark or error.context_mark)}"
    except yaml.YAMLError:
        problem = "holds a character that YAML does not allow"
    raise Problem(problem)


def _document(events: Iterator[Event]) -> Any:
    """Taken one by one: what is nested too deeply is not parsed to its end."""
    value = None
    documents = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Problem(f"begins a second document{_at(event.start_mark)}; there must be one")
            value = _value(next(events), events)
    return value


def _value(event: Event, rest: Iterator[Event]) -> Any:
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
        raise Problem(f"has an anchor or an alias{_at(event.start_mark)}; write the value out")
    if getattr(event, "tag", None) is not None:
        raise Problem(f"has a tag{_at(event.start_mark)}; JSON's types are all there are")
    if isinstance(event, ScalarEvent):
        return _scalar(event)
    if isinstance(event, SequenceStartEvent):
        return _items(rest)
    return _mapping(rest)


def _scalar(event: ScalarEvent) -> object:
    if event.implicit[0]:  # it has no quotes
        for pattern, value_of in _PLAIN:
            if pattern.fullmatch(event.value):
                return value_of(event.value)
    return event.value


def _items(rest: Iterator[Event]) -> list[Any]:
    items = []
    while not isinstance(event := next(rest), SequenceEndEvent):
        items.append(_value(event, rest))
    return items


def _mapping(rest: Iterator[Event]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    while not isinstance(event := next(rest), MappingEndEvent):
        key = _value(event, rest)
        if not isinstance(key, str):
            raise Problem(f"has a key that is no text{_at(event.start_mark)}; put it in quotes")
        if key in table:
            raise Problem(f"names a key twice{_at(event.start_mark)}")
        table[key] = _value(next(rest), rest)
    return table


def _at(mark: Any) -> str:
    return f", at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
