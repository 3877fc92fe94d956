"""The connection to one Vault: a request, again within a patience, and the reply as data.

Responsible for which replies are worth another try, and for what is wrong when there is none. Who
asks, and what a reply means, is left to ``login`` and ``transit``. Nothing is taken from the
environment (no proxy, no token, no CA), and no redirect is followed: a token goes to the address
that is configured, and nowhere else.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import hvac
import hvac.adapters
import requests
from requests.adapters import HTTPAdapter

from framework.errors import ConfigError
from framework.secrets import transport
from framework.secrets.patience import PATIENCE_S, Again, patiently
from framework.secrets.tls import client_context
from framework.secrets.transit import TransitRefused, TransitUnavailable
from framework.secrets.vault.settings import VaultSettings

Failure = TransitRefused | TransitUnavailable
Ask = Callable[[Any], requests.Response]
"""What is asked of an ``hvac.Client``."""

TABLE = "[secrets.vault]"
BOOTSTRAP = "matrix access, then matrix vault bootstrap --from access.json"
"""What makes keys, roles and policies."""
NAMESPACE = "X-Vault-Namespace"

_STATUS = "vault status"
"""What tells whether it is up."""
FORBIDDEN = 403
_AGAIN = (412, 429, 500, 502, 503, 504)
"""Behind a standby, over a rate limit, or not well."""
_TOO_LARGE = "exceeds allowed"
"""What Vault says, with status 500, of a JSON with too long a string in it."""
MISMATCH = "message authentication failed"
"""What Vault says of a ciphertext that does not verify; older ones with status 500."""


class Reply(transport.Reply):
    """What Vault answered."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        return self.status in (200, 204)

    @property
    def errors(self) -> str:
        """In lower case, to be looked into and never shown: it may repeat what was sent."""
        errors = self.body.get("errors")
        return " ".join(map(str, errors)).lower() if isinstance(errors, list) else ""

    @property
    def is_too_large(self) -> bool:
        return self.status == 413 or _TOO_LARGE in self.errors


Outcome = Reply | Failure


class VaultClient:
    """Asks one Vault, on kept connections."""

    def __init__(self, settings: VaultSettings, *, patience_s: float = PATIENCE_S) -> None:
        """:raises ConfigError: the settings cannot be, or the CA file cannot be used."""
        for name, what in settings.misfits():
            raise ConfigError(f"{TABLE} {name} {what}")
        self.settings = settings
        self._patience_s = patience_s
        self._host = urlsplit(settings.address).hostname or ""
        self.name = f"Vault at {urlsplit(settings.address).netloc}"
        context = None
        if settings.address.startswith("https:"):
            context = client_context(settings.ca_file, strict=settings.strict, settings=TABLE)
        self._adapter = _Adapter(context)
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, self._adapter)
        if settings.namespace:
            # Here and not in hvac, which lets no call go without it.
            self._session.headers[NAMESPACE] = settings.namespace
        # All that hvac would otherwise take from the environment is given: url, token, verify.
        self._hvac = hvac.Client(
            url=settings.address,
            token="",
            verify=True,
            session=self._session,
            adapter=hvac.adapters.RawAdapter,
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

    def ask(self, ask: Ask, *, repeat: bool = True, patience_s: float | None = None) -> Outcome:
        """The reply, whatever its status, unless it is one that means to try again.

        A failure is returned, not raised (``patience.given``). ``repeat``: whether that is
        harmless.
        """
        return patiently(
            lambda left_s: self._once(ask, left_s),
            patience_s=self._patience_s if patience_s is None else patience_s,
            repeat=repeat,
        )

    def _once(self, ask: Ask, left_s: float) -> tuple[Outcome, Again | None]:
        outcome = self._asked(ask, left_s)
        if not isinstance(outcome, Reply):
            return outcome, Again() if isinstance(outcome, TransitUnavailable) else None
        failure = self._passing(outcome)
        if failure is None:
            return outcome, None
        return failure, Again(outcome.retry_after_s)

    def _asked(self, ask: Ask, left_s: float) -> Outcome:
        self._adapter.left_s = left_s
        try:
            response = ask(self._hvac)
        except requests.RequestException as error:
            problem = transport.no_reply(
                error,
                name=self.name,
                host=self._host,
                ca_file=self.settings.ca_file,
                settings=TABLE,
                remedy=f"see whether it is up ({_STATUS}), and whether address in {TABLE}, or "
                "VAULT_ADDR, is right",
            )
            return (TransitRefused if problem.lasting else TransitUnavailable)(problem.sentence)
        if 300 <= response.status_code < 400:
            to = _shown(response.headers.get("Location", ""))
            return TransitRefused(
                f"{self.name} sends its callers on to {to}: set address in {TABLE} to the server "
                "that answers itself"
            )
        return Reply.of(response.status_code, response.content, response.headers)

    def _passing(self, reply: Reply) -> TransitUnavailable | None:
        """Why it is to be asked again, if it is."""
        if reply.status not in _AGAIN or reply.is_too_large or MISMATCH in reply.errors:
            return None
        if "sealed" in reply.errors or reply.body.get("sealed") is True:
            return TransitUnavailable(f"{self.name} is sealed: unseal it (vault operator unseal)")
        return TransitUnavailable(
            f"{self.name} answers with status {reply.status}: try again; if it stays so, its log, "
            f"or {_STATUS}, says why"
        )


class _Adapter(HTTPAdapter):
    """With our own TLS context, our own time limits, and straight to the server."""

    left_s = 0.0

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        transport.prepare(self.poolmanager, self._context)

    def cert_verify(self, conn: Any, url: object, verify: object, cert: object) -> None:
        """Would add the CAs of certifi, or those that the environment names, to our context."""

    def close(self) -> None:
        transport.close(self.poolmanager)
        super().close()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs |= {
            "timeout": transport.limits_s(self.left_s),
            "verify": True,
            "cert": None,
            "proxies": {},
        }
        return super().send(request, *args, **kwargs)


def _shown(location: str) -> str:
    """Where it leads to, without what may be hidden in it."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "another address"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
