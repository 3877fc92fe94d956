"""The panel's loop: follows the bus, lets the player decide, draws, and hands frames to sinks.

Every decision is elsewhere: what is on in ``player``, what it looks like in ``stage``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NoReturn
from urllib.parse import urlsplit

from PIL import Image

from framework.bus import Bus, Posted
from framework.feed import Followings
from framework.page import Page
from framework.panel import marks
from framework.panel.player import Player, Turn
from framework.panel.sinks import Sink
from framework.panel.stage import Frame, Stage
from framework.panel.status import FeedStatus, Status
from framework.project import LONGEST_SIDE
from framework.vitals import PanelVitals

log = logging.getLogger(__name__)

MARGIN_S = 0.002
"""Timers may fire a little early: a tick is looked at just after it, not twice."""
IDLE_S = 60.0
"""However quiet it is, the panel looks at its clock this often."""


class Show:
    """Pages on a panel. Implements ``Remote`` for sinks that have buttons."""

    def __init__(
        self,
        pages: Sequence[Page[Any]],
        sinks: Sequence[Sink],
        bus: Bus,
        *,
        seconds: Sequence[float | None] = (),
        width: int = 128,
        height: int = 64,
        remark: str | None = None,
        vitals: PanelVitals | None = None,
    ) -> None:
        """``seconds``: the length of each page's turn, where it is not the page's own. ``vitals``:
        what is kept up to date of its doing."""
        lengths = [*seconds, *[None] * (len(pages) - len(seconds))]
        self._stages = [Stage(page) for page in pages]
        self._followings = Followings.of(pages)
        self._sinks = sinks
        self._vitals = vitals or PanelVitals()
        self._arrived_s: float | None = None
        """When the oldest update came that no frame has shown yet."""
        self.address: str | None = None
        """Of the panel's web page: shown for as long as no page ever had anything to show."""
        self._bus = bus
        self._time = bus.time
        self._size = (width, height)
        self._fixed = False
        self._remark = remark
        self._player = Player(
            tuple(
                Turn(page.name, page.seconds if length is None else length)
                for page, length in zip(pages, lengths, strict=True)
            ),
            since_s=self._time.monotonic_s(),
        )
        self._connected = False
        self._woken = False
        self._last_frame: Image.Image | None = None
        self._last_status: Status | None = None
        self._scrolled_s: float | None = None
        self._look = asyncio.Event()
        for page in pages:
            page.on(self._time, self._followings)

    async def run(self, started: Callable[[], None] = lambda: None) -> NoReturn:
        """Until cancelled. ``started`` is called once, when every sink would show a frame.

        :raises ConfigError: a sink cannot start.
        """
        waiting = set(range(len(self._sinks)))

        def sink_started(number: int) -> None:
            waiting.discard(number)
            self.wake()
            if not waiting:
                started()

        async with asyncio.TaskGroup() as tasks:
            for number, sink in enumerate(self._sinks):
                tasks.create_task(sink.run(self, partial(sink_started, number)))
            if self._followings:
                names = self._followings.names
                tasks.create_task(
                    self._bus.follow(names, self._deliver, self._connection, self._failing)
                )
            tasks.create_task(self._play())
        raise AssertionError("its tasks run until they are cancelled")

    # What sinks may ask for.

    def next(self) -> None:
        self._decide(self._player.step(1, self._time.monotonic_s()))

    def previous(self) -> None:
        self._decide(self._player.step(-1, self._time.monotonic_s()))

    def pause(self, paused: bool | None = None) -> None:
        wish = not self._player.paused if paused is None else paused
        self._decide(self._player.pause(wish, self._time.monotonic_s()))

    def pin(self, name: str | None) -> None:
        self._decide(self._player.pin(name, self._time.monotonic_s()))

    def resize(self, width: int, height: int) -> None:
        if not self._fixed:
            self._size = (min(max(width, 1), LONGEST_SIDE), min(max(height, 1), LONGEST_SIDE))
        self._look.set()

    def fix(self, size: tuple[int, int] | None) -> None:
        self._fixed = size is not None
        if size is not None and size != self._size:
            seen, asked = ("{}x{}".format(*each) for each in (size, self._size))
            log.info("the LEDs are %s: pages are drawn for that, and not for %s", seen, asked)
            self._size = size
        self._look.set()

    def wake(self) -> None:
        self._woken = True
        self._look.set()

    def _decide(self, player: Player) -> None:
        self._player = player
        self._look.set()

    # What the bus tells.

    def _deliver(self, name: str, posted: Posted) -> bool:
        is_taken = self._followings.take(name, posted)
        if is_taken and self._arrived_s is None:
            self._arrived_s = self._time.monotonic_s()
        self._look.set()
        return is_taken

    def _failing(self, name: str, why: str) -> None:
        self._followings.fail(name, why)
        self._look.set()

    def _connection(self, connected: bool) -> None:
        self._connected = connected
        self._look.set()

    # The loop.

    async def _play(self) -> NoReturn:
        while True:
            self._look.clear()
            self._vitals.pulse.due_within(0)
            pause_s = self._step()
            self._vitals.pulse.due_within(pause_s + MARGIN_S)
            await self._time.wait(self._look, pause_s + MARGIN_S)

    def _step(self) -> float:
        """Show what is to be shown now; how long nothing will change by itself."""
        now_s = self._time.monotonic_s()
        self._vitals.has_data = not all(stage.page.missing() for stage in self._stages)
        player = self._player.at(now_s, self._scrolled_s)
        if player.index != self._player.index:
            self._scrolled_s = None
        self._player = player
        changes = [IDLE_S]
        if any(sink.watched for sink in self._sinks):
            frame = self._frame(now_s)
            self._scrolled_s = frame.ends_at_s
            if frame.change_in_s is not None:
                changes.append(frame.change_in_s)
            self._show(frame.image)
        self._arrived_s = None
        until_s = self._player.until_s(self._scrolled_s)
        if until_s is not None:
            changes.append(until_s - now_s)
        self._tell(now_s, until_s)
        return max(min(changes), 0.0)

    def _frame(self, now_s: float) -> Frame:
        stage = self._stages[self._player.index]
        frame = stage.frame(self._time, *self._size, now_s - self._player.since_s)
        is_told_why = any(one.failing for one in stage.page.missing())
        if self.address is None or self._vitals.has_data or is_told_why:
            return frame
        return replace(frame, image=marks.no_data(*self._size, stage.page.icon, self.address))

    def _show(self, image: Image.Image) -> None:
        last = self._last_frame
        same = last is not None and last.size == image.size and last.tobytes() == image.tobytes()
        if not same:
            self._vitals.frames += 1
            if self._arrived_s is not None:
                self._vitals.lighting.add(self._time.monotonic_s() - self._arrived_s)
        if same and not self._woken:
            return
        self._woken = False  # Who begins to watch an unchanged picture must be told that it is one.
        self._last_frame = last if same and last is not None else image
        image = self._last_frame
        for sink in self._sinks:
            sink.show(image)

    def _tell(self, now_s: float, until_s: float | None) -> None:
        status = self._status(now_s, until_s)
        if self._last_status is not None and replace(status, now=self._last_status.now) == (
            self._last_status
        ):
            return
        self._last_status = status
        for sink in self._sinks:
            sink.tell(status)

    def _status(self, now_s: float, until_s: float | None) -> Status:
        player, now = self._player, self._time.now()
        titles = {stage.page.name: stage.page.label for stage in self._stages}
        following = player.following
        return Status(
            now=now,
            connected=self._connected or not self._followings,
            width=self._size[0],
            height=self._size[1],
            fixed=self._fixed,
            page=player.turn.name,
            why=player.why,
            next_title=titles[following.name] if following else None,
            until=_rounded(now, until_s - now_s) if until_s is not None else None,
            paused=player.paused,
            pinned=player.pinned,
            pages=tuple(stage.status() for stage in self._stages),
            feeds=self._feeds(now),
            remark=self._remark,
        )

    def _feeds(self, now: datetime) -> tuple[FeedStatus, ...]:
        found: dict[str, FeedStatus] = {}
        for one in self._followings:
            update = one.update
            found[one.name] = FeedStatus(
                name=one.name,
                title=one.title,
                freshness=update.freshness(now) if update else None,
                since=update.since if update else None,
                valid=update.valid if update else None,
                expires=update.expires if update else None,
                dropped=one.dropped,
                failing=one.failing,
                credit=one.model.credit,
            )
        return tuple(found.values())


def _rounded(now: datetime, in_s: float) -> datetime:
    """To a tenth of a second: computed twice it is the same moment."""
    tenths = round((now.timestamp() + in_s) * 10)
    return datetime.fromtimestamp(tenths / 10, now.tzinfo)


async def show_in_browser(
    pages: Sequence[Page[Any]],
    bus: Bus,
    *,
    started: Callable[[str], None],
    seconds: Sequence[float | None] = (),
    width: int = 128,
    height: int = 64,
    remark: str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    also: Sequence[Sink] = (),
    vitals: PanelVitals | None = None,
) -> NoReturn:
    """Show pages in a browser, and on other sinks ``also``, until cancelled.

    ``started`` is told the address, or "one or another". ``token``: who has it is let in, instead
    of this machine.

    :raises ConfigError: the port is taken, or other machines reach ``host`` and there is no token.
    """
    from framework.panel.web import BrowserSink

    browser = BrowserSink(port, host=host, token=token)
    show = Show(
        pages,
        [browser, *also],
        bus,
        seconds=seconds,
        width=width,
        height=height,
        remark=remark,
        vitals=vitals,
    )

    def came_up() -> None:
        places = [urlsplit(url).netloc for url in browser.urls]  # no token, which all would read
        show.address = min(places, key=len)  # that of the LEDs is read, and typed
        started(" or ".join(browser.urls))

    await show.run(came_up)
