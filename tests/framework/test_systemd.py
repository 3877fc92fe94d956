"""Signs of life, to one who listens as systemd does."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from framework.systemd import notifying
from tests.waiting import LIMIT_S, until


@pytest.fixture(params=["a path", "an abstract name"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(
            str(tmp_path / "notify") if request.param == "a path" else f"\0{tmp_path}/notify"
        )
        yield listening


def asked(systemd: socket.socket, **more: str) -> dict[str, str]:
    name = systemd.getsockname()
    address = f"@{name[1:].decode()}" if isinstance(name, bytes) else name
    return {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000", **more}


async def next_of(systemd: socket.socket) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        return await asyncio.get_running_loop().sock_recv(systemd, 100)


async def test_it_gives_signs_of_life_until_something_hangs(systemd: socket.socket) -> None:
    hanging = False

    async def work() -> str:
        nonlocal hanging
        assert await next_of(systemd) == b"READY=1"
        for _ in range(3):
            assert await next_of(systemd) == b"WATCHDOG=1"
        hanging = True
        with suppress(BlockingIOError):
            while systemd.recv(100):
                pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.get_running_loop().sock_recv(systemd, 100)
        return "done"

    environ = asked(systemd, WATCHDOG_PID=str(os.getpid()))
    assert await notifying(work, environ, hangs=lambda: hanging) == "done"


@pytest.mark.parametrize(
    "more",
    [
        {"WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "often"},
        {"WATCHDOG_USEC": "0"},
    ],
)
async def test_who_is_not_asked_for_signs_of_life_says_that_it_has_started(
    systemd: socket.socket, more: dict[str, str]
) -> None:
    async def work() -> None:
        assert await next_of(systemd) == b"READY=1"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.get_running_loop().sock_recv(systemd, 100)

    await notifying(work, asked(systemd, **more))


async def test_a_systemd_that_does_not_listen_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        await until(lambda: caplog.messages)

    environ = {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "20000"}
    await notifying(work, environ)
    assert caplog.messages[0] == "telling systemd: No such file or directory"
