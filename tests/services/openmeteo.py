"""Answers as Open-Meteo documents them, and what may become of one: for the tests of all who ask.

Berlin, in the afternoon of 24 October 2026; in the night that follows its clocks go back.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

SAMPLES = Path(__file__).parent / "samples"
FORECAST: dict[str, Any] = json.loads((SAMPLES / "openmeteo-forecast.json").read_text("utf-8"))
AIR: dict[str, Any] = json.loads((SAMPLES / "openmeteo-air-quality.json").read_text("utf-8"))
NOW = datetime(2026, 10, 24, 14, 7, tzinfo=UTC)
"""A little after what both of them observe."""

Where: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead to a part of an answer."""


def changed(answer: dict[str, Any], where: Where, value: object) -> dict[str, Any]:
    """``answer`` with ``value`` there."""
    answer, parent = _copied(answer, where)
    parent[where[-1]] = value
    return answer


def without(answer: dict[str, Any], where: Where) -> dict[str, Any]:
    answer, parent = _copied(answer, where)
    del parent[where[-1]]
    return answer


def _copied(answer: dict[str, Any], where: Where) -> tuple[dict[str, Any], Any]:
    """A copy, and what in it holds the part."""
    copied = copy.deepcopy(answer)
    parent: Any = copied
    for key in where[:-1]:
        parent = parent[key]
    return copied, parent


def _parts(tree: object, at: Where = ()) -> list[Where]:
    """All, however deep."""
    if not isinstance(tree, dict | list):
        return []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    below = [((*at, key), part) for key, part in items]
    return [each for where, part in below for each in (where, *_parts(part, where))]


STRANGE = st.one_of(
    st.sampled_from([None, True, "", "16.6", "nan", -1, 0, 1e9, -1e308, 10**400, [], {}, [None]]),
    st.sampled_from([float("nan"), float("inf"), 253402300799000, -62135596801, "../zone", "Z\0"]),
    st.integers() | st.floats() | st.text(max_size=20),
    st.lists(st.none() | st.integers(), max_size=3),
)


@st.composite
def mutations(draw: st.DrawFn, answer: dict[str, Any]) -> bytes:
    """``answer`` with some of it missing, null, of another type or huge; now and then cut off."""
    for _ in range(draw(st.integers(1, 4))):
        # First which field or table: by far the most parts are numbers in tables.
        parts = _parts(answer)
        field = draw(st.sampled_from(sorted({part[:2] for part in parts}, key=repr)))
        where = draw(st.sampled_from([part for part in parts if part[:2] == field]))
        if draw(st.booleans()):
            answer = without(answer, where)
        else:
            answer = changed(answer, where, draw(STRANGE))
    body = json.dumps(answer).encode()
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body
