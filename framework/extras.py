"""Libraries that not everybody needs: which extra of this distribution has each, and what is said
where one is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from framework.errors import ConfigError

DISTRIBUTION = "matrix-framework"
EXTRA_OF: Mapping[str, str] = {
    "PIL": "panel",
    "ephem": "services",
    "psutil": "services",
    "starlette": "panel",
    "tomlkit": "panel",
    "uvicorn": "panel",
    "websockets": "panel",
}
"""By the name that is imported."""


@contextmanager
def needed_by(who: str, extra: str | None = None) -> Iterator[None]:
    """Around what imports them. ``extra``: the one that has all that ``who`` needs, if others have
    only a part.

    :raises ConfigError: one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        problem = lacking(who, error, extra)
        if problem is None:
            raise
        raise ConfigError(problem) from None


def lacking(who: str, error: ModuleNotFoundError, extra: str | None = None) -> str | None:
    """What is said of it; None: it is none of these that is missing."""
    top = (error.name or "").partition(".")[0]
    if top not in EXTRA_OF:
        return None
    return f"{who} needs {top}: pip install '{DISTRIBUTION}[{extra or EXTRA_OF[top]}]'"
