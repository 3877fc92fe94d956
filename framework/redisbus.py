"""``RedisBus``: the contract of ``bus`` kept on Redis, a value and word of it in one atomic step.

Responsible for keys, channels, the Lua script, reconnecting, and reading the bus's time. What is
news to a follower is ``follower``'s business.

What lies under a name is the hash ``matrix:{name}:state`` with the fields ``updated``, ``body`` and
``failing``; word of a new update, the body itself, goes to the channel ``matrix:{name}``. The least
that the server's ACL must allow (and ``+select`` where the URL names a database other than 0)::

    service "tide"  ~matrix:{tide}:state &matrix:{tide} +time +hmget +hset +publish +eval +evalsha
    a display       %R~matrix:* &matrix:* +time +hmget +subscribe
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from framework.bus import (
    AHEAD_US,
    LONGEST_FAILING,
    REREAD_S,
    TIMEOUT_S,
    Bus,
    Held,
    Posted,
    Receipt,
    ignored,
)
from framework.bustime import BusTime, to_us
from framework.errors import BusUnavailable
from framework.follower import Follower
from framework.oneline import one_line
from framework.rediserrors import explain
from framework.redisurl import place_of

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

T = TypeVar("T")
_log = logging.getLogger(__name__)

_GRACE_S = 1.0
"""A message comes no later than this after the snapshot that already shows it."""
_DIGITS = 17
"""What has more is no time in microseconds: the year 5138."""
_PAUSE_S = 0.05
"""Before the first attempt to make a new subscription; doubles with each that fails at once."""
_LONGEST_PAUSE_S = 1.0

# Announced first, then stored: an ACL that denies PUBLISH then leaves what is stored untouched.
# `#!lua` without flags: a server that is full, or a replica, refuses the whole script.
# Numbers are compared as doubles, exact below 2^53 (the year 2255), and stored as they were passed.
_PUBLISH = """\
#!lua
local time = redis.call('TIME')
local held = redis.call('HMGET', KEYS[1], 'updated')[1]
local now, new = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local old = held and string.match(held, '^%d+$') and tonumber(held)
if new - now <= AHEAD and (not old or new > old or old - now > AHEAD) then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
  redis.call('HSET', KEYS[1], 'updated', ARGV[1], 'body', ARGV[3], 'failing', '')
  held = ARGV[1]
end
return {time[1], time[2], held}
""".replace("AHEAD", str(AHEAD_US))
_PUBLISH_SHA = hashlib.sha1(_PUBLISH.encode(), usedforsecurity=False).hexdigest()


def open_bus(url: str) -> Bus:
    """The bus at ``redis_url``. It connects on first use; a URL that cannot be is refused now."""
    return RedisBus(url)


class RedisBus:
    """The bus on Redis >= 7 or Valkey. Belongs to the event loop that first uses it."""

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, reread_s: float = REREAD_S
    ) -> None:
        self.time = BusTime()
        self._place = place_of(url)
        self._url = url
        self._timeout_s = timeout_s
        self._reread_s = reread_s
        self._client: Redis | None = None
        self._unreadable: set[str] = set()

    async def publish(self, name: str, posted: Posted) -> Receipt:
        asked_s = self.time.monotonic_s()
        seconds, us, stored = await self._ask(f"publish {name}", self._publish(name, posted))
        now_us = self._read_time(seconds, us, asked_s=asked_s)
        return Receipt.of(posted.updated_us, _number(stored), now_us)

    async def fail(self, name: str, why: str) -> None:
        said = self._redis().hset(_key(name), "failing", why)
        await self._ask(f"say why {name} fails", said)

    async def snapshot(self, name: str) -> Held:
        return (await self._snapshots([name]))[name]

    async def follow(
        self,
        names: Iterable[str],
        deliver: Callable[[str, Posted], bool],
        connected: Callable[[bool], None],
        failing: Callable[[str, str], None] = ignored,
    ) -> None:
        follower = Follower(names, self.time, deliver, connected, failing)
        pause_s = 0.0
        while True:
            began_s = self.time.monotonic_s()
            try:
                await self._subscription(follower)
            except BusUnavailable as error:
                if follower.tell(False):
                    _log.warning("%s. Trying again until it works", error)
            if self.time.monotonic_s() - began_s > _LONGEST_PAUSE_S:
                pause_s = 0.0
            pause_s = min(max(2 * pause_s, _PAUSE_S), _LONGEST_PAUSE_S)
            # Not all at once when the server comes back.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(BusUnavailable):
                await self._ask("disconnect", client.aclose())

    async def _publish(self, name: str, posted: Posted) -> Any:
        from redis.exceptions import NoScriptError

        asked = (_key(name), str(posted.updated_us), _channel(name), posted.body)
        client = self._redis()
        with contextlib.suppress(NoScriptError):
            return await client.evalsha(_PUBLISH_SHA, 1, *asked)
        return await client.eval(_PUBLISH, 1, *asked)

    async def _snapshots(self, names: Iterable[str]) -> dict[str, Held]:
        """What is held under each of the names, and the bus's time, in one round trip."""
        names, asked_s = tuple(names), self.time.monotonic_s()
        time, *states = await self._ask(f"read {', '.join(names) or 'the time'}", self._read(names))
        self._read_time(*time, asked_s=asked_s)
        return {name: _held(*state) for name, state in zip(names, states, strict=True)}

    async def _read(self, names: Iterable[str]) -> list[Any]:
        pipeline = self._redis().pipeline(transaction=False)
        pipeline.time()
        for name in names:
            pipeline.hmget(_key(name), ["updated", "body", "failing"])
        replies = await pipeline.execute(raise_on_error=False)
        for number, reply in enumerate(replies):
            if isinstance(reply, Exception):
                if not str(reply).startswith("WRONGTYPE"):
                    raise reply
                replies[number] = (None, None, None)
        return replies

    async def _subscription(self, follower: Follower) -> None:
        """Deliver through one subscription until a new one has to be made.

        Raises ``BusUnavailable`` if the server refuses it, or does not answer.
        """
        if not follower.names:  # Then it is only for the time.
            await self._snapshots(())
            follower.tell(True)
            await asyncio.sleep(self._reread_s)
            return
        names = {_channel(name).encode(): name for name in follower.names}
        async with self._redis().pubsub() as pubsub:
            await self._ask("subscribe", pubsub.subscribe(*names))
            confirmed = 0
            while confirmed < len(names):
                message = await self._ask("subscribe", pubsub.get_message(timeout=None))
                confirmed += message["type"] == "subscribe"
            # Only now: what is published between a snapshot and the confirmation would be lost.
            for name, held in (await self._snapshots(follower.names)).items():
                follower.read(name, held)
            if follower.tell(True):
                _log.info("following %s on %s", ", ".join(follower.names), self._place)
            await self._deliver(follower, pubsub, names)

    async def _deliver(self, follower: Follower, pubsub: PubSub, names: dict[bytes, str]) -> None:
        """Deliver what is announced, for as long as the subscription is a good one."""
        announced_late: dict[str, int] = {}
        due_s = self.time.monotonic_s() + self._reread_s
        while True:
            left_s = max(0.0, due_s - self.time.monotonic_s())
            try:
                message = await self._ask(
                    "listen", pubsub.get_message(timeout=left_s), self._timeout_s + left_s
                )
            except BusUnavailable:
                return  # Lost. Whether the server is away, the next subscription will tell.
            if message is not None:
                if message["type"] != "message":
                    return  # redis-py has reconnected by itself: what came meanwhile is lost.
                name = names[message["channel"]]
                posted = self._posted(name, message["data"])
                if posted is not None:
                    follower.hear(name, posted)
                    if posted.updated_us >= announced_late.get(name, posted.updated_us):
                        announced_late.pop(name, None)
            if self.time.monotonic_s() < due_s:
                continue
            if announced_late:
                _log.warning("not told of a new %s: subscribing again", ", ".join(announced_late))
                return
            for name, held in (await self._snapshots(follower.names)).items():
                if follower.read(name, held) and held.posted is not None:
                    announced_late[name] = held.posted.updated_us
            due_s = self.time.monotonic_s() + (_GRACE_S if announced_late else self._reread_s)

    def _posted(self, name: str, body: bytes) -> Posted | None:
        """A message as it was published; None, and one line in the log, if it cannot be read."""
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            updated_us = to_us(datetime.fromisoformat(json.loads(body)["updated"]))
            if 0 <= updated_us < 10**_DIGITS:
                return Posted(updated_us, body)
        if name not in self._unreadable:
            self._unreadable.add(name)
            _log.warning("dropped a message on %s: no update (said once)", _channel(name))
        return None

    def _read_time(self, seconds: bytes | int, us: bytes | int, *, asked_s: float) -> int:
        now_us = int(seconds) * 1_000_000 + int(us)
        self.time.read(now_us, asked_s=asked_s)
        return now_us

    def _redis(self) -> Redis:
        """The client: one pool, from which a subscription keeps a connection to itself."""
        if self._client is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            options: dict[str, Any] = {
                # RESP2 and no driver_info: nothing is sent that an ACL would have to allow.
                "protocol": 2,
                "legacy_responses": False,
                "driver_info": None,
                # Who calls tries again, and knows when; redis-py would try for minutes.
                "retry": Retry(NoBackoff(), 0),
                # `_ask` limits it. With a socket_timeout redis-py sends through asyncio.wait_for,
                # which on Python 3.11 may swallow a cancellation.
                "socket_timeout": None,
                "socket_connect_timeout": self._timeout_s,
            }
            if urlsplit(self._url).scheme == "rediss":
                options["ssl_include_verify_flags"] = [ssl.VERIFY_X509_STRICT]
            self._client = Redis.from_url(self._url, **options)
        return self._client

    async def _ask(self, doing: str, answer: Awaitable[T], timeout_s: float | None = None) -> T:
        """The answer, in time; or ``BusUnavailable`` with nothing in its context.

        redis-py's errors quote what was sent, and its frames hold the password.
        """
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(timeout_s or self._timeout_s):
                return await answer
        except (RedisError, OSError, TimeoutError) as error:
            problem = explain(error)
        raise BusUnavailable(f"Cannot {doing} on the bus at {self._place}: {problem}")


def _key(name: str) -> str:
    return f"matrix:{{{name}}}:state"


def _channel(name: str) -> str:
    return f"matrix:{{{name}}}"


def _held(updated: bytes | None, body: bytes | None, failing: bytes | None) -> Held:
    updated_us = _number(updated)
    posted = None if updated_us is None or body is None else Posted(updated_us, body)
    if failing is None:
        return Held(posted)
    return Held(posted, one_line(failing.decode(errors="replace"), longest=LONGEST_FAILING))


def _number(stored: bytes | None) -> int | None:
    """``updated`` as it is stored; None for what no service of ours has written."""
    if stored is None or not stored.isdigit() or len(stored) > _DIGITS:
        return None
    return int(stored)
