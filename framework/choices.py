"""A name out of a few: how one is refused that is none of them, in the same words everywhere."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def check_choice(what: str, name: object, names: Collection[str]) -> None:
    """Refuse what is none of ``names``.

    :raises ValueError: it is none; all are named, and which one is near.
    """
    if name not in names:
        near = get_close_matches(str(name).lower(), names, 1)
        nearest = f"the nearest is {near[0]!r}, " if near else ""
        raise ValueError(f"there is no {what} {name!r}; {nearest}all are: {', '.join(names)}")
