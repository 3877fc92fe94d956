"""How a Vault token is got, and that it is gone afterwards.

A ``Login`` has credentials, read afresh each time, and exchanges them for a token. A ``Session``
asks Vault with that token: it logs in when it is first needed, once more where the token has run
out meanwhile, and revokes it at the end. Neither shows a credential, in errors neither.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeGuard

from framework import durable
from framework.secrets.store import StoreRefused, StoreUnavailable
from framework.secrets.transit import TransitRefused, TransitUnavailable
from framework.secrets.vault.client import BOOTSTRAP, FORBIDDEN, Ask, Failure, Reply, VaultClient
from framework.secrets.vault.settings import (
    AUDIENCE,
    OUTSIDE,
    AppRoleAuth,
    KubernetesAuth,
    TokenAuth,
    TokenRequestAuth,
    VaultSettings,
)

REVOKE_S = 2.0
"""How long the end waits for Vault: what is not revoked runs out by itself."""
_CREDENTIAL = re.compile(r"[!-~]{1,16384}")
_DENIED = "permission denied"
"""All that Vault says, whatever it is."""

Credential = Callable[[], "str | Failure"]
"""Gives a credential as it is now, or says why not: returned, so that nothing keeps a frame."""
RequestToken = Callable[[str, str, str], str]
"""Asks the API server for a token: of this service account, in this namespace, for this audience.
It raises ``StoreRefused`` or ``StoreUnavailable``."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login gave."""

    token: str = field(repr=False)
    lease_s: float | None
    """How long it is good for; None: who made it knows."""
    own: bool
    """Whether it was made for this login, and is to be revoked."""


class Login(Protocol):
    """Credentials for one Vault. The contract of every implementation:

    ``name`` says for whom, in messages. ``grant`` reads the credentials afresh, may be called
    again, and *returns* what is wrong: ``TransitRefused`` if asking again changes nothing,
    ``TransitUnavailable`` if it may.
    """

    name: str

    def grant(self, vault: VaultClient) -> Grant | Failure: ...


class KubernetesLogin:
    """As a Kubernetes service account, by a JWT of its own."""

    def __init__(self, jwt: Credential, *, role: str, mount: str) -> None:
        self.name = f'role "{role}" of auth/{mount}'
        self._jwt = jwt
        self._role = role
        self._mount = mount

    def grant(self, vault: VaultClient) -> Grant | Failure:
        jwt = self._jwt()
        if not isinstance(jwt, str):
            return jwt
        reply = vault.ask(
            lambda hvac: hvac.auth.kubernetes.login(
                role=self._role, jwt=jwt, use_token=False, mount_point=self._mount
            )
        )
        outcome = _granted(reply, vault, self.name, self._why)
        if isinstance(outcome, TransitRefused) and _may_be_unasked(reply):
            return TransitUnavailable(str(outcome))
        return outcome

    def _why(self, said: str) -> str | None:
        role, mount = self._role, self._mount
        if "audience" in said:
            return (
                f'the token of the service account is not for the audience of role "{role}": '
                f'let audience be "{AUDIENCE}" in the projected volume and in '
                f"auth/{mount}/role/{role}"
            )
        if "invalid role" in said:
            return (
                f'there is no role "{role}" in auth/{mount}: make it ({BOOTSTRAP}), or correct role'
            )
        if "not authorized" in said:
            return (
                f'role "{role}" is not bound to this service account and namespace: add them to '
                f"bound_service_account_names and _namespaces of auth/{mount}/role/{role}"
            )
        if "expired" in said:
            return (
                "the token of the service account has expired: is it a projected volume, which "
                "kubelet renews, and are the clocks right?"
            )
        if _is_bare(said):
            return (
                f"no reason is given: either auth/{mount} is not the kubernetes auth method, or "
                "the API server does not answer Vault, or Vault's own reviewer may not ask the API "
                f"server about the token (token_reviewer_jwt and kubernetes_host in auth/{mount}/"
                "config), or the service account is gone"
            )
        return None


class AppRoleLogin:
    """As a machine, by a role's id and secret id."""

    def __init__(self, secret_id: Credential, *, role_id: str, mount: str) -> None:
        self.name = f"AppRole of auth/{mount}"
        self._secret_id = secret_id
        self._role_id = role_id
        self._mount = mount

    def grant(self, vault: VaultClient) -> Grant | Failure:
        secret_id = self._secret_id()
        if not isinstance(secret_id, str):
            return secret_id
        reply = vault.ask(
            lambda hvac: hvac.auth.approle.login(
                role_id=self._role_id,
                secret_id=secret_id,
                use_token=False,
                mount_point=self._mount,
            )
        )
        return _granted(reply, vault, self.name, self._why)

    def _why(self, said: str) -> str | None:
        if "invalid role" in said or "invalid secret" in said:
            return (
                "role_id or secret id are not known: the secret id may have run out or been used "
                "up (with secret_id_num_uses = 1 also by a login whose reply was lost), make a new "
                "one and write it to secret_id_file"
            )
        if _is_bare(said):
            return f"no reason is given: is auth/{self._mount} the approle auth method?"
        return None


class TokenLogin:
    """As whoever has logged in already. The token stays theirs: it is not revoked."""

    def __init__(self, token: Credential, *, name: str) -> None:
        self.name = name
        self._token = token

    def grant(self, vault: VaultClient) -> Grant | Failure:
        token = self._token()
        return Grant(token, lease_s=None, own=False) if isinstance(token, str) else token


def login_of(settings: VaultSettings, *, request_token: RequestToken | None = None) -> Login:
    """The login that the settings name.

    ``request_token`` is for the method ``token-request`` alone.

    :raises TransitRefused: it is needed and not there.
    """
    auth = settings.login
    if isinstance(auth, KubernetesAuth):
        jwt = credential_of(
            auth.token_file,
            "the token of the service account",
            f'mount it as a projected volume with audience "{AUDIENCE}", or correct token_file. '
            f"{OUTSIDE}",
        )
        return KubernetesLogin(jwt, role=auth.role, mount=auth.mount)
    if isinstance(auth, AppRoleAuth):
        secret_id = credential_of(
            auth.secret_id_file, "the secret id", "write it there, or correct secret_id_file"
        )
        return AppRoleLogin(secret_id, role_id=auth.role_id, mount=auth.mount)
    if isinstance(auth, TokenAuth):
        token = credential_of(
            auth.token_file, "the Vault token", "log in (vault login), or correct token_file"
        )
        return TokenLogin(token, name=f"the token in {auth.token_file}")
    if request_token is None:
        raise TransitRefused(
            'the method "token-request" needs an API server to ask: it is for sources that are in '
            "Kubernetes"
        )
    jwt = _requested(request_token, auth)
    return KubernetesLogin(jwt, role=auth.role, mount=auth.mount)


def _requested(request_token: RequestToken, auth: TokenRequestAuth) -> Credential:
    def request() -> str | Failure:
        try:
            return request_token(auth.service_account, auth.namespace, AUDIENCE)
        except StoreUnavailable as error:
            return TransitUnavailable(str(error))
        except StoreRefused as error:
            return TransitRefused(str(error))

    return request


def credential_of(file: str, what: str, remedy: str) -> Credential:
    """What ``file`` holds, read afresh each time: kubelet and others write it anew."""

    def read() -> str | Failure:
        try:
            text = durable.read(Path(file))[0].decode().strip()
        except OSError as error:
            kind = TransitRefused if durable.is_lasting(error) else TransitUnavailable
            return kind(f"{what} cannot be read from {file}: {error.strerror}; {remedy}")
        except UnicodeDecodeError:
            text = ""
        if not _CREDENTIAL.fullmatch(text):
            return TransitRefused(f"{file} does not hold {what}, in one line: {remedy}")
        return text

    return read


class Session:
    """Asks Vault as somebody."""

    def __init__(
        self, vault: VaultClient, login: Login, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.vault = vault
        self.login = login
        self._clock = clock
        self._grant: Grant | None = None
        self._until_s: float | None = None
        self._refused: set[str] = set()
        """What a token was refused that had just been made."""

    def ask(self, path: str, ask: Ask, *, repeat: bool = True) -> Reply | Failure:
        """The reply; ``path`` tells one right from another.

        What is refused to a token that was not just made, or was out of time before the reply came,
        may be allowed to a new one: the old one has run out, or was revoked. What is refused to a
        new one too, is not asked twice again.
        """
        is_new = self._grant is None or self._has_run_out()
        failure = self._log_in() if is_new else None
        if failure is not None:
            return failure
        reply = self.vault.ask(ask, repeat=repeat)
        may_be_old = not is_new or self._has_run_out()
        if _is_forbidden(reply) and may_be_old and path not in self._refused:
            before = self.vault.token
            failure = self._log_in()
            if failure is not None:
                return failure
            if self.vault.token != before:
                reply = self.vault.ask(ask, repeat=repeat)
        if _is_forbidden(reply):
            self._refused.add(path)
        return reply

    def end(self) -> None:
        """Revoke the token, if it is one's own. Where that fails, it runs out by itself."""
        grant, self._grant = self._grant, None
        if grant is not None and grant.own:
            self.vault.ask(
                lambda hvac: hvac.auth.token.revoke_self(), repeat=False, patience_s=REVOKE_S
            )
        self.vault.token = ""

    def _log_in(self) -> Failure | None:
        self.end()
        began_s = self._clock()
        grant = self.login.grant(self.vault)
        if not isinstance(grant, Grant):
            return grant
        self._grant = grant
        self._until_s = None if grant.lease_s is None else began_s + grant.lease_s
        self.vault.token = grant.token
        return None

    def _has_run_out(self) -> bool:
        return self._until_s is not None and self._clock() >= self._until_s


def _granted(
    reply: Reply | Failure, vault: VaultClient, name: str, why: Callable[[str], str | None]
) -> Grant | Failure:
    """The token of a reply, or what is wrong."""
    if not isinstance(reply, Reply):
        return reply
    auth = reply.table("auth")
    token, lease_s = auth.get("client_token"), auth.get("lease_duration")
    if reply.ok and isinstance(token, str) and _CREDENTIAL.fullmatch(token):
        # 0 means that it does not run out.
        return Grant(token, float(lease_s) if isinstance(lease_s, int) and lease_s else None, True)
    reason = why(reply.errors) or f"its answer has status {reply.status}: its audit log says more"
    return TransitRefused(f"{vault.name} does not log in {name}: {reason}")


def _is_forbidden(reply: Reply | Failure) -> TypeGuard[Reply]:
    return isinstance(reply, Reply) and reply.status == FORBIDDEN


def _may_be_unasked(reply: Reply | Failure) -> bool:
    """Whether the API server could have been away when Vault asked it: Vault does not tell."""
    return _is_forbidden(reply) and _DENIED in reply.errors


def _is_bare(said: str) -> bool:
    return _DENIED in said or "missing client token" in said or "no handler" in said
