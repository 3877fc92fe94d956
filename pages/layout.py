"""What pages agree on about where things go."""

from __future__ import annotations

from framework import Canvas

LOWEST = 20
"""Of a canvas that has room for more than one line of text, in dots."""


def is_double(canvas: Canvas) -> bool:
    """Whether there is room for another page's worth beside what a page always shows."""
    return canvas.width >= 4 * canvas.height and canvas.height >= LOWEST
