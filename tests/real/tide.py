"""Services as users write them, for ``production``. Run as a module, one of them says when it is
ready, and lives until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic import BaseModel, SecretStr

from framework.config import Config
from framework.process import run
from framework.server import ServerBase
from framework.update import Values


class Tide(Values):
    height_m: float = 0.0


class Moon(Values):
    phase: float = 0.0


class Gauge(BaseModel):
    host: str


class TideConfig(Config):
    token: SecretStr
    gauge: Gauge
    pin: SecretStr


class LaterConfig(TideConfig):
    """A field more."""

    added: SecretStr


class MoonConfig(Config):
    pin: SecretStr


class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self) -> Tide:
        return Tide()


class LaterServer(ServerBase[Tide, LaterConfig]):
    async def fetch(self) -> Tide:
        return Tide()


class MoonServer(ServerBase[Moon, MoonConfig]):
    async def fetch(self) -> Moon:
        return Moon()


async def live(service: TideServer) -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    assert service.config.token


if __name__ == "__main__":
    run(lambda: live(TideServer()))
