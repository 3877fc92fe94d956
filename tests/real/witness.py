"""``Witness``: stands before a Vault, passes all on, and knows what was asked and granted."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.real.authority import Leaf
from tests.real.servers import RealVault
from tests.waiting import LIMIT_S


@dataclass
class Hold:
    """Requests that are not passed on yet."""

    path: str
    """What is in their paths."""
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Witness:
    """Vault, to whoever asks at ``address``."""

    def __init__(self, vault: RealVault, leaf: Leaf) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Path and body of each request."""
        self.tokens: list[str] = []
        """What logins were given."""
        self._vault = vault
        self._hold: Hold | None = None
        self._server = _Server(self)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.address = f"https://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def sent(self, name: str) -> list[str]:
        """Every value that a parameter had, in order."""
        return [body[name] for _, body in self.asked if name in body]

    @contextmanager
    def holding(self, path: str) -> Iterator[Hold]:
        """Hold what is asked of paths with ``path`` in them, until released or left."""
        hold = self._hold = Hold(path)
        try:
            yield hold
        finally:
            self._hold = None
            hold.released.set()

    def passed_on(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        hold = self._hold
        if hold is not None and hold.path in path:
            hold.arrived.set()
            hold.released.wait(LIMIT_S)
        self.asked.append((path, body or {}))
        status, answer = self._vault.request(method, path, body, token=token)
        granted = ((answer or {}).get("auth") or {}).get("client_token")
        if granted:
            self.tokens.append(granted)
        return status, answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, witness: Witness) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.witness = witness

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked is gone."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def __getattr__(self, name: str) -> Any:
        """Every method is passed on."""
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        token = self.headers.get("X-Vault-Token", "")
        path = self.path.removeprefix("/v1/")
        status, answer = self.server.witness.passed_on(self.command, path, body, token)
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...
