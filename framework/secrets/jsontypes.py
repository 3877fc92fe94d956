"""What the ways of writing a document share: JSON's idea of a number, and how a mistake is told."""

from __future__ import annotations

import math


class Problem(ValueError):
    """What is wrong, on the way to where no exception that holds the text is around."""


def finite(digits: str) -> float:
    """A number as JSON knows them.

    :raises Problem: it is not finite.
    """
    number = float(digits)
    if not math.isfinite(number):
        raise Problem("holds a number that is not finite, which JSON does not know")
    return number
