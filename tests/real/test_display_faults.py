"""What a display goes on showing, over a real server: the last good value, whatever is done to it.

Faults that come and go between two readings are in ``test_redis_faults``, and what a service does
about an empty or an old server in ``test_whole_path``.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework.bus import Posted
from framework.bustime import to_us
from framework.config import Config
from framework.panel.show import Show
from framework.redisbus import RedisBus
from framework.update import Update, Values
from pages.tile import TilePage
from services.feeds import Json
from tests.real.test_whole_path import (
    Steady,
    Tide,
    TidePage,
    TideServer,
    Watching,
    buses,
    panel,
    running,
)
from tests.waiting import LIMIT_S, until

KEY = "matrix:{tide}:state"
CHANNEL = "matrix:{tide}"
MEGABYTE = 10**6
LAST = 2000
MINUTE = timedelta(minutes=1)


def posted(values: Values, now: datetime, **more: str) -> Posted:
    """As a service would, and with what it would not."""
    update = Update(
        type=type(values).__name__,
        updated=now,
        valid=now + MINUTE,
        expires=now + MINUTE,
        values=values,
    )
    return Posted(to_us(now), json.dumps({**json.loads(update.to_wire()), **more}).encode())


def newer(bus: RedisBus, at: datetime) -> datetime:
    """Now, but after ``at``: the bus's time goes back a little when it is read more exactly."""
    return max(bus.time.now(), at + timedelta(microseconds=1))


# ------------------------------------------------------------------------- what happens to a server


async def test_frozen_for_fifteen_seconds(private_server_of: Callable[..., Any]) -> None:
    """With the limits that it really has."""
    server, sink = private_server_of("valkey"), Watching()
    ours, theirs = RedisBus(server.url), RedisBus(server.url)
    page, show = panel(theirs, sink)
    service = Steady(server.url, 1.0)
    async with running(service.serve(ours), show.run()):
        await until(lambda: sink.state == "fresh")
        server.freeze()
        await asyncio.sleep(15)
        await until(lambda: not sink.told[-1].connected)
        assert (sink.state, page.tide.height_m) == ("fresh", 1.0)
        service.heights_m = [2.0] * 100
        server.thaw()
        await until(lambda: sink.told[-1].connected and page.tide.height_m == 2.0)
        assert {status.pages[0].state for status in sink.told} == {"no data", "fresh"}
    await ours.close()
    await theirs.close()


async def test_a_slow_display_is_cut_off_and_ends_up_with_the_newest(
    private_server: Callable[..., Any],
) -> None:
    server = private_server("--client-output-buffer-limit", "pubsub", "1mb", "0", "0")
    sink = Watching()
    async with buses(server.url) as (theirs,):
        page, show = panel(theirs, sink)
        async with running(show.run()):
            await until(lambda: bool(sink.told) and sink.told[-1].connected)
            # Its loop does not go round meanwhile. Each message is small: Valkey does not copy what
            # is large, and then does not count it.
            with redis.Redis(port=server.port, protocol=2) as client:
                for number in range(LAST + 1):
                    sent = posted(Tide(height_m=number), theirs.time.now(), ignored="x" * 10_000)
                    client.publish(CHANNEL, sent.body)
                client.hset(KEY, mapping={"updated": sent.updated_us, "body": sent.body})
            log = (server.folder / f"{server.port}.log").read_text()
            assert "overcoming of output buffer limits" in log
            await until_shown(page, LAST)
            assert sink.state == "fresh"
            assert sink.told[-1].connected


# --------------------------------------------------------------------------- what services do to it


class Quick(TideServer):
    """Its values are good for three seconds, as long as two runs may take."""

    period = timedelta(seconds=0.2)
    timeout = timedelta(seconds=1)


async def until_shown(page: TidePage, height_m: float) -> None:
    tide = page.following["tide"]
    await until(lambda: tide.update is not None and page.tide.height_m == height_m)


async def test_a_rolling_update_leaves_no_gap(server: Any) -> None:
    sink = Watching()
    async with buses(server.url, 5) as (theirs, *ours):
        page, show = panel(theirs, sink)
        async with running(show.run()):
            old: set[asyncio.Future[Any]] = set()
            for version, bus in enumerate(ours):
                service = Quick(server.url, *[float(version)] * 100)
                new = asyncio.ensure_future(service.serve(bus))
                await until_shown(page, version)  # until it is ready, the old one stays
                for task in old:
                    task.cancel()
                    await asyncio.wait({task})
                old = {new}
            told = len(sink.told)
            await until(lambda: len(sink.told) > told + 1)
            assert page.tide.height_m == version
            new.cancel()
            await asyncio.wait({new})
    states = [status.pages[0].state for status in sink.told]
    assert states == sorted(states, reverse=True)  # no data, and then fresh
    assert sink.state == "fresh"


class Hanging(Steady):
    timeout = timedelta(seconds=0.3)

    def __init__(self, url: str, how: str) -> None:
        super().__init__(url, 1.0, 2.0)
        self._how = how
        self.released = threading.Event()

    async def fetch(self) -> Tide:
        if self.heights_m == [2.0] and not self.released.is_set():
            if self._how == "async":
                await asyncio.Event().wait()
            await self.blocking(self.released.wait)
        return Tide(height_m=self.heights_m[0] if self.released.is_set() else self.heights_m.pop(0))


LATE = "no answer within 0.3 s"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("async", {LATE}),
        ("blocking", {LATE, "tide: an earlier blocking call has not returned yet"}),
    ],
)
async def test_a_fetch_that_hangs_is_given_up_and_told_of(
    server_of: Callable[[str], Any], how: str, said: set[str]
) -> None:
    server, sink = server_of("valkey"), Watching()
    async with buses(server.url, 2) as (ours, theirs):
        page, show = panel(theirs, sink)
        service = Hanging(server.url, how)
        async with running(service.serve(ours), show.run()):
            await until_shown(page, 1.0)
            await until(lambda: said <= {status.feeds[0].failing for status in sink.told})
            assert (sink.state, page.tide.height_m) == ("fresh", 1.0)
            service.released.set()
            await until_shown(page, 2.0)
            await until(lambda: not sink.told[-1].feeds[0].failing)


# ------------------------------------------------------------------------------- what is said to it


FUTURE = "2100-01-01T00:00:00Z"
"""What is refused does not count as held: nothing bad is too old to be looked at."""
GOOD: dict[str, Any] = {
    "type": "Tide",
    "updated": FUTURE,
    "valid": FUTURE,
    "expires": FUTURE,
    "observed": None,
    "values": {"height_m": 99.0},
}
NEITHER = st.booleans() | st.lists(st.none() | st.integers(), max_size=3) | st.just({"a": 1})
"""No text and no number, of which a lenient reader might make something."""
NO_TIME = NEITHER | st.sampled_from(
    [
        *("", "yesterday", "2100-01-01T00:00:00", "2100-02-30T00:00:00Z", "\ud800"),
        *("0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"),  # outside, in UTC
        *(10**30, -(10**30), 1e308, math.inf, math.nan),
    ]
)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


NO_TEXT = NEITHER | st.none() | st.integers() | st.floats()
NO_NUMBER = (
    st.none() | st.lists(st.integers()) | st.text().filter(lambda text: not _is_number(text))
)
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "type": NO_TEXT | st.sampled_from(["Ebb", "tide", "", "Tide "]),
    "updated": NO_TIME | NO_TEXT,
    "valid": NO_TIME | st.none() | st.just("2100-01-01T00:00:01Z"),  # after it has expired
    "expires": NO_TIME | st.none() | st.just("2000-01-01T00:00:00Z"),
    "observed": NO_TIME,
    "values": NO_TEXT | st.fixed_dictionaries({}, optional={"height_m": NO_NUMBER}),
}


@st.composite
def wrong(draw: st.DrawFn) -> bytes:
    """A good update of which one part is of another type, cannot be, or is not there."""
    part = draw(st.sampled_from(sorted(WRONG)))
    if part != "observed" and draw(st.integers(0, 4)) == 0:
        update = {name: value for name, value in GOOD.items() if name != part}
    else:
        update = {**GOOD, part: draw(WRONG[part])}
    return json.dumps(update).encode()


WHOLE = json.dumps(GOOD).encode()
DEEP = b"[" * 9999
MALFORMED = (
    st.binary(max_size=40)
    | st.integers(0, len(WHOLE) - 1).map(lambda end: WHOLE[:end])
    | st.text(min_size=1, max_size=5).filter(str.strip).map(lambda more: WHOLE + more.encode())
    | st.sampled_from([DEEP, WHOLE.replace(b"99.0", DEEP), WHOLE.replace(b"99", b"9" * 9999)])
)
MESSAGES = st.booleans().flatmap(lambda is_whole: wrong() if is_whole else MALFORMED)
BATCH, BATCHES = 25, 400


class Display:
    """A panel that follows a server, in a loop that goes round while something is said to it."""

    def __init__(self, server: Any) -> None:
        self._runner = asyncio.Runner()
        self._publisher, self._bus = RedisBus(server.url), RedisBus(server.url)
        self._sink = Watching()
        self._page, show = panel(self._bus, self._sink)
        self._told = redis.Redis(port=server.port, protocol=2)
        self._running = self._runner.get_loop().create_task(show.run())
        self._good = 0
        self._runner.run(self._publisher.snapshot("tide"))
        self._at = self._publisher.time.now()
        self._runner.run(until(lambda: bool(self._sink.told) and self._sink.told[-1].connected))

    def hear(self, messages: list[bytes]) -> None:
        """All of them, none of which is good, and then one that is."""
        self._runner.run(self._hear(messages))

    async def _hear(self, messages: list[bytes]) -> None:
        with self._told.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.publish(CHANNEL, message)
            pipeline.execute()
        self._good += 1
        self._at = newer(self._publisher, self._at)
        await self._publisher.publish("tide", posted(Tide(height_m=self._good), self._at))
        shown = self._page.following["tide"]
        async with asyncio.timeout(LIMIT_S):
            while shown.update is None or self._page.tide.height_m != self._good:
                assert not self._running.done()
                assert shown.update is None or self._page.tide.height_m == self._good - 1
                await asyncio.sleep(0)
        assert self._sink.state in ("no data", "fresh")

    def close(self) -> None:
        self._told.close()
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        self._running.cancel()
        await asyncio.wait({self._running})
        await self._publisher.close()
        await self._bus.close()


@pytest.fixture
def display(server_of: Callable[[str], Any]) -> Iterator[Display]:
    display = Display(server_of("valkey"))
    yield display
    display.close()


@settings(
    max_examples=BATCHES,
    # One display hears them all: what one message leaves behind, the next ones meet.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(st.lists(MESSAGES, min_size=BATCH, max_size=BATCH))
def test_ten_thousand_messages_that_are_none(display: Display, messages: list[bytes]) -> None:
    display.hear(messages)


async def test_ten_megabytes(server_of: Callable[[str], Any]) -> None:
    """At a time: of what is no update, of what is left out, and of text to be shown."""
    server, sink = server_of("valkey"), Watching()
    page = TilePage(config=Config())
    tile = page.following["tile"]
    long = "too long " * (10 * MEGABYTE // 9)
    async with buses(server.url, 2) as (ours, theirs):
        await ours.snapshot("json")
        at = ours.time.now()

        async def publish(value: str | float, **more: str) -> None:
            nonlocal at
            at = newer(ours, at)
            values = Json(
                label="Tile", value=value, unit="", color="text", decimals=None, series=()
            )
            await ours.publish("json", posted(values, at, **more))

        async with running(Show([page], [sink], theirs).run()):
            await publish(1, ignored=long)
            await until(lambda: tile.update is not None)
            await publish(2, valid=long)
            server.command("PUBLISH", "matrix:{json}", long)
            await until(lambda: tile.dropped == 1)
            assert page.tile.value == 1
            frames = sink.frames
            await publish(long)
            await until(lambda: sink.frames > frames)
            assert sink.told[-1].pages[0].problem is None
            await publish(3)
            await until(lambda: page.tile.value == 3)
            assert sink.state == "fresh"
