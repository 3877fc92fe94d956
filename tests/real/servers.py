"""Real servers, started and stopped by a test: Vault, and Kubernetes' API server with its etcd.

Each is a context manager: it has a port of its own, which it keeps when it is started again, and a
log in its folder; it is awaited until it answers, and is killed at the end, also when the test's
own process is. What they are asked here is what an administrator would ask.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.frozen import freeze, thaw
from tests.ports import own_port
from tests.real.authority import Authority, Leaf

_START_S = 60.0
_ANSWER_S = 20.0
_NOT_THERE = (OSError, http.client.HTTPException)


class _Server(ABC):
    """One process that listens."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.port = own_port()
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _command(self) -> list[str | Path]: ...

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it does; no answer may be an exception of ``_NOT_THERE`` too."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert not self.running
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # Its standard input ends with this process, however that ends.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -9 "$1"', "guard", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._until(self._answers)

    @property
    def running(self) -> bool:
        return self._process is not None

    def kill(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard.stdin.close()
            self._guard = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        freeze(self._alive)

    def thaw(self) -> None:
        thaw(self._alive)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def _alive(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.log.stem} is not running"
        return self._process

    def _until(self, there: Callable[[], bool]) -> None:
        until_s = time.monotonic() + _START_S
        while True:
            with contextlib.suppress(*_NOT_THERE):
                if there():
                    return
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"{self.log.stem} has ended:\n{self._last_lines()}")
            if time.monotonic() > until_s:
                raise TimeoutError(f"{self.log.stem} does not answer:\n{self._last_lines()}")
            time.sleep(0.02)

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


class RealVault(_Server):
    """Vault, with a TLS listener and its data in a folder. Sealed at each start."""

    def __init__(self, binary: Path, folder: Path, leaf: Leaf) -> None:
        super().__init__(folder, "vault")
        self.address = f"https://127.0.0.1:{self.port}"
        self.ca_file = leaf.ca_file
        self.root_token = ""
        self.binary = binary
        self._leaf = leaf
        self._data = folder / "data"
        self._unseal_key = ""
        self._copies = 0

    def init(self) -> str:
        """Make its keys; returns the root token. It is still sealed."""
        made = self.must("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root_token = made["root_token"]
        self._unseal_key = made["keys_base64"][0]
        return self.root_token

    def unseal(self) -> None:
        self.must("PUT", "sys/unseal", {"key": self._unseal_key})
        self._until(lambda: self.request("GET", "sys/health")[0] == 200)

    def seal(self) -> None:
        self.must("PUT", "sys/seal")

    def restart(self) -> None:
        """Kill it and start it on the same data: it is sealed again."""
        self.kill()
        self.start()

    def copy_data(self) -> Path:
        """A backup, for ``restore``."""
        self._copies += 1
        copy = self.folder / f"copy-{self._copies}"
        self.freeze()
        try:
            shutil.copytree(self._data, copy)
        finally:
            self.thaw()
        return copy

    def restore(self, copy: Path) -> None:
        """Start it on the data of a backup: it is sealed again."""
        self.kill()
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data)
        self.start()

    def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON, None where there is none. As root unless a token is given, ``""`` for
        none; ``path`` is what comes after ``/v1/``.
        """
        token = self.root_token if token is None else token
        headers = {"X-Vault-Token": token} if token else {}
        return _ask(self.port, _unverified(), method, f"/v1/{path}", body, headers)

    def must(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """The same, where anything but success is an error; returns the JSON alone."""
        status, answer = self.request(method, path, body, token=token)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def _command(self) -> list[str | Path]:
        self._data.mkdir(exist_ok=True)
        return [
            *(self.binary, "-address", f"127.0.0.1:{self.port}", "-storage", self._data),
            *("-certificate", self._leaf.certificate, "-key", self._leaf.key),
        ]

    def _answers(self) -> bool:
        return self.request("GET", "sys/health")[0] in {200, 501, 503}


class _Etcd(_Server):
    """Where the API server keeps what it has."""

    def __init__(self, binary: Path, folder: Path) -> None:
        super().__init__(folder, "etcd")
        self.binary = binary
        self._peer_port = own_port()

    def _command(self) -> list[str | Path]:
        clients, peers = (f"http://127.0.0.1:{port}" for port in (self.port, self._peer_port))
        return [
            *(self.binary, "--name", "test", "--data-dir", self.folder / "etcd"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"test={peers}"),
        ]

    def _answers(self) -> bool:
        return _ask(self.port, None, "GET", "/health")[0] == 200


class RealKubernetes(_Server):
    """Kubernetes' API server with RBAC and service accounts, on an etcd of its own.

    Nothing runs beside it: no controllers, no nodes, no pods.
    """

    issuer = "https://kubernetes.default.svc.cluster.local"
    """The issuer of its service accounts' tokens, and the audience of the API itself."""

    def __init__(self, binary: Path, etcd: Path, folder: Path, authority: Authority) -> None:
        super().__init__(folder, "kube-apiserver")
        self.server = f"https://127.0.0.1:{self.port}"
        self.ca_file = authority.ca_file
        self.admin = folder / "admin.kubeconfig"
        self.binary = binary
        self._etcd = _Etcd(etcd, folder)
        self._leaf = authority.leaf("kube-apiserver")
        self._accounts = authority.leaf("service-accounts", hosts=())
        admin = authority.leaf("admin", hosts=(), group="system:masters")
        self._admin_context = _unverified()
        self._admin_context.load_cert_chain(admin.certificate, admin.key)
        user = {
            "client-certificate-data": _base64(admin.certificate),
            "client-key-data": _base64(admin.key),
        }
        self._write_kubeconfig(self.admin, user)

    def start(self) -> None:
        if not self._etcd.running:
            self._etcd.start()
        super().start()

    def stop(self) -> None:
        """The API server alone: what is stored stays, and ``start`` brings it back."""
        super().kill()

    def kill(self) -> None:
        super().kill()
        self._etcd.kill()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Status and JSON. As the administrator, unless the token of an account is given."""
        headers = {"Content-Type": content_type}
        context = self._admin_context
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
            context = _unverified()
        return _ask(self.port, context, method, path, body, headers)

    def create(self, path: str, body: dict[str, Any]) -> Any:
        """What there is now, made just now or there before; ``path`` is that of its list."""
        status, made = self.request("POST", path, body)
        if status == 409:
            status, made = self.request("GET", f"{path}/{body['metadata']['name']}")
        assert status < 300, f"POST {path}: {status} {made}"
        return made

    def account(self, namespace: str, name: str) -> None:
        """Make a service account, and its namespace."""
        self.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.create(accounts, {"metadata": {"name": name}})

    def token(self, namespace: str, account: str, audience: str, *, lifetime_s: int = 600) -> str:
        """By TokenRequest, which refuses less than ten minutes."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        wanted = {"spec": {"audiences": [audience], "expirationSeconds": lifetime_s}}
        status, made = self.request("POST", path, wanted)
        assert status == 201, f"POST {path}: {status} {made}"
        token: str = made["status"]["token"]
        return token

    def kubeconfig(self, namespace: str, account: str) -> Path:
        """One with an account's token, which starts in its namespace."""
        file = self.folder / f"{namespace}-{account}.kubeconfig"
        token = self.token(namespace, account, self.issuer)
        self._write_kubeconfig(file, {"token": token}, namespace)
        return file

    def _write_kubeconfig(
        self, file: Path, user: dict[str, str], namespace: str = "default"
    ) -> None:
        cluster = {"server": self.server, "certificate-authority-data": _base64(self.ca_file)}
        context = {"cluster": "test", "user": "test", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        file.write_text(json.dumps(config))
        file.chmod(0o600)

    def _command(self) -> list[str | Path]:
        options = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd.port}",
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            # A loopback address is refused here, and nobody connects to it.
            "advertise-address": "10.0.0.1",
            "tls-cert-file": self._leaf.certificate,
            "tls-private-key-file": self._leaf.key,
            "client-ca-file": self.ca_file,
            "service-account-key-file": self._accounts.certificate,
            "service-account-signing-key-file": self._accounts.key,
            "service-account-issuer": self.issuer,
            "api-audiences": self.issuer,
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.0.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
        }
        return [self.binary, *(f"--{name}={value}" for name, value in options.items())]

    def _answers(self) -> bool:
        return self.request("GET", "/readyz")[0] == 200


def kubernetes_auth(vault: RealVault, kubernetes: RealKubernetes) -> None:
    """Enable Vault's ``auth/kubernetes``, with an account of its own that may review tokens."""
    kubernetes.account("vault", "reviewer")
    reviewer = {"kind": "ServiceAccount", "namespace": "vault", "name": "reviewer"}
    role = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:auth-delegator",
    }
    kubernetes.create(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {"metadata": {"name": "vault-reviewer"}, "roleRef": role, "subjects": [reviewer]},
    )
    enabled = vault.must("GET", "sys/auth")["data"]
    if "kubernetes/" not in enabled:
        vault.must("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    config = {
        "kubernetes_host": kubernetes.server,
        "kubernetes_ca_cert": kubernetes.ca_file.read_text(),
        "token_reviewer_jwt": kubernetes.token(
            "vault", "reviewer", kubernetes.issuer, lifetime_s=3600
        ),
        "disable_local_ca_jwt": True,
    }
    vault.must("POST", "auth/kubernetes/config", config)


def _unverified() -> ssl.SSLContext:
    """Tests choose the servers' certificates, also bad ones, and an administrator gets in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _ask(
    port: int,
    context: ssl.SSLContext | None,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    # Not urllib, which would send this through the proxies of the environment.
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=_ANSWER_S, context=context)
    )
    with contextlib.closing(connection):
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers or {})
        response = connection.getresponse()
        text = response.read()
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            return response.status, None
        return response.status, json.loads(text) if text else None
