"""One small port that says how a process is: ``/live``, ``/ready`` and ``/metrics``.

It answers from a thread of its own, so that a loop which hangs is reported, not waited for. Whether
the bus or a source answers has no say in ``/live``: to start again would mend neither.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from framework.errors import ConfigError
from framework.project import HEALTH_PORT
from framework.vitals import PanelVitals, ServiceVitals, Vitals

log = logging.getLogger(__name__)

PLAIN = "text/plain; charset=utf-8"
PATIENCE_S = 5.0
"""With one who asks and says nothing."""


@contextmanager
def open_health(host: str, port: int, vitals: Sequence[Vitals]) -> Iterator[int]:
    """Answer until the end of the block; gives the port, which may have been 0: any.

    :raises ConfigError: the port cannot be had.
    """
    try:
        server = _Server(host, port, _Report(vitals))
    except OSError as error:
        problem = error.strerror or "no such address"
    else:
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
        return
    raise ConfigError(
        f"port {port} of {host} cannot be had: {problem}. Set another in [health], or for this "
        f"process alone in {HEALTH_PORT}"
    )


class _Report(Collector):
    """What there is to say of them all."""

    def __init__(self, vitals: Sequence[Vitals]) -> None:
        self._vitals = vitals
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def live(self) -> list[str]:
        """A line for each that hangs."""
        hangs = [(each.name, each.hangs) for each in self._vitals]
        return [f"{name} {why}" for name, why in hangs if why]

    def ready(self) -> list[str]:
        """A line for each that is not ready."""
        return [
            f"{each.name} waits for {what}" for each in self._vitals if (what := each.waits_for)
        ]

    def metrics(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        yield from _of_services([each for each in self._vitals if isinstance(each, ServiceVitals)])
        yield from _of_panels([each for each in self._vitals if isinstance(each, PanelVitals)])


def _of_services(services: Sequence[ServiceVitals]) -> Iterator[Metric]:
    if not services:
        return
    label = ["service"]
    fetches = CounterMetricFamily("matrix_fetches", "Fetches begun.", labels=label)
    failures = CounterMetricFamily("matrix_fetch_failures", "Of the fetches.", labels=label)
    age = GaugeMetricFamily("matrix_age_seconds", "Since the last good fetch.", labels=label)
    publishing = SummaryMetricFamily(
        "matrix_publish_seconds", "How long publishing took.", labels=label
    )
    away = CounterMetricFamily(
        "matrix_bus_failures", "Times that the bus did not answer.", labels=label
    )
    for each in services:
        name = [each.name]
        fetches.add_metric(name, each.fetches)
        failures.add_metric(name, each.failures)
        publishing.add_metric(name, each.publishing.count, each.publishing.total_s)
        away.add_metric(name, each.bus_failures)
        if each.age_s is not None:
            age.add_metric(name, each.age_s)
    yield from (fetches, failures, age, publishing, away)


def _of_panels(panels: Sequence[PanelVitals]) -> Iterator[Metric]:
    if not panels:
        return
    label = ["panel"]
    frames = CounterMetricFamily(
        "matrix_frames", "Frames that differed from the one before.", labels=label
    )
    lighting = SummaryMetricFamily(
        "matrix_light_seconds", "From an update's arrival to its frame.", labels=label
    )
    for each in panels:
        frames.add_metric([each.name], each.frames)
        lighting.add_metric([each.name], each.lighting.count, each.lighting.total_s)
    yield from (frames, lighting)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, report: _Report) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.report = report
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's own, which asks DNS for a name that nobody wants."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One who hangs up is no event."""
        if not isinstance(sys.exception(), OSError):
            log.exception("what was asked cannot be answered")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_S
    server_version = "matrix"
    sys_version = ""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        report = self.server.report
        match self.path.partition("?")[0]:
            case "/live":
                self._said(report.live(), "alive")
            case "/ready":
                self._said(report.ready(), "ready")
            case "/metrics":
                self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, report.metrics())
            case _:
                self._send(HTTPStatus.NOT_FOUND, PLAIN, b"there is /live, /ready and /metrics\n")

    def _said(self, problems: list[str], well: str) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        self._send(status, PLAIN, "".join(f"{each}\n" for each in problems or [well]).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A probe every ten seconds is no event either."""
