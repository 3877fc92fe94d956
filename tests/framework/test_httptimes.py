"""What a reply says about time."""

from __future__ import annotations

import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.httptimes import holds_for, may_be_kept, retry_after

DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
LATER = "Sun, 01 Mar 2026 12:05:00 GMT"
EARLIER = "Sun, 01 Mar 2026 11:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"cache-control": "public, max-age=60"}, 60),
        ({"cache-control": 'max-age="60"', "age": "20"}, 40),
        ({"cache-control": "max-age=60", "age": "90"}, 0),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"cache-control": "no-store", "expires": LATER, "date": DATE}, 0),
        ({"expires": LATER, "date": DATE}, 300),
        ({"expires": EARLIER, "date": DATE}, 0),
        ({"expires": "0", "date": DATE}, 0),
        ({"expires": LATER}, 0),  # whose clock would tell when that is?
        ({"cache-control": "max-age=60", "expires": LATER, "date": DATE}, 60),
    ],
)
def test_until_when_a_reply_holds(headers: dict[str, str], seconds: int) -> None:
    assert holds_for(headers) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        (LATER, 300),
        (EARLIER, 0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_how_long_it_wants_to_be_left_alone(said: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"retry-after": said, "date": DATE}) == expected


def test_what_must_not_be_stored_is_not() -> None:
    assert may_be_kept({"etag": "1"})
    assert not may_be_kept({"etag": "1", "cache-control": "private, No-Store"})


@given(
    st.dictionaries(
        st.sampled_from(["cache-control", "age", "expires", "date", "retry-after"]),
        st.text(string.printable)
        | st.sampled_from([DATE, LATER, "max-age=99999999999", "Mon, 99 Foo 99999"]),
    )
)
def test_no_header_is_too_odd(headers: dict[str, str]) -> None:
    assert holds_for(headers) >= timedelta(0)
    assert (retry_after(headers) or timedelta(0)) >= timedelta(0)
