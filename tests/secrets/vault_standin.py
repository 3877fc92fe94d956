"""A stand-in for HTTP's side of Vault, over TLS: a thin layer over a local keyring.

``family`` is whose answers it gives: "1.21" and "1.13" as real ones gave them (``tests/real`` runs
the same contract on those), "1.8" as noted down from one. What a Vault does on a bad day is said
with ``intercept``.
"""

from __future__ import annotations

import base64
import secrets
import time
from pathlib import Path
from typing import Any

from framework.secrets.local.keyring import LocalTransit
from framework.secrets.transit import Sealed, TooOld, TransitRefused
from framework.secrets.vault.login import Login, TokenLogin
from framework.secrets.vault.settings import TokenAuth, VaultSettings
from tests.real.authority import Authority, Leaf
from tests.secrets.httpserver import Answer, Request, Standin

FAMILIES = ("1.21", "1.13", "1.8")
KEY = "matrix"
ROLE, JWT = "tide", "a.good.jwt"
ROLE_ID, SECRET_ID = "role-id", "secret-id"
MISMATCH = "cipher: message authentication failed"


def token_of(request: Request) -> str:
    return request.headers.get("X-Vault-Token", "")


def refused(status: int, *errors: str) -> Answer:
    return Answer(status, {"errors": list(errors)})


class VaultStandin(Standin):
    """One Vault with one derived key."""

    prefix = "/v1/"

    def __init__(self, folder: Path, *, family: str = "1.21", leaf: Leaf | None = None) -> None:
        self.transit = LocalTransit.create(folder / "vault" / "keyring")
        self.family = family
        self.leaf = leaf or Authority(folder).leaf("vault")
        self.derived = True
        self.root = secrets.token_hex()
        self.tokens = {self.root}
        self.lease_s = 60
        super().__init__(self.leaf)

    def settings(self, **changed: Any) -> VaultSettings:
        login = TokenAuth(token_file=str(self.leaf.key))
        given = {"address": self.address, "key": KEY, "ca_file": str(self.leaf.ca_file)}
        return VaultSettings(**{**given, "login": login, **changed})

    def login(self) -> Login:
        """As root."""
        return TokenLogin(lambda: self.root, name="root")

    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [request.path for request in self.requests]

    def _answer(self, request: Request) -> Answer:
        if request.path == "sys/health":
            return Answer(200, {"sealed": False, "server_time_utc": int(time.time())})
        if request.path.startswith("auth/") and request.path.endswith("/login"):
            return self._login(request)
        token = token_of(request)
        if token not in self.tokens:
            return refused(403, "permission denied")
        if request.path == "auth/token/revoke-self":
            self.tokens.discard(token)
            return Answer(204)
        mount, _, rest = request.path.partition("/")
        if mount != "transit":
            return refused(404, f'no handler for route "{request.path}". route entry not found.')
        match rest.split("/"):
            case ["keys", key]:
                return self._read() if key == KEY else Answer(404, {"errors": []})
            case ["encrypt" | "decrypt" | "rewrap" as what, key]:
                if key != KEY:
                    return refused(400, "encryption key not found")
                does = {"encrypt": self._encrypt, "decrypt": self._decrypt, "rewrap": self._rewrap}
                return does[what](request.body)
            case ["keys", _, "rotate"]:
                self.transit.rotate()
                return self._read() if self.family == "1.21" else Answer(204)
            case ["keys", _, "config"]:
                return self._configure(request.body["min_decryption_version"])
        return refused(404, "unsupported path")

    def _login(self, request: Request) -> Answer:
        credentials = ({"role": ROLE, "jwt": JWT}, {"role_id": ROLE_ID, "secret_id": SECRET_ID})
        if request.body not in credentials:
            return refused(403, "permission denied")
        token = f"hvs.{secrets.token_hex()}"
        self.tokens.add(token)
        return Answer(200, {"auth": {"client_token": token, "lease_duration": self.lease_s}})

    def _read(self) -> Answer:
        key = self.transit.read_key()
        floor = key.min_decryption_version
        versions = {n: int(at.timestamp()) for n, at in key.versions.items() if n >= floor}
        about = {"latest_version": key.latest, "min_decryption_version": floor, "keys": versions}
        return Answer(200, {"data": {"name": KEY, "derived": self.derived, **about}})

    def _encrypt(self, body: dict[str, Any]) -> Answer:
        context, plaintext = (base64.b64decode(body[name]) for name in ("context", "plaintext"))
        return Answer(200, {"data": {"ciphertext": self.transit.encrypt(context, plaintext)}})

    def _decrypt(self, body: dict[str, Any]) -> Answer:
        outcome = self._opened(body)
        if isinstance(outcome, str):
            return refused(self._status(outcome), outcome)
        return Answer(200, {"data": {"plaintext": base64.b64encode(outcome).decode()}})

    def _rewrap(self, body: dict[str, Any]) -> Answer:
        items = body.get("batch_input") or [body]
        results = []
        for item in items:
            outcome = self._opened(item)
            if not isinstance(outcome, str):
                context = base64.b64decode(item["context"])
                results.append({"ciphertext": self.transit.encrypt(context, outcome)})
            elif self._status(outcome) == 500 or "batch_input" not in body:
                return refused(self._status(outcome), outcome)
            else:
                results.append({"error": outcome})
        data = {"batch_results": results} if "batch_input" in body else results[0]
        return Answer(200, {"data": data})

    def _status(self, error: str) -> int:
        return 500 if self.family == "1.8" and error == MISMATCH else 400

    def _opened(self, item: dict[str, Any]) -> bytes | str:
        """The plaintext, or what Vault says."""
        sealed = Sealed(base64.b64decode(item["context"]), item["ciphertext"])
        try:
            body = base64.b64decode(sealed.ciphertext.rpartition(":")[2], validate=True)
        except ValueError:
            return "invalid ciphertext: could not decode base64"
        if len(body) <= 12:
            return "invalid ciphertext length"
        try:
            return self.transit.decrypt(sealed)
        except TooOld:
            return "ciphertext or signature version is disallowed by policy (too old)"
        except TransitRefused:
            is_new = sealed.version > self.transit.read_key().latest
            return "invalid ciphertext: version is too new" if is_new else MISMATCH

    def _configure(self, version: int) -> Answer:
        if version < 0:
            return refused(400, "min decryption version cannot be negative")
        latest = self.transit.read_key().latest
        if version > latest:
            return refused(
                400,
                f"cannot set min decryption version of {version}, latest key version is {latest}",
            )
        self.transit.set_min_decryption_version(max(version, 1))
        return Answer(204)
