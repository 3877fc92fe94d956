"""HTTP as both clients have it, through urllib3, which the packages of both stand on.

Responsible for connections with our own TLS, time limits that hold, a reply as data, and for what
is wrong where there is none. When it is asked again is ``patience``'s; what is asked, and what a
reply means, is the clients'. Bodies hold secrets: none is logged, shown, or kept by an error.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from framework.secrets.tls import Problem, inside, tls_problem

CONNECT_S = 3.0
REPLY_S = 5.0
"""From the request to the last byte of its reply."""


def limits_s(left_s: float) -> tuple[float, float]:
    """To connect, and for the whole reply."""
    return min(CONNECT_S, left_s), min(REPLY_S, left_s)


def prepare(manager: urllib3.PoolManager, context: ssl.SSLContext | None) -> None:
    """Let all connections have our TLS context, and bound whole replies."""
    manager.connection_pool_kw["ssl_context"] = context
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


def close(manager: urllib3.PoolManager) -> None:
    """At once: urllib3 leaves it to the collector of garbage, which after a failure is late."""
    pools = manager.pools
    for key in pools.keys():  # noqa: SIM118  # it refuses to be iterated over
        pools[key].close()


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What a server answered, in JSON."""

    status: int
    body: Mapping[str, Any]
    """Empty, if it was no JSON object."""
    retry_after_s: float = 0.0

    @classmethod
    def of(cls, status: int, content: bytes, headers: Mapping[str, str]) -> Self:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        after = headers.get("Retry-After", "")
        return cls(
            status,
            body if isinstance(body, dict) else {},
            float(after) if after.isascii() and after.isdigit() else 0.0,
        )

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of the body; an empty one, if there is none."""
        table = self.body.get(name)
        return table if isinstance(table, dict) else {}


def no_reply(
    error: BaseException, *, name: str, host: str, ca_file: str, settings: str, remedy: str
) -> Problem:
    """Why there is none. ``settings``: the table where ``strict`` and ``ca_file`` stand.
    ``remedy``: what to do where nobody answers."""
    problem = tls_problem(error, host=host, ca_file=ca_file, settings=settings)
    if problem is not None:
        return Problem(f"{name} cannot be asked: {problem.sentence}", problem.lasting)
    errors = list(inside(error))
    # First, because urllib3 takes a connection that is refused for one that timed out.
    reasons = [each.strerror for each in errors if isinstance(each, OSError) and each.strerror]
    if not reasons and any(isinstance(each, _TIMEOUTS) for each in errors):
        return Problem(f"{name} does not answer in time: {remedy}", lasting=False)
    reason = reasons[0] if reasons else "the connection broke off"
    return Problem(f"{name} cannot be reached: {reason}; {remedy}", lasting=False)


_TIMEOUTS = (TimeoutError, urllib3.exceptions.TimeoutError)


class _Response(http.client.HTTPResponse):
    """All of it, the head too, within the time limit of its socket, which Python takes to be for
    each receive: a byte a second would do for hours."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock))


class _Bounded(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._until_s = time.monotonic() + (sock.gettimeout() or REPLY_S)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Http(HTTPConnection):
    response_class = _Response


class _Https(HTTPSConnection):
    response_class = _Response


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https
