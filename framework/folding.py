"""When two names of instances are one. Apart, because it needs nothing."""

from __future__ import annotations


def fold(name: str) -> str:
    """What names of one instance have in common, however they are written."""
    return name.lower().replace("-", "_")
