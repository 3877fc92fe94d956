"""How old something is, in words: on a page, and in what the framework draws over it."""

from __future__ import annotations

from datetime import timedelta


def age_words(delta: timedelta) -> str:
    """An age as people say it: "40 s", "12 min", "2 h", "3 d". Never more than it is."""
    seconds = max(0, int(delta.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} d"
