"""Rotators, encryptors and readers at once, stopped, killed and cut off anywhere: nothing is lost.

Each actor is a thread that stands still before every call of a Transit or a Store until the test
lets it take that one step, and what becomes of the step is the test's choice. What holds at every
moment is checked in ``World``; what a run must have achieved, at its end.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from framework.errors import MatrixError
from framework.secrets.encryptor import Change, Encryptor, Overtaken
from framework.secrets.local.keyring import Keyring
from framework.secrets.place import SecretPlace
from framework.secrets.plan import Settings
from framework.secrets.rotator import Entry, Outcome, Result, rotate
from framework.secrets.store import Stored, StoreUnavailable
from framework.secrets.transit import (
    Sealed,
    TransitKey,
    TransitRefused,
    TransitUnavailable,
    version_of,
)
from framework.testing.secrets import MemoryStore, MemoryTransit
from tests.waiting import LIMIT_S

T = TypeVar("T")
Text = tuple[SecretPlace, str, str]
"""A ciphertext: place, data key, text."""

DOCUMENT = SecretPlace("document", "local", "local", "home")
FIELDS = SecretPlace("fields", "local", "local", "parts")
PLACES = (DOCUMENT, FIELDS)
KEYS = {DOCUMENT: ("secrets.json",), FIELDS: ("tide.token", "latitude")}
"""An actor that takes longer between two calls hangs."""


class Fate(Enum):
    """What becomes of one step."""

    GO = "go"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    REQUEST_LOST = "request lost"
    REPLY_LOST = "reply lost"
    LATE = "the request arrives later"


class Killed(BaseException):
    """The process is gone."""


class Actor:
    """One process. It runs only while ``step`` waits for it, until its next call or its end."""

    def __init__(self, world: World, work: Callable[[Actor], object]) -> None:
        self.world = world
        self.epoch = world.epoch
        self.values: Mapping[str, bytes] | None = None
        """What an encryptor writes."""
        self.read_first: dict[str, bytes] | None = None
        self.prunes = False
        self.written = False
        self.recovers = False
        self.key: TransitKey | None = None
        """As it has read it last."""
        self.asked_to_rotate = self.rotated = False
        self.seen: set[int] = set()
        """The key versions of what it has read from the Stores."""
        self.result: object = None
        self.finished = False
        self._work = work
        self._fate = Fate.GO
        self._mine = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def step(self, fate: Fate = Fate.GO) -> None:
        self._fate = fate
        self._mine.release()
        self._wait()

    def finish(self) -> object:
        while not self.finished:
            self.step()
        return self.result

    def kill(self) -> None:
        while not self.finished:
            self.step(Fate.KILLED_BEFORE)

    def call(self, effect: Callable[[], T], away: type[MatrixError], *, changes: bool) -> T:
        """Stand still, then do what the test has chosen."""
        self._back.release()
        assert self._mine.acquire(timeout=LIMIT_S)
        fate = self._fate
        if fate is Fate.KILLED_BEFORE:
            raise Killed
        if fate is Fate.LATE and changes:
            self.world.late.append(effect)
        if fate in (Fate.LATE, Fate.REQUEST_LOST):
            raise away("no answer")
        reply = effect()
        if fate is Fate.KILLED_AFTER:
            raise Killed
        if fate is Fate.REPLY_LOST:
            raise away("no answer")
        return reply

    def _wait(self) -> None:
        assert self._back.acquire(timeout=LIMIT_S)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except Killed:
            self.result = None
        except MatrixError as error:
            self.result = error
            said = isinstance(error, Overtaken) or re.search("not known|is stored", str(error))
            if self.written and not said:
                self._failure = AssertionError(f"something was stored: {error}")
            for value in (self.values or {}).values():
                if value.decode() in str(error):
                    self._failure = AssertionError("it says what it keeps")
        except BaseException as error:
            self._failure = error
        self.finished = True
        self._back.release()


class World:
    """The truth: the key, two Secrets, the time; and what must hold of them at every moment."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 3, tzinfo=UTC)
        self.transit = MemoryTransit(lambda: self.now)
        self.stores = {place: MemoryStore(place.secret) for place in PLACES}
        self.late: list[Callable[[], object]] = []
        self.actors: list[Actor] = []
        self.epoch = 0
        """How often somebody has restored something from a backup."""
        self.broken: set[Text] = set()
        """What a restore has made unreadable."""
        self.meaning: dict[str, bytes] = {}
        """The plaintext of every ciphertext that was ever made."""
        self.backups: dict[SecretPlace, list[Stored]] = {place: [] for place in PLACES}
        self.keyrings: list[Keyring] = [self.transit.keyring]
        self._serial = 0
        for place in PLACES:
            self.start(self.encryptor(place)).finish()

    # What is there

    def data(self, place: SecretPlace) -> Mapping[str, str]:
        stored = self.stores[place].stored
        return {} if stored is None else stored.data

    def plain(self, place: SecretPlace) -> dict[str, bytes]:
        return {data_key: self.meaning[text] for data_key, text in self.data(place).items()}

    def texts(self) -> Iterator[Text]:
        for place in PLACES:
            for data_key, text in self.data(place).items():
                yield place, data_key, text

    def unreadable(self, texts: Iterable[Text] | None = None) -> set[Text]:
        """Of what is stored, or of ``texts``."""
        keyring = self.transit.keyring
        return {
            (place, data_key, text)
            for place, data_key, text in (self.texts() if texts is None else texts)
            if keyring.decrypt(Sealed(place.context(data_key), text)) != self.meaning[text]
        }

    # Who acts

    def start(self, work: Callable[[Actor], object]) -> Actor:
        actor = Actor(self, work)
        self.actors.append(actor)
        return actor

    def rotator(self, *, retire: bool = True, recover: bool = False) -> Callable[[Actor], Result]:
        def work(actor: Actor) -> Result:
            actor.recovers = recover
            inventory = [
                Entry(place, StoreSeen(self, actor, place), KEYS[place]) for place in PLACES
            ]
            transit = TransitSeen(self, actor)
            chosen = Settings(retire=retire)
            broken = set(self.broken)
            result = rotate(transit, inventory, settings=chosen, recover=recover)
            if actor.epoch == self.epoch:
                self._check_run(actor, broken & self.unreadable(), result, recover=recover)
            return result

        return work

    def encryptor(
        self, place: SecretPlace, data_keys: Sequence[str] | None = None, *, prune: bool = False
    ) -> Callable[[Actor], Change]:
        self._serial += 1
        values = {
            data_key: f"{data_key} {self._serial}".encode()
            for data_key in (KEYS[place] if data_keys is None else data_keys)
        }

        def work(actor: Actor) -> Change:
            actor.values, actor.prunes = values, prune
            encryptor = Encryptor(TransitSeen(self, actor), StoreSeen(self, actor, place), place)
            if place is FIELDS:
                change = encryptor.fields(values, prune=prune)
            else:
                ((data_key, text),) = values.items()
                change = encryptor.document(data_key, text)
            assert actor.written or not values, "it says that it has stored what it has not"
            return change

        return work

    def reader(self, place: SecretPlace, data_key: str) -> Callable[[Actor], bytes | None]:
        def work(actor: Actor) -> bytes | None:
            store, transit = StoreSeen(self, actor, place), TransitSeen(self, actor)
            for _ in range(3):
                stored = store.read()
                if stored is None or data_key not in stored.data:
                    return None
                text = stored.data[data_key]
                try:
                    value = transit.decrypt(Sealed(place.context(data_key), text))
                except TransitRefused:
                    moved = self.data(place).get(data_key) != text
                    assert moved or (place, data_key, text) in self.broken
                else:
                    assert value == self.meaning[text]
                    return value
            return None

        return work

    # What happens to them

    def advance(self, by: timedelta) -> None:
        self.now += by

    def deliver(self, choice: int) -> None:
        """A request that was thought lost arrives."""
        if self.late:
            with contextlib.suppress(MatrixError):
                self.late.pop(choice % len(self.late))()

    def restore_store(self, place: SecretPlace, choice: int) -> None:
        self.epoch += 1
        self._serial += 1
        old = self.backups[place][choice % len(self.backups[place])]
        self.stores[place].stored = replace(old, version=f"restored {self._serial}")
        self.broken = self.unreadable()

    def restore_transit(self, choice: int) -> None:
        self.epoch += 1
        self.transit.keyring = self.keyrings[choice % len(self.keyrings)]
        self.broken = self.unreadable()

    # What must hold

    def check(self, actor: Actor) -> None:
        """All that is stored can be read, but for what a restore has broken.

        Whoever was on the way while something was restored may yet break something.
        """
        unreadable = self.unreadable()
        if actor.epoch == self.epoch:
            assert unreadable <= self.broken
        self.broken = unreadable

    def check_write(self, actor: Actor, before: dict[str, bytes], place: SecretPlace) -> None:
        """Nobody writes a value but his own, nor over a value that he has not read."""
        after = self.plain(place)
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        if actor.values is None or actor.read_first is None:
            assert not changed, "a rotator has changed a value"
            return
        for key in changed:
            assert actor.prunes if key not in after else after[key] == actor.values[key]
            assert before.get(key) == actor.read_first.get(key), "a newer value is lost"
        actor.written |= actor.values.items() <= after.items()

    def check_floor(self, actor: Actor, version: int) -> None:
        """A job raises it, to what was the newest a day ago, and to nothing that it has not seen.

        So nobody is refused what he has just read.
        """
        assert actor.key is not None
        assert version <= min(actor.seen)
        if not actor.recovers:
            assert version > actor.key.min_decryption_version, "a job lowers it"
            assert self.now - actor.key.versions[version] >= Settings().grace

    def _check_run(
        self,
        actor: Actor,
        broken: set[Text],
        result: Result,
        *,
        recover: bool,
    ) -> None:
        """A rotator sees what was broken all the time, and says so, and does not make it worse."""
        assert not broken or result.outcome in (Outcome.BLOCKED, Outcome.FAILED)
        stopped = any(reason.startswith("nothing was rotated") for reason in result.reasons)
        assert not stopped or self.epoch, "nobody has restored anything"
        assert not broken or result.floor is None or recover
        assert not (broken and actor.rotated), "new key material hides what was restored"


class TransitSeen:
    """The Transit as one actor sees it."""

    def __init__(self, world: World, actor: Actor) -> None:
        self._world = world
        self._actor = actor

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        def effect() -> str:
            text = self._world.transit.encrypt(context, plaintext)
            self._world.meaning[text] = plaintext
            return text

        return self._call(effect)

    def decrypt(self, sealed: Sealed) -> bytes:
        return self._call(lambda: self._world.transit.decrypt(sealed))

    def rewrap(self, batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        def effect() -> list[str | TransitRefused]:
            replies = self._world.transit.rewrap(batch)
            for sealed, reply in zip(batch, replies, strict=True):
                if isinstance(reply, str):
                    self._world.meaning[reply] = self._world.meaning[sealed.ciphertext]
            return replies

        return self._call(effect)

    def read_key(self) -> TransitKey:
        key = self._actor.key = self._call(self._world.transit.read_key)
        return key

    def rotate(self) -> None:
        def effect() -> None:
            self._actor.rotated = True
            self._world.transit.rotate()
            self._world.keyrings.append(self._world.transit.keyring)
            self._world.check(self._actor)

        assert not self._actor.asked_to_rotate, "a lost reply is no reason to rotate again"
        self._actor.asked_to_rotate = True
        self._call(effect, changes=True)

    def set_min_decryption_version(self, version: int) -> None:
        def effect() -> None:
            self._world.transit.set_min_decryption_version(version)
            self._world.keyrings.append(self._world.transit.keyring)
            self._world.check(self._actor)

        self._world.check_floor(self._actor, version)
        self._call(effect, changes=True)

    def now(self) -> datetime:
        return self._call(self._world.transit.now)

    def _call(self, effect: Callable[[], T], *, changes: bool = False) -> T:
        return self._actor.call(effect, TransitUnavailable, changes=changes)


class StoreSeen:
    """One Secret as one actor sees it."""

    def __init__(self, world: World, actor: Actor, place: SecretPlace) -> None:
        self._world = world
        self._actor = actor
        self._place = place
        self._store = world.stores[place]
        self.name = self._store.name

    def read(self) -> Stored | None:
        stored = self._actor.call(self._store.read, StoreUnavailable, changes=False)
        if self._actor.values is not None and self._actor.read_first is None:
            self._actor.read_first = self._world.plain(self._place)
        self._actor.seen.update(map(version_of, stored.data.values() if stored else ()))
        return stored

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        return self._write(lambda: self._store.create(data, annotations))

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        return self._write(lambda: self._store.replace(held, data, annotations))

    def _write(self, write: Callable[[], Stored]) -> Stored:
        def effect() -> Stored:
            before = self._world.plain(self._place)
            held = self._store.stored
            stored = write()
            if self._actor.values is None:
                assert held is not None
                assert stored.annotations == held.annotations
            self._world.backups[self._place].append(stored)
            self._world.check_write(self._actor, before, self._place)
            self._world.check(self._actor)
            return stored

        return self._actor.call(effect, StoreUnavailable, changes=True)


QUIET = ("nothing", "rotate", "encrypt", "read", "new version", "deliver", "finish") + ("step",) * 5
RESTORES = (*QUIET, "restore store", "restore transit")
FATES = (Fate.GO,) * 6 + tuple(Fate)
HOURS = (0, 1, 21, 25)
CHANGES = (("latitude",), ("moon.token",), KEYS[FIELDS], ())
"""Which fields an encryptor writes."""


def play(world: World, script: bytes, moves: Sequence[str]) -> None:
    """Four bytes are a move; at most four actors are on the way at once."""
    for what, first, second, third in zip(*[iter(script)] * 4, strict=True):
        move = moves[what % len(moves)]
        place = PLACES[first % len(PLACES)]
        busy = [actor for actor in world.actors if not actor.finished]
        if move != "nothing":
            note(f"{move} {first} {second} {third}, {len(busy)} on the way")
        if move == "new version":
            world.transit.rotate()
        elif move == "deliver":
            world.deliver(first)
        elif move == "restore store":
            world.restore_store(place, second)
        elif move == "restore transit":
            world.restore_transit(first)
        elif move == "finish" and busy:
            busy[first % len(busy)].finish()
        elif move == "step" and busy:
            actor = busy[first % len(busy)]
            for _ in range(second % 8):
                if not actor.finished:
                    actor.step()
            if not actor.finished:
                actor.step(FATES[third % len(FATES)])
        elif move == "rotate" and len(busy) < 4:
            world.advance(timedelta(hours=HOURS[first % len(HOURS)]))
            world.start(world.rotator(retire=second % 4 > 0))
        elif move == "encrypt" and len(busy) < 4:
            keys = CHANGES[second % len(CHANGES)] if place is FIELDS else KEYS[DOCUMENT]
            world.start(world.encryptor(place, keys, prune=third % 4 == 0))
        elif move == "read" and len(busy) < 4:
            world.start(world.reader(place, KEYS[place][0]))


def clean_up(world: World) -> None:
    """A human does what the rotator asks for, and the next run brings everything up."""
    for actor in world.actors:
        actor.kill()
    world.late.clear()
    world.advance(timedelta(hours=30))
    first = world.start(world.rotator()).finish()
    assert isinstance(first, Result)
    empty = [place for place in PLACES if not world.data(place)]
    assert (first.outcome is Outcome.BLOCKED) == bool(world.broken or empty), first
    if first.outcome is Outcome.BLOCKED:
        world.start(world.rotator(recover=True)).finish()
        gone = [(place, data_key) for place, data_key, _ in world.broken]
        for place, data_key in [*gone, *((place, KEYS[place][0]) for place in empty)]:
            change = world.start(world.encryptor(place, [data_key])).finish()
            assert isinstance(change, Change), change
    values = {place: world.plain(place) for place in PLACES}
    last = world.start(world.rotator()).finish()
    assert isinstance(last, Result)
    assert last.outcome in (Outcome.DONE, Outcome.NOTHING), last
    assert {version_of(text) for _, _, text in world.texts()} == {last.newest}
    assert {place: world.plain(place) for place in PLACES} == values
    assert not world.unreadable()


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    world = World()
    try:
        yield world
    finally:
        for actor in world.actors:
            with contextlib.suppress(AssertionError):
                actor.kill()


scripts = st.binary(min_size=4 * 100, max_size=4 * 100)
"""Of one length, or most would be too short for any run to end in them; zeroes are no moves."""
thorough = settings(derandomize=True, max_examples=200, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(400)  # seconds pass; to make the script of a failure short takes minutes
@given(scripts)
@thorough
def test_whatever_comes_in_between_nothing_is_lost(script: bytes) -> None:
    with a_world() as world:
        play(world, script, QUIET)
        assert not world.broken
        clean_up(world)


@pytest.mark.timeout(400)
@given(scripts)
@thorough
def test_what_a_restore_breaks_is_said_and_not_made_worse(script: bytes) -> None:
    with a_world() as world:
        play(world, script, RESTORES)
        clean_up(world)


def rotate_and_raise(world: World, times: int) -> list[Result]:
    """Undisturbed runs, a day and a bit apart."""
    results = []
    for _ in range(times):
        world.advance(timedelta(hours=25))
        result = world.start(world.rotator()).finish()
        assert isinstance(result, Result)
        results.append(result)
    return results


def actors_stopped_everywhere(
    prepare: Callable[[World], Callable[[Actor], object]],
) -> Iterator[tuple[World, Actor]]:
    """The same actor in a new world each time, standing before its first call, its second, ..."""
    for count in itertools.count():
        with a_world() as world:
            actor = world.start(prepare(world))
            for _ in range(count):
                actor.step()
            if actor.finished:
                return
            yield world, actor


@pytest.mark.parametrize("case", ["document", "some fields", "a new field", "prune"])
def test_an_encryptor_that_sleeps_anywhere_through_two_rotations_and_a_raise(case: str) -> None:
    def prepare(world: World) -> Callable[[Actor], object]:
        if case == "document":
            return world.encryptor(DOCUMENT)
        if case == "some fields":
            return world.encryptor(FIELDS, ["latitude"])
        if case == "a new field":
            return world.encryptor(FIELDS, ["moon.token"])
        return world.encryptor(FIELDS, ["latitude", "tide.token"], prune=True)

    sleeps = 0
    for world, actor in actors_stopped_everywhere(prepare):
        results = rotate_and_raise(world, 3)
        assert [result.outcome for result in results] == [Outcome.DONE] * 3
        assert results[-1].floor == 3
        assert isinstance(actor.finish(), Change)
        assert {version_of(text) for _, _, text in world.texts()} == {4}
        assert actor.values is not None
        assert actor.values.items() <= (world.plain(DOCUMENT) | world.plain(FIELDS)).items()
        sleeps += 1
    assert sleeps >= 6


def test_a_rotator_that_sleeps_anywhere_through_two_rotations_and_a_raise() -> None:
    def prepare(world: World) -> Callable[[Actor], object]:
        world.advance(timedelta(hours=25))
        return world.rotator()

    for world, actor in actors_stopped_everywhere(prepare):
        values = {place: world.plain(place) for place in PLACES}
        rotate_and_raise(world, 3)
        floor = world.transit.keyring.min_decryption_version
        assert isinstance(actor.finish(), Result)
        assert world.transit.keyring.min_decryption_version >= floor
        (last,) = rotate_and_raise(world, 1)
        assert last.outcome is Outcome.DONE
        assert {version_of(text) for _, _, text in world.texts()} == {last.newest}
        assert {place: world.plain(place) for place in PLACES} == values


@pytest.mark.parametrize("empty", [False, True])
def test_a_secret_that_is_not_there_yet_is_not_overtaken_by_a_raise(empty: bool) -> None:
    """No rotation writes to it, so the encryptor would not notice one: it blocks the raise."""

    def prepare(world: World) -> Callable[[Actor], object]:
        world.stores[FIELDS].stored = Stored("empty", {}) if empty else None
        return world.encryptor(FIELDS)

    for world, actor in actors_stopped_everywhere(prepare):
        there = bool(world.data(FIELDS))
        results = rotate_and_raise(world, 3)
        expected = Outcome.DONE if there else Outcome.BLOCKED
        assert [result.outcome for result in results] == [expected] * 3
        assert [result.floor for result in results] == ([None, 2, 3] if there else [None] * 3)
        assert isinstance(actor.finish(), Change)
        assert {version_of(text) for _, _, text in world.texts()} == {4}


@pytest.mark.parametrize("fate", [Fate.KILLED_BEFORE, Fate.KILLED_AFTER, Fate.LATE])
def test_a_rotator_that_dies_anywhere_is_finished_by_the_next_and_rotates_once(fate: Fate) -> None:
    deaths = 0

    def prepare(world: World) -> Callable[[Actor], object]:
        world.advance(timedelta(hours=25))
        return world.rotator()

    for world, actor in actors_stopped_everywhere(prepare):
        values = {place: world.plain(place) for place in PLACES}
        actor.step(fate)
        actor.kill()
        world.deliver(0)
        result = world.start(world.rotator()).finish()
        assert isinstance(result, Result)
        assert result.outcome in (Outcome.DONE, Outcome.NOTHING)
        assert world.transit.keyring.known.latest == 2
        assert {version_of(text) for _, _, text in world.texts()} == {2}
        assert {place: world.plain(place) for place in PLACES} == values
        deaths += 1
    assert deaths >= 12


def test_after_days_of_failures_one_run_does_not_retire_what_it_has_just_replaced() -> None:
    with a_world() as world:
        for _ in range(4):
            world.advance(timedelta(hours=25))
            world.transit.rotate()
        world.advance(timedelta(hours=25))
        result = world.start(world.rotator()).finish()
        assert isinstance(result, Result)
        assert (result.newest, result.floor) == (6, None)


@pytest.mark.parametrize("seed", range(5))
def test_the_floor_advances_though_the_period_is_the_grace(seed: int) -> None:
    """And what was replaced less than the grace ago can be read: somebody may hold it yet."""
    chance = Random(seed)
    with a_world() as world:
        start, floors = world.now, []
        replaced: list[tuple[datetime, set[Text]]] = []
        for day in range(1, 31):
            jitter = timedelta(minutes=chance.uniform(-30, 30))
            world.now = start + timedelta(days=day) + jitter
            replaced.append((world.now, set(world.texts())))
            result = world.start(world.rotator()).finish()
            assert isinstance(result, Result)
            assert result.outcome is Outcome.DONE
            floors.append(world.transit.keyring.min_decryption_version)
            held = [texts for at, texts in replaced if world.now - at < Settings().grace]
            assert not world.unreadable(set().union(*held))
        assert floors == sorted(floors)
        assert all(floor >= day - 2 for day, floor in enumerate(floors, 1))
