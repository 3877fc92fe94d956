"""A stand-in for HTTP's side of Kubernetes' API server, over TLS: Secrets, ConfigMaps, tokens.

What it answers is what a real one answered (``tests/real`` runs the same contract on that). What a
server does on a bad day is said with ``intercept``; what somebody may not do, with ``forbidden``.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.settings import KubernetesSettings
from tests.real.authority import Authority, Leaf
from tests.secrets.httpserver import Answer, Request, Standin
from tests.secrets.vault_standin import JWT

NAMESPACE = "led"
GOOD = "a.good.token"
MAX_BYTES = 1024 * 1024
_KINDS = {"secrets": "Secret", "configmaps": "ConfigMap"}
_VERBS = {"GET": "get", "POST": "create", "PUT": "update"}
_ANNOTATION = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def status(code: int, reason: str, message: str, **more: Any) -> Answer:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return Answer(code, {**body, "code": code, **more})


def invalid(name: str, at: str, message: str) -> Answer:
    causes = [{"reason": "FieldValueInvalid", "field": at, "message": message}]
    said = f'Secret "{name}" is invalid: {at}: {message}'
    return status(422, "Invalid", said, details={"causes": causes})


def encoded(data: Mapping[str, str | bytes]) -> dict[str, str]:
    """As the data of a Secret."""
    return {
        key: base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
        for key, value in data.items()
    }


class KubernetesStandin(Standin):
    """One API server with one namespace."""

    def __init__(self, folder: Path, *, leaf: Leaf | None = None, tls: bool = True) -> None:
        self.folder = folder
        self.leaf = leaf or Authority(folder).leaf("kube-apiserver")
        self.namespaces = {NAMESPACE}
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        """By resource, namespace and name."""
        self.forbidden: set[tuple[str, str]] = set()
        """Verb and resource: refused to everybody."""
        self._versions = itertools.count(1)
        self._one_by_one = threading.Lock()
        super().__init__(self.leaf if tls else None)

    def kubeconfig(self, *, namespace: str = NAMESPACE, **changed: Any) -> str:
        """The path of one; ``cluster`` and ``user`` are changed entries of it."""
        cluster = {"server": self.address, "certificate-authority": str(self.leaf.ca_file)}
        context = {"cluster": "standin", "user": "standin", "namespace": namespace}
        table = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "standin",
            "contexts": [{"name": "standin", "context": context}],
            "clusters": [{"name": "standin", "cluster": {**cluster, **changed.get("cluster", {})}}],
            "users": [{"name": "standin", "user": changed.get("user", {"token": GOOD})}],
        }
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(table))  # JSON is YAML
        return str(path)

    def settings(self, **changed: Any) -> KubernetesSettings:
        return KubernetesSettings(**{"kubeconfig": self.kubeconfig(), **changed})

    def client(self, *, patience_s: float = 5) -> KubernetesClient:
        return KubernetesClient(self.settings(), patience_s=patience_s)

    def put(self, resource: str, name: str, **parts: Any) -> dict[str, Any]:
        """Make or change an object as an administrator does, whatever it was."""
        key = (resource, NAMESPACE, name)
        metadata = {**self.objects.get(key, {}).get("metadata", {"name": name})}
        metadata |= {"uid": metadata.get("uid", f"uid-{next(self._versions)}")}
        metadata |= {**parts.pop("metadata", {}), "resourceVersion": str(next(self._versions))}
        kind = {"kind": _KINDS[resource], "apiVersion": "v1"}
        self.objects[key] = {**kind, **self.objects.get(key, {}), **parts, "metadata": metadata}
        return self.objects[key]

    def secret(self, name: str) -> dict[str, Any]:
        return self.objects["secrets", NAMESPACE, name]

    def asked(self) -> list[str]:
        """Methods and paths, in order."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def _answer(self, request: Request) -> Answer:
        if request.headers.get("Authorization", "").lower() != f"bearer {GOOD}":
            return status(401, "Unauthorized", "Unauthorized")
        parts = request.path.strip("/").split("/")
        if len(parts) < 5 or parts[:3] != ["api", "v1", "namespaces"]:
            return Answer(404, b"404 page not found\n")
        _, _, _, namespace, resource, *names = parts
        verb = _VERBS[request.method]
        full = f"{resource}/token" if names[1:] == ["token"] else resource
        if (verb, full) in self.forbidden:
            named = f' "{names[0]}"' if names else ""
            return status(
                403,
                "Forbidden",
                f'{resource}{named} is forbidden: User "system:serviceaccount:{namespace}:tide" '
                f'cannot {verb} resource "{full}" in API group "" in the namespace "{namespace}"',
            )
        with self._one_by_one:
            if full.endswith("/token"):
                return self._token(names[0], request.body)
            if request.method == "POST":
                return self._create(resource, namespace, request)
            key = (resource, namespace, names[0])
            if key not in self.objects:
                return status(404, "NotFound", f'{resource} "{names[0]}" not found')
            if request.method == "GET":
                return Answer(200, self.objects[key])
            return self._replace(key, request)

    def _create(self, resource: str, namespace: str, request: Request) -> Answer:
        name = request.body["metadata"]["name"]
        if namespace not in self.namespaces:
            return status(404, "NotFound", f'namespaces "{namespace}" not found')
        if (resource, namespace, name) in self.objects:
            return status(409, "AlreadyExists", f'{resource} "{name}" already exists')
        wrong = _wrong_with(request.body)
        if wrong is not None:
            return wrong
        made = deepcopy(request.body)
        made["metadata"] |= {"namespace": namespace, "uid": f"uid-{next(self._versions)}"}
        return self._stored((resource, namespace, name), made, request, 201)

    def _replace(self, key: tuple[str, str, str], request: Request) -> Answer:
        held, wanted = self.objects[key], deepcopy(request.body)
        given, there = wanted["metadata"], held["metadata"]
        for name in ("resourceVersion", "uid"):  # without them, it is replaced unconditionally
            if given.get(name, there[name]) != there[name]:
                return status(409, "Conflict", "the object has been modified")
        if held.get("immutable") and wanted.get("data") != held.get("data"):
            message = "Forbidden: field is immutable when `immutable` is set"
            return invalid(key[2], "data", message)
        wrong = _wrong_with(wanted)
        if wrong is not None:
            return wrong
        wanted["metadata"] = {**given, "uid": there["uid"]}
        return self._stored(key, wanted, request, 200)

    def _stored(
        self, key: tuple[str, str, str], made: dict[str, Any], request: Request, code: int
    ) -> Answer:
        """What changes nothing is not written, and keeps its version."""
        for part in ("data", "annotations"):
            table = made if part == "data" else made["metadata"]
            if not table.get(part):
                table.pop(part, None)
        held = self.objects.get(key, {})
        before = {**held.get("metadata", {})}
        if held and {**made, "metadata": {**made["metadata"], **_kept(before)}} == held:
            return Answer(200, held)
        manager = request.query.get("fieldManager", ["unknown"])[0]
        names: dict[str, Any] = {f"f:{name}": {} for name in made.get("data", {})}
        mine = {"manager": manager, "operation": "Update", "fieldsV1": {"f:data": names}}
        others = [
            each for each in made["metadata"].get("managedFields", []) if each["manager"] != manager
        ]
        made["metadata"] |= {
            "resourceVersion": str(next(self._versions)),
            "managedFields": [*others, mine],
        }
        if "dryRun" in request.query:
            if not held:
                del made["metadata"]["resourceVersion"]
            return Answer(code, made)
        self.objects[key] = made
        return Answer(code, made)

    def _token(self, account: str, body: dict[str, Any]) -> Answer:
        if account != "tide":
            return status(404, "NotFound", f'serviceaccounts "{account}" not found')
        token = JWT if body["spec"]["audiences"] == ["vault"] else "for.somebody.else"
        return Answer(201, {"kind": "TokenRequest", "status": {"token": token}})


def _kept(metadata: dict[str, Any]) -> dict[str, Any]:
    """What every write changes, or none."""
    names = ("managedFields", "resourceVersion", "uid")
    return {name: metadata[name] for name in names if name in metadata}


def _wrong_with(made: dict[str, Any]) -> Answer | None:
    name, data = made["metadata"]["name"], made.get("data") or {}
    for each in made["metadata"].get("annotations") or {}:
        if not _ANNOTATION.fullmatch(each):
            return invalid(name, "metadata.annotations", f'Invalid value: "{each}"')
    for each in data:
        if not _DATA_KEY.fullmatch(each) or each.startswith(".."):
            return invalid(name, f"data[{each}]", f'Invalid value: "{each}"')
    if sum(len(base64.b64decode(value)) for value in data.values()) > MAX_BYTES:
        return invalid(name, "data", f"Too long: may not be more than {MAX_BYTES} bytes")
    return None
