"""The connection to one Vault: a request, again within a patience, and the reply as data.

Responsible for TLS, time limits and repetition, and for what is wrong when there is no reply. Who
asks, and what a reply means, is left to ``login`` and ``vault``. Nothing is taken from the
environment (no proxy, no token, no CA), and no redirect is followed: a token goes to the address
that is configured, and nowhere else.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import hvac
import hvac.adapters
import requests
from requests.adapters import HTTPAdapter

from framework.errors import ConfigError
from framework.secrets.tls import client_context, inside, tls_problem
from framework.secrets.transit import TransitRefused, TransitUnavailable
from framework.secrets.vault.settings import VaultSettings

T = TypeVar("T")
Failure = TransitRefused | TransitUnavailable
Ask = Callable[[Any], requests.Response]
"""What is asked of an ``hvac.Client``."""

TABLE = "[secrets.vault]"
PATIENCE_S = 8.0
"""How long one call may take with all its repetitions. A child that has a login and a decryption
to wait for still ends by itself."""
CONNECT_S = 3.0
READ_S = 5.0
SHORTEST_S = 0.1
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0

FORBIDDEN = 403
_AGAIN = (412, 429, 500, 502, 503, 504)
"""Behind a standby, over a rate limit, or not well."""
MISMATCH = "message authentication failed"
"""What Vault says of a ciphertext that does not verify; older ones with status 500."""


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What Vault answered."""

    status: int
    body: Mapping[str, Any]
    """Empty, if it was no JSON object."""
    retry_after_s: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status in (200, 204)

    @property
    def errors(self) -> str:
        """In lower case, to be looked into and never shown: it may repeat what was sent."""
        errors = self.body.get("errors")
        return " ".join(map(str, errors)).lower() if isinstance(errors, list) else ""

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of the body; an empty one, if there is none."""
        table = self.body.get(name)
        return table if isinstance(table, dict) else {}


def given(outcome: T | Failure) -> T:
    """Raised here, an error carries neither a context nor a frame that held what was sent."""
    if isinstance(outcome, TransitRefused | TransitUnavailable):
        raise outcome
    return outcome


class VaultClient:
    """Asks one Vault, on kept connections."""

    def __init__(
        self,
        settings: VaultSettings,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """:raises ConfigError: the settings cannot be, or the CA file cannot be used."""
        for name, what in settings.misfits():
            raise ConfigError(f"{TABLE} {name} {what}")
        self.settings = settings
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._host = urlsplit(settings.address).hostname or ""
        self.name = f"Vault at {urlsplit(settings.address).netloc}"
        context = None
        if settings.address.startswith("https:"):
            context = client_context(settings.ca_file, strict=settings.strict)
        self._transport = _Transport(context)
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._transport)
        # All that hvac would otherwise take from the environment is given: url, token, verify.
        self._hvac = hvac.Client(
            url=settings.address,
            token="",
            verify=True,
            session=self._session,
            adapter=hvac.adapters.RawAdapter,
            namespace=settings.namespace or None,
            allow_redirects=False,
            ignore_exceptions=True,
        )

    @property
    def token(self) -> str:
        """What it identifies itself by. Empty: by nothing."""
        return str(self._hvac.adapter.token)

    @token.setter
    def token(self, token: str) -> None:
        self._hvac.adapter.token = token

    def close(self) -> None:
        self._session.close()

    def ask(
        self, ask: Ask, *, repeat: bool = True, patience_s: float | None = None
    ) -> Reply | Failure:
        """The reply, whatever its status, unless it is one that means to try again.

        A failure is returned, not raised: an exception that is kept keeps the frames that it went
        through, and what they held. ``repeat``: whether that is harmless.
        """
        until_s = self._clock() + (self._patience_s if patience_s is None else patience_s)
        wait_s = FIRST_WAIT_S
        while True:
            outcome = self._once(ask, until_s)
            if isinstance(outcome, TransitRefused):
                return outcome
            if isinstance(outcome, Reply):
                failure = self._passing(outcome)
                if failure is None:
                    return outcome
                pause_s = max(outcome.retry_after_s, wait_s * random.uniform(0.5, 1))
            else:
                failure, pause_s = outcome, wait_s * random.uniform(0.5, 1)
            if not repeat or self._clock() + pause_s >= until_s:
                return failure
            self._sleep(pause_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _once(self, ask: Ask, until_s: float) -> Reply | Failure:
        self._transport.left_s = max(until_s - self._clock(), SHORTEST_S)
        try:
            response = ask(self._hvac)
            return self._reply(response)
        except requests.RequestException as error:
            return self._no_reply(error)

    def _reply(self, response: requests.Response) -> Reply | Failure:
        if 300 <= response.status_code < 400:
            to = _shown(response.headers.get("Location", ""))
            return TransitRefused(
                f"{self.name} sends its callers on to {to}: set address in {TABLE} to the server "
                "that answers itself"
            )
        try:
            body = response.json()
        except (ValueError, RecursionError):
            body = None
        after = response.headers.get("Retry-After", "")
        return Reply(
            response.status_code,
            body if isinstance(body, dict) else {},
            float(after) if after.isascii() and after.isdigit() else 0.0,
        )

    def _no_reply(self, error: requests.RequestException) -> Failure:
        problem = tls_problem(error, host=self._host, ca_file=self.settings.ca_file, settings=TABLE)
        if problem is not None:
            kind = TransitRefused if problem.lasting else TransitUnavailable
            return kind(f"{self.name} cannot be asked: {problem.sentence}")
        if isinstance(error, requests.Timeout):
            return TransitUnavailable(f"{self.name} does not answer in time")
        if isinstance(error, requests.ConnectionError):
            return TransitUnavailable(f"{self.name} cannot be reached: {_reason(error)}")
        return TransitUnavailable(f"{self.name} broke off ({type(error).__name__})")

    def _passing(self, reply: Reply) -> TransitUnavailable | None:
        """Why it is to be asked again, if it is."""
        if reply.status not in _AGAIN or MISMATCH in reply.errors:
            return None
        if "sealed" in reply.errors or reply.body.get("sealed") is True:
            return TransitUnavailable(f"{self.name} is sealed: unseal it (vault operator unseal)")
        return TransitUnavailable(f"{self.name} answers with status {reply.status}")


class _Transport(HTTPAdapter):
    """With our own TLS context, our own time limits, and straight to the server."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self.left_s = READ_S
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: object, verify: object, cert: object) -> None:
        """Would add the CAs of certifi, or those that the environment names, to our context."""

    def close(self) -> None:
        """At once: urllib3 leaves it to the collector of garbage, which after a failure is late."""
        pools = self.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118  # it refuses to be iterated over
            pools[key].close()
        super().close()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs |= {
            "timeout": (min(CONNECT_S, self.left_s), min(READ_S, self.left_s)),
            "verify": True,
            "cert": None,
            "proxies": {},
        }
        return super().send(request, *args, **kwargs)


def _reason(error: BaseException) -> str:
    reasons = (each.strerror for each in inside(error) if isinstance(each, OSError))
    return next((each for each in reasons if each), "the connection broke off")


def _shown(location: str) -> str:
    """Where it leads to, without what may be hidden in it."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "another address"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
