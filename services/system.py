"""How the computer is doing that this runs on: load, memory, disk, temperature, uptime, network.

psutil reads it, and much of it may not be there: a container has no sensors, and a sandbox not all
of ``/proc``. In a container it is the host that is told of, but for disk and network. What travels
is ``services.feeds.System``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import psutil
from pydantic import Field

from framework import Config, ConfigError, ServerBase
from services.feeds import System

T = TypeVar("T")

CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")
"""What Linux's drivers call those in the CPU of a PC and of a Pi."""
TOO_HOT_C = 125.0


class SystemConfig(Config):
    disk: str = Field(default="/", min_length=1)
    """A folder on the file system to tell of. One that goes away later is no error."""


class Heat(Protocol):
    """What one sensor says, as psutil has it."""

    @property
    def current(self) -> float: ...


class Moved(NamedTuple):
    """Bytes that went through an interface, or a second's worth of them."""

    received: float
    sent: float


class Traffic(NamedTuple):
    """Bytes through each interface since it came up, and when that was read."""

    at_s: float
    moved: Mapping[str, Moved]


class SystemServer(ServerBase[System, SystemConfig]):
    """How this computer is doing, every ten seconds."""

    period = timedelta(seconds=10)
    timeout = timedelta(seconds=5)

    def __init__(self, *, name: str | None = None, config: SystemConfig | None = None) -> None:
        super().__init__(name=name, config=config)
        if not told(Path(self.config.disk).is_dir):
            raise ConfigError(
                f"SystemConfig [{self.name}] disk: there is no such folder here, or it may not be "
                f"looked at; set [config.{self.name}] disk in matrix.toml"
            )
        self._before: Traffic | None = None

    async def fetch(self) -> System:
        # In a thread: a network file system that is away may block for long.
        return await self.blocking(self._look)

    def _look(self) -> System:
        now = told(traffic)
        rate = bytes_a_second(self._before, now) if self._before and now else None
        self._before = now
        return System(
            load=told(load),
            memory=told(lambda: share(psutil.virtual_memory().percent)),
            disk=told(lambda: share(psutil.disk_usage(self.config.disk).percent)),
            temperature_c=told(lambda: hottest_c(psutil.sensors_temperatures())),
            uptime_s=told(lambda: max(0.0, time.time() - psutil.boot_time())),
            received_bytes_s=rate.received if rate else None,
            sent_bytes_s=rate.sent if rate else None,
        )


def told(ask: Callable[[], T]) -> T | None:
    """What the system tells; None if it does not."""
    try:
        return ask()
    except Exception:  # psutil raises whatever reading a file that is missing or odd raises
        return None


def load() -> float:
    return psutil.getloadavg()[0] / (psutil.cpu_count() or 1)


def share(percent: float) -> float:
    return min(max(percent / 100, 0.0), 1.0)


def hottest_c(sensors: Mapping[str, Sequence[Heat]]) -> float | None:
    """The hottest of the CPU's sensors; if none is known to be the CPU's, of all.

    A sensor that is dead or not wired says 0, 127 or 255.
    """
    own = {name: sensors[name] for name in CPU_SENSORS if name in sensors}
    alive = [heat.current for heats in (own or sensors).values() for heat in heats]
    return max((heat for heat in alive if 0 < heat < TOO_HOT_C), default=None)


def traffic() -> Traffic:
    """Of all interfaces but the one to oneself."""
    stats = psutil.net_if_stats()
    return Traffic(
        time.monotonic(),
        {
            name: Moved(counted.bytes_recv, counted.bytes_sent)
            for name, counted in psutil.net_io_counters(pernic=True).items()
            if name in stats and "loopback" not in stats[name].flags.split(",")
        },
    )


def bytes_a_second(before: Traffic, now: Traffic) -> Moved | None:
    """What the busiest interface moved between the two; None if none was there both times."""
    elapsed_s = now.at_s - before.at_s
    rates = [
        Moved((there.received - was.received) / elapsed_s, (there.sent - was.sent) / elapsed_s)
        for name, there in now.moved.items()
        if (was := before.moved.get(name)) is not None
        and there.received >= was.received  # less: it went away and came back
        and there.sent >= was.sent
    ]
    return max(rates, key=sum, default=None)


if __name__ == "__main__":
    SystemServer.run()
