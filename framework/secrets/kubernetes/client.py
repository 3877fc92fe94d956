"""The connection to one API server: a request, again within a patience, and the reply as data.

Responsible for which replies are worth another try, and for what is wrong when there is none. Where
the server is, is left to ``connection``; what a reply means, to who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kubernetes.client import ApiException

from framework.secrets import transport
from framework.secrets.kubernetes.connection import TABLE, Failure, connect
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.patience import BRIEFLY_S, PATIENCE_S, Again, patiently
from framework.secrets.store import StoreRefused, StoreUnavailable

_STATUS = "kubectl get --raw /readyz"
"""What tells whether it is up."""
FORBIDDEN = 403
TOO_MANY = 429
_AGAIN = (408, TOO_MANY, 500, 502, 503, 504)
_TOO_LARGE = "request is too large"
"""What etcd says, with status 500."""


class Reply(transport.Reply):
    """What the API server answered."""

    __slots__ = ()

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

    @property
    def is_too_large(self) -> bool:
        return self.status == 413 or _TOO_LARGE in self.message


Outcome = Reply | Failure


class KubernetesClient:
    """Asks one API server, on a kept connection."""

    def __init__(self, settings: KubernetesSettings, *, patience_s: float = PATIENCE_S) -> None:
        """:raises ConfigError: there is no way to a server, or it cannot be used."""
        self._connection = connect(settings)
        self._patience_s = patience_s
        self._in_vain: set[bool] = set()
        """Which requests were not answered last, those that are repeated or the others. The next of
        them does not wait as long; who writes in vain still looks for long what became of it."""
        self._way = (
            f"kubeconfig and context in {TABLE}, or KUBECONFIG, name the right one"
            if settings.kubeconfig
            else "a NetworkPolicy keeps this pod from it"
        )
        """What else may be wrong, where nobody answers."""
        parts = urlsplit(self._connection.server)
        self._host = parts.hostname or ""
        self.name = f"Kubernetes at {parts.netloc}"
        self.namespace = self._connection.namespace
        """Where one is, unless another is named."""

    def close(self) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, repeat: bool
    ) -> Outcome:
        """The reply, whatever its status, unless it is one that means to try again.

        A failure is returned, not raised (``patience.given``). ``repeat``: whether that is
        harmless.
        """
        limit_s = BRIEFLY_S if repeat in self._in_vain else self._patience_s
        outcome = patiently(
            lambda left_s: self._once(method, path, body, left_s),
            patience_s=min(limit_s, self._patience_s),
            repeat=repeat,
        )
        if isinstance(outcome, StoreUnavailable):
            self._in_vain.add(repeat)
        else:
            self._in_vain.discard(repeat)
        return outcome

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None, left_s: float
    ) -> tuple[Outcome, Again | None]:
        outcome = self._asked(method, path, body, left_s)
        if not isinstance(outcome, Reply):
            return outcome, Again() if isinstance(outcome, StoreUnavailable) else None
        if outcome.status == FORBIDDEN and not self._is_ready(left_s):
            return outcome, Again(outcome.retry_after_s, unseen=True)
        if outcome.status not in _AGAIN or outcome.is_too_large:
            return outcome, None
        failure = StoreUnavailable(
            f"{self.name} answers with status {outcome.status}: try again; if it stays so, its "
            f"log, or {_STATUS}, says why"
        )
        return failure, Again(outcome.retry_after_s, unseen=outcome.status == TOO_MANY)

    def _is_ready(self, left_s: float) -> bool:
        """False: it has just been started, and does not know yet who has which rights."""
        reply = self._asked("GET", "/readyz", None, left_s)
        return not isinstance(reply, Reply) or reply.status not in (FORBIDDEN, 500)

    def _asked(
        self, method: str, path: str, body: Mapping[str, Any] | None, left_s: float
    ) -> Outcome:
        authorization = self._connection.authorization()
        if not isinstance(authorization, str):
            return authorization
        api = self._connection.api
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers["User-Agent"] = api.user_agent
        if authorization:
            headers["Authorization"] = authorization
        url = self._connection.server + path
        limits_s = transport.limits_s(left_s)
        try:
            response = api.call_api(method, url, headers, body, _request_timeout=limits_s)
            content = response.read()
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            problem = transport.no_reply(
                error,
                name=self.name,
                host=self._host,
                ca_file=self._connection.ca_file,
                settings=TABLE,
                remedy=f"see whether it is up ({_STATUS}), and whether {self._way}",
            )
            return (StoreRefused if problem.lasting else StoreUnavailable)(problem.sentence)
        if 300 <= response.status < 400:
            return StoreRefused(
                f"{self.name} sends its callers on to another address: let kubeconfig name the "
                "server that answers itself"
            )
        return Reply.of(response.status, content, response.headers)
