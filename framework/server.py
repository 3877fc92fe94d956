"""``ServerBase``: subclass it, write ``fetch()``, and you have a service.

A subclass says what to fetch. This class owns when, retry, timeout, publishing, freshness and
shutdown; ``publisher`` owns what is said to the bus, ``schedule`` every decision about time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, ParamSpec, cast

from typing_extensions import TypeVar

from framework.blocking import Blocking
from framework.bus import Bus
from framework.bustime import BusTime
from framework.config import Config
from framework.config.loading import load
from framework.config.names import check_name
from framework.errors import DefinitionError, NotModified, Unavailable
from framework.generics import type_arguments
from framework.oneline import one_line
from framework.outage import Outage
from framework.publisher import Publisher
from framework.redact import redacted
from framework.redisbus import open_bus
from framework.redisurl import place_of
from framework.schedule import Schedule
from framework.update import Update, Values, unreadable
from framework.vitals import ServiceVitals

if TYPE_CHECKING:
    import httpx2

    from framework.http import Http

V = TypeVar("V", bound=Values)
C = TypeVar("C", bound=Config, default=Config)
P = ParamSpec("P")
T = TypeVar("T")

LONGEST_SLEEP_S = 10.0
"""The event loop's timers stand still while the machine sleeps: look at the clock this often."""
LONGEST_REASON = 500
"""Of a failure, in the log: it may quote what a source has sent."""
LONGEST_TRACE = 20_000
"""In characters, of which the last are kept."""
LET_GO_S = 5.0
"""How long a fetch that is cancelled may take to clean up."""
LONGEST_TIME = timedelta(days=3650)
ADOPT_WITHIN = timedelta(seconds=60)
"""A restart within this time of the last update spares the source a request."""


class ServerBase(ABC, Generic[V, C]):
    """A service: fetches ``V`` on a schedule and publishes it; configured by ``C``.

    Set the class attributes that differ, write ``fetch``, and call ``run()``::

        class TideServer(ServerBase[Tide, TideConfig]):
            period = timedelta(minutes=10)

            async def fetch(self) -> Tide: ...
    """

    period: ClassVar[timedelta] = timedelta(minutes=10)
    """From the start of one fetch to the start of the next."""
    timeout: ClassVar[timedelta] = timedelta(seconds=30)
    """A fetch that takes longer is given up."""
    jitter: ClassVar[float] = 0.1
    """At most this share of the period is added to it at random."""
    good_for: ClassVar[timedelta | None] = None
    """How long a value is fresh, at least. Default: two periods and a little."""
    max_age: ClassVar[timedelta | None] = None
    """How long after ``observed()`` a value may be fresh. Default: ``good_for``."""

    values: ClassVar[type[Values]]
    """What it publishes, from the type parameters."""
    config_class: ClassVar[type[Config]] = Config
    """What it is configured by, from the type parameters."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if getattr(cls, "__parameters__", ()):
            return
        values, config = type_arguments(cls, ServerBase)
        if not (isinstance(values, type) and issubclass(values, Values)):
            raise DefinitionError(
                f"{cls.__name__}: say what it publishes, as a class that exists already: "
                f"class {cls.__name__}(ServerBase[Tide]), where Tide is a subclass of Values"
            )
        if not (isinstance(config, type) and issubclass(config, Config)):
            raise DefinitionError(
                f"{cls.__name__}: the second type parameter is its configuration, a subclass of "
                f"Config that exists already"
            )
        cls.values, cls.config_class = values, config
        _check_times(cls)

    def __init__(self, *, name: str | None = None, config: C | None = None) -> None:
        """``name``: of this instance, by default the feed's. ``config``: instead of reading it.

        :raises ConfigError: the configuration is missing something or wrong.
        :raises SecretsUnavailable: the secrets could not be read for now.
        """
        self.name = check_name(self.default_name() if name is None else name, self.config_class)
        self.log = logging.getLogger(f"matrix.{self.name}")
        self.remarks: tuple[str, ...] = ()
        """What whoever starts it should be told of its configuration."""
        if config is None:
            loaded = load(self.config_class, self.name)
            config, self.remarks = cast(C, loaded.config), loaded.remarks
        self.config = config
        period = self.every()
        _check_length(f"{type(self).__name__}.every()", period)
        self._schedule = Schedule(
            period=period,
            timeout=self.timeout,
            jitter=self.jitter,
            good_for=self.good_for,
            max_age=self.max_age,
        )
        self._time = BusTime()
        self._http: Http | None = None
        self._fetching = Outage(self.log, "fetching")
        self.vitals = ServiceVitals(self.name, self.now)
        self._blocking = Blocking(self.vitals)

    # What a subclass writes.

    @abstractmethod
    async def fetch(self) -> V:
        """Get the values as they are now.

        :raises Unavailable: nothing good can be had now; the last good values stay, and what it
            says is published and shown: it must hold no secret. Those of ``config`` are masked.
        :raises NotModified: the last good values are still current.
        """

    def every(self) -> timedelta:
        """The period of this instance: for where its configuration says one."""
        return self.period

    def next_update(self, values: V) -> datetime | timedelta | None:
        """When the source will have something new, if ``values`` tell: a moment, or a wait counted
        from the start of this fetch. It takes the place of the period, clamped to between a second
        and a day; one that has passed counts for nothing."""
        return None

    def observed(self, values: V) -> datetime | None:
        """Since when the source says that it is so, if ``values`` tell. Aware."""
        return None

    # What it may use.

    def now(self) -> datetime:
        """The bus's time, aware, UTC."""
        return self._time.now()

    @property
    def http(self) -> Http:
        """Asks the web: ``(await self.http.get(url, params=...)).model(Forecast)``."""
        return self._http or self.on_web()

    async def blocking(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a library that blocks, in a thread, within this fetch's timeout, never two at once
        for this instance; another instance of the class has a thread of its own.

        :raises Unavailable: an earlier call that timed out has still not returned.
        """
        return await self._blocking.call(fn, *args, **kwargs)

    # How it runs.

    @property
    def bus_place(self) -> str:
        """Which bus it publishes on: the host, port and database of its ``redis_url``."""
        return place_of(self.config.redis_url.get_secret_value())

    @classmethod
    def default_name(cls) -> str:
        """The name of an instance that was given none: its feed's."""
        return cls.values.__name__

    @classmethod
    def run(cls, *, name: str | None = None) -> NoReturn:
        """Construct, publish until told to stop, and exit: 0 stopped, 75 secrets unavailable, 78
        configuration wrong."""
        from framework.process import run
        from framework.watching import watched

        def start() -> Coroutine[Any, Any, NoReturn]:
            service = cls(name=name)
            service.log.info(
                "%s", " · ".join([f"serving on {service.bus_place}", *service.remarks])
            )
            return watched(service.serve, [service.vitals])

        run(start)

    async def serve(self, bus: Bus | None = None) -> NoReturn:
        """Publish until cancelled: for several in one process. Without ``bus`` it opens its own."""
        if bus is None:
            bus = open_bus(self.config.redis_url.get_secret_value())
            try:
                await self.serve(bus)
            finally:
                await bus.close()
        publisher = self.publisher(bus)
        await publisher.meet(min(self._schedule.period, ADOPT_WITHIN))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(publisher.keep())
                tasks.create_task(self._fetch_for_ever(publisher))
        finally:
            if self._http is not None:
                await self._http.close()
        raise AssertionError("its tasks run until they are cancelled")

    def publisher(self, bus: Bus) -> Publisher[V]:
        """This service's side of ``bus``."""
        self._time = bus.time
        return Publisher(self.name, cast(type[V], self.values), bus, self.log, self.vitals)

    def on_web(self, transport: httpx2.AsyncBaseTransport | None = None) -> Http:
        """Let it ask ``transport`` instead of the network."""
        from framework.http import Http  # which a service that asks nobody does not pay for

        who = f"matrix-framework/{version('matrix-framework')} ({self.name}"
        who += f"; {self.config.contact})" if self.config.contact else ")"
        self._http = Http(
            user_agent=who,
            timeout=self.timeout,
            now=self.now,
            monotonic_s=lambda: self._time.monotonic_s(),  # of the bus that it will be given
            transport=transport,
        )
        return self._http

    async def step(self, publisher: Publisher[V]) -> timedelta:
        """Fetch once, publish what came, and say how long to wait until the next time.

        Whatever goes wrong in a subclass's ``fetch`` ends here: it is logged once, said to who
        follows, and tried again.
        """
        trace, retry_after = "", None
        try:
            return await self.attempt(publisher)
        except Unavailable as unavailable:
            why, retry_after = str(unavailable), unavailable.retry_after
        except DefinitionError as error:
            why = str(error)
        except (asyncio.CancelledError, KeyboardInterrupt):  # these are to stop the process
            raise
        except BaseException as error:  # of a library, say: it is not its process
            why = f"{type(self).__name__} raised {type(error).__name__}"
            trace = "\n" + "".join(traceback.format_exception(error))[-LONGEST_TRACE:]
        return await self.failed(publisher, why, trace=trace, retry_after=retry_after)

    async def failed(
        self,
        publisher: Publisher[V],
        why: str,
        *,
        trace: str = "",
        retry_after: timedelta | None = None,
    ) -> timedelta:
        """Live with an attempt that failed; how long to wait until the next."""
        self.vitals.failures += 1
        why = one_line(redacted(why, self.config), longest=LONGEST_REASON)
        self._fetching.failed(why + redacted(trace, self.config))
        await publisher.fail(why)
        now, failures = self.now(), self._fetching.failures
        chance = random.random()
        again = self._schedule.after_failure(
            now, failures=failures, retry_after=retry_after, chance=chance
        )
        return again - now

    async def attempt(self, publisher: Publisher[V]) -> timedelta:
        """``step`` that raises what a subclass raised; a timeout is ``Unavailable``.

        Values are not lost to what ``next_update`` or ``observed`` make of them: that is raised
        after they were published. If it was ``observed``, nobody knows how old they are, so they
        are late from the first.
        """
        began = self.now()
        self.vitals.fetches += 1
        if self._http is not None:
            self._http.begin()
        values = await self._fetch(publisher.values)
        finished = self.now()
        hint: datetime | timedelta | None
        hint, hint_error = _tried(self.next_update, values, (datetime, timedelta))
        observed, observed_error = _tried(self.observed, values, (datetime,))
        next_start = self._schedule.after_success(
            began,
            finished,
            hint=hint,
            held_until=self._http.holds_until if self._http is not None else None,
            chance=random.random(),
        )
        if observed is not None:
            observed = min(observed, began)
        valid, expires = self._schedule.validity(began, next_start, observed)
        if observed_error is not None:
            valid, expires = began, began + self._schedule.lifetime
        await publisher.publish(
            Update(
                type=self.values.__name__,
                updated=began,
                valid=valid,
                expires=expires,
                observed=observed,
                values=values,
            )
        )
        if error := observed_error or hint_error:
            raise error
        if self._http is not None:
            self._http.keep()
        self._fetching.recovered()
        return next_start - self.now()

    async def _fetch(self, last: V | None) -> V:
        limit_s = self.timeout.total_seconds()
        # A task of its own: whoever is cancelled in there, it is not us.
        fetching = asyncio.create_task(_outcome(self.fetch))
        try:
            done, _ = await asyncio.wait([fetching], timeout=limit_s)
        finally:
            fetching.cancel()
            await asyncio.wait([fetching], timeout=LET_GO_S)
        if not done:
            raise Unavailable(f"no answer within {limit_s:g} s")
        values, error = fetching.result()
        if isinstance(error, NotModified) and last is not None:
            return last
        if isinstance(error, asyncio.CancelledError):
            raise RuntimeError("fetch() was cancelled by something that it had cancelled itself")
        if error is not None:
            raise error
        if not isinstance(values, self.values):
            raise TypeError(f"fetch() returned {type(values).__name__}, not {self.values.__name__}")
        if problem := unreadable(values):
            raise DefinitionError(f"fetch() returned what no page could read: {problem}")
        return cast(V, values)

    async def _fetch_for_ever(self, publisher: Publisher[V]) -> NoReturn:
        wait = timedelta(0)
        if publisher.held is not None:
            soon = min(self._schedule.period, ADOPT_WITHIN)
            wait = publisher.held.updated + soon - self.now()
        while True:
            await self._pause(wait, publisher.refetch)
            publisher.refetch.clear()
            self.vitals.pulse.due_within(self.timeout.total_seconds())
            wait = await self.step(publisher)

    async def _pause(self, wait: timedelta, early: asyncio.Event) -> None:
        """Wait, on a clock that no mended time can move and that runs while the machine sleeps."""
        until_s = self._time.monotonic_s() + wait.total_seconds()
        while (left_s := until_s - self._time.monotonic_s()) > 0:
            sleep_s = min(left_s, LONGEST_SLEEP_S)
            self.vitals.pulse.due_within(sleep_s)
            if await self._time.wait(early, sleep_s):
                return


def _tried(
    ask: Callable[[V], T | None], values: V, kinds: tuple[type, ...]
) -> tuple[T | None, Exception | None]:
    """What a subclass's method makes of the values, or why that cannot be used."""
    try:
        said = ask(values)
    except Exception as error:
        return None, error
    if said is None:
        return None, None
    if not isinstance(said, kinds):
        wrong = f"{type(said).__name__}, not {' or '.join(kind.__name__ for kind in kinds)}"
    elif isinstance(said, datetime) and said.utcoffset() is None:
        wrong = "a datetime without a time zone: make it aware, as in datetime.now(UTC)"
    else:
        return said, None
    return None, DefinitionError(f"{ask.__name__}() returned {wrong}")


async def _outcome(
    fetch: Callable[[], Coroutine[Any, Any, object]],
) -> tuple[object, BaseException | None]:
    """What it returns, and what it raises, whatever that is."""
    try:
        return await fetch(), None
    except BaseException as error:
        return None, error


def _check_times(cls: type[ServerBase[Any, Any]]) -> None:
    for name in ("period", "timeout", "good_for", "max_age"):
        value: object = getattr(cls, name)
        if value is None and getattr(ServerBase, name) is None:
            continue
        _check_length(f"{cls.__name__}.{name}", value)
    jitter: object = cls.jitter
    if not (isinstance(jitter, int | float) and 0 <= jitter <= 1):
        raise DefinitionError(f"{cls.__name__}.jitter must be a share of the period, from 0 to 1")


def _check_length(what: str, value: object) -> None:
    if not isinstance(value, timedelta):
        raise DefinitionError(f"{what} must be a timedelta, as in timedelta(seconds=60)")
    if not timedelta(0) < value <= LONGEST_TIME:
        raise DefinitionError(f"{what} must be longer than nothing, and at most ten years")
