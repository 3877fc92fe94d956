"""``self.http``: how a service asks the web, politely and within its fetch.

Responsible for time limits, repetition, what is asked only if it has changed, and for telling what
went wrong without showing what was asked: addresses hold keys. What a reply says about time is read
by ``httptimes``; what is made of that, by ``schedule``.
"""

from __future__ import annotations

import json
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx2
import stamina
from pydantic import BaseModel, ValidationError

from framework.errors import Unavailable
from framework.httptimes import holds_for, may_be_kept, retry_after

M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 2 * 1024 * 1024
"""Of one reply, unpacked: a Pi has other uses for its memory."""
TRIES = 3
FIRST_WAIT_S = 0.5
CONNECT_S = 5.0
READ_S = 10.0
MAX_REDIRECTS = 5
KEPT = 16
"""Replies that are kept, to be asked for only if they have changed."""
SHOWN_PROBLEMS = 3

_AGAIN = (408, 500, 502, 503, 504)
_LOGGERS = ("httpx2", "httpcore2", "stamina")
"""The first two write whole addresses and headers, the last each repetition."""


class _Again(Unavailable):
    """What the next try may not meet."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered, with a status of success."""

    host: str
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    is_new: bool = True
    """False: the server was not asked, or says that what it said before still holds."""

    @property
    def text(self) -> str:
        """:raises Unavailable: it is no UTF-8."""
        with suppress(UnicodeDecodeError):
            return self.content.decode("utf-8-sig")
        raise Unavailable(f"{self.host} answers with something that is not text in UTF-8")

    def json(self) -> Any:
        """:raises Unavailable: it is no JSON."""
        with suppress(ValueError, RecursionError):
            return json.loads(self.content)
        raise self._no_json()

    def model(self, model: type[M]) -> M:
        """Validated.

        :raises Unavailable: it is not what ``model`` says, and the fields are named. The last good
            values stay.
        """
        try:
            return model.model_validate_json(self.content)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
        if any(each["type"] == "json_invalid" for each in problems):
            raise self._no_json()
        named = [
            f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
            for each in problems[:SHOWN_PROBLEMS]
        ]
        if more := len(problems) - len(named):
            named.append(f"and {more} more")
        raise Unavailable(f"{self.host} answers in another shape: {'; '.join(named)}")

    def _no_json(self) -> Unavailable:
        return Unavailable(f"{self.host} answers with something that is not JSON")


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reply that was good, and how to ask whether it still is."""

    reply: Reply
    validators: Mapping[str, str]
    holds_until: datetime


class Http:
    """Asks the web for one service, which closes it."""

    def __init__(
        self,
        *,
        user_agent: str,
        timeout: timedelta,
        now: Callable[[], datetime],
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """``timeout``: of a whole fetch, in which all tries should fit. ``transport``: instead of
        the network; it is asked again without waiting."""
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        share_s = timeout.total_seconds() / TRIES
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": user_agent},
            timeout=httpx2.Timeout(min(READ_S, share_s), connect=min(CONNECT_S, share_s)),
            transport=transport,
        )
        self._wait_s = FIRST_WAIT_S if transport is None else 0.0
        self._now = now
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._held_until: list[datetime] = []

    def begin(self) -> None:
        """A new fetch begins."""
        self._held_until.clear()

    @property
    def holds_until(self) -> datetime | None:
        """Until when all that this fetch was answered holds, so that to ask again is no use."""
        return min(self._held_until, default=None)

    async def close(self) -> None:
        await self._client.aclose()

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Reply:
        """What is at ``url``. What was there before is not sent again if it still holds: the same
        reply is returned, with ``is_new`` false.

        It tries again where that may help, and follows redirections. ``params``: of the query.

        :raises Unavailable: there is no good reply; ``retry_after``, if the server says so.
        """
        request = self._request(url, params, headers)
        key = (str(request.url), *sorted((headers or {}).items()))
        kept = self._kept.pop(key, None)
        if kept is None or kept.holds_until <= self._now():
            kept = await self._ask(request, kept, max_bytes)
        if kept.validators or kept.holds_until > self._now():
            self._kept[key] = replace(kept, reply=replace(kept.reply, is_new=False))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self._held_until.append(kept.holds_until)
        return kept.reply

    def _request(
        self, url: str, params: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> httpx2.Request:
        try:
            request = self._client.build_request("GET", url, params=params, headers=headers)
        except (httpx2.InvalidURL, UnicodeError):
            request = None
        if request is None or request.url.scheme not in ("http", "https") or not request.url.host:
            raise Unavailable("that is no address of the web: it must be http(s)://HOST/...")
        return request

    async def _ask(self, request: httpx2.Request, kept: _Kept | None, max_bytes: int) -> _Kept:
        request.headers.update(kept.validators if kept else {})
        async for attempt in stamina.retry_context(
            on=_Again,
            attempts=TRIES,
            timeout=None,
            wait_initial=self._wait_s,
            wait_max=4 * self._wait_s,
            wait_jitter=self._wait_s,
        ):
            with attempt:
                return await self._once(request, kept, max_bytes)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, request: httpx2.Request, kept: _Kept | None, max_bytes: int) -> _Kept:
        host = request.url.host
        try:
            response = await self._followed(request)
            try:
                content = await _content(response, max_bytes)
            finally:
                await response.aclose()
        except httpx2.DecodingError:
            problem = Unavailable(f"{host} answers with something that cannot be unpacked")
        except httpx2.TimeoutException:
            problem = _Again(f"{host} does not answer in time")
        except (httpx2.RequestError, OSError) as error:
            problem = _Again(f"{host} cannot be reached{_reason(error)}")
        else:
            if content is None:
                raise Unavailable(f"{host} answers with more than {max_bytes} bytes")
            return self._judged(host, response, content, kept)
        raise problem

    async def _followed(self, request: httpx2.Request) -> httpx2.Response:
        """The reply at the end of all redirections. Headers go to the host that they are for, and
        what was asked over TLS is not asked in clear."""
        host = request.url.host
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._client.send(request, stream=True)
            onward = response.next_request
            if onward is None:
                return response
            await response.aclose()
            if onward.url.scheme == "http" and request.url.scheme == "https":
                raise Unavailable(f"{host} sends its callers on to where they would be overheard")
            is_same = (onward.url.host, onward.url.port) == (request.url.host, request.url.port)
            request = onward if is_same else self._client.build_request("GET", onward.url)
        raise Unavailable(f"{host} sends its callers in circles")

    def _judged(
        self, host: str, response: httpx2.Response, content: bytes, kept: _Kept | None
    ) -> _Kept:
        status, headers = response.status_code, {**response.headers}
        holds_until = self._now() + holds_for(headers)
        if status == 304 and kept is not None:
            return replace(kept, holds_until=holds_until)
        if response.is_success:
            return _Kept(Reply(host, content, headers), _validators(headers), holds_until)
        patience = retry_after(headers)
        said = f"{host} answers with status {status}"
        if status in (401, 403):
            raise Unavailable(f"{said}: it wants a key, or another one", retry_after=patience)
        if status == 429:
            raise Unavailable(f"{said}: it is asked too often", retry_after=patience)
        if status in _AGAIN and patience is None:
            raise _Again(said)
        raise Unavailable(said, retry_after=patience)


async def _content(response: httpx2.Response, max_bytes: int) -> bytes | None:
    """All of it, unpacked; None: it is more than that."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            return None
    return bytes(content)


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    """What asks whether it has changed. The words are the server's own, sent back as they came."""
    if not may_be_kept(headers):
        return {}
    pairs = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
    return {asks: headers[has] for has, asks in pairs if has in headers}


def _reason(error: BaseException) -> str:
    """Of the system, and of nobody else: a library may say what was asked."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            # Of a name that is not found, the number is none of the system's.
            return f": {os.strerror(seen.errno) if seen.errno > 0 else seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    return ""
