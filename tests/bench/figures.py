"""What a bench returns, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


class NotMeasured(Exception):
    """What a bench needs and this machine does not have, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it should be. A target is looked at, never enforced."""

    name: str
    value: float
    unit: str
    target: float | None = None
    """At most this; None: a part of another figure."""
    digits: int = 1

    def __str__(self) -> str:
        value = f"{self.value:,.{self.digits}f} {self.unit}"
        if self.target is None:
            return f"  {self.name:<58}{value:>12}"
        met = "met" if self.value <= self.target else "MISSED"
        return f"  {self.name:<58}{value:>12}   target <= {self.target:g} {self.unit}, {met}"


def spread(
    name: str,
    samples_ms: Sequence[float],
    *,
    p50: float | None = None,
    p99: float | None = None,
) -> list[Figure]:
    """Median and 99th percentile of samples in milliseconds, beside their targets."""
    cuts = statistics.quantiles(samples_ms, n=100, method="inclusive")
    return [
        Figure(f"{name}, p50 of {len(samples_ms)}", cuts[49], "ms", p50, 2),
        Figure(f"{name}, p99", cuts[98], "ms", p99, 2),
    ]
