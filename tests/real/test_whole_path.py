"""From fetch to frame over a real server, and what both ends do when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from framework import publisher
from framework.bus import Posted
from framework.bustime import to_us
from framework.canvas import Canvas
from framework.config import Config
from framework.display import DisplayBase
from framework.errors import Unavailable
from framework.feed import Feed
from framework.panel.show import Show
from framework.panel.sinks import Remote, Sink
from framework.panel.status import Status
from framework.redisbus import RedisBus
from framework.server import ServerBase
from framework.update import Update, Values
from tests.waiting import LIMIT_S, until

DAY = timedelta(days=1)


class Tide(Values):
    height_m: float


class TideServer(ServerBase[Tide]):
    """Fetches once; afterwards its source is down, unless the test gives it more."""

    period = timedelta(seconds=0.5)
    timeout = timedelta(seconds=0.5)

    def __init__(self, url: str, *heights_m: float) -> None:
        super().__init__(config=Config(redis_url=SecretStr(url)))
        self.heights_m = list(heights_m)

    async def fetch(self) -> Tide:
        if not self.heights_m:
            raise Unavailable("the gauge is dry")
        return Tide(height_m=self.heights_m.pop(0))


class Steady(TideServer):
    """Its values are good for long."""

    good_for = timedelta(minutes=5)


class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(f"{self.tide.height_m}")


class Watching(Sink):
    def __init__(self) -> None:
        self.told: list[Status] = []
        self.frames = 0

    @property
    def watched(self) -> bool:
        return True

    def show(self, frame: object) -> None:
        self.frames += 1

    def tell(self, status: Status) -> None:
        self.told.append(status)

    async def run(self, remote: Remote, started: Callable[[], None]) -> None:
        started()
        await asyncio.Event().wait()

    @property
    def state(self) -> str:
        return self.told[-1].pages[0].state if self.told else "nothing"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rhythms of minutes, in tenths of a second."""
    monkeypatch.setattr(publisher, "KEEP_S", 0.3)
    monkeypatch.setattr(publisher, "AWAY_S", 0.1)


@asynccontextmanager
async def running(*work: Any) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def buses(url: str, count: int = 1) -> AsyncIterator[list[RedisBus]]:
    async with AsyncExitStack() as stack:
        made = [RedisBus(url, timeout_s=0.5, reread_s=0.3) for _ in range(count)]
        for bus in made:
            stack.push_async_callback(bus.close)
        yield made


async def stored(bus: RedisBus) -> Update[Tide] | None:
    posted = (await bus.snapshot("tide")).posted
    return None if posted is None else Update[Tide].model_validate_json(posted.body)


def panel(bus: RedisBus, sink: Sink) -> tuple[TidePage, Show]:
    page = TidePage(config=Config())
    return page, Show([page], [sink], bus)


async def test_killed_and_restarted_empty_the_last_good_value_comes_back_with_its_own_times(
    private_server: Callable[..., Any],
) -> None:
    server, sink = private_server(), Watching()
    async with buses(server.url, 2) as (ours, theirs):
        page, show = panel(theirs, sink)
        service = Steady(server.url, 1.5)
        async with running(service.serve(ours), show.run()):
            await until(lambda: sink.state == "fresh")
            before = await stored(ours)
            assert before is not None
            server.kill()
            await until(lambda: not sink.told[-1].connected)
            assert sink.state == "fresh"
            server.start()
            await until(lambda: sink.told[-1].connected)
            await until_height(ours, 1.5)
            assert await stored(ours) == before
            assert page.tide.height_m == 1.5


async def test_what_is_late_is_marked_and_recovers_by_itself(
    private_server: Callable[..., Any],
) -> None:
    server, sink = private_server(), Watching()
    async with buses(server.url, 2) as (ours, theirs):
        _, show = panel(theirs, sink)
        service = TideServer(server.url, 1.0)
        async with running(service.serve(ours), show.run()):
            await until(lambda: sink.state == "fresh")
            server.kill()
            await until(lambda: sink.state == "late")
            await until(lambda: sink.state == "expired")
            service.heights_m = [2.0] * 100
            server.start()
            await until(lambda: sink.state == "fresh")


async def test_a_frozen_server_is_noticed_and_forgiven(
    private_server: Callable[..., Any],
) -> None:
    server, sink = private_server(), Watching()
    async with buses(server.url, 2) as (ours, theirs):
        _, show = panel(theirs, sink)
        service = TideServer(server.url, 1.0)
        async with running(service.serve(ours), show.run()):
            await until(lambda: sink.state == "fresh")
            server.freeze()
            await until(lambda: not sink.told[-1].connected)
            await until(lambda: sink.state == "expired")
            service.heights_m = [2.0] * 100
            server.thaw()
            await until(lambda: sink.told[-1].connected and sink.state == "fresh")


@pytest.mark.parametrize("then", ["nothing", "emptied", "old dump"])
async def test_of_two_instances_the_older_value_never_replaces_the_newer(
    server: Any, then: str
) -> None:
    async with buses(server.url, 2) as (first, second):
        old, new = Steady(server.url, 1.0), Steady(server.url, 2.0)
        async with running(old.serve(first)):
            await until_height(first, 1.0)
            dump = server.command("DUMP", "matrix:{tide}:state")
            # The second does not adopt: what it finds is older than its period.
            await asyncio.sleep(0.6)
            async with running(new.serve(second)):
                await until_height(second, 2.0)
                if then == "emptied":
                    server.command("FLUSHALL")
                elif then == "old dump":
                    server.command("RESTORE", "matrix:{tide}:state", 0, dump, "REPLACE")
                await until_height(second, 2.0)
                seen = set()
                for _ in range(30):
                    update = await stored(first)
                    seen.add(None if update is None else update.values.height_m)
                    await asyncio.sleep(0.03)
                assert seen == {2.0}


async def until_height(bus: RedisBus, height_m: float) -> None:
    async with asyncio.timeout(LIMIT_S):
        while (update := await stored(bus)) is None or update.values.height_m != height_m:
            await asyncio.sleep(0.01)


async def test_an_update_from_a_clock_a_day_ahead_gives_way(server: Any) -> None:
    async with buses(server.url, 2) as (ours, theirs):
        await ours.snapshot("tide")
        ahead = ours.time.now() + DAY
        update = Update(
            type="Tide",
            updated=ahead,
            valid=ahead + DAY,
            expires=ahead + 2 * DAY,
            values=Tide(height_m=9.0),
        )
        posted = Posted(to_us(ahead), update.to_wire())
        server.command(
            "HSET", "matrix:{tide}:state", "updated", posted.updated_us, "body", posted.body
        )
        sink = Watching()
        page, show = panel(theirs, sink)
        async with running(show.run()):
            await until(lambda: sink.state == "late")  # never fresh: it says that it is of tomorrow
            service = Steady(server.url, 1.0)
            async with running(service.serve(ours)):
                await until(lambda: sink.state == "fresh")
                assert page.tide.height_m == 1.0


@pytest.mark.parametrize("jump", [10 * DAY, -10 * DAY])
async def test_the_local_clock_may_jump_by_days(
    server: Any, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    import time

    real_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(jump.total_seconds() * 1e9))
    monkeypatch.setattr(time, "time", lambda: real_ns() / 1e9 + jump.total_seconds())
    sink = Watching()
    async with buses(server.url, 2) as (ours, theirs):
        _, show = panel(theirs, sink)
        async with running(Steady(server.url, 1.0).serve(ours), show.run()):
            await until(lambda: sink.state == "fresh")
            update = await stored(ours)
            assert update is not None
            seconds, us = server.command("TIME")
            age_s = int(seconds) + int(us) / 1e6 - update.updated.timestamp()
            # Of what a round trip leaves open the bus's time is the latest: perhaps a bit ahead.
            assert abs(age_s) < LIMIT_S
