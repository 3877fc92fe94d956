"""``CannedHttp``: the web in tests. Whatever is not in it is an error that says what is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from inspect import iscoroutinefunction

import httpx2

from framework.webaddress import is_of_the_web


@dataclass(frozen=True, slots=True)
class Canned:
    """A reply in detail: ``Canned(status=429, headers={"Retry-After": "60"})``."""

    body: object = b""
    """Bytes or text as they are, anything else as JSON."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = object
"""A ``Canned``, or its body alone; an exception of httpx2, to be raised; a function of the request
that returns one of them."""

_real_now = partial(datetime.now, UTC)


class CannedHttp(httpx2.MockTransport):
    """Answers for each address, and keeps what it was asked."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        now: Callable[[], datetime] = _real_now,
    ) -> None:
        """``answers``: by address, with its query in any order or, for any query, without.
        ``now``: what answers are dated by, unless they have a ``Date`` of their own.

        :raises TypeError: an answer cannot be sent.
        :raises ValueError: an address is none.
        """
        super().__init__(self._answer)
        self.answers = dict(answers)
        """May be changed between two fetches."""
        self.requests: list[httpx2.Request] = []
        self._now = now
        self._check()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self._check()  # they may have been changed
        url = self._found(request.url)
        answer = self.answers[url]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        canned, content = _sent(url, answer)
        headers = httpx2.Headers({"Date": format_datetime(self._now(), usegmt=True)})
        headers.update(canned.headers)
        return httpx2.Response(canned.status, headers=headers, content=content)

    def _check(self) -> None:
        for url, answer in self.answers.items():
            if not is_of_the_web(url):
                raise ValueError(f"{url!r} is no address of the web: it must be http(s)://HOST/...")
            if iscoroutinefunction(answer):
                raise TypeError(f"{url} is answered by an async function: make it a plain def")
            if not callable(answer) and not isinstance(answer, Exception):
                _sent(url, answer)

    def _found(self, asked: httpx2.URL) -> str:
        by_place = {_place(httpx2.URL(url)): url for url in self.answers}
        page, query = _place(asked)
        for place in ((page, query), (page, ())):
            if place in by_place:
                return by_place[place]
        names = "&".join(f"{name}=..." for name, _ in query)
        whole = asked.copy_with(userinfo=b"", query=names.encode() or None)
        there = "".join(f"\n  {url}" for url in self.answers) or " nothing"
        raise LookupError(f"{whole} is asked, and the test answers with http= for{there}")


def _sent(url: str, answer: Answer) -> tuple[Canned, bytes | str]:
    """The reply in detail, and what its body is as it travels."""
    canned = answer if isinstance(answer, Canned) else Canned(answer)
    if not isinstance(canned.status, int):
        raise TypeError(f"{url}: status={canned.status!r} must be a number, as in status=429")
    for name, value in canned.headers.items():
        if not isinstance(value, str):
            raise TypeError(f"{url}: the header {name} must be text, as in {str(value)!r}")
    if isinstance(canned.body, bytes | str):
        return canned, canned.body
    try:
        return canned, json.dumps(canned.body)
    except TypeError as error:
        raise TypeError(
            f"{url}: {error}. Give bytes or text, or of a model its model_dump(mode='json')"
        ) from None


def _place(url: httpx2.URL) -> tuple[tuple[httpx2.Origin, bytes], tuple[tuple[str, str], ...]]:
    """The same for addresses that mean the same."""
    return (url.origin, url.raw_path.partition(b"?")[0]), tuple(sorted(url.params.multi_items()))
