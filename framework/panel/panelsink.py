"""Frames to the panel process, over its socket (``driver.wire``).

Lock-step: a frame, the panel's answer, then the newest frame there is. So a panel that is slow, or
hangs, costs frames and never memory or the loop's time; one that is absent is looked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, TypeAlias, cast

from framework import durable
from framework.brightness import FULL, level_at
from framework.bustime import BusTime
from framework.config import Place
from framework.config.loading import load_all
from framework.config.place import Spot
from framework.outage import Outage
from framework.panel.driver import wire
from framework.panel.driver.wire import Head, NotUnderstood, socket_path
from framework.panel.sinks import NewestSink, Remote
from framework.project import Project

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0
PATIENCE_S = 10.0
"""How long the panel may take for an answer."""


LedsAt: TypeAlias = "Callable[[BusTime], Sequence[PanelSink]]"
"""Makes the sinks for LEDs whose brightness goes by a time."""


def leds_of(project: Project) -> LedsAt:
    """For the LEDs of this folder, if it has any.

    :raises ConfigError: the place that the brightness goes by is configured wrong.
    :raises SecretsUnavailable: it is in the secrets, and they could not be read for now.
    """
    panel = project.panel
    if panel.driver is None:
        return lambda time: []
    path, brightness = socket_path(project), brightness_of(project)
    return lambda time: [PanelSink(path, brightness=lambda: brightness(time.now()))]


def brightness_of(project: Project) -> Callable[[datetime], int]:
    """The level at a moment, as ``[panel] brightness`` says it."""
    table = project.panel.brightness
    if len(table) == 1:
        (level,) = table.values()
        return lambda now: level
    # Its hours are those of the configured time zone, and the Sun's those of the configured place.
    (loaded,) = load_all([(Place, "panel")], project=project)
    place = cast(Place, loaded.config)
    spot = Spot("panel", place.latitude, place.longitude)

    @lru_cache(maxsize=1)  # asked with each frame, and the Sun takes a while
    def in_minute(minute: datetime) -> int:
        return level_at(table, minute.astimezone(place.zone), spot)

    in_minute(datetime.now(UTC))  # raises here, if anywhere
    return lambda now: in_minute(now.replace(second=0, microsecond=0))


class PanelSink(NewestSink):
    """LEDs, by way of the panel process that listens at ``path``.

    ``brightness`` is asked with each message: 0 to 100 percent.
    """

    def __init__(self, path: Path, *, brightness: Callable[[], int] = lambda: FULL) -> None:
        super().__init__()
        self._path = path
        self._brightness = brightness
        self._connected = False
        self._outage = Outage(log, "panel")

    @property
    def watched(self) -> bool:
        return self._connected

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        started()  # whether the panel is there or not: it may come and go
        while True:
            try:
                await self._serve(remote)
            except (OSError, asyncio.IncompleteReadError, NotUnderstood) as error:
                self._outage.failed(_in_words(self._path, error))
            doublings = min(self._outage.failures - 1, 16)
            await asyncio.sleep(min(FIRST_RETRY_S * 2**doublings, LONGEST_RETRY_S))

    async def _serve(self, remote: Remote) -> NoReturn:
        """One connection, until it fails."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            async with asyncio.timeout(PATIENCE_S):
                width, height, _ = await wire.read_head(reader)
            # What is held may be from before it was gone.
            self._newest = None
            self._connected = True
            remote.fix((width, height))
            remote.wake()
            while True:
                async with asyncio.timeout(PATIENCE_S):
                    await self._send(writer)
                    await reader.readexactly(len(wire.TAKEN))
                self._outage.recovered()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wire.SIGN_OF_LIFE_S):
                        await self._news.wait()
        finally:
            self._connected = False
            remote.fix(None)
            writer.transport.abort()  # to close it would wait for a panel that hangs

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        frame, self._newest = self._newest, None
        self._news.clear()
        size = (0, 0) if frame is None else frame.size
        writer.write(Head(*size, self._brightness()).to_wire())
        if frame is not None:
            writer.write(frame.tobytes())
        await writer.drain()


def _in_words(path: Path, error: OSError | asyncio.IncompleteReadError | NotUnderstood) -> str:
    if isinstance(error, TimeoutError):
        return f"what listens at {path} does not answer: is matrix panel stopped?"
    if isinstance(error, NotUnderstood):
        return f"what listens at {path} is not understood: {error}"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"nothing listens at {path}: start matrix panel"
    if isinstance(error, asyncio.IncompleteReadError | ConnectionError):
        return f"matrix panel at {path} has ended, or sent this renderer away: it is tried again"
    if isinstance(error, PermissionError):
        return (
            f"this user may not go to {path}: run matrix show as the owner of {path.parent}, or as "
            "one of its group"
        )
    return f"{path} cannot be reached: {durable.in_words(error)}"
