"""What is remembered of what was answered."""

from __future__ import annotations

from datetime import UTC, datetime

from framework.httpcache import Memory, Remembered
from framework.httpreply import Reply

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def answered(content: bytes, **headers: str) -> Remembered:
    return Remembered.of(Reply("h", content, headers), received=NOW, received_s=0)


def test_what_cannot_be_remembered_takes_the_place_of_what_was() -> None:
    memory = Memory()
    memory.put("key", answered(b"old", etag='"1"'), now_s=0)
    memory.keep()
    memory.begin()
    memory.put("key", answered(b"new"), now_s=0)
    assert memory.get("key") is None
    memory.begin()  # that fetch was not good
    found = memory.get("key")
    assert found is not None
    assert found.reply.content == b"old"
    memory.put("key", answered(b"new"), now_s=0)
    memory.keep()
    assert memory.get("key") is None


def test_what_a_fetch_that_failed_found_holds_no_longer() -> None:
    memory = Memory()
    good = answered(b"old", **{"etag": '"1"', "cache-control": "max-age=60"})
    for key in ("asked", "other"):
        memory.put(key, good, now_s=0)
    memory.keep()
    memory.put("asked", good, now_s=0)
    memory.begin()
    for key, holds in (("asked", False), ("other", True)):
        found = memory.get(key)
        assert found is not None
        assert (found.validators, found.holds_until_s > 0) == ({"If-None-Match": '"1"'}, holds)


def test_what_cannot_be_sent_back_asks_nothing() -> None:
    headers = {"etag": '"café"', "last-modified": "yesterday"}
    assert answered(b"", **headers).validators == {"If-Modified-Since": "yesterday"}
    assert answered(b"", etag="1\r\nX: y").validators == {}
