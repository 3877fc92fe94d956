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
