"""What Vault lacks of ``access.json``, and making it so. For whoever administers Vault.

Responsible for comparing: all is read before anything is changed, and only what differs is written.
Nothing is ever deleted. What is wanted is decided in ``policies``, what a change takes away in
``losses``; ``tools.vault`` tells, and asks whether that is meant.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from framework.secrets.access import Namespace
from framework.secrets.patience import given
from framework.secrets.transit import TransitRefused
from framework.secrets.vault.client import FORBIDDEN, Failure, Reply
from framework.secrets.vault.leftovers import left_over, others
from framework.secrets.vault.login import Session
from framework.secrets.vault.losses import lost_by_policy, lost_by_role
from framework.secrets.vault.policies import POLICIES, Role, owner_of, roles_of

IN_CLUSTER = "https://kubernetes.default.svc"
"""The API server, to a Vault that is a pod."""
_KEY = {"type": "aes256-gcm96", "derived": True}
_KINDS = ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305")
"""Of keys that can be derived, and encrypt."""
_OUTSIDE = "--kubernetes-host, --kubernetes-ca-file and --kubernetes-reviewer-file"
_CONFIG = re.compile(r"auth/.+/config")
_UNKNOWN_TO_OLD = {"bound_service_account_namespace_selector": ""}
"""What an older Vault does not show, because it has no such thing."""
_LOOSE = ("exportable", "allow_plaintext_backup", "deletion_allowed")


@dataclass(frozen=True, slots=True)
class Cluster:
    """How Vault asks the API server whether a service account's token is good."""

    host: str = ""
    ca_pem: str = ""
    """Empty: that of the pod that Vault runs in."""
    reviewer: str = field(default="", repr=False)
    """A token that may review tokens. Empty: that of the pod that Vault runs in."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something to be written."""

    what: str
    path: str
    body: Mapping[str, Any] = field(repr=False)
    is_new: bool
    difference: Sequence[str] = ()
    """Between what is there and what is wanted, in lines."""
    lost: Sequence[str] = ()
    """What is allowed now, and would not be any more."""
    caution: str = ""
    """What is to be considered before it is made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order, and what a human should look at."""

    changes: Sequence[Change]
    warnings: Sequence[str]
    others: Sequence[str]
    """Namespaces of these clusters that Vault has more."""


class Bootstrap:
    """Asks and tells one Vault, as whoever has logged in."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._name = session.vault.name
        self._made: list[str] = []

    def plan(self, namespaces: Sequence[Namespace], cluster: Cluster) -> Plan:
        """What differs. Nothing is changed.

        :raises ConfigError: the namespaces cannot be in one Vault together.
        :raises TransitRefused: something there is not what it must be, or may not be read.
        :raises TransitUnavailable:
        """
        roles = roles_of(namespaces)
        changes: list[Change] = []
        warnings: list[str] = []
        # Login first: to configure it is what may fail, and half of the rest would be of no use.
        methods = self._table("sys/auth")
        auths = sorted({each.auth for each in namespaces})
        for auth in auths:
            there = f"{auth}/" in methods
            changes += self._mounted(methods, "sys/auth", auth, "kubernetes")
            changes += self._config(auth, cluster, there=there, warnings=warnings)
        engines = self._table("sys/mounts")
        for mount in sorted({each.mount for each in namespaces}):
            changes += self._mounted(engines, "sys/mounts", mount, "transit")
        for each in namespaces:
            there = f"{each.mount}/" in engines
            changes += self._key(each, there=there, warnings=warnings)
        for role in roles:
            changes += self._policy(role)
            changes += self._role(role, there=f"{role.auth}/" in methods)
        folders = [POLICIES, *(f"auth/{auth}/role" for auth in auths if f"{auth}/" in methods)]
        owned = self._owned(folders)
        warnings += left_over(owned, namespaces, roles)
        return Plan(changes, warnings, others(owned, namespaces))

    def make(self, change: Change) -> None:
        """:raises TransitRefused: :raises TransitUnavailable:"""
        reply = given(self._ask("post", change.path, change.body))
        if not reply.ok:
            made = f"{', '.join(self._made)}, which stays" if self._made else "nothing"
            refusal = self._refusal(change.path, reply, "write")
            raise TransitRefused(f"{refusal}. Done before: {made}. The next run goes on from there")
        self._made.append(change.what)

    # -------------------------------------------------------------------------- what there is

    def _mounted(
        self, there: Mapping[str, Any], path: str, mount: str, kind: str
    ) -> Iterator[Change]:
        found = there.get(f"{mount}/")
        if found is None:
            what = f"the {kind} {'engine' if path == 'sys/mounts' else 'auth method'}, {mount}/"
            yield Change(what, f"{path}/{mount}", {"type": kind}, True)
        elif found.get("type") != kind:
            raise TransitRefused(
                f"{self._name} has something else at {mount}/ than {kind}. Nothing was changed: "
                "set another mount in [secrets.vault], and run matrix access"
            )

    def _key(self, namespace: Namespace, *, there: bool, warnings: list[str]) -> Iterator[Change]:
        path = f"{namespace.mount}/keys/{namespace.key}"
        name = f"the key {namespace.key} of {namespace.mount}"
        found = self._read(path) if there else None
        if found is None:
            yield Change(f"{name}, derived", path, _KEY, True)
            return
        if found.get("derived") is not True or found.get("type") not in _KINDS:
            why = "not derived: what it seals could be read in any place"
            if found.get("derived") is True:
                why = "of a kind that cannot be used here"
            raise TransitRefused(
                f"{name} is {why}. That cannot be changed, and nothing was: set another key in "
                "[secrets.vault], and run matrix access"
            )
        warnings += [
            f"{name} is there with {loose} = true, which nobody here needs"
            for loose in _LOOSE
            if found.get(loose) is True
        ]

    def _config(
        self, auth: str, cluster: Cluster, *, there: bool, warnings: list[str]
    ) -> Iterator[Change]:
        path = f"auth/{auth}/config"
        found = self._read(path) if there else None
        if found is None:
            body = {"kubernetes_host": cluster.host or IN_CLUSTER}
            if cluster.ca_pem:
                body["kubernetes_ca_cert"] = cluster.ca_pem
            if cluster.reviewer:
                body["token_reviewer_jwt"] = cluster.reviewer
            what = f"{path}: the API server is {body['kubernetes_host']}"
            caution = (
                f"{path}: {IN_CLUSTER} is right only for a Vault that runs in that cluster itself. "
                f"For another, give {_OUTSIDE}"
            )
            yield Change(what, path, body, True, caution="" if cluster.host else caution)
            return
        wanted = {"kubernetes_host": cluster.host, "kubernetes_ca_cert": cluster.ca_pem}
        reasons = [
            f"it has another {name}"
            for name, value in wanted.items()
            if value and str(found.get(name)).strip() != value.strip()
        ]
        if cluster.reviewer:
            reasons.append("whether it has this token_reviewer_jwt, Vault does not show")
        if reasons:
            # Others may log in by it too; and a part of it, written, drops the reviewer's token.
            warnings.append(
                f"{path} is there, and was left as it is ({', '.join(reasons)}). To change it, "
                f"write all of it: vault write {path} kubernetes_host={cluster.host or 'URL'} "
                "kubernetes_ca_cert=@FILE token_reviewer_jwt=@FILE"
            )

    def _policy(self, role: Role) -> Iterator[Change]:
        found = self._read(role.policy_path)
        before = "" if found is None else str(found.get("policy"))
        if found is None or before != role.policy:
            yield Change(
                f"policy {role.name}",
                role.policy_path,
                {"policy": role.policy},
                found is None,
                list(_difference(before, role.policy)),
                lost_by_policy(before, role.policy),
            )

    def _role(self, role: Role, *, there: bool) -> Iterator[Change]:
        wanted = role.settings
        found = self._read(role.path) if there else None
        shown = {name: (found or {}).get(name, _UNKNOWN_TO_OLD.get(name)) for name in wanted}
        if shown != wanted:
            difference = list(_difference(_listed(shown) if found else "", _listed(wanted)))
            lost = lost_by_role(shown, wanted)
            yield Change(role.path, role.path, wanted, found is None, difference, lost)

    def _owned(self, folders: Iterable[str]) -> dict[str, list[str]]:
        """The paths at which there is something that was made here, by its name."""
        owned: dict[str, list[str]] = {}
        for folder in folders:
            found = self._read(folder, "list") or {}
            for name in sorted(filter(owner_of, map(str, found.get("keys") or ()))):
                owned.setdefault(name, []).append(f"{folder}/{name}")
        return owned

    # ------------------------------------------------------------------------------ how it asks

    def _table(self, path: str) -> Mapping[str, Any]:
        found = self._read(path)
        return {name: each for name, each in (found or {}).items() if isinstance(each, dict)}

    def _read(self, path: str, method: str = "get") -> Mapping[str, Any] | None:
        """None: there is nothing."""
        reply = given(self._ask(method, path))
        if reply.status == 404:
            return None
        if not reply.ok:
            raise TransitRefused(self._refusal(path, reply, "read"))
        return reply.table("data")

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Reply | Failure:
        # To enable twice is an error, so what is written is not sent again.
        return self._session.ask(
            f"{method} {path}",
            lambda hvac: hvac.adapter.request(method, f"/v1/{path}", json=body),
            repeat=body is None,
        )

    def _refusal(self, path: str, reply: Reply, what: str) -> str:
        if reply.status == FORBIDDEN:
            return (
                f"{self._name} does not let {self._session.login.name} {what} {path}: log in as "
                "who administers Vault (vault login), or name such a token with --token-file"
            )
        if _CONFIG.fullmatch(path):
            return (
                f"{self._name} cannot {what} {path}: if it does not run in that cluster itself, "
                f"give {_OUTSIDE}"
            )
        return f"{self._name} refuses to {what} {path} with status {reply.status}: its log says why"


def _listed(settings: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _difference(before: str, after: str) -> Iterator[str]:
    """The lines that differ, each below the ``path`` that it is about, if it is a policy's."""
    here, there = before.splitlines(), after.splitlines()
    whole = difflib.unified_diff(here, there, lineterm="", n=len(here) + len(there))
    path = ""
    for line in islice(whole, 3, None):  # below its head: ---, +++ and @@
        if line[1:].startswith("path "):
            path = line
        if not line.startswith(" "):
            if path not in ("", line):
                yield path
            path = ""
            yield line
