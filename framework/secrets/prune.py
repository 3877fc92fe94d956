"""Keep what is declared, drop the rest: what the child does before anything leaves it.

A ``Node`` says what may stand in a place, in JSON's types, so that it travels; ``tree`` makes them
from classes. This module imports none of those classes, nor pydantic:

- ``{}``: a scalar; a container that stands there is emptied, but stays a container, so that the
  class refuses it as it would have;
- ``{"fields": {key: Node}}``: a mapping with these keys; with ``"strict": True`` one with others
  is refused by its class, so something undeclared is left in the place of them;
- ``{"values": Node}``, ``{"items": Node}``: a mapping of any keys; a list;
- ``{"all": True}``: whatever there is, because something may want to look at all of it.

A node that says several of these allows each of them. A scalar may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framework.folding import fold
from framework.secrets.formats import parse_json

Node = dict[str, Any]
UNDECLARED = "(undeclared)"


@dataclass(frozen=True, slots=True)
class Tree:
    """What the instances of one process declare together."""

    own: Mapping[str, Mapping[str, Node]]
    """By the folded name of an instance, its fields by key."""
    shared: Mapping[str, Node]
    """What is looked for at the top level too."""


def prune(document: Mapping[str, Any], tree: Tree, *, texts: bool = False) -> dict[str, Any]:
    """What of a document is declared. Its class finds in that exactly what it finds in all of it.

    ``texts``: the document knows no types and no upper case: a text is JSON where more than a
    scalar is declared, and keys are declared ones in lower case.
    """
    kept: dict[str, Any] = {}
    shared = _spelt(tree.shared, texts)
    for key, value in document.items():
        fields = tree.own.get(fold(key))
        if fields is not None and isinstance(value, dict):
            kept[key] = _fields(value, fields, texts)
        elif key in shared:
            name, node = shared[key]
            # At the top level a mapping is always a section, if not of an instance in this process.
            kept[name] = {} if isinstance(value, dict) else keep(value, node, texts=texts)
        elif fields is not None:
            kept[key] = None  # no section, as it is to be said of it
    return kept


def keep(value: Any, node: Node, *, texts: bool = False) -> Any:
    """What of one value is declared."""
    if texts and isinstance(value, str):
        value, texts = _decoded(value, node), False
    if "all" in node:
        return value
    if isinstance(value, list):
        return [keep(each, node["items"]) for each in value] if "items" in node else []
    if not isinstance(value, dict):
        return value
    kept = _fields(value, node.get("fields", {}), texts, others=node.get("values"))
    if node.get("strict") and len(kept) < len(value):
        kept[UNDECLARED] = None
    return kept


def _fields(
    given: dict[str, Any],
    fields: Mapping[str, Node],
    texts: bool,
    *,
    others: Node | None = None,
) -> dict[str, Any]:
    spelt = _spelt(fields, texts)
    kept: dict[str, Any] = {}
    for key, value in given.items():
        name, node = spelt.get(key, (key, others))
        if node is not None:
            kept[name] = keep(value, node, texts=texts)
    return kept


def _spelt(fields: Mapping[str, Node], texts: bool) -> dict[str, tuple[str, Node]]:
    """Key and node by how the document writes the key."""
    return {(key.lower() if texts else key): (key, node) for key, node in fields.items()}


def _decoded(text: str, node: Node) -> Any:
    if node:
        try:
            value = parse_json(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(value, dict | list):
            return value
    return text
