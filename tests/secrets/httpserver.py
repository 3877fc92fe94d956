"""What the stand-ins have in common: HTTP over TLS on a port of one's own, and bad days."""

from __future__ import annotations

import json
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.real.authority import Leaf


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    """Without what all have before it."""
    query: dict[str, list[str]]
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    """Bytes as they are, None as nothing, everything else as JSON."""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    """How long it takes. Negative: the connection is cut instead."""
    dribble: str = ""
    """"head" or "body": from there on it comes byte by byte, and never stops in time."""
    dribble_s: float = 0.02
    """Between two bytes."""


class Standin(ABC):
    """Answers what it is asked, until the context is left; ``intercept`` answers instead."""

    prefix = ""
    """What all paths begin with."""

    def __init__(self, leaf: Leaf | None) -> None:
        """``leaf``: what it shows of itself; None: it does without TLS."""
        self.requests: list[Request] = []
        self.intercept: Callable[[Request], Answer | None] = lambda request: None
        self._stopping = threading.Event()
        self._server = _Server(self, leaf)
        self.port: int = self._server.server_address[1]
        self.address = f"http{'s' if leaf else ''}://127.0.0.1:{self.port}"

    @abstractmethod
    def _answer(self, request: Request) -> Answer: ...

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.intercept(request) or self._answer(request)

    def hold(self, after_s: float) -> bool:
        """Wait as long, or until the end; whether that has come."""
        return self._stopping.wait(after_s)

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


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, standin: Standin, leaf: Leaf | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.standin = standin
        if leaf is None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
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
        standin = self.server.standin
        length = int(self.headers.get("Content-Length", 0))
        parts = urlsplit(self.path)
        answer = standin.answer(
            Request(
                self.command,
                parts.path.removeprefix(standin.prefix),
                parse_qs(parts.query),
                json.loads(self.rfile.read(length) or "{}"),
                dict(self.headers),
            )
        )
        if answer.after_s:
            standin.hold(answer.after_s)
        if answer.after_s < 0:
            self.close_connection = True
            return
        body = answer.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        content = b"" if body is None else content
        if answer.dribble == "head":
            self._dribble(b"HTTP/1.1 200 OK\r\nX: ", answer.dribble_s)
            return
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        if answer.dribble == "body":
            headers["Content-Length"] = str(len(content) + 100_000)
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        if answer.dribble == "body":
            self._dribble(b"", answer.dribble_s)

    def _dribble(self, first: bytes, every_s: float) -> None:
        self.wfile.write(first)
        self.close_connection = True
        while not self.server.standin.hold(every_s):
            self.wfile.write(b" ")
            self.wfile.flush()

    do_POST = do_PUT = do_GET  # noqa: N815  # the names that http.server calls

    def log_message(self, *args: object) -> None:
        """Not to the screen."""
