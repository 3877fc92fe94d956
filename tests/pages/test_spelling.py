"""Numbers in little room: short, and never another number."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.spelling import compact, degrees, speed, spellings

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0.3, "0"),
        (7.6, "8"),
        (999.4, "999"),
        (999.5, "1.0k"),
        (1234, "1.2k"),
        (9949, "9.9k"),
        (9950, "10k"),
        (-82_300, "-82k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (3.4e12, "3.4T"),
        (1e15, "1e+15"),
    ],
)
def test_a_number_in_four_characters(number: float, text: str) -> None:
    assert compact(number) == text


@given(number=st.floats(-9.99e14, 9.99e14))
def test_the_compact_number_is_near(number: float) -> None:
    text = compact(number)
    assert len(text.lstrip("-")) <= 4
    sizes = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    near = float(text.rstrip("kMGT")) * sizes.get(text[-1], 1)
    assert near == pytest.approx(number, rel=0.051, abs=0.5)


@pytest.mark.parametrize(
    ("number", "decimals", "texts"),
    [
        (67012.35, 2, ["67012.35", "67012", "67k"]),
        (67012.35, None, ["67012.35", "67012", "67k"]),
        (42.0, None, ["42"]),
        (42.0, 1, ["42.0", "42", "42"]),
        (-0.04, 1, ["0.0"]),
        (0.000421, None, ["0.000421", "0.0004"]),
        (1e21, None, ["1e+21"]),
    ],
)
def test_a_number_ever_shorter(number: float, decimals: int | None, texts: list[str]) -> None:
    assert spellings(number, decimals) == texts


@given(number=NUMBERS, decimals=st.none() | st.integers(0, 9))
def test_every_spelling_is_shorter_than_the_first(number: float, decimals: int | None) -> None:
    first, *rest = spellings(number, decimals)
    assert all(len(each) < len(first) for each in rest)
    assert all(len(a) >= len(b) for a, b in pairwise(rest))


@pytest.mark.parametrize(
    ("celsius", "metric", "imperial"),
    [
        (0.0, "0°", "32°"),
        (-0.4, "0°", "31°"),
        (-12.6, "−13°", "9°"),
        (36.6, "37°", "98°"),
        (-40.0, "−40°", "−40°"),
        (None, "–", "–"),
    ],
)
def test_degrees(celsius: float | None, metric: str, imperial: str) -> None:
    assert (degrees(celsius, "metric"), degrees(celsius, "imperial")) == (metric, imperial)


def test_speeds() -> None:
    assert (speed(14.4, "metric"), speed(14.4, "imperial")) == ("14 km/h", "9 mph")
