"""``CannedHttp``: the web in tests. Whatever is not in it is an error that says what is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2


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


class CannedHttp(httpx2.MockTransport):
    """Answers for each address, and keeps what it was asked."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """``answers``: by address, with its query or, for any query, without."""
        super().__init__(self._answer)
        self.answers = dict(answers)
        """May be changed between two fetches."""
        self.requests: list[httpx2.Request] = []

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        whole = str(request.url)
        bare = whole.partition("?")[0]
        known = next((each for each in (whole, bare) if each in self.answers), None)
        if known is None:
            there = ", ".join(self.answers) or "nothing"
            raise LookupError(f"{bare} is asked, and the test answers for {there}: see http=")
        answer = self.answers[known]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        canned = answer if isinstance(answer, Canned) else Canned(answer)
        body = canned.body
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        return httpx2.Response(canned.status, headers=dict(canned.headers), content=body)
