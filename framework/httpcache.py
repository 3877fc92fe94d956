"""What was answered before: not asked for while it holds, and then only if it has changed. Pure.

Responsible for what is remembered of a reply, how long it holds (RFC 9111), and that nothing is
remembered of which a fetch could make no use. Seconds are those of a clock that nobody sets, so
that a mended one keeps nothing alive.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from framework.httpreply import Reply
from framework.httptimes import holds_for, may_be_kept
from framework.webheaders import is_value

MOST_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Remembered:
    """A reply, until when it holds, and how to ask whether it still does after that."""

    reply: Reply
    validators: Mapping[str, str]
    holds_until_s: float

    @classmethod
    def of(cls, reply: Reply, *, received: datetime, received_s: float) -> Self:
        holds_s = holds_for(reply.headers, received=received).total_seconds()
        return cls(reply, _validators(reply.headers), received_s + holds_s)

    def renewed(
        self, headers: Mapping[str, str], *, received: datetime, received_s: float
    ) -> Remembered:
        """It has not changed, say ``headers``, which take the place of those that were (RFC 9111,
        3.2). What the old ones say of when they were sent, and the new ones of a content that did
        not come along, counts for nothing."""
        kept = {k: v for k, v in self.reply.headers.items() if k not in ("age", "date")}
        said = {k: v for k, v in headers.items() if not k.startswith("content-")}
        reply = replace(self.reply, headers={**kept, **said}, is_new=False)
        return Remembered.of(reply, received=received, received_s=received_s)


class Memory:
    """What good fetches were answered. What the fetch that is under way is answered counts as well,
    but only within it, until it proves good: one that fails asks anew."""

    def __init__(self) -> None:
        self._good: OrderedDict[object, Remembered] = OrderedDict()
        self._unproven: OrderedDict[object, Remembered | None] = OrderedDict()
        """None: nothing can be remembered of it, nor is what was before it true any longer."""

    def begin(self) -> None:
        """A new fetch begins; what the last one was answered is forgotten unless it was good, and
        what it found here holds no longer: that may be why it failed."""
        for key in self._unproven.keys() & self._good.keys():
            self._good[key] = replace(self._good[key], holds_until_s=-math.inf)
        self._unproven.clear()

    def keep(self) -> None:
        """The fetch was good."""
        for key, answered in self._unproven.items():
            self._good.pop(key, None)
            if answered is not None:
                self._good[key] = answered
        self._unproven.clear()
        _trim(self._good)

    def get(self, key: object) -> Remembered | None:
        return self._unproven[key] if key in self._unproven else self._good.get(key)

    def put(self, key: object, answered: Remembered, *, now_s: float) -> None:
        is_of_use = answered.validators or answered.holds_until_s > now_s
        old = replace(answered, reply=replace(answered.reply, is_new=False))
        self._unproven[key] = old if is_of_use else None
        _trim(self._unproven)

    def forget(self, key: object) -> None:
        self._unproven.pop(key, None)
        self._good.pop(key, None)


def _trim(
    replies: OrderedDict[object, Remembered] | OrderedDict[object, Remembered | None],
) -> None:
    while len(replies) > MOST_REMEMBERED:
        replies.popitem(last=False)


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    """What asks whether it has changed. The words are the server's own, sent back as they came if
    they can be sent at all."""
    if not may_be_kept(headers):
        return {}
    pairs = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
    return {asks: headers[has] for has, asks in pairs if has in headers and is_value(headers[has])}
