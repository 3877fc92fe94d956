"""A series of numbers on a row of dots, of which there may be far fewer; None is a gap.

Where on the panel it goes, and in which colour, is ``canvas``'s to say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice


def without_gaps(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def by_dot(values: Sequence[float | None], width: int) -> Iterator[Sequence[float | None]]:
    """Those that each dot of a row stands for, which they span from edge to edge."""
    last = max(1, len(values) - 1)
    rest, begin = iter(values), 0
    for x in range(width):
        end = bisect_left(
            range(len(values)), x + 1, key=lambda place: round(place * (width - 1) / last)
        )
        yield [*islice(rest, end - begin)]
        begin = end


def outline(values: Sequence[float | None]) -> Sequence[float | None]:
    """Of those that share a dot, however many, four at most: the same line goes through them."""
    if len(values) <= 4:
        return values
    there = without_gaps(values)
    return [there[0], min(there), max(there), there[-1]] if there else [None]


def runs(points: Sequence[tuple[int, int] | None]) -> list[list[tuple[int, int]]]:
    """The stretches between the gaps."""
    found: list[list[tuple[int, int]]] = [[]]
    for point in points:
        if point is not None:
            found[-1].append(point)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]
