"""The HTTP side of the panel in a browser: routes, headers, and uvicorn inside our event loop.

What is said over a WebSocket, and who watches, is the ``Panel``'s (``web.BrowserSink``). Importing
this loads Starlette and uvicorn, so ``web`` does it when it runs.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose, WebSocketDisconnect

from framework.outage import Outage
from framework.panel import loopback
from framework.panel.sinks import png
from framework.panel.webtoken import cookie_of, is_one_of, shown

log = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
FILES = {
    "/": ("index.html", "text/html"),
    "/panel.css": ("panel.css", "text/css"),
    "/panel.js": ("panel.js", "text/javascript"),
    "/leds.js": ("leds.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
]
LONGEST_COMMAND_BYTES = 4096
"""A longer message closes its WebSocket."""
PICTURE_PITCH_PX = 8


class Panel(Protocol):
    """What there is to serve."""

    async def attend(self, socket: WebSocket) -> None:
        """Talk with one page until it is gone."""
        ...

    async def picture(self) -> Image.Image | None:
        """The frame that is on."""
        ...

    def status_json(self) -> str | None: ...


async def serve(
    panel: Panel,
    listening: socket.socket,
    started: Callable[[], None],
    *,
    token: str | None = None,
    files: Mapping[str, tuple[str, str]] = FILES,
) -> None:
    """Answer on ``listening`` until cancelled: who shows the ``token``, or, without one, this
    machine. ``files``: what there is in ``STATIC``, by path."""
    server = _Server(
        uvicorn.Config(
            _Guard(Starlette(routes=_routes(panel, files)), token, listening.getsockname()[1]),
            http="h11",
            ws="websockets-sansio",
            ws_max_size=LONGEST_COMMAND_BYTES,
            # Frames come compressed, once for all viewers.
            ws_per_message_deflate=False,
            lifespan="off",
            headers=HEADERS,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
            log_level="warning",
            # Without it an open WebSocket would keep the process from ending.
            timeout_graceful_shutdown=1,
        ),
        started,
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.ending.set()
        await serving


class _Server(uvicorn.Server):
    """Uvicorn as a guest: signals belong to whoever owns the process, and idle is idle."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()
        self._tell_started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()

    async def main_loop(self) -> None:
        """Without looking ten times a second, as uvicorn's own does, whether to end."""
        await self.on_tick(0)  # makes the headers that every response has
        await self.ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # it did not read what was sent, and would be kept for it


class _Guard:
    """Turns away what no page of ours asked for, before anything else sees it."""

    def __init__(self, app: ASGIApp, token: str | None, port: int) -> None:
        self._app = app
        self._token = token
        self._port = port
        self._foreign = Outage(log, "refused a page that is not from here")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._token is None:
            is_known = loopback.admitted(host, None)
            is_ours = loopback.is_ours(host, origin)
            remedy = (
                "to pages of its own, on this machine: open it as http://localhost with its port"
            )
        else:
            in_address = is_one_of(self._token, QueryParams(scope["query_string"]).getlist("token"))
            if in_address and scope["type"] == "http":
                return _keeping(self._token, self._port, scope, headers)
            is_known = in_address or shown(
                self._token,
                self._port,
                cookie=headers.get("cookie", ""),
                authorization=headers.get("authorization", ""),
            )
            # A proxy that speaks TLS may stand before it.
            is_ours = loopback.is_ours(host, origin, schemes=("http", "https"))
            remedy = "to who has its token: open the address that it printed when it began"
        if is_known and is_ours:
            return self._app
        if is_known:
            self._foreign.failed(
                f"its Origin is {origin:.80}, its Host {host:.80}. If a proxy made them differ, "
                "have it pass on the Host that the browser named"
            )
        if scope["type"] == "websocket":
            return WebSocketClose()  # before it is accepted: uvicorn answers 403
        return PlainTextResponse(f"This panel answers only {remedy}.\n", status_code=403)


def _keeping(token: str, port: int, scope: Scope, headers: Headers) -> Response:
    """Has the token in a place where scripts and histories do not see it, not in the address."""
    # A proxy with TLS says so. Anybody can, and gets nothing by it but a cookie that is sent less.
    scheme = headers.get("x-forwarded-proto", "").partition(",")[0]
    cookie = cookie_of(token, port, over_tls=scheme.strip().lower() == "https")
    # Two slashes at the beginning would lead to another host.
    place = f"/{scope['path'].lstrip('/')}"
    asked = QueryParams(scope["query_string"]).multi_items()
    if rest := [(name, value) for name, value in asked if name != "token"]:
        place += f"?{urlencode(rest)}"
    return RedirectResponse(place, status_code=303, headers={"Set-Cookie": cookie})


def _routes(panel: Panel, files: Mapping[str, tuple[str, str]]) -> list[BaseRoute]:
    async def watch(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await panel.attend(socket)
        except* WebSocketDisconnect:
            pass

    async def picture(request: Request) -> Response:
        frame = await panel.picture()
        if frame is None:
            return PlainTextResponse("Nothing was shown yet.\n", status_code=503)
        pitch_px = None if request.query_params.get("look") == "raw" else PICTURE_PITCH_PX
        return Response(await asyncio.to_thread(png, frame, pitch_px), media_type="image/png")

    async def status(request: Request) -> Response:
        said = panel.status_json()
        if said is None:
            return PlainTextResponse("Nothing was said yet.\n", status_code=503)
        return Response(said, media_type="application/json")

    return [
        *(Route(path, _file(*file)) for path, file in files.items()),
        Route("/now.png", picture),
        Route("/status.json", status),
        WebSocketRoute("/ws", watch),
    ]


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (STATIC / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer
