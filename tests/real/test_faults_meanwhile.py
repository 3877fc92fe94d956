"""Encryptors and rotators in between each other's calls, on a real Vault and a real API server: the
newer value is there afterwards, whoever is overtaken is told, and no reader is refused.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.real.commands import Commands
from tests.real.faults import NAMES, House, Words, at_version, meanwhile

ROTATIONS = 4


class Doing:
    """What is done in between, and how the commands have ended. What could be read before, can be
    read after each."""

    def __init__(self, house: House, *commands: Callable[[], Words]) -> None:
        self.house = house
        self.commands = commands
        self.statuses: list[int] = []

    def __call__(self) -> None:
        self.statuses = []
        before = {layout: bool(self.house.read(layout)) for layout in NAMES}
        for command in self.commands:
            self.statuses.append(self.house.also(*command()).status)
            for layout, found in before.items():
                assert bool(self.house.read(layout)) == found


def due(house: House) -> Words:
    house.age()
    return ("rotate",)


@pytest.mark.parametrize("what", ["document", "first document"])
def test_an_encryptor_and_two_rotations_and_a_raise_in_between(house: House, what: str) -> None:
    """Without the first document, whose Secret is in matrix.toml, there is no raise."""
    rotations = Doing(house, partial(due, house), partial(due, house))

    def words(at: int) -> Words:
        if what.startswith("first"):
            house.remove("document")
        return house.sealing("document", f"{what} {at}")

    ends = []
    for run in house.at_each_call(partial(meanwhile, rotations), words):
        assert run.end.status == 0, run.end
        assert house.read("document") == f"{what} {run.at}"
        state = house.state()
        assert state.versions == at_version(state.latest)
        is_raised = state.floor == state.latest - 1
        assert rotations.statuses == ([0, 0] if is_raised else [4, 4])
        ends.append(is_raised)
    assert list(dict.fromkeys(ends)) == ([False, True] if what.startswith("first") else [True])


def test_a_rotator_and_a_new_value_in_between(house: House) -> None:
    value = itertools.count(1)
    encryption = Doing(house, lambda: house.sealing("document", f"newer {next(value)}"))

    for run in house.at_each_call(partial(meanwhile, encryption), lambda _: due(house)):
        assert (run.end.status, encryption.statuses) == (0, [0]), run.end
        assert house.read("document") == f"newer {run.at}"
        state = house.state()
        assert state.versions == at_version(state.latest)


def test_a_rotator_and_another_in_between(house: House) -> None:
    """Between reading the key and rotating it, both make a version."""
    rotation = Doing(house, lambda: ("rotate",))
    before: list[int] = []

    def words(_: int) -> Words:
        house.age()
        before.append(house.state().latest)
        return ("rotate",)

    ends = []
    for run in house.at_each_call(partial(meanwhile, rotation), words):
        state = house.state()
        assert state.versions == at_version(state.latest)
        assert state.floor == before[-1]
        ends.append((run.end.status, rotation.statuses, state.latest - before[-1]))
    assert [end for end, _ in itertools.groupby(ends)] == [
        (3, [0], 1),
        (0, [0], 2),
        (0, [0], 1),
        (0, [3], 1),
    ]


ENDS = {
    ("document", "document"): [
        ((0, [0]), "mine"),
        ((1, [0]), "theirs"),
        ((0, [0]), "theirs"),
    ],
    ("tide", "moon"): [((0, [0]), "mine")],
}


@pytest.mark.parametrize(("mine", "theirs"), ENDS)
def test_an_encryptor_and_another_in_between(house: House, mine: str, theirs: str) -> None:
    encryption = Doing(house, lambda: house.sealing(theirs, "theirs"))
    ends = []
    for run in house.at_each_call(
        partial(meanwhile, encryption), lambda at: house.sealing(mine, "mine")
    ):
        ends.append(((run.end.status, encryption.statuses), house.read(mine)))
        if mine != theirs:
            assert house.read(theirs) == "theirs"
    assert [end for end, _ in itertools.groupby(ends)] == ENDS[mine, theirs]


def test_all_at_once_fail_no_reader_and_lose_no_value(house: House) -> None:
    """Two rotators that retire at once, two encryptors of one document, and one of each field."""
    before, over, readings = house.state(), threading.Event(), Counter[int]()
    sealed = ("document", "document", "tide", "moon")
    with ThreadPoolExecutor() as pool:
        rotators = [
            pool.submit(in_turn, lambda _: ("rotate",), house.toml_at_once(), over)
            for _ in range(2)
        ]
        encryptors = [
            pool.submit(in_turn, partial(numbered, house, *each), house.toml("encrypt"), over)
            for each in enumerate(sealed)
        ]
        try:
            while house.state().latest < before.latest + ROTATIONS:
                readings.update(map(house.read_as_a_service_starts, NAMES))
        finally:
            over.set()
    print(f"{readings.total()} readings, of which {readings.total() - readings[1]} by trying again")
    assert {status for each in rotators for status in each.result()} <= {0, 3, 5}
    assert house.state().floor > before.floor
    last: dict[str, set[str]] = {what: set() for what in sealed}
    for who, what in enumerate(sealed):
        statuses = encryptors[who].result()
        assert set(statuses) <= {0, 1}
        stored = [f"{who} {number}" for number, status in enumerate(statuses) if status == 0]
        last[what].update(stored[-1:])
    for what, values in last.items():
        assert house.read(what) in values
    assert house.also("rotate").status in (0, 3)
    state = house.state()
    assert state.versions == at_version(state.latest)


def numbered(house: House, who: int, what: str, number: int) -> Words:
    return house.sealing(what, f"{who} {number}")


def in_turn(words: Callable[[int], Words], toml: str, over: threading.Event) -> list[int]:
    """The statuses of one command after the other."""
    statuses: list[int] = []
    with Commands(hasty=False) as commands:
        while not over.is_set():
            statuses.append(commands.run(*words(len(statuses)), MATRIX_TOML=toml).status)
    return statuses
