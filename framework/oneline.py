"""A text of somebody else's as one line that can be shown anywhere."""

from __future__ import annotations


def one_line(text: str, *, longest: int) -> str:
    """The first ``longest`` characters of ``text``, without line ends and what cannot be
    printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:longest]).split())
