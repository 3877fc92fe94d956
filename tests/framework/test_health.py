"""How a process says that it is alive and ready, and what it counts."""

from __future__ import annotations

import asyncio
import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families

from framework.config import Config
from framework.errors import ConfigError, Unavailable
from framework.health import open_health
from framework.server import ServerBase
from framework.testing import FakeClock, MemoryBus
from framework.testing.clock import settle
from framework.tools.check import check
from framework.update import Values
from framework.vitals import SLACK_S, Pulse, ServiceVitals
from tests import forked

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Tide(Values):
    height_m: float


class TideServer(ServerBase[Tide]):
    period = timedelta(hours=20)
    jitter = 0.0

    def __init__(self) -> None:
        super().__init__(config=Config())
        self.away = False

    async def fetch(self) -> Tide:
        if self.away:
            raise Unavailable("low water")
        return Tide(height_m=2)


class Clock:
    """Seconds that only the test lets pass."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def ask(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    with closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()


def test_a_loop_hangs_that_does_not_come_again_as_it_said() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.due_within(20 * 3600)
    clock.now_s += 20 * 3600 + SLACK_S
    assert pulse.overdue_s == 0
    clock.now_s += 5
    assert pulse.overdue_s == 5
    pulse.due_within(1)
    assert pulse.overdue_s == 0


async def test_a_service_is_alive_whatever_the_bus_and_the_source_do() -> None:
    """Its loop comes round while it sleeps for 20 hours, fetches in vain, or waits for the bus."""
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    service = TideServer()
    beats = Clock()
    service.vitals.pulse = Pulse(beats)
    bus.go_away()
    serving = asyncio.ensure_future(service.serve(bus))
    for hour in range(24):
        if hour == 1:
            assert service.vitals.fetches == 0
            bus.come_back()
        service.away = hour > 2
        for _ in range(60):
            beats.now_s += 60  # to the pulse, each minute comes at once
            await clock.advance(timedelta(minutes=1))
            assert service.vitals.pulse.overdue_s == 0
    serving.cancel()
    await asyncio.wait([serving])
    assert service.vitals.fetches > service.vitals.failures > 0


async def test_a_blocked_loop_is_told_by_the_port() -> None:
    """The port has a thread of its own, or nobody would hear of a loop that hangs."""
    vitals = ServiceVitals("tide", lambda: T0)
    clock = Clock()
    vitals.pulse = Pulse(clock)
    with open_health("127.0.0.1", 0, [vitals]) as port:
        assert ask(port, "/live") == (200, "alive\n")
        clock.now_s += SLACK_S + 43
        # This very call blocks the loop.
        assert ask(port, "/live") == (503, "tide hangs, for 43 s\n")


async def test_it_is_ready_with_the_first_good_values() -> None:
    clock = FakeClock(T0)
    bus = MemoryBus(clock)
    service = TideServer()
    with open_health("127.0.0.1", 0, [service.vitals]) as port:
        assert ask(port, "/ready") == (503, "tide waits for its first good values\n")
        serving = asyncio.ensure_future(service.serve(bus))
        await settle()
        assert ask(port, "/ready") == (200, "ready\n")
        serving.cancel()
        await asyncio.wait([serving])


async def test_what_is_counted() -> None:
    clock = FakeClock(T0)
    service = TideServer()
    publisher = service.publisher(MemoryBus(clock))
    await service.step(publisher)
    service.away = True
    await service.step(publisher)
    await clock.advance(timedelta(minutes=5))
    with open_health("127.0.0.1", 0, [service.vitals]) as port:
        status, text = ask(port, "/metrics")
    assert status == 200
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels == {"service": "tide"}
    }
    assert found.pop("matrix_publish_seconds_sum") > 0
    assert found == {
        "matrix_fetches_total": 2,
        "matrix_fetch_failures_total": 1,
        "matrix_bus_failures_total": 0,
        "matrix_age_seconds": 300,
        "matrix_publish_seconds_count": 1,
    }


def test_head_is_answered_without_a_body() -> None:
    with (
        open_health("127.0.0.1", 0, []) as port,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection,
    ):
        connection.request("HEAD", "/live")
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, b"")


def test_nothing_else_is_there() -> None:
    with open_health("::1", 0, []) as port:
        assert ask(port, "/", host="::1") == (404, "there is /live, /ready and /metrics\n")


def test_who_asks_and_says_nothing_keeps_nobody_from_asking() -> None:
    with open_health("127.0.0.1", 0, []) as port, socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/live")[0] == 200


def test_a_port_that_cannot_be_had_is_refused_in_a_sentence() -> None:
    with (
        open_health("127.0.0.1", 0, []) as port,
        pytest.raises(ConfigError, match=r"already in use\. Set another in"),
        open_health("127.0.0.1", port, []),
    ):
        pass
    with pytest.raises(ConfigError, match="Set another"), open_health("no.such.invalid", 0, []):
        pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MATRIX_TOML", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(*, ready: bool = False, host: str | None = None, port: int | None = None) -> int:
    with pytest.raises(typer.Exit) as caught:
        check(ready=ready, host=host, port=port)
    return caught.value.exit_code


def test_one_asks_without_curl(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vitals = ServiceVitals("tide", lambda: T0)
    with open_health("0.0.0.0", 0, [vitals]) as port:  # noqa: S104  # as it is by default
        (folder / "matrix.toml").write_text(f"[health]\nport = {port}\n")
        assert checked() == 0
        assert checked(ready=True) == 1
        vitals.good_at = T0
        assert checked(ready=True) == 0
    assert checked(port=port) == 75
    out, err = capsys.readouterr()
    assert out.splitlines() == ["alive", "tide waits for its first good values", "ready"]
    assert err == f"nobody answers at port {port} of 127.0.0.1\n"


def test_which_port_must_be_known(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[health\] port in matrix.toml"):
        check(ready=False, host=None, port=None)


def test_what_is_no_name_of_a_host_answers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    host = "x" * 300
    assert checked(host=host, port=9100) == 75
    assert capsys.readouterr().err == f"nobody answers at port 9100 of {host}\n"


class Stranger(BaseHTTPRequestHandler):
    """Says of anything that it is there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"alive\n")

    def log_message(self, *_: object) -> None:
        pass


def test_whatever_else_answers_is_not_alive(folder: Path) -> None:
    with (
        HTTPServer(("127.0.0.1", 0), Stranger) as stranger,
        ThreadPoolExecutor() as threads,
    ):
        answering = threads.submit(stranger.handle_request)
        with pytest.raises(ConfigError, match=r"is no service or page of matrix\. Set \[health\]"):
            check(ready=False, host="127.0.0.1", port=stranger.server_port)
        answering.result(5)


@pytest.mark.parametrize(
    "words", [["--port", "0"], ["--port", "-1"], ["--port", "99999"], ["--host", ""]], ids=str
)
def test_where_nobody_can_be_asked_is_refused(folder: Path, words: list[str]) -> None:
    (folder / "matrix.toml").write_text("[health]\nport = 9100\n")
    done = forked.run("matrix", "check", *words, cwd=folder, env={})
    assert done.returncode == 2
    assert f"Invalid value for {words[0]}" in done.stderr.replace("'", "")
