"""A stand-in for HTTP's side of Kubernetes' API server, over TLS: Secrets, ConfigMaps, tokens.

What it answers is what a real one answered (``tests/real`` runs the same contract on that). What a
server does on a bad day is said with ``intercept``; what somebody may not do, with ``forbidden``.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.settings import KubernetesSettings
from tests.real.authority import Authority, Leaf
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


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    """Bytes as they are, everything else as JSON."""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    """How long it takes. Negative: the connection is cut instead."""


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


class KubernetesStandin:
    """One API server with one namespace, on a port of its own, until the context is left."""

    def __init__(self, folder: Path, *, leaf: Leaf | None = None, tls: bool = True) -> None:
        self.folder = folder
        self.tls = tls
        self.leaf = leaf or Authority(folder).leaf("kube-apiserver")
        self.namespaces = {NAMESPACE}
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        """By resource, namespace and name."""
        self.forbidden: set[tuple[str, str]] = set()
        """Verb and resource: refused to everybody."""
        self.requests: list[Request] = []
        self.intercept: Callable[[Request], Answer | None] = lambda request: None
        self._versions = itertools.count(1)
        self._one_by_one = threading.Lock()
        self._server = _Server(self)
        self.port: int = self._server.server_address[1]
        self.server = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._stopping = threading.Event()

    def kubeconfig(self, *, namespace: str = NAMESPACE, **changed: Any) -> str:
        """The path of one; ``cluster`` and ``user`` are changed entries of it."""
        cluster = {"server": self.server, "certificate-authority": str(self.leaf.ca_file)}
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

    def client(self, *, patience_s: float = 0.5) -> KubernetesClient:
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

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        intercepted = self.intercept(request)
        if intercepted is not None:
            return intercepted
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
        self.objects[key] = made
        return Answer(code, made)

    def _token(self, account: str, body: dict[str, Any]) -> Answer:
        if account != "tide":
            return status(404, "NotFound", f'serviceaccounts "{account}" not found')
        token = JWT if body["spec"]["audiences"] == ["vault"] else "for.somebody.else"
        return Answer(201, {"kind": "TokenRequest", "status": {"token": token}})

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self, after_s: float) -> None:
        """Wait as long, or until the end."""
        self._stopping.wait(after_s)


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


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, kubernetes: KubernetesStandin) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kubernetes = kubernetes
        if not kubernetes.tls:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(kubernetes.leaf.certificate, kubernetes.leaf.key)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust it, or is gone, is no error of the stand-in's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 1  # whoever keeps a connection open is waited for at the end
    wbufsize = -1  # head and body of an answer go together
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            parse_qs(parts.query),
            json.loads(self.rfile.read(length) or "{}"),
            dict(self.headers),
        )
        answer = self.server.kubernetes.answer(request)
        if answer.after_s:
            self.server.kubernetes.hold(answer.after_s)
        if answer.after_s < 0:
            self.close_connection = True
            return
        body = answer.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET  # noqa: N815  # the names that http.server calls

    def log_message(self, *args: object) -> None:
        """Not to the screen."""
