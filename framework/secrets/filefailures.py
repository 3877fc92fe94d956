"""What it means to a store or a transit that one of its files cannot be used, in words.

Pure: whether that may pass, and what to do about it, is ``durable``'s knowledge.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TypeVar

from framework import durable
from framework.errors import MatrixError
from framework.secrets.store import StoreRefused, StoreUnavailable
from framework.secrets.transit import TransitRefused, TransitUnavailable

R = TypeVar("R", bound=MatrixError)
U = TypeVar("U", bound=MatrixError)


def _failure(
    file: Path | str, done: str, error: OSError, *, refused: type[R], unavailable: type[U]
) -> R | U:
    kind: type[R] | type[U] = refused if durable.is_lasting(error) else unavailable
    return kind(f"{file} cannot be {done}: {durable.in_words(error)}")


store_failure = partial(_failure, refused=StoreRefused, unavailable=StoreUnavailable)
transit_failure = partial(_failure, refused=TransitRefused, unavailable=TransitUnavailable)
