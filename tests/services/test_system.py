"""What is told of this computer: what psutil knows, and nothing where it knows nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import psutil
import pytest
from pydantic import ValidationError

from framework import ConfigError
from framework.testing import Harness
from services.feeds import System
from services.system import (
    Moved,
    SystemConfig,
    SystemServer,
    Traffic,
    bytes_a_second,
    hottest_c,
)

T0 = datetime(2026, 11, 24, 18, tzinfo=UTC)
ASKED = (
    "getloadavg",
    "virtual_memory",
    "disk_usage",
    "sensors_temperatures",
    "boot_time",
    "net_if_stats",
    "net_io_counters",
)


async def told(server: SystemServer, times: int = 1) -> System:
    async with Harness(server, now=T0) as h:
        for _ in range(times):
            await h.fetch()
        update = h.published(System)
        assert update is not None
        return update.values


def interfaces(monkeypatch: pytest.MonkeyPatch, moved: dict[str, tuple[int, int]]) -> None:
    """``moved``: bytes received and sent. What goes to oneself is always much more."""
    lo = 10 * sum(map(sum, moved.values()))
    stats = {"lo": SimpleNamespace(flags="up,loopback,running")}
    counted = {"lo": SimpleNamespace(bytes_recv=lo, bytes_sent=lo)}
    for name, (received, sent) in moved.items():
        stats[name] = SimpleNamespace(flags="up,broadcast,running")
        counted[name] = SimpleNamespace(bytes_recv=received, bytes_sent=sent)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: stats)
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: counted)


async def test_this_computer_tells_something() -> None:
    seen = await told(SystemServer(config=SystemConfig()), times=2)
    assert seen.load is not None
    assert seen.memory is not None
    assert 0 < seen.memory < 1
    assert seen.disk is not None
    assert seen.uptime_s is not None
    assert seen.uptime_s > 0


async def test_the_load_is_for_each_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "getloadavg", lambda: (6.0, 1.0, 1.0))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)
    assert (await told(SystemServer(config=SystemConfig()))).load == 1.5


@pytest.mark.parametrize(
    "error", [OSError(13, "no"), NotImplementedError(), KeyError("MemTotal"), psutil.AccessDenied()]
)
async def test_what_cannot_be_read_is_none(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise error

    for name in ASKED:
        monkeypatch.setattr(psutil, name, refuse)
    seen = await told(SystemServer(config=SystemConfig()), times=2)
    assert set(seen.model_dump().values()) == {None}


async def test_where_there_are_no_sensors_at_all_there_is_no_temperature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(psutil, "sensors_temperatures")  # as on macOS
    assert (await told(SystemServer(config=SystemConfig()))).temperature_c is None


@pytest.mark.parametrize("disk", ["/no/such/folder", "/etc/passwd", "/etc/passwd/folder", "a\0b"])
def test_a_disk_that_is_not_there_is_said_at_the_start(disk: str) -> None:
    with pytest.raises(ConfigError) as error:
        SystemServer(name="nas", config=SystemConfig(disk=disk))
    assert str(error.value).startswith("SystemConfig [nas] disk: there is no such folder here")
    assert str(error.value).endswith("set [config.nas] disk in matrix.toml")


def test_no_disk_is_none_that_is_here() -> None:
    with pytest.raises(ValidationError, match="disk"):
        SystemConfig(disk="")


async def test_a_disk_that_has_gone_away_since_is_none(tmp_path: Path) -> None:
    disk = tmp_path / "stick"
    disk.mkdir()
    server = SystemServer(config=SystemConfig(disk=str(disk)))
    assert (await told(server)).disk is not None
    disk.rmdir()
    seen = await told(server)
    assert seen.disk is None
    assert seen.memory is not None


async def test_traffic_is_told_from_the_second_time_on(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SystemServer(config=SystemConfig())
    interfaces(monkeypatch, {"eth0": (1000, 100), "docker0": (0, 0)})
    assert (await told(server)).received_bytes_s is None
    interfaces(monkeypatch, {"eth0": (6000, 200), "docker0": (4000, 50)})
    seen = await told(server)
    assert seen.received_bytes_s is not None
    assert seen.sent_bytes_s is not None
    assert seen.received_bytes_s == pytest.approx(50 * seen.sent_bytes_s)


@pytest.mark.parametrize(
    ("before", "now", "rate"),
    [
        ({"eth0": Moved(0, 0)}, {"eth0": Moved(20, 10)}, Moved(10, 5)),
        ({"a": Moved(0, 0), "b": Moved(0, 0)}, {"a": Moved(2, 2), "b": Moved(6, 0)}, Moved(3, 0)),
        ({"eth0": Moved(9, 9)}, {"eth0": Moved(1, 10)}, None),  # came up anew
        ({"eth0": Moved(9, 9)}, {"eth0": Moved(10, 1)}, None),
        ({"eth0": Moved(0, 0)}, {"wlan0": Moved(5, 5)}, None),
        ({}, {}, None),
    ],
)
def test_the_busiest_interface_counts(
    before: dict[str, Moved], now: dict[str, Moved], rate: Moved | None
) -> None:
    assert bytes_a_second(Traffic(10.0, before), Traffic(12.0, now)) == rate


@pytest.mark.parametrize(
    ("sensors", "hottest"),
    [
        ({"coretemp": [48.0, 55.0], "nvme": [70.0]}, 55.0),
        ({"cpu_thermal": [51.6]}, 51.6),
        ({"acpitz": [40.0], "nvme": [70.0]}, 70.0),
        ({"coretemp": [0.0, 255.0, 44.0]}, 44.0),
        ({"coretemp": [0.0]}, None),
        ({}, None),
    ],
)
def test_the_temperature_is_the_cpus(
    sensors: dict[str, list[float]], hottest: float | None
) -> None:
    shown = {
        name: [SimpleNamespace(current=each) for each in found] for name, found in sensors.items()
    }
    assert hottest_c(shown) == hottest
