"""``matrix reseal`` between faults at each of its calls, on a real Vault and a real API server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial

import pytest

from tests.real.faults import BEFORE, UNKNOWN, Fault, House, Words, spoil

VALUE = "moved"


@pytest.fixture(scope="module")
def house(house: House) -> Iterator[House]:
    house.leave_before(VALUE)
    before = house.production.stored(BEFORE)
    yield house
    assert house.production.stored(BEFORE) == before


def resealing(house: House, _: int) -> Words:
    house.remove("document")
    return house.resealing


@pytest.mark.parametrize("fault", ["killed before", "killed after"])
def test_killed_at_any_call_the_next_run_completes_it(house: House, fault: Fault) -> None:
    made = []
    for run in house.at_each_call(partial(spoil, fault), partial(resealing, house)):
        assert run.end.status == -signal.SIGKILL, run.end
        made.append(run.done("/secrets") == 1)
        assert house.read("document") == (VALUE if made[-1] else "")
        again = house.also(*run.words)
        assert again.status == 0, again
        assert ("by an earlier run" in again.said) == made[-1]
        assert "next        in this order:" in again.said
        assert house.read("document") == VALUE
    assert made == sorted(made)
    assert len(set(made)) == 2


def test_with_any_reply_lost_it_is_made_once(house: House) -> None:
    points = 0
    for run in house.at_each_call(partial(spoil, "reply lost"), partial(resealing, house)):
        assert run.end.status == 0, run.end
        assert [call.is_done for call in run.sent("/secrets")] == [True]
        assert house.read("document") == VALUE
        points += 1
    assert points >= 9


@pytest.mark.parametrize("fault", ["away", "away after"])
def test_with_the_servers_away_from_any_call_on_it_says_what_it_knows(
    house: House, fault: Fault
) -> None:
    ends = []
    for run in house.at_each_call(partial(spoil, fault), partial(resealing, house)):
        made = run.done("/secrets") == 1
        assert house.read("document") == (VALUE if made else "")
        is_unknown = UNKNOWN in run.end.said
        assert run.end.status == (0 if made and not is_unknown else 75), run.end
        ends.append((is_unknown, made))
    assert list(dict.fromkeys(ends)) == [
        (False, False),
        (True, fault == "away after"),
        (False, True),
    ]
