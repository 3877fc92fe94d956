"""What a reply says about time."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.httptimes import LONGEST, holds_for, may_be_kept, retry_after

DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
LATER = "Sun, 01 Mar 2026 12:05:00 GMT"
EARLIER = "Sun, 01 Mar 2026 11:00:00 GMT"
THE_LAST = "Fri, 31 Dec 9999 23:59:59 GMT"
UNCOUNTED = "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"
RECEIVED = datetime(2026, 3, 1, 12, 4, tzinfo=UTC)
"""Four minutes after what the server's clock says."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"cache-control": "public, max-age=60"}, 60),
        ({"cache-control": 'max-age="60"', "age": "20"}, 40),
        ({"cache-control": "max-age=60", "age": "90"}, 0),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"cache-control": "max-age=31536000"}, 86_400),
        ({"cache-control": "max-age=31536000", "age": "31535900"}, 100),
        ({"cache-control": "max-age=60", "age": "9" * 5000}, 0),
        ({"cache-control": "no-store", "expires": LATER, "date": DATE}, 0),
        ({"expires": LATER, "date": DATE}, 300),
        ({"expires": LATER, "date": DATE, "age": "100"}, 200),
        ({"expires": EARLIER, "date": DATE}, 0),
        ({"expires": "0", "date": DATE}, 0),
        ({"expires": THE_LAST, "date": DATE}, 86_400),
        ({"expires": UNCOUNTED, "date": DATE}, 0),
        ({"expires": LATER}, 60),
        ({"cache-control": "max-age=60", "expires": LATER, "date": DATE}, 60),
    ],
)
def test_until_when_a_reply_holds(headers: dict[str, str], seconds: int) -> None:
    assert holds_for(headers, received=RECEIVED) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("9999999999", 86_400),
        ("9" * 5000, 86_400),
        (LATER, 300),
        (EARLIER, 0),
        (THE_LAST, 86_400),
        (UNCOUNTED, None),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_how_long_it_wants_to_be_left_alone(said: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"retry-after": said, "date": DATE}, received=RECEIVED) == expected


def test_without_a_date_it_counts_from_when_it_was_received() -> None:
    assert retry_after({"retry-after": LATER}, received=RECEIVED) == timedelta(minutes=1)


def test_what_must_not_be_stored_is_not() -> None:
    assert may_be_kept({"etag": "1"})
    assert not may_be_kept({"etag": "1", "cache-control": "private, No-Store"})


@given(
    st.dictionaries(
        st.sampled_from(["cache-control", "age", "expires", "date", "retry-after"]),
        st.text(string.printable)
        | st.sampled_from([DATE, LATER, THE_LAST, UNCOUNTED, "max-age=99999999999"])
        | st.from_regex(
            r"[A-Z][a-z]{2}, \d{1,3} (Jan|Dec) \d{1,25} 23:59:\d\d [+-]\d{4,20}", fullmatch=True
        ),
    )
)
def test_no_header_is_too_odd(headers: dict[str, str]) -> None:
    assert timedelta(0) <= holds_for(headers, received=RECEIVED) <= LONGEST
    asked = retry_after(headers, received=RECEIVED)
    assert asked is None or timedelta(0) <= asked <= LONGEST
