"""A name out of a few: how one is refused that is none of them, in the same words everywhere."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def check_choice(what: str, name: object, names: Collection[str]) -> None:
    """Refuse what is none of ``names``.

    :raises ValueError: it is none; the nearest is named, and all.
    """
    if name not in names:
        near = get_close_matches(str(name).lower(), names, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"there is no {what} {name!r}; the nearest is {near!r}, all are: {', '.join(names)}"
        )
