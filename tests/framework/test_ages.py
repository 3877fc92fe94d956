"""An age in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from framework.ages import age_words


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_an_age_is_said_in_one_unit_and_never_more_than_it_is(age: timedelta, words: str) -> None:
    assert age_words(age) == words
