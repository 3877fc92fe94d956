"""How a long text is broken into lines."""

from __future__ import annotations

import textwrap

WIDTH = 80


def wrapped(text: str, head: str) -> str:
    """Under itself, after ``head``. A name is never broken: it may be wanted as it is."""
    return textwrap.fill(
        text,
        width=WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
