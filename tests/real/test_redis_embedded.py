"""The server of the laptop default: alone in its folder, gone when we are."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest
import redis

import framework.embedded
from framework.bus import Outcome, Posted
from framework.embedded import EmbeddedServer
from framework.errors import ConfigError
from framework.redisbus import open_bus
from tests.waiting import until_blocking

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / 'a "strange" folder' / ".matrix"


@pytest.fixture
def server(state: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(state)
    yield server
    server.stop()


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def processes(state: Path) -> list[psutil.Process]:
    """Servers and watchers that run in the folder."""
    everything = psutil.process_iter(["cwd"])
    return [process for process in everything if process.info["cwd"] == str(state)]


def kill(state: Path) -> None:
    """The server, and nothing else."""
    for process in processes(state):
        if "-server" in process.name():
            process.kill()


async def test_it_is_a_bus(server: EmbeddedServer) -> None:
    bus = open_bus(server.start())
    assert (await bus.publish("tide", Posted(1, b"{}"))).outcome is Outcome.ARRIVED
    assert (await bus.snapshot("tide")).posted == Posted(1, b"{}")
    await bus.close()


def test_started_stopped_and_started_again(server: EmbeddedServer, state: Path) -> None:
    for _ in range(2):
        url = server.start()
        assert answers(url)
        assert (state / "bus").read_text() == f"{url}\n"

        server.stop()
        assert not answers(url)
        assert list(state.iterdir()) == []
        until_blocking(lambda: not processes(state))
    server.stop()


def test_a_with_block(state: Path) -> None:
    with EmbeddedServer(state) as url:
        assert answers(url)
    assert not answers(url)


def test_what_is_secret_stays_so(server: EmbeddedServer, state: Path) -> None:
    url = server.start()
    password = url.split("@")[0].removeprefix("redis://:")
    assert len(password) >= 24
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in state.iterdir())
    assert password not in (state / "valkey.log").read_text()
    for process in processes(state):
        assert password not in " ".join(process.cmdline())
        assert password not in str(process.environ())
    assert not answers(url.replace(password, "wrong"))


def test_it_listens_on_loopback_only(server: EmbeddedServer, state: Path) -> None:
    server.start()
    listening = [
        connection.laddr.ip
        for process in processes(state)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_one_a_folder(server: EmbeddedServer, state: Path) -> None:
    url = server.start()
    with pytest.raises(ConfigError, match="already runs here"):
        EmbeddedServer(state).start()
    assert answers(url)
    assert (state / "bus").exists()


def test_of_many_at_once_one_wins(state: Path) -> None:
    servers = [EmbeddedServer(state) for _ in range(8)]
    started, refused = [], []

    def start(server: EmbeddedServer) -> None:
        try:
            started.append(server.start())
        except ConfigError:
            refused.append(server)

    threads = [threading.Thread(target=start, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        server.stop()
    assert (len(started), len(refused)) == (1, 7)


def test_it_is_started_again_where_it_was(server: EmbeddedServer, state: Path) -> None:
    url = server.start()
    assert server.ended is None
    kill(state)
    until_blocking(lambda: server.ended == -signal.SIGKILL)
    assert not answers(url)

    server.restart()
    assert answers(url)
    assert server.ended is None
    assert (state / "bus").read_text() == f"{url}\n"
    server.stop()
    assert list(state.iterdir()) == []
    until_blocking(lambda: not processes(state))


def test_a_stranger_in_its_place_is_told_no_password(server: EmbeddedServer, state: Path) -> None:
    port = urlsplit(server.start()).port
    kill(state)
    until_blocking(lambda: server.ended is not None)
    with socket.create_server(("127.0.0.1", port or 0)) as stranger:
        stranger.setblocking(False)
        server.stop()
        with pytest.raises(BlockingIOError):  # nobody has connected
            stranger.accept()


OWNER = """
import sys, time
from pathlib import Path
from framework.embedded import EmbeddedServer
print(EmbeddedServer(Path(sys.argv[1])).start(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def owner(state: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has started a server in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, state], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_us(
    owner: subprocess.Popen[str], state: Path, server: EmbeddedServer, ending: signal.Signals
) -> None:
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    assert answers(url)

    owner.send_signal(ending)
    owner.wait()
    until_blocking(lambda: not answers(url))
    until_blocking(lambda: not processes(state))
    assert (state / "bus").exists()

    assert answers(server.start())
    server.stop()
    assert list(state.iterdir()) == []


def test_what_was_left_over_is_shut_down(
    owner: subprocess.Popen[str], state: Path, server: EmbeddedServer
) -> None:
    """The watcher was killed too, so nobody ended the server."""
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    for process in processes(state):
        if "sh" in process.name():
            process.kill()
    owner.kill()
    owner.wait()
    assert answers(url)

    assert server.start() != url
    until_blocking(lambda: not answers(url))


def test_a_stranger_on_the_port_of_a_left_over_is_left_alone(
    server: EmbeddedServer, state: Path, valkey_url: str
) -> None:
    state.mkdir(parents=True)
    (state / "bus").write_text(valkey_url.replace("redis://", "redis://:old@"))
    server.start()
    assert answers(valkey_url)
    assert stat.S_IMODE((state / "bus").stat().st_mode) == 0o600


def test_a_terminals_interrupt_does_not_reach_it(server: EmbeddedServer, state: Path) -> None:
    server.start()
    assert {os.getsid(process.pid) for process in processes(state)}.isdisjoint({os.getsid(0)})


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_a_port_that_somebody_else_takes(
    server: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
    server_of: Callable[[str], Server],
    kind: str,
) -> None:
    monkeypatch.setattr(framework.embedded, "_find_binary", lambda: server_of(kind).binary)
    monkeypatch.setattr(framework.embedded, "_ANSWER_S", 0.1)
    free_port = framework.embedded._free_port
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        ports = iter([somebody.getsockname()[1]] * 2)
        monkeypatch.setattr(framework.embedded, "_free_port", lambda: next(ports, free_port()))
        assert answers(server.start())


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_the_path(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = framework.embedded._find_binary()
    (tmp_path / name).symlink_to(real)
    monkeypatch.setattr(framework.embedded, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answers(server.start())


def test_no_server(
    server: EmbeddedServer, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework.embedded, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"pip install 'matrix-framework\[demo\]'"):
        server.start()
    assert not state.exists()


def test_a_server_that_dies_says_why(
    server: EmbeddedServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework.embedded, "_CONFIG", "no-such-word {port} {password}\n")
    with pytest.raises(ConfigError, match=r"did not start: Bad directive") as caught:
        server.start()
    assert "no-such-word" not in str(caught.value)
    assert list(state.iterdir()) == []


def test_a_frozen_server_is_stopped_too(
    server: EmbeddedServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework.embedded, "_ANSWER_S", 0.1)
    monkeypatch.setattr(framework.embedded, "_STOP_S", 0.1)
    server.start()
    for process in processes(state):
        if "valkey" in process.name():
            process.suspend()
    server.stop()
    until_blocking(lambda: not processes(state))
