"""Names in the secrets that nobody declared: most likely they are misspelt.

The child finds them, beside what ``prune`` keeps, and the service says them. Names are all that
leaves the child for this, and of what may well be somebody else's only those that are much like a
declared one. What does not look like a name never does: it may be a value in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from framework.folding import fold
from framework.secrets.prune import Tree

Stranger = tuple[str, str]
"""Section and name. No section: at the top level. No name: the section itself."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,50}")
_NEAR = 0.7


def strangers(document: Mapping[str, Any], tree: Tree, *, texts: bool = False) -> list[Stranger]:
    """All names in the sections of instances, and what is like something at the top level.

    ``texts``: as in ``prune``.
    """
    return [each for each in _found(document, tree, texts) if _NAME.fullmatch(each[1] or each[0])]


def _found(document: Mapping[str, Any], tree: Tree, texts: bool) -> Iterator[Stranger]:
    shared = _spelt(tree.shared, texts)
    for key, value in document.items():
        section = fold(key)
        if section in tree.own:
            known = _spelt(tree.own[section], texts)
            names = value if isinstance(value, dict) else ()
            yield from ((section, name) for name in names if name and name not in known)
        elif isinstance(value, dict):
            if nearest(key, tree.own):
                yield key, ""
        elif key not in shared and nearest(key, tree.shared):
            yield "", key


def _spelt(names: Iterable[str], texts: bool) -> set[str]:
    return {name.lower() if texts else name for name in names}


def nearest(name: str, names: Collection[str]) -> str | None:
    """What is most likely meant: not ``tide`` by ``tide_2`` or ``tidepage``, which go on."""
    for near in get_close_matches(fold(name), names, 1, _NEAR):
        shorter, longer = sorted((fold(name), near), key=len)
        if not (longer.startswith(shorter) and len(longer) > len(shorter) + 1):
            return near
    return None


def lines(
    where: str, found: Iterable[Stranger], tree: Tree, there: Collection[str]
) -> Iterator[str]:
    """What is said of those of the source that is called ``where``. ``there``: the sections that
    some source has: what is like one of these is another instance's."""
    names, takes = [], {}
    for section, name in found:
        if section and name:
            near = get_close_matches(name.lower(), tree.own[section], 1)
            names.append(f"{section}.{name}" + "".join(f" (did you mean {each}?)" for each in near))
            if not near:
                takes[section] = f"; {section} takes {', '.join(tree.own[section])}"
        elif name:
            near_field = nearest(name, tree.shared)
            yield f"{name} in {where} is read by no instance here: did you mean {near_field}?"
        elif (near_section := nearest(section, tree.own)) not in there:
            yield f"{section} in {where} belongs to no instance here: did you mean {near_section}?"
    if names:
        yield f"{where} has {', '.join(names)}, which nobody declared{''.join(takes.values())}"
