"""``matrix rotate`` between faults at each of its calls, on a real Vault and a real API server.

A rotation is due each time, of two Secrets, and it raises ``min_decryption_version``.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.real.faults import NAMES, UNKNOWN, House, State, Words, at_version, spoil

CALLS = 18
"""So many at least does it make."""


@pytest.fixture(scope="module")
def house(house: House) -> House:
    for layout in NAMES:
        assert house.also(*house.sealing(layout, layout)).status == 0
    return house


def due(house: House, states: list[State]) -> Callable[[int], Words]:
    """Before each run it is, and what there is then is kept."""

    def words(at: int) -> Words:
        house.age()
        states.append(house.state())
        return ("rotate",)

    return words


def after_one(before: State) -> State:
    """What there must be after one rotation, whoever did it, in however many runs."""
    at = before.latest
    assert before.versions == at_version(at)
    return State(at_version(at + 1), latest=at + 1, floor=at)


def assert_all_can_be_read(house: House) -> None:
    for layout in NAMES:
        assert house.read(layout) == layout


def test_killed_after_any_call_all_can_be_read_and_the_next_run_ends_it(house: House) -> None:
    states: list[State] = []
    found = [0]  # before the first call
    for run in house.at_each_call(partial(spoil, "killed after"), due(house, states)):
        assert run.end.status == -signal.SIGKILL, run.end
        assert_all_can_be_read(house)
        found.append(run.done("/rotate") + run.done("/secrets") + run.done("/config"))
        again = house.also("rotate")
        assert again.status == (3 if found[-1] == 4 else 0), again
        assert house.state() == after_one(states[-1])
        assert_all_can_be_read(house)
    assert found == sorted(found)
    assert set(found) == {0, 1, 2, 3, 4}


def test_with_any_reply_lost_it_rotates_once_and_does_all_of_it(house: House) -> None:
    states: list[State] = []
    for run in house.at_each_call(partial(spoil, "reply lost"), due(house, states)):
        assert run.end.status == 0, run.end
        assert house.state() == after_one(states[-1])
        assert [call.is_done for call in run.sent("/rotate")] == [True]
        assert [call.is_done for call in run.sent("/secrets")] == [True, True]
        assert_all_can_be_read(house)
    assert len(states) >= CALLS


def test_with_the_servers_away_from_any_reply_on_the_next_run_ends_it(house: House) -> None:
    states: list[State] = []
    statuses = []
    for run in house.at_each_call(partial(spoil, "away after"), due(house, states)):
        told, whole = json.loads(run.end.said.splitlines()[-1]), after_one(states[-1])
        is_unknown = UNKNOWN in told["summary"]
        assert told["rotated"] == bool(run.done("/rotate")) or is_unknown, told
        assert told["min_decryption_version"] in (None, house.state().floor) or is_unknown, told
        assert_all_can_be_read(house)
        if run.end.status == 0:
            assert house.state() == whole
        assert house.also("rotate").status in (0, 3)
        assert house.state() == whole
        assert_all_can_be_read(house)
        statuses.append(run.end.status)
    assert list(dict.fromkeys(statuses)) == [5, 0]
