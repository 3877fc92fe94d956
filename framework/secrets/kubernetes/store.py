"""``KubernetesStore``: one Secret of Kubernetes. Also what a plain Secret or ConfigMap holds, and a
token of a service account.

Responsible for what is asked of the API server and for what its answers mean. What is stored here
is written as it was read, but for data and annotations: labels, type, owners and what is no text
stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from framework.secrets.kubernetes.client import KubernetesClient, Reply
from framework.secrets.kubernetes.connection import Failure
from framework.secrets.kubernetes.owner import MANAGER, owner_of
from framework.secrets.kubernetes.secretdata import decoded, encoded, size, texts_of
from framework.secrets.patience import given
from framework.secrets.store import MAX_BYTES, Conflict, Stored, StoreRefused

TOKEN_S = 600
"""How long a token is good for that is asked for: Kubernetes makes none for less."""

_ACCOUNT = re.compile(r'User "([^"]{1,253})" cannot')
_SERVICE_ACCOUNT = "system:serviceaccount:"
_QUOTA = "exceeded quota"
_TERMINATING = "is being terminated"
_JWT = re.compile(r"[A-Za-z0-9_.-]{1,65536}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read(Stored):
    """With the whole object, to be written back."""

    # kubectl apply keeps a copy of what it applied there: plaintext, if it was that.
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: Mapping[str, Any] = field(repr=False)


class KubernetesStore:
    """The Secret ``name`` in ``namespace``.

    A data key that is no text in UTF-8 is not shown, and stays as it is.
    """

    def __init__(
        self,
        client: KubernetesClient,
        *,
        namespace: str,
        name: str,
        verbs: Collection[str] = ("get",),
    ) -> None:
        """``verbs``: all that it is to be used for, named together where a right is missing."""
        self.name = f"Secret {namespace}/{name}"
        self._client = client
        self._secrets = _Objects("secrets", self.name, namespace, verbs)
        self._secret = name

    def read(self) -> Stored | None:
        return given(self._read())

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        return given(self._create(data, annotations))

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        return given(self._replace(held, data, annotations))

    def _read(self) -> Stored | Failure | None:
        reply = self._client.ask("GET", self._secrets.path(self._secret), repeat=True)
        if not isinstance(reply, Reply):
            return reply
        if reply.reason == "NotFound":
            return None
        return self._stored("get", reply)

    def _create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored | Failure:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self._secret, "annotations": dict(annotations)},
            "type": "Opaque",
            "data": encoded(data),
        }
        return self._written("POST", self._secrets.path(), body)

    def _replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored | Failure:
        if not isinstance(held, _Read):
            raise TypeError(f"{self.name} replaces what it has read, and nothing else")
        secret = held.secret
        if secret.get("immutable") is True and data != held.data:
            return StoreRefused(
                f"{self.name} is immutable, so Kubernetes does not change it: make another, with "
                "matrix encrypt, or with matrix reseal, which keeps the values, and let secret in "
                "[[secrets.source]] name it"
            )
        body = {
            **secret,
            "metadata": {**secret["metadata"], "annotations": dict(annotations)},
            "data": {**{key: secret["data"][key] for key in held.binary}, **encoded(data)},
        }
        return self._written("PUT", self._secrets.path(self._secret), body)

    def _written(self, method: str, path: str, body: Mapping[str, Any]) -> Stored | Failure:
        bytes_ = size(body["data"])
        if bytes_ > MAX_BYTES:
            return _too_large(self.name, f"would have {bytes_} bytes")
        reply = self._client.ask(method, f"{path}?fieldManager={MANAGER}", body, repeat=False)
        if not isinstance(reply, Reply):
            return reply
        if reply.reason == "AlreadyExists":
            return Conflict(f"{self.name} exists already: look at it, and run again")
        if reply.reason == "Conflict":
            return Conflict(f"{self.name} was written by somebody else: look at it, and run again")
        if reply.reason == "NotFound" and method == "PUT":
            return Conflict(f"{self.name} was removed since it was read")
        return self._stored("create" if method == "POST" else "update", reply)

    def _stored(self, verb: str, reply: Reply) -> Stored | Failure:
        if not reply.ok:
            return self._secrets.refusal(self._client, verb, self._secret, reply)
        metadata, data = reply.table("metadata"), decoded(reply.body.get("data"))
        version, annotations = metadata.get("resourceVersion"), metadata.get("annotations") or {}
        # What is written without a version is written over whatever is there.
        is_whole = isinstance(version, str) and version and isinstance(annotations, dict)
        if reply.body.get("kind") != "Secret" or data is None or not is_whole:
            return _nonsense(self._client, self.name)
        texts = texts_of(data)
        return _Read(
            version=str(version),
            data=texts,
            annotations=dict(annotations),
            owner=owner_of(metadata),
            uid=str(metadata.get("uid", "")),
            binary={key: len(data[key]) for key in data.keys() - texts.keys()},
            secret=reply.body,
        )


def plain_contents(
    client: KubernetesClient, kind: str, *, namespace: str, name: str
) -> Mapping[str, bytes]:
    """All data keys of an unencrypted ``Secret`` or ``ConfigMap``.

    ``namespace``: where it is; empty: where the client is.

    :raises StoreRefused: :raises StoreUnavailable:
    """
    return given(_plain_contents(client, kind, namespace or client.namespace, name))


def _plain_contents(
    client: KubernetesClient, kind: str, namespace: str, name: str
) -> Mapping[str, bytes] | Failure:
    called = f"{kind} {namespace}/{name}"
    objects = _Objects(f"{kind.lower()}s", called, namespace)
    reply = client.ask("GET", objects.path(name), repeat=True)
    if not isinstance(reply, Reply):
        return reply
    if reply.reason == "NotFound":
        return StoreRefused(f"there is no {called}: make it, or correct its [[secrets.source]]")
    if not reply.ok:
        return objects.refusal(client, "get", name, reply)
    data, texts = decoded(reply.body.get("data")), {}
    if kind == "ConfigMap":
        data = decoded(reply.body.get("binaryData"))
        texts = {key: str(text).encode() for key, text in reply.table("data").items()}
    if data is None or reply.body.get("kind") != kind:
        return _nonsense(client, called)
    return {**texts, **data}


def request_token(client: KubernetesClient, *, account: str, namespace: str, audience: str) -> str:
    """A token of a service account, for this audience alone: what a laptop logs in to Vault with.

    :raises StoreRefused: :raises StoreUnavailable:
    """
    return given(_token(client, account, namespace, audience))


def _token(client: KubernetesClient, account: str, namespace: str, audience: str) -> str | Failure:
    name = f"service account {namespace}/{account}"
    accounts = _Objects("serviceaccounts", name, namespace)
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": TOKEN_S},
    }
    reply = client.ask("POST", accounts.path(account, "token"), body, repeat=True)
    if not isinstance(reply, Reply):
        return reply
    if reply.reason == "NotFound":
        return StoreRefused(
            f"there is no {name}: make it, or correct service_account and namespace in "
            "[secrets.vault.login]"
        )
    if not reply.ok:
        return accounts.refusal(client, "create", account, reply, subresource="token")
    token = reply.table("status").get("token")
    if not isinstance(token, str) or not _JWT.fullmatch(token):
        return _nonsense(client, name)
    return token


@dataclass(frozen=True, slots=True)
class _Objects:
    """Objects of one kind in one namespace: where they are, and why one is refused."""

    resource: str
    name: str
    """Of the one that it is about, in messages."""
    namespace: str
    verbs: Collection[str] = ()
    """What else than what was refused is needed too."""

    def path(self, *names: str) -> str:
        parts = ("api", "v1", "namespaces", self.namespace, self.resource, *names)
        return "".join(f"/{quote(each, safe='')}" for each in parts)

    def refusal(
        self, client: KubernetesClient, verb: str, name: str, reply: Reply, *, subresource: str = ""
    ) -> StoreRefused:
        """Of a reply that is none of those that mean something to who asked."""
        resource = f"{self.resource}/{subresource}" if subresource else self.resource
        if reply.status == 401:
            return StoreRefused(
                f"{client.name} does not know who asks: the token or the client certificate has "
                "run out, or is for another cluster. Log in again, or correct kubeconfig"
            )
        if reply.status == 403:
            return self._forbidden(client, verb, resource, name, reply)
        if reply.is_too_large:
            return _too_large(self.name, f"is too large for {client.name}")
        if reply.reason == "NotFound":
            return StoreRefused(
                f"there is no namespace {self.namespace} for {self.name}: make it (kubectl create "
                f"namespace {self.namespace}), or correct its [[secrets.source]]"
            )
        if reply.status == 422:
            return self._invalid(client, reply)
        if reply.reason:
            return StoreRefused(
                f"{client.name} refuses to {verb} {self.name} with status {reply.status} "
                f"({reply.reason}): its audit log says more"
            )
        return _nonsense(client, f"{self.name} (status {reply.status})")

    def _forbidden(
        self, client: KubernetesClient, verb: str, resource: str, name: str, reply: Reply
    ) -> StoreRefused:
        found = _ACCOUNT.search(reply.message)
        if found is None:
            return StoreRefused(f"{client.name} refuses to {verb} {self.name}: {self._why(reply)}")
        account = found[1]
        if account.startswith(_SERVICE_ACCOUNT):
            account = "service account " + "/".join(account.split(":")[2:])
        rules = _rules(resource, name, {verb, *self.verbs})
        return StoreRefused(
            f"{client.name} does not let {account} {verb} {resource} {name} in namespace "
            f"{self.namespace}. Bind it to a Role there with "
            + (f"the rule {rules[0]}" if len(rules) == 1 else "\n".join(("the rules", *rules)))
        )

    def _why(self, reply: Reply) -> str:
        """What stands against it, if not that a right is missing."""
        if _QUOTA in reply.message:
            return (
                f"a quota of namespace {self.namespace} is used up: see kubectl -n "
                f"{self.namespace} describe quota, and raise it or make room"
            )
        if _TERMINATING in reply.message:
            return (
                f"namespace {self.namespace} is being removed: wait until it is gone and make it "
                "anew, or correct its [[secrets.source]]"
            )
        return (
            "no right is missing; an admission policy stands against it: see kubectl get "
            "validatingadmissionpolicies,validatingwebhookconfigurations"
        )

    def _invalid(self, client: KubernetesClient, reply: Reply) -> StoreRefused:
        causes = reply.table("details").get("causes")
        known = causes if isinstance(causes, list) else []
        fields = [str(each.get("field")) for each in known if isinstance(each, dict)]
        where = ", ".join(dict.fromkeys(fields)) or "it"
        if "immutable" in reply.message:
            what = f"{where} cannot be changed"
        elif "Too long" in reply.message:
            what = f"{where} is too long"
        else:
            what = f"{where} is not valid"
        return StoreRefused(f"{client.name} does not store {self.name}: {what}")


def _rules(resource: str, name: str, verbs: Collection[str]) -> list[str]:
    """As they stand in a Role."""
    # Of what does not exist yet Kubernetes does not know the name.
    nameless = [each for each in verbs if each == "create" and "/" not in resource]
    named = sorted(set(verbs) - set(nameless))
    groups = ((f", resourceNames: [{name}]", named), ("", nameless))
    return [
        f'- {{apiGroups: [""], resources: [{resource}]{which}, verbs: [{", ".join(group)}]}}'
        for which, group in groups
        if group
    ]


def _nonsense(client: KubernetesClient, name: str) -> StoreRefused:
    return StoreRefused(
        f"{client.name} answers about {name} with something that Kubernetes does not say: is it an "
        "API server, and does a proxy change its answers?"
    )


def _too_large(name: str, what: str) -> StoreRefused:
    return StoreRefused(
        f"{name} {what}, and {MAX_BYTES} bytes are allowed: it stays as it is; split it into two "
        "sources"
    )
