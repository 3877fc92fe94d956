"""The connection to one API server: a request, again within a patience, and the reply as data.

Responsible for time limits and repetition, and for what is wrong when there is no reply. Where the
server is, is left to ``connection``; what a reply means, to who asks. Bodies hold secrets:
none is logged, shown, or kept by an error.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from kubernetes.client import ApiException

from framework.secrets.kubernetes.connection import TABLE, Failure, access
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.store import StoreRefused, StoreUnavailable
from framework.secrets.tls import inside, tls_problem

T = TypeVar("T")

PATIENCE_S = 8.0
"""How long one call may take with all its repetitions."""
CONNECT_S = 3.0
READ_S = 5.0
SHORTEST_S = 0.1
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0

FORBIDDEN = 403
TOO_MANY = 429
_AGAIN = (408, TOO_MANY, 500, 502, 503, 504)
_TOO_LARGE = "request is too large"
"""What etcd says, with status 500."""


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What the API server answered."""

    status: int
    body: Mapping[str, Any]
    """Empty, if it was no JSON object."""
    retry_after_s: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status in (200, 201)

    @property
    def reason(self) -> str:
        """The word for it; empty, if it was not Kubernetes that said so."""
        is_status = self.body.get("kind") == "Status"
        return str(self.body.get("reason", "")) if is_status else ""

    @property
    def message(self) -> str:
        """To be looked into and never shown: it may repeat what was sent."""
        return str(self.body.get("message", ""))

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of the body; an empty one, if there is none."""
        table = self.body.get(name)
        return table if isinstance(table, dict) else {}

    @property
    def is_too_large(self) -> bool:
        return self.status == 413 or _TOO_LARGE in self.message


def given(outcome: T | Failure) -> T:
    """Raised here, an error carries neither a context nor a frame that held what was sent."""
    if isinstance(outcome, StoreRefused | StoreUnavailable):
        raise outcome
    return outcome


class KubernetesClient:
    """Asks one API server, on a kept connection."""

    def __init__(
        self,
        settings: KubernetesSettings,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """:raises ConfigError: there is no way to a server, or it cannot be used."""
        self._access = access(settings)
        self._api = self._access.api
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        parts = urlsplit(self._access.server)
        self._host = parts.hostname or ""
        self.name = f"Kubernetes at {parts.netloc}"
        self.namespace = self._access.namespace
        """Where one is, unless another is named."""

    def close(self) -> None:
        self._api.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, repeat: bool
    ) -> Reply | Failure:
        """The reply, whatever its status, unless it is one that means to try again.

        A failure is returned, not raised: an exception that is kept keeps the frames that it went
        through, and what they held. ``repeat``: whether that is harmless.
        """
        until_s = self._clock() + self._patience_s
        wait_s = FIRST_WAIT_S
        while True:
            outcome = self._once(method, path, body, until_s - self._clock())
            if isinstance(outcome, StoreRefused):
                return outcome
            pause_s, may = wait_s * random.uniform(0.5, 1), repeat
            if isinstance(outcome, Reply):
                starts = outcome.status == FORBIDDEN and not self._is_ready(until_s - self._clock())
                if not starts and (outcome.status not in _AGAIN or outcome.is_too_large):
                    return outcome
                pause_s = max(pause_s, outcome.retry_after_s)
                # Turned away before it was looked at.
                may = repeat or starts or outcome.status == TOO_MANY
                if not starts:
                    outcome = StoreUnavailable(f"{self.name} answers with status {outcome.status}")
            if not may or self._clock() + pause_s >= until_s:
                return outcome
            self._sleep(pause_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None, left_s: float
    ) -> Reply | Failure:
        authorization = self._access.authorization()
        if not isinstance(authorization, str):
            return authorization
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers["User-Agent"] = self._api.user_agent
        if authorization:
            headers["Authorization"] = authorization
        left_s = max(left_s, SHORTEST_S)
        limits_s = (min(CONNECT_S, left_s), min(READ_S, left_s))
        url = self._access.server + path
        try:
            response = self._api.call_api(method, url, headers, body, _request_timeout=limits_s)
            return self._reply(response, response.read())
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            return self._no_reply(error)

    def _is_ready(self, left_s: float) -> bool:
        """False: it has just been started, and does not know yet who has which rights."""
        reply = self._once("GET", "/readyz", None, left_s)
        return not isinstance(reply, Reply) or reply.status not in (FORBIDDEN, 500)

    def _reply(self, response: Any, content: bytes) -> Reply | Failure:
        if 300 <= response.status < 400:
            return StoreRefused(
                f"{self.name} sends its callers on to another address: let kubeconfig name the "
                "server that answers itself"
            )
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        after = response.headers.get("Retry-After", "")
        return Reply(
            response.status,
            body if isinstance(body, dict) else {},
            float(after) if after.isascii() and after.isdigit() else 0.0,
        )

    def _no_reply(self, error: Exception) -> Failure:
        problem = tls_problem(error, host=self._host, ca_file=self._access.ca, settings=TABLE)
        if problem is not None:
            kind = StoreRefused if problem.lasting else StoreUnavailable
            return kind(f"{self.name} cannot be asked: {problem.sentence}")
        # First, because urllib3 takes a connection that is refused for one that timed out.
        reasons = (each.strerror for each in inside(error) if isinstance(each, OSError))
        reason = next((each for each in reasons if each), None)
        if reason is None and isinstance(error, urllib3.exceptions.TimeoutError):
            return StoreUnavailable(f"{self.name} does not answer in time")
        broke_off = reason or "the connection broke off"
        return StoreUnavailable(f"{self.name} cannot be reached: {broke_off}")
