"""What a reply of HTTP says about time: until when it holds, and when to ask again. Pure.

All of it is counted from the reply's own ``Date``, so nobody's clock matters but the server's; from
when it was received, if it has none. Nothing is believed for longer than a day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=1)
_NOW = timedelta(0)
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d+)")
_SECONDS = re.compile(r"\d+")
_MOST_S = 1e10
"""Of what is counted: more than anybody means, and a timedelta holds it."""


def holds_for(headers: Mapping[str, str], *, received: datetime) -> timedelta:
    """How long the same would be answered again; nothing, if that is not said.

    ``headers``: names in lower case, or a mapping that does not care. RFC 9111, 4.2.
    """
    control = headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return _NOW
    if found := _MAX_AGE.search(control):
        lifetime = _seconds(found[1])
    else:
        lifetime = _until(headers.get("expires", ""), headers, received) or _NOW
    age = headers.get("age", "").strip()
    passed = _seconds(age) if _SECONDS.fullmatch(age) else _NOW
    return _believed(lifetime - passed)


def may_be_kept(headers: Mapping[str, str]) -> bool:
    """Whether it may be answered from memory, once the server has said that it still holds."""
    return "no-store" not in headers.get("cache-control", "").lower()


def retry_after(headers: Mapping[str, str], *, received: datetime) -> timedelta | None:
    """How long the server wants to be left alone, if it says so. RFC 9110, 10.2.3."""
    said = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(said):
        return _believed(_seconds(said))
    until = _until(said, headers, received)
    return None if until is None else _believed(until)


def _seconds(digits: str) -> timedelta:
    # As a float: an int of thousands of digits is refused.
    return timedelta(seconds=min(float(digits), _MOST_S))


def _believed(wait: timedelta) -> timedelta:
    return min(max(wait, _NOW), LONGEST)


def _until(moment: str, headers: Mapping[str, str], received: datetime) -> timedelta | None:
    until = _moment(moment)
    return None if until is None else until - (_moment(headers.get("date", "")) or received)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter: a year that no computer can count
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
