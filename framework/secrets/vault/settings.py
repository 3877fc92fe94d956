"""``[secrets.vault]`` of ``matrix.toml``: which Vault, which key, and how to log in.

The service validates it (``table``) and sends it on as plain data; the child, which has
neither the file nor the environment, takes it from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from framework.hosts import is_loopback

AUDIENCE = "vault"
"""Whom a service account's token is for: a token for the API server itself could be used there."""
OUTSIDE = (
    'It is for pods: elsewhere set method = "token-request", or log in with vault login and let '
    "VAULT_TOKEN_FILE name ~/.vault-token"
)
"""What to do where a service account, or its token, is missing because there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "hide_input_in_errors": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesAuth(_Entry):
    """As the pod's own service account, by the token that kubelet projects into a file."""

    role: str
    token_file: str = "/var/run/secrets/vault/token"  # noqa: S105  # where it is, not what
    mount: str = "kubernetes"
    method: Literal["kubernetes"] = "kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequestAuth(_Entry):
    """As a service account, from outside: the API server is asked for a token."""

    role: str
    service_account: str
    namespace: str
    mount: str = "kubernetes"
    method: Literal["token-request"] = "token-request"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRoleAuth(_Entry):
    """As a machine that has a role's id, and its secret id in a file."""

    role_id: str
    secret_id_file: str
    mount: str = "approle"
    method: Literal["approle"] = "approle"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAuth(_Entry):
    """As whoever has logged in already: the token is in a file, such as ``~/.vault-token``.

    ``VAULT_TOKEN_FILE`` in the environment stands for all of this, whatever login the file names:
    ``VAULT_TOKEN_FILE=~/.vault-token matrix encrypt``, and so with every other command.
    """

    token_file: str
    method: Literal["token"] = "token"


Auth = KubernetesAuth | TokenRequestAuth | AppRoleAuth | TokenAuth
AUTHS: dict[str, type[Auth]] = {
    "kubernetes": KubernetesAuth,
    "token-request": TokenRequestAuth,
    "approle": AppRoleAuth,
    "token": TokenAuth,
}
"""By what ``method`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings(_Entry):
    """One key of one Vault."""

    address: str
    key: str
    login: Auth
    mount: str = "transit"
    namespace: str = ""
    ca_file: str = ""
    """Empty: the CAs of the system."""
    strict: bool = True
    """Whether certificates must be as RFC 5280 has them."""

    def sent(self) -> dict[str, Any]:
        """As it travels to the child."""
        return asdict(self)

    @classmethod
    def received(cls, sent: Mapping[str, Any]) -> VaultSettings:
        """What ``sent`` sent."""
        login = sent["login"]
        return cls(**{**sent, "login": AUTHS[login["method"]](**login)})

    def misfits(self) -> Iterator[tuple[str, str]]:
        """What cannot be: the name, and what is wrong with it."""
        wrong = _wrong_with(self.address)
        if wrong:
            yield "address", wrong
        optional = ("namespace", "ca_file")
        for name, value in asdict(self).items():
            if value == "" and name not in optional and not (name == "address" and wrong):
                yield name, "must not be empty"
        for name, value in asdict(self.login).items():
            if value == "":
                yield f"login.{name}", "must not be empty"


def _wrong_with(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("https", "http"):
        return 'must be a URL, as in "https://vault.example.org:8200"'
    if parts.username is not None or parts.query or parts.fragment:
        return "must be no more than scheme, host, port and path"
    if parts.scheme == "http" and not is_loopback(host):
        return "must begin with https://: http:// is for this machine alone (localhost)"
    return None
