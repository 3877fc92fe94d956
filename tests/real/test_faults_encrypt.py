"""``matrix encrypt`` between faults at each of its calls, on a real Vault and a real API server."""

from __future__ import annotations

import signal
from functools import partial

import pytest

from framework.secrets.place import Layout
from tests.real.faults import UNKNOWN, Fault, House, Words, spoil


@pytest.mark.parametrize(
    ("fault", "layout"),
    [("killed before", "document"), ("killed after", "document"), ("killed after", "fields")],
)
def test_killed_at_any_call_it_can_be_read_and_the_next_run_ends_it(
    house: House, fault: Fault, layout: Layout
) -> None:
    old, stored = house.read(layout), []
    for run in house.at_each_call(
        partial(spoil, fault), lambda at: house.sealing(layout, f"{fault} {at}")
    ):
        assert run.end.status == -signal.SIGKILL, run.end
        new = f"{fault} {run.at}"
        stored.append(run.done("/secrets") == 1)
        assert house.read(layout) == (new if stored[-1] else old)
        assert house.also(*run.words).status == 0
        assert house.read(layout) == new
        old = new
    assert stored == sorted(stored)
    assert len(set(stored)) == 2


@pytest.mark.parametrize("what", ["document", "first document", "fields"])
def test_with_any_reply_lost_it_is_stored_once(house: House, what: str) -> None:
    layout: Layout = "fields" if what == "fields" else "document"

    def words(at: int) -> Words:
        if what.startswith("first"):
            house.remove(layout)
        return house.sealing(layout, f"{what} {at}")

    points = 0
    for run in house.at_each_call(partial(spoil, "reply lost"), words):
        assert run.end.status == 0, run.end
        assert [call.is_done for call in run.sent("/secrets")] == [True]
        assert house.read(layout) == f"{what} {run.at}"
        points += 1
    assert points >= 9


@pytest.mark.parametrize("fault", ["away", "away after"])
def test_with_the_servers_away_from_any_call_on_it_says_what_it_knows(
    house: House, fault: Fault
) -> None:
    old, ends = house.read("document"), []
    for run in house.at_each_call(
        partial(spoil, fault), lambda at: house.sealing("document", f"{fault} {at}")
    ):
        new = f"{fault} {run.at}"
        stored = run.done("/secrets") == 1
        assert house.read("document") == (new if stored else old)
        is_unknown = UNKNOWN in run.end.said
        assert run.end.status == (0 if stored and not is_unknown else 75), run.end
        assert is_unknown <= bool(run.sent("/secrets")), run.end
        ends.append((is_unknown, stored))
        assert house.also(*run.words).status == 0
        assert house.read("document") == new
        old = new
    # Not stored and known so, not known, stored and known so.
    assert list(dict.fromkeys(ends)) == [
        (False, False),
        (True, fault == "away after"),
        (False, True),
    ]
