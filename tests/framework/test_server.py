"""A service on a bus in memory, in a time that only the test moves."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from framework.bus import Held, Posted, Receipt
from framework.bustime import to_us
from framework.config import Config
from framework.errors import DefinitionError, NotModified, Unavailable
from framework.server import ServerBase
from framework.testing.bus import MemoryBus
from framework.testing.clock import FakeClock, settle
from framework.update import Freshness, Update, Values
from tests.waiting import until

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Tide(Values):
    height_m: float


class TideConfig(Config):
    token: SecretStr = SecretStr("hunter2/hunter2")


class TideServer(ServerBase[Tide, TideConfig]):
    """Does what the test says: ``script`` holds what each fetch returns or raises."""

    period = timedelta(minutes=10)
    jitter = 0.0

    def __init__(self, *script: float | BaseException) -> None:
        super().__init__(config=TideConfig())
        self.script = list(script)
        self.fetched: list[datetime] = []

    async def fetch(self) -> Tide:
        self.fetched.append(self.now())
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, BaseException):
            raise answer
        return Tide(height_m=answer)


@asynccontextmanager
async def serving(bus: MemoryBus, *services: ServerBase[Any, Any]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(one.serve(bus)) for one in services]
    await settle()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def bus(clock: FakeClock) -> MemoryBus:
    return MemoryBus(clock)


async def held(bus: MemoryBus, name: str = "tide") -> Update[Tide] | None:
    posted = (await bus.snapshot(name)).posted
    return None if posted is None else Update[Tide].model_validate_json(posted.body)


def posted(height_m: float, updated: datetime) -> Posted:
    update = Update(
        type="Tide",
        updated=updated,
        valid=updated + 20 * MINUTE,
        expires=updated + 40 * MINUTE,
        values=Tide(height_m=height_m),
    )
    return Posted(to_us(updated), update.to_wire())


async def test_it_fetches_at_once_and_then_on_its_period(bus: MemoryBus, clock: FakeClock) -> None:
    service = TideServer(1.5)
    async with serving(bus, service):
        await clock.advance(25 * MINUTE)
    assert service.fetched == [T0, T0 + 10 * MINUTE, T0 + 20 * MINUTE]


async def test_what_travels(bus: MemoryBus, clock: FakeClock) -> None:
    async with serving(bus, TideServer(1.5)):
        stored = (await bus.snapshot("tide")).posted
    assert stored is not None
    assert json.loads(stored.body) == {
        "type": "Tide",
        "updated": "2026-03-01T12:00:00Z",
        "valid": "2026-03-01T12:20:30Z",
        "expires": "2026-03-01T12:41:00Z",
        "observed": None,
        "values": {"height_m": 1.5},
    }


async def test_unchanged_values_are_published_with_new_times(
    bus: MemoryBus, clock: FakeClock
) -> None:
    async with serving(bus, TideServer(1.5)):
        await clock.advance(10 * MINUTE)
        update = await held(bus)
    assert update is not None
    assert update.updated == T0 + 10 * MINUTE
    assert update.values.height_m == 1.5


async def test_not_modified_renews_the_last_good_values(bus: MemoryBus, clock: FakeClock) -> None:
    async with serving(bus, TideServer(1.5, NotModified())):
        await clock.advance(10 * MINUTE)
        update = await held(bus)
    assert update is not None
    assert (update.updated, update.values.height_m) == (T0 + 10 * MINUTE, 1.5)


async def test_not_modified_without_a_good_value_is_a_failure(
    bus: MemoryBus, clock: FakeClock
) -> None:
    service = TideServer(NotModified(), 2.0)
    async with serving(bus, service):
        assert await held(bus) is None
        await clock.advance(6 * SECOND)
        update = await held(bus)
    assert update is not None
    assert update.values.height_m == 2.0


@pytest.mark.parametrize(
    "failure",
    [
        Unavailable("the gauge is dry"),
        ValueError("bug"),
        TimeoutError("theirs"),
        SystemExit("a script"),
        GeneratorExit("a library"),
    ],
)
async def test_failures_are_tried_again_and_said_once(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture, failure: BaseException
) -> None:
    service = TideServer(1.0, failure, failure, failure, 2.0)
    with caplog.at_level(logging.INFO, logger="matrix.tide"):
        async with serving(bus, service):
            await clock.advance(10 * MINUTE)
            last_good = await held(bus)
            await clock.advance(5 * MINUTE)
            recovered = await held(bus)
    assert last_good is not None
    assert last_good.updated == T0
    assert recovered is not None
    assert recovered.values.height_m == 2.0
    said = [record.getMessage() for record in caplog.records if "fetching" in record.getMessage()]
    assert len(said) == 2
    assert str(failure) in said[0]
    assert "works again after 3 failures" in said[1]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Unavailable("the gauge is dry"), "the gauge is dry"),
        (Unavailable("hunter2/hunter2 is\n\x1b[31m no key"), "********** is [31m no key"),
        (Unavailable("hunter2/hunter2 " + 200 * "x"), "********** " + 109 * "x"),
        (Unavailable(" "), "no reason given"),
        (ValueError("of height 3"), "TideServer raised ValueError"),
        (NotModified(), "not modified"),
    ],
)
async def test_who_follows_is_told_why_there_is_nothing(
    bus: MemoryBus, clock: FakeClock, failure: Exception, said: str
) -> None:
    async with serving(bus, TideServer(failure, 1.0)):
        assert await bus.snapshot("tide") == Held(None, said)
        await clock.advance(10 * SECOND)
        recovered = await bus.snapshot("tide")
    assert recovered.posted is not None
    assert recovered.failing == ""


async def test_it_is_said_once_and_again_when_it_is_for_another_reason(
    bus: MemoryBus, clock: FakeClock
) -> None:
    said: list[str] = []
    fail = bus.fail

    async def noted(name: str, why: str) -> None:
        said.append(why)
        await fail(name, why)

    bus.fail = noted  # type: ignore[method-assign]  # the same, and it remembers
    dry, leaking = Unavailable("dry"), Unavailable("leaking")
    service = TideServer(dry, dry, dry, leaking, 1.0, dry)
    async with serving(bus, service):
        await clock.advance(timedelta(minutes=30))
    assert said == ["dry", "leaking", "dry"]


@pytest.mark.parametrize("values", [0, 1])
async def test_a_bus_that_was_away_or_came_back_empty_is_told_again_why(
    bus: MemoryBus, clock: FakeClock, values: int
) -> None:
    service = TideServer(*[1.0] * values, Unavailable("dry", retry_after=timedelta(hours=9)))
    async with serving(bus, service):
        await clock.advance(9 * MINUTE)
        for empty in (False, True):
            bus.go_away()
            await clock.advance(2 * MINUTE)
            bus.come_back(empty=empty)
            await clock.advance(21 * SECOND)
            assert (await bus.snapshot("tide")).failing == "dry"


async def test_one_that_fails_does_not_speak_for_another_that_publishes(
    bus: MemoryBus, clock: FakeClock
) -> None:
    dry = Unavailable("dry", retry_after=timedelta(hours=9))
    async with serving(bus, TideServer(dry), TideServer(1.0)):
        await clock.advance(MINUTE)
        told = await bus.snapshot("tide")
    assert told.posted is not None
    assert told.failing == ""


async def test_retry_after_is_heeded(bus: MemoryBus, clock: FakeClock) -> None:
    service = TideServer(Unavailable("slow down", retry_after=timedelta(hours=2)), 1.0)
    async with serving(bus, service):
        await clock.advance(timedelta(minutes=119))
        assert len(service.fetched) == 1
        await clock.advance(2 * MINUTE)
    assert len(service.fetched) == 2


async def test_a_secret_in_an_error_is_masked(
    bus: MemoryBus, caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError("GET /tide?key=hunter2%2Fhunter2 and hunter2/hunter2 failed")
    with caplog.at_level(logging.DEBUG):
        async with serving(bus, TideServer(error)):
            pass
    assert "failed" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_fetch_that_hangs_is_given_up(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging(TideServer):
        timeout = timedelta(milliseconds=50)

        async def fetch(self) -> Tide:
            self.fetched.append(self.now())
            if len(self.fetched) == 1:
                await asyncio.Event().wait()
            return Tide(height_m=3.0)

    service = Hanging(0.0)
    async with serving(bus, service):
        await until(lambda: "no answer within 0.05 s" in caplog.text)
        await clock.advance(6 * SECOND)
        update = await held(bus)
    assert update is not None
    assert update.values.height_m == 3.0


@pytest.mark.parametrize("wrong", [{"height_m": 1}, None])
async def test_a_wrong_type_is_a_failure_that_names_both(
    bus: MemoryBus, caplog: pytest.LogCaptureFixture, wrong: object
) -> None:
    class Wrong(TideServer):
        async def fetch(self) -> Tide:
            return wrong  # type: ignore[return-value]  # this is the mistake

    async with serving(bus, Wrong(0.0)):
        assert await held(bus) is None
    assert f"fetch() returned {type(wrong).__name__}, not Tide" in caplog.text


class Depth(BaseModel):
    low_m: float


class Tides(Values):
    depths: list[Depth]


async def test_what_nobody_could_read_costs_no_good_value(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """JSON has no NaN: it would be null on the bus, in the place of the last good value."""

    class TidesServer(ServerBase[Tides]):
        period = MINUTE
        depth_m = 1.0

        async def fetch(self) -> Tides:
            return Tides(depths=[Depth(low_m=self.depth_m)])

    service = TidesServer(config=Config())
    async with serving(bus, service):
        service.depth_m = math.nan
        await clock.advance(2 * MINUTE)
        stored = await bus.snapshot("tides")
    assert stored.posted is not None
    assert json.loads(stored.posted.body)["values"] == {"depths": [{"low_m": 1.0}]}
    why = "fetch() returned what no page could read: depths.0.low_m: Input should be a valid number"
    assert stored.failing == why
    assert caplog.messages == [f"fetching: {why}"]
    assert service.vitals.failures > 0
    with pytest.raises(ValidationError):
        Tide(height_m=math.inf)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (Field(alias="h"), None),
        (Field(serialization_alias="hh"), "fetch() returned what no page could read: height_m: "),
    ],
)
async def test_a_field_may_have_another_name_on_the_wire_if_it_is_read_by_it(
    bus: MemoryBus, clock: FakeClock, field: Any, said: str | None
) -> None:
    class Named(Values):
        model_config = ConfigDict(populate_by_name=True)
        height_m: float = field

    class NamedServer(ServerBase[Named]):
        async def fetch(self) -> Named:
            return Named(height_m=1.0)

    async with serving(bus, NamedServer(config=Config())):
        stored = await bus.snapshot("named")
    assert (stored.failing or "").startswith(said or "")
    assert (stored.posted is None) is (said is not None)


async def test_what_it_once_said_is_taken_back_though_it_came_after_what_it_got(
    clock: FakeClock,
) -> None:
    class Slow(MemoryBus):
        """Takes word of a failure only when it is let."""

        let = asyncio.Event()

        async def fail(self, name: str, why: str) -> None:
            await self.let.wait()
            await super().fail(name, why)

    bus = Slow(clock)
    service = TideServer(Unavailable("dry"), 1.5)
    publisher = service.publisher(bus)
    await publisher.meet(MINUTE)
    keeping = asyncio.ensure_future(publisher.keep())
    failing = asyncio.ensure_future(service.step(publisher))
    await settle()
    good = asyncio.ensure_future(service.step(publisher))
    await settle()
    bus.let.set()
    await asyncio.gather(failing, good)
    assert (await bus.snapshot("tide")).failing == "dry"
    await clock.advance(MINUTE)
    assert (await bus.snapshot("tide")).failing == ""
    keeping.cancel()
    await asyncio.wait([keeping])


@pytest.mark.parametrize("itself", [False, True])
async def test_a_task_of_its_own_that_it_cancels_does_not_end_a_service(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture, itself: bool
) -> None:
    class CancellingServer(TideServer):
        async def fetch(self) -> Tide:
            if not self.fetched:
                self.fetched.append(self.now())
                task = asyncio.current_task() if itself else asyncio.ensure_future(asyncio.sleep(9))
                assert task is not None
                task.cancel()
                await (asyncio.sleep(9) if itself else task)
            return await super().fetch()

    async with serving(bus, CancellingServer(1.5)):
        await clock.advance(MINUTE)
        update = await held(bus)
    assert update is not None
    assert update.values.height_m == 1.5
    assert "cancelled by something that it had cancelled itself" in caplog.messages[0]


async def test_a_fetch_that_will_not_be_given_up_is_left_behind(
    bus: MemoryBus, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.server.LET_GO_S", 0.01)
    ended = asyncio.Event()

    class StubbornServer(TideServer):
        timeout = timedelta(seconds=0.01)

        async def fetch(self) -> Tide:
            if self.fetched:
                return await super().fetch()
            self.fetched.append(self.now())
            while not ended.is_set():
                with suppress(asyncio.CancelledError):
                    await ended.wait()
            return Tide(height_m=1)

    service = StubbornServer(1.5)
    publisher = service.publisher(bus)
    with pytest.raises(Unavailable, match=r"no answer within 0\.01 s"):
        await service.attempt(publisher)
    await service.attempt(publisher)
    assert publisher.values == Tide(height_m=1.5)
    ended.set()


async def test_values_that_are_no_json_are_refused_in_a_sentence(
    bus: MemoryBus, clock: FakeClock
) -> None:
    class Anything(Values):
        found: Any

    class AnythingServer(ServerBase[Anything]):
        async def fetch(self) -> Anything:
            return Anything(found=object())

    service = AnythingServer(config=Config())
    with pytest.raises(DefinitionError, match="no page could read: PydanticSerializationError"):
        await service.attempt(service.publisher(bus))


@pytest.mark.parametrize("wrong", [timedelta(0), -SECOND, 60, timedelta.max])
def test_a_period_of_an_instance_that_cannot_be_is_refused(wrong: Any) -> None:
    class OddServer(TideServer):
        def every(self) -> timedelta:
            return wrong  # type: ignore[no-any-return]  # that is what is tested

    with pytest.raises(DefinitionError, match=r"OddServer\.every\(\) must be "):
        OddServer(1.5)


async def test_a_wait_that_is_no_timedelta_is_refused_where_it_is_said() -> None:
    with pytest.raises(DefinitionError, match="as in timedelta"):
        Unavailable("low water", retry_after=60)  # type: ignore[arg-type]


async def test_what_a_source_says_is_one_line_of_bounded_length(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(bus, TideServer(Unavailable("low\n12:00 WARNING\x1b[2J" + 999 * "x"))):
        pass
    (line,) = caplog.messages
    assert line.startswith("fetching: low 12:00 WARNING [2Jx")
    assert len(line) < 600


async def test_an_instance_may_have_a_period_of_its_own(bus: MemoryBus, clock: FakeClock) -> None:
    class SlowTideServer(TideServer):
        def every(self) -> timedelta:
            return 20 * MINUTE

    service = SlowTideServer(1.5)
    async with serving(bus, service):
        update = await held(bus)
        await clock.advance(25 * MINUTE)
    assert service.fetched == [T0, T0 + 20 * MINUTE]
    assert update is not None
    assert update.valid > T0 + 20 * MINUTE


async def test_the_source_says_when_it_will_have_something_new(
    bus: MemoryBus, clock: FakeClock
) -> None:
    class Hinted(TideServer):
        def next_update(self, values: Tide) -> datetime | timedelta | None:
            return T0 + timedelta(hours=5)

        def observed(self, values: Tide) -> datetime | None:
            return T0 - 3 * MINUTE

    service = Hinted(1.0)
    async with serving(bus, service):
        update = await held(bus)
        await clock.advance(timedelta(hours=4, minutes=59))
        assert len(service.fetched) == 1
        await clock.advance(2 * MINUTE)
    assert len(service.fetched) == 2
    assert update is not None
    assert update.since == T0 - 3 * MINUTE
    assert update.valid == T0 - 3 * MINUTE + timedelta(minutes=20, seconds=30)


def raising(values: Tide) -> Any:
    raise KeyError("when")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (datetime(2026, 3, 1, 11), "observed() returned a datetime without a time zone"),  # noqa: DTZ001  # this is the mistake
        ("11:00", "observed() returned str, not datetime"),
        (raising, "TideServer raised KeyError"),
    ],
)
async def test_values_of_unknown_age_are_published_but_never_fresh(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture, answer: Any, said: str
) -> None:
    service = TideServer(1.5)
    service.observed = answer if callable(answer) else lambda values: answer  # type: ignore[method-assign]  # this is the mistake
    service.observed.__name__ = "observed"
    async with serving(bus, service):
        update = await held(bus)
    assert update is not None
    assert update.values.height_m == 1.5
    assert update.freshness(clock.now()) is Freshness.LATE
    assert update.expires == T0 + timedelta(minutes=20, seconds=30)
    (record,) = caplog.records
    assert said in record.getMessage()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (datetime(2026, 3, 1, 13), "next_update() returned a datetime without a time zone"),  # noqa: DTZ001  # this is the mistake
        (60, "next_update() returned int, not datetime or timedelta"),
        (raising, "TideServer raised KeyError"),
    ],
)
async def test_a_hint_that_is_none_costs_no_value(
    bus: MemoryBus, clock: FakeClock, caplog: pytest.LogCaptureFixture, answer: Any, said: str
) -> None:
    service = TideServer(1.5)
    service.next_update = answer if callable(answer) else lambda values: answer  # type: ignore[method-assign]  # this is the mistake
    service.next_update.__name__ = "next_update"
    async with serving(bus, service):
        update = await held(bus)
    assert update is not None
    assert update.freshness(clock.now()) is Freshness.FRESH
    (record,) = caplog.records
    assert said in record.getMessage()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("period", 60, "must be a timedelta, as in timedelta(seconds=60)"),
        ("period", None, "must be a timedelta"),
        ("timeout", 2.5, "must be a timedelta"),
        ("good_for", "1 h", "must be a timedelta"),
        ("max_age", 60, "must be a timedelta"),
        ("period", timedelta(0), "must be longer than nothing"),
        ("good_for", timedelta(seconds=-1), "must be longer than nothing"),
        ("jitter", timedelta(seconds=1), "from 0 to 1"),
        ("jitter", -0.1, "from 0 to 1"),
        ("jitter", float("nan"), "from 0 to 1"),
    ],
)
def test_a_rhythm_that_cannot_be_is_refused_with_its_class(
    name: str, value: object, said: str
) -> None:
    with pytest.raises(DefinitionError, match=re.escape(f"Hasty.{name} ")) as refused:
        type("Hasty", (TideServer,), {name: value})
    assert said in str(refused.value)


async def test_a_restart_adopts_what_is_fresh_and_spares_the_source(
    bus: MemoryBus, clock: FakeClock
) -> None:
    await bus.publish("tide", posted(1.0, T0 - 20 * SECOND))
    service = TideServer(2.0)
    async with serving(bus, service):
        assert service.fetched == []
        await clock.advance(39 * SECOND)
        assert service.fetched == []
        await clock.advance(2 * SECOND)
    assert service.fetched == [T0 + 40 * SECOND]


@pytest.mark.parametrize("age", [timedelta(seconds=61), timedelta(seconds=-30)])
async def test_a_restart_does_not_adopt_what_is_old_or_from_the_future(
    bus: MemoryBus, clock: FakeClock, age: timedelta
) -> None:
    await bus.publish("tide", posted(1.0, T0 - age))
    service = TideServer(2.0)
    async with serving(bus, service):
        pass
    assert service.fetched == [T0]


async def test_a_restart_does_not_adopt_what_does_not_validate(bus: MemoryBus) -> None:
    await bus.publish("tide", Posted(to_us(T0), b'{"type": "Tide", "values": {}}'))
    service = TideServer(2.0)
    async with serving(bus, service):
        pass
    assert service.fetched == [T0]


async def test_an_emptied_bus_gets_the_last_good_value_with_its_own_times(
    bus: MemoryBus, clock: FakeClock
) -> None:
    async with serving(bus, TideServer(1.0, Unavailable("dry"))):
        bus.go_away()
        await clock.advance(11 * MINUTE)
        bus.come_back(empty=True)
        await clock.advance(11 * SECOND)
        update = await held(bus)
    assert update is not None
    assert (update.updated, update.values.height_m) == (T0, 1.0)
    assert update.freshness(clock.now()) is Freshness.FRESH


async def test_a_value_fetched_while_the_bus_was_away_is_not_lost(
    bus: MemoryBus, clock: FakeClock
) -> None:
    service = TideServer(1.0, 2.0)
    async with serving(bus, service):
        bus.go_away()
        await clock.advance(10 * MINUTE)
        assert len(service.fetched) == 2
        bus.come_back()
        await clock.advance(2 * SECOND)
        update = await held(bus)
    assert update is not None
    assert (update.updated, update.values.height_m) == (T0 + 10 * MINUTE, 2.0)


async def test_without_a_bus_nothing_is_fetched(bus: MemoryBus, clock: FakeClock) -> None:
    bus.go_away()
    service = TideServer(1.0)
    async with serving(bus, service):
        await clock.advance(MINUTE)
        assert service.fetched == []
        bus.come_back()
        await clock.advance(2 * SECOND)
        assert len(service.fetched) == 1


async def test_of_two_instances_the_older_value_never_replaces_the_newer(
    bus: MemoryBus, clock: FakeClock
) -> None:
    old = TideServer(1.0, Unavailable("dry"))
    async with serving(bus, old):
        await clock.advance(2 * MINUTE)
        new = TideServer(2.0, Unavailable("dry"))
        async with serving(bus, new):
            for _ in range(3):
                bus.go_away()
                bus.come_back(empty=True)
                await clock.advance(12 * SECOND)
                update = await held(bus)
                assert update is not None
                assert update.values.height_m == 2.0


async def test_a_bus_whose_clock_was_a_day_ahead_is_believed_when_it_is_mended(
    bus: MemoryBus, clock: FakeClock
) -> None:
    bus.set_clock(timedelta(days=1))
    service = TideServer(1.0)
    async with serving(bus, service):
        wrong = await held(bus)
        assert wrong is not None
        assert wrong.updated == T0 + timedelta(days=1)
        bus.set_clock(-timedelta(days=1))
        await clock.advance(11 * SECOND)
        mended = await held(bus)
    assert mended is not None
    assert T0 <= mended.updated <= T0 + 11 * SECOND


@pytest.mark.parametrize("jump", [timedelta(days=1), -timedelta(days=1)])
async def test_when_the_bus_clock_is_mended_the_value_gets_a_true_time(
    bus: MemoryBus, clock: FakeClock, jump: timedelta
) -> None:
    """Also if the source says that nothing has changed since."""
    service = TideServer(1.0, NotModified())
    async with serving(bus, service):
        await clock.advance(MINUTE)
        bus.set_clock(jump)
        await clock.advance(12 * SECOND)
        update = await held(bus)
        assert update is not None
        assert update.values.height_m == 1.0
        assert timedelta(0) <= bus.time.now() - update.updated <= 12 * SECOND


async def test_told_to_stop_it_finishes_its_publish(bus: MemoryBus, clock: FakeClock) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    publish = bus.publish

    async def slow(name: str, posted: Posted) -> Receipt:
        begun.set()
        await go_on.wait()
        return await publish(name, posted)

    bus.publish = slow  # type: ignore[method-assign]  # a bus that takes its time
    task = asyncio.ensure_future(TideServer(1.0).serve(bus))
    await begun.wait()
    task.cancel()
    await settle()
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await held(bus) is not None
