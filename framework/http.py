"""``self.http``: how a service asks the web, politely and within its fetch.

Responsible for time limits, repetition, what is asked only if it has changed, and for telling what
went wrong without showing what was asked: addresses hold keys. What a reply says is read by
``httpreply``, what it says about time by ``httptimes``; what is made of that, by ``httpcache`` and
``schedule``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
import stamina

from framework.errors import Unavailable
from framework.httpcache import Memory, Remembered
from framework.httpreply import Reply
from framework.httptimes import retry_after
from framework.webaddress import is_of_the_web
from framework.webheaders import problem_with

MAX_BYTES = 2 * 1024 * 1024
"""Of one reply, unpacked: a Pi has other uses for its memory."""
TRIES = 3
FIRST_WAIT_S = 0.5
CONNECT_S = 5.0
SHARE = 0.9
"""Of a whole fetch's time, for one request with all its tries: before the fetch is given up, it is
to be said who keeps it waiting."""
MAX_REDIRECTS = 5

_RETRIED = (408, 500, 502, 503, 504)
_OF_A_CONDITION = (400, 412, 431)
"""What a server may say that cannot stand to be asked whether something has changed."""
_LOGGERS = ("httpx2", "httpcore2", "stamina")
"""The first two write whole addresses and headers, the last each repetition."""


class _Retryable(Unavailable):
    """What the next try may not meet."""


class Http:
    """Asks the web for one service, which closes it."""

    def __init__(
        self,
        *,
        user_agent: str,
        timeout: timedelta,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """``timeout``: of a whole fetch. ``transport``: instead of the network; it is asked again
        without waiting."""
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        self._limit_s = SHARE * timeout.total_seconds()
        # A slow server may take all the time that there is: to ask it again would only add to what
        # keeps it busy. One that is not reached at all is tried again.
        connect_s = min(CONNECT_S, self._limit_s / TRIES)
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": user_agent},
            timeout=httpx2.Timeout(None, connect=connect_s),
            # The same question gets the same answer, whatever was answered before.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            transport=transport,
        )
        self._wait_s = FIRST_WAIT_S if transport is None else 0.0
        self._now = now
        self._monotonic_s = monotonic_s
        self._memory = Memory()
        self._held_until_s: list[float] = []

    def begin(self) -> None:
        """A new fetch begins. If the last one was not good, what it was answered out of memory
        holds no longer."""
        self._memory.begin()
        self._held_until_s.clear()

    def keep(self) -> None:
        """The fetch was good, and what it was answered is worth to be remembered."""
        self._memory.keep()

    @property
    def holds_until(self) -> datetime | None:
        """Until when all that this fetch was answered holds, so that to ask again is no use."""
        if not self._held_until_s:
            return None
        return self._now() + timedelta(seconds=min(self._held_until_s) - self._monotonic_s())

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
        reply is returned, with ``is_new`` false. Of good fetches, the last
        ``httpcache.MOST_REMEMBERED`` replies are remembered.

        It tries again where that may help, follows redirections, and sends back no cookies.
        ``params``: of the query, beside those in ``url``.

        :raises Unavailable: there is no good reply; ``retry_after``, if the server says so.
        """
        request = self._request(url, params or {}, headers or {})
        key = (str(request.url), *sorted((headers or {}).items()))
        answered = self._memory.get(key)
        if answered is None or answered.holds_until_s <= self._monotonic_s():
            answered = await self._ask(request, key, max_bytes)
        self._memory.put(key, answered, now_s=self._monotonic_s())
        self._held_until_s.append(answered.holds_until_s)
        return replace(answered.reply, forget=partial(self._memory.forget, key))

    def _request(
        self, url: str, params: Mapping[str, Any], headers: Mapping[str, str]
    ) -> httpx2.Request:
        for name, value in headers.items():
            if problem := problem_with(name, value):
                raise Unavailable(problem)
        if is_of_the_web(url):
            with suppress(httpx2.InvalidURL, UnicodeError):
                address = httpx2.URL(url)
                if params:
                    address = address.copy_merge_params(params)
                return self._client.build_request("GET", address, headers=headers)
        raise Unavailable("that is no address of the web: it must be http(s)://HOST/...")

    async def _ask(self, request: httpx2.Request, key: object, max_bytes: int) -> Remembered:
        way = [request.url.host]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limit_s):
                async for attempt in stamina.retry_context(
                    on=_Retryable,
                    attempts=TRIES,
                    timeout=None,
                    wait_initial=self._wait_s,
                    wait_max=4 * self._wait_s,
                    wait_jitter=self._wait_s,
                ):
                    with attempt:
                        return await self._once(request, key, max_bytes, way)
        raise _late(way[-1])

    async def _once(
        self, request: httpx2.Request, key: object, max_bytes: int, way: list[str]
    ) -> Remembered:
        """``way``: the hosts that were asked so far, to which it adds."""
        known = self._memory.get(key)
        request = self._client.build_request("GET", request.url, headers=request.headers)
        request.headers.update(known.validators if known else {})
        response = None
        try:
            response = await self._followed(request, way)
            try:
                content = await _content(response, max_bytes)
            finally:
                await response.aclose()
        except httpx2.DecodingError:
            problem = Unavailable(f"{way[-1]} answers with something that cannot be unpacked")
        except httpx2.TimeoutException:
            problem = _late(way[-1])
        except (httpx2.RequestError, OSError) as error:
            if response is not None:
                what = "breaks off in the middle of its answer"
            elif isinstance(error, httpx2.RemoteProtocolError):
                what = "does not answer in HTTP"
            else:
                what = "cannot be reached"
            cause = _of_the_system(error)
            is_final = isinstance(cause, ssl.SSLCertVerificationError)
            problem = (Unavailable if is_final else _Retryable)(f"{way[-1]} {what}{_reason(cause)}")
        else:
            if content is None:
                raise Unavailable(f"{way[-1]} answers with more than {max_bytes} bytes")
            if response.is_error:
                # It may not stand to be asked conditionally: the next try asks plainly.
                self._memory.forget(key)
            return self._judged(way[-1], response, content, known)
        raise problem

    async def _followed(self, request: httpx2.Request, way: list[str]) -> httpx2.Response:
        """The reply at the end of all redirections. Headers go to the host that they are for, and
        what was asked over TLS is not asked in clear."""
        for _ in range(MAX_REDIRECTS + 1):
            host = request.url.host
            way.append(host)
            response = await self._client.send(request, stream=True)
            if not response.has_redirect_location:
                return response
            await response.aclose()
            onward = response.next_request
            if onward is None or not is_of_the_web(str(onward.url)):
                raise Unavailable(f"{host} sends its callers on to what is no address of the web")
            if onward.url.scheme == "http" and request.url.scheme == "https":
                raise Unavailable(f"{host} sends its callers on to where they would be overheard")
            is_same = (onward.url.host, onward.url.port) == (request.url.host, request.url.port)
            request = onward if is_same else self._client.build_request("GET", onward.url)
        raise Unavailable(f"{host} sends its callers in circles")

    def _judged(
        self, host: str, response: httpx2.Response, content: bytes, known: Remembered | None
    ) -> Remembered:
        status, headers = response.status_code, {**response.headers}
        received, received_s = self._now(), self._monotonic_s()
        if status == 304 and known is not None:
            return known.renewed(headers, received=received, received_s=received_s)
        if response.is_success:
            reply = Reply(host, content, headers)
            return Remembered.of(reply, received=received, received_s=received_s)
        patience = retry_after(headers, received=received)
        said = f"{host} answers with status {status}"
        if status in (401, 403):
            raise Unavailable(f"{said}: it wants a key, or another one", retry_after=patience)
        if status == 429:
            raise Unavailable(f"{said}: it is asked too often", retry_after=patience)
        was_conditional = known is not None and status in _OF_A_CONDITION
        if (status in _RETRIED or was_conditional) and patience is None:
            raise _Retryable(said)
        raise Unavailable(said, retry_after=patience)


async def _content(response: httpx2.Response, max_bytes: int) -> bytes | None:
    """All of it, unpacked; None: it is more than that."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            return None
    return bytes(content)


def _late(host: str) -> Unavailable:
    return _Retryable(f"{host} does not answer in time")


def _of_the_system(error: BaseException) -> OSError | None:
    """What the system, or TLS, said: a library may say what was asked."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and (seen.errno or isinstance(seen, ssl.SSLError)):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _reason(cause: OSError | None) -> str:
    match cause:
        case None:
            return ""
        case ssl.SSLCertVerificationError():
            return f": its certificate is not trusted: {cause.verify_message}"
        case ssl.SSLError():  # whose number is none of the system's
            return ": TLS fails"
    # Of a name that is not found, the number is none of the system's either.
    number = cause.errno or 0
    return f": {os.strerror(number) if number > 0 else cause.strerror}"
