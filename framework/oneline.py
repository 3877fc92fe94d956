"""A text of somebody else's as one line that can be shown anywhere."""

from __future__ import annotations


def one_line(text: str, *, longest: int) -> str:
    """``text`` without line ends and what cannot be printed, cut to ``longest`` characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]
