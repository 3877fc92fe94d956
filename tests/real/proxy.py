"""``Proxy``: stands before servers, passes their clients' requests on one by one, and counts them.

Responsible for whole requests and replies, over TLS. What becomes of a call is left to an ``Act``.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.real.authority import Leaf

_REPLY_S = 30.0


@dataclass
class Call:
    """One request of a client."""

    number: int
    """From 1, whichever of the servers it is for."""
    server: str
    method: str
    path: str
    status: int | None = None
    """That of the server's reply; None: it was not passed on."""

    @property
    def is_done(self) -> bool:
        """Whether the server has done what was asked."""
        return self.status in range(200, 300)


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    content: bytes = field(repr=False)


Act = Callable[[Call, Callable[[], Reply]], Reply | None]
"""What becomes of a call, which its second argument passes on: the reply to it, or None: the
connection breaks."""


def pass_on(call: Call, forward: Callable[[], Reply]) -> Reply | None:
    return forward()


class Proxy:
    """Before servers on ports of this machine."""

    def __init__(self, leaf: Leaf, ports: Mapping[str, int]) -> None:
        self._act: Act = pass_on
        self._calls: list[Call] = []
        self._fault: Exception | None = None
        self._fronts = {name: _Front(self, name, port, leaf) for name, port in ports.items()}
        self._stack = ExitStack()

    def address(self, server: str) -> str:
        return f"https://127.0.0.1:{self._fronts[server].server_port}"

    def __enter__(self) -> Self:
        for front in self._fronts.values():
            self._stack.enter_context(front.serving())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @contextmanager
    def acting(self, act: Act) -> Iterator[list[Call]]:
        """Within, every call is counted, and left to ``act``; what goes wrong in there is raised
        at the end."""
        self._act, self._calls, self._fault = act, [], None
        try:
            yield self._calls
        finally:
            self._act = pass_on
        if self._fault is not None:
            raise self._fault

    def answer(
        self, server: str, method: str, path: str, forward: Callable[[], Reply]
    ) -> Reply | None:
        call = Call(len(self._calls) + 1, server, method, path)
        self._calls.append(call)

        def counted() -> Reply:
            reply = forward()
            call.status = reply.status
            return reply

        try:
            return self._act(call, counted)
        except Exception as fault:
            self._fault = fault
            return None


class _Front(ThreadingHTTPServer):
    """One server, to its clients."""

    daemon_threads = True

    def __init__(self, proxy: Proxy, name: str, port: int, leaf: Leaf) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self.name = name
        self._port = port
        self._context = ssl.create_default_context(cafile=leaf.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def connection(self) -> http.client.HTTPSConnection:
        """To the server itself."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=_REPLY_S, context=self._context
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked is gone."""


class _Handler(BaseHTTPRequestHandler):
    server: _Front
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of a reply go together

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # whatever the method
            return self._handle
        raise AttributeError(name)

    def handle(self) -> None:
        with closing(self.server.connection()) as self._server_itself:
            super().handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def forward() -> Reply:
            there = self._server_itself
            there.request(self.command, self.path, body or None, dict(self.headers))
            response = there.getresponse()
            content_type = response.headers.get("Content-Type", "")
            return Reply(response.status, content_type, response.read())

        front = self.server
        reply = front.proxy.answer(front.name, self.command, self.path, forward)
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.status != http.client.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, *_: object) -> None: ...
