"""The bus: the last value of each feed and word of a new one, in one atomic step, on Redis.

And why a service gets nothing, for as long as it does not: that is only stored, and found by
reading.

Responsible for keys, channels, the Lua script, reconnecting, and the bus's time. It moves bytes:
what is in an update is the business of ``update``, ``server`` and ``display``.

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
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from framework.bustime import AHEAD, BusTime, to_us
from framework.errors import BusUnavailable, ConfigError
from framework.oneline import one_line
from framework.update import supersedes

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

T = TypeVar("T")
_log = logging.getLogger(__name__)
_AHEAD_US = AHEAD // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Posted:
    """One update as it lies on the bus."""

    updated_us: int
    """When its fetch began, microseconds since 1970: decides what supersedes what."""
    body: bytes
    """The ``Update`` as JSON."""


@dataclass(frozen=True, slots=True)
class Held:
    """All that lies under one name."""

    posted: Posted | None = None
    """The last update; None: there is none, or none that can be read."""
    failing: str | None = None
    """Why its service has got nothing since then; empty: it has. None: nobody has said anything."""


class Outcome(Enum):
    """What became of a publish."""

    ARRIVED = "arrived"
    """Stored and announced; or it was stored already, by an attempt whose reply got lost."""
    SUPERSEDED = "superseded"
    """Something newer is held: nothing was changed."""
    AHEAD = "ahead"
    """Stamped over 60 s ahead of the bus's time: nothing was changed. Fetch again."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The bus's answer to a publish."""

    outcome: Outcome
    stored_us: int | None
    """``updated_us`` of what is held now."""

    @classmethod
    def of(cls, posted_us: int, stored_us: int | None, now_us: int) -> Receipt:
        """What became of ``posted_us``: ``stored_us`` is held, at ``now_us`` of the bus's time."""
        if posted_us - now_us > _AHEAD_US:
            return cls(Outcome.AHEAD, stored_us)
        return cls(Outcome.ARRIVED if stored_us == posted_us else Outcome.SUPERSEDED, stored_us)


def ignored(name: str, why: str) -> None:
    """For who follows and does not ask why there is nothing."""


class Bus(Protocol):
    """The contract that ``RedisBus`` and ``framework.testing.MemoryBus`` keep.

    A *name* is an instance's name, lower-cased. Whatever goes wrong between us and the server is a
    ``BusUnavailable``; nothing else is raised. Whatever is read, or published, comes with the
    server's ``TIME``, which goes into ``time``.
    """

    time: BusTime

    async def publish(self, name: str, posted: Posted) -> Receipt:
        """Announce, then store, in one atomic step, if it supersedes what is held. What is stored
        so is failing no more."""
        ...

    async def fail(self, name: str, why: str) -> None:
        """Store, beside what is held, why there is nothing newer: one line that holds no secret."""
        ...

    async def snapshot(self, name: str) -> Held:
        """What is held under ``name``."""
        ...

    async def follow(
        self,
        names: Iterable[str],
        deliver: Callable[[str, Posted], bool],
        connected: Callable[[bool], None],
        failing: Callable[[str, str], None] = ignored,
    ) -> None:
        """Call ``deliver`` with all that supersedes, from the snapshot on, until cancelled.

        ``deliver`` says whether it could be used: what could not does not count as held, and is
        not delivered again while it is all that there is.
        Survives every fault of the server by itself; ``connected`` is told of each change, False
        when the server is away or frozen. ``failing`` is told why a service gets nothing, at the
        next reading, and an empty text as soon as there is something again.
        All are called in the event loop and must not block.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection. Never raises."""
        ...


class Follower:
    """What one ``follow`` has delivered, and what else it has said."""

    def __init__(
        self,
        names: Iterable[str],
        time: BusTime,
        deliver: Callable[[str, Posted], bool],
        connected: Callable[[bool], None],
        failing: Callable[[str, str], None],
    ) -> None:
        self.names = tuple(names)
        self._time = time
        self._deliver = deliver
        self._connected = connected
        self._failing = failing
        self._held_us: dict[str, int] = {}
        self._refused: dict[str, Posted] = {}
        self._why: dict[str, str] = {}
        self._told: bool | None = None

    def hear(self, name: str, posted: Posted) -> None:
        """Deliver what was announced, if it is news."""
        if self._take(name, posted):
            self._fail(name, "")

    def read(self, name: str, held: Held) -> bool:
        """Deliver what was found by reading. False: its update, if there is one, was no news."""
        is_news = held.posted is not None and self._take(name, held.posted)
        if held.failing is not None:
            self._fail(name, held.failing)
        return is_news

    def _fail(self, name: str, why: str) -> None:
        """Say why there is nothing, if that is news."""
        if why != self._why.get(name, ""):
            self._why[name] = why
            self._failing(name, why)

    def _take(self, name: str, posted: Posted) -> bool:
        """Deliver it if it supersedes what could be used last. False: it was no news."""
        if not supersedes(posted.updated_us, self._held_us.get(name), self._time.now()):
            return False
        if posted == self._refused.get(name):
            return False
        if self._deliver(name, posted):
            self._held_us[name] = posted.updated_us
        else:
            self._refused[name] = posted
        return True

    def tell(self, connected: bool) -> bool:
        """Say whether the bus answers, if that is news."""
        if connected is self._told:
            return False
        self._told = connected
        self._connected(connected)
        return True


def open_bus(url: str) -> Bus:
    """The bus at ``redis_url``. It connects on first use; a URL that cannot be is refused now."""
    return RedisBus(url)


TIMEOUT_S = 5.0
"""How long the server may take to answer."""
REREAD_S = 10.0
"""How often a follower reads again what is held: finds what notification has missed."""
LONGEST_FAILING = 120
"""How many characters there are to say why a service fails."""

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
""".replace("AHEAD", str(_AHEAD_US))
_PUBLISH_SHA = hashlib.sha1(_PUBLISH.encode(), usedforsecurity=False).hexdigest()


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
            problem = _explain(error)
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


def place_of(url: str) -> str:
    """``host:port/db``, all of the URL that may be shown; ``ConfigError`` if it cannot be one."""
    place = None
    options: set[str] = set()
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        port, db = parts.port or 6379, parts.path.strip("/") or "0"
        if parts.scheme in ("redis", "rediss") and parts.hostname and db.isdecimal():
            place = f"{parts.hostname}:{port}/{db}"
            options = set(parse_qs(f"{parts.query}", keep_blank_values=True))
            options -= _TLS_OPTIONS if parts.scheme == "rediss" else set()
            options |= {"fragment"} if parts.fragment else set()
    if place is None:
        raise ConfigError(
            "redis_url is no Redis URL. It reads redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// "
            "for TLS; special characters in USER and PASSWORD are percent-encoded (/ is %2F)"
        )
    if options:
        raise ConfigError(
            "redis_url holds options that are not supported: after ? there can only be "
            f"{', '.join(sorted(_TLS_OPTIONS))}, with rediss://; a password's ? is %3F, its # %23"
        )
    return place


def _explain(error: Exception) -> str:
    """What happened and what to do about it. The server's own words may name the user, or quote."""
    from redis.exceptions import InvalidResponse, ResponseError

    said = str(error)
    code = getattr(error, "status_code", None) or said.split(" ")[0]
    for mark, sentence in _REFUSALS:
        if code == mark or said.startswith(mark):
            return sentence
    if isinstance(error, ResponseError):
        return f"it refuses ({code if code.isupper() else 'ERR'}); see its log"
    if isinstance(error, InvalidResponse):
        return "what answers there is no Redis; correct redis_url"
    for kind, sentence in _FAILURES:
        if isinstance(error, kind) or isinstance(error.__context__, kind):
            return sentence
    return "the connection was lost; look whether the server runs"


_TLS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_ACL = (
    "its ACL does not allow that; a service needs ~matrix:{NAME}:state &matrix:{NAME} +time +hmget "
    "+hset +publish +eval +evalsha, a display %R~matrix:* &matrix:* +time +hmget +subscribe, and "
    "+select if redis_url names a database other than 0"
)
_REFUSALS = (
    ("NOAUTH", "it wants a password; set one in redis_url"),
    ("WRONGPASS", "it does not accept the user and password; correct them in redis_url"),
    ("NOPERM", _ACL),
    ("ACL failure in script", _ACL),
    ("The user executing the script", _ACL),  # Redis 7.0
    ("OOM", "it is full; raise its maxmemory, or delete what is not needed"),
    ("READONLY", "it is a read-only replica; set redis_url to the primary"),
    ("LOADING", "it is still loading its data; wait"),
    ("MISCONF", "it cannot write to its disk and therefore takes nothing; see its log"),
    ("MOVED", "it is part of a cluster, which is not supported; set redis_url to a single server"),
    ("WRONGTYPE", "what lies there is not ours; delete that key"),
    ("Error compiling script", "it is too old; needs Redis 7 or Valkey"),  # Redis 6 at `#!lua`
)
_FAILURES = (
    (ConnectionRefusedError, "nothing listens there; start the server, or correct redis_url"),
    (socket.gaierror, "the host is not known; correct redis_url, or the name server"),
    (
        ssl.SSLCertVerificationError,
        "its certificate is not trusted for that host; name its CA: rediss://...?ssl_ca_certs=FILE",
    ),
    (ssl.SSLError, "it does not speak TLS there as we do; correct scheme or port of redis_url"),
    (FileNotFoundError, "a file that redis_url names is not there"),
    (TimeoutError, "no answer in time; it is frozen, overloaded or out of reach"),
)
