"""Which page is on, and why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from framework.panel.player import Player, Turn

THREE = Player((Turn("moon", 10), Turn("clock", 5), Turn("tide", 20)))


def on(player: Player) -> str:
    return player.turn.name


def test_each_page_has_its_turn_and_then_it_begins_again() -> None:
    player, seen = THREE, []
    for second in range(46):
        player = player.at(second)
        seen.append(on(player))
    assert seen.index("clock") == 10
    assert seen.index("tide") == 15
    assert seen[35] == "moon"
    assert seen[45] == "clock"
    assert player.why == "because it is its turn"


def test_a_turn_lasts_until_its_text_was_read_but_not_for_ever() -> None:
    assert on(THREE.at(12, scrolled_s=14)) == "moon"
    assert on(THREE.at(14, scrolled_s=14)) == "clock"
    assert on(THREE.at(29, scrolled_s=900)) == "moon"
    assert on(THREE.at(30, scrolled_s=900)) == "clock"
    assert on(THREE.at(10, scrolled_s=3)) == "clock"


def test_next_and_previous_go_round() -> None:
    assert on(THREE.step(-1, 1)) == "tide"
    assert on(THREE.step(1, 1).step(1, 2).step(1, 3)) == "moon"
    assert THREE.step(1, 1).why == "because you asked for it"


def test_a_page_that_was_asked_for_has_a_whole_turn() -> None:
    player = THREE.step(1, 9)
    assert on(player.at(13.9)) == "clock"
    assert on(player.at(14)) == "tide"


def test_paused_it_stays_and_steps_only_when_asked() -> None:
    player = THREE.pause(True, 3)
    assert on(player.at(1e6)) == "moon"
    assert player.until_s() is None
    assert player.why == "because the playlist is paused"
    assert on(player.step(1, 5).at(1e6)) == "clock"


def test_going_on_gives_a_whole_turn_more() -> None:
    player = THREE.pause(True, 3).at(500).pause(False, 500)
    assert on(player.at(509)) == "moon"
    assert on(player.at(510)) == "clock"


def test_a_pin_holds_and_the_same_pin_lets_go() -> None:
    player = THREE.pin("tide", 1)
    assert on(player.at(1e6)) == "tide"
    assert player.why == "because it is pinned"
    free = player.pin("tide", 100)
    assert not free.pinned
    assert on(free.at(119)) == "tide"
    assert on(free.at(120)) == "moon"


def test_a_pin_can_be_moved_and_taken_off_by_next() -> None:
    assert on(THREE.pin("tide", 1).pin("clock", 2)) == "clock"
    stepped = THREE.pin("tide", 1).step(1, 2)
    assert on(stepped) == "moon"
    assert not stepped.pinned


def test_an_unknown_pin_is_no_pin() -> None:
    assert on(THREE.pin("weather", 1)) == "moon"
    assert not THREE.pin("weather", 1).pinned


def test_the_only_page_stays() -> None:
    alone = Player((Turn("moon", 10),))
    assert alone.at(1e9) == alone
    assert alone.why == "because it is the only page"
    assert on(alone.step(1, 5)) == "moon"


moves = st.one_of(
    st.tuples(st.just("step"), st.sampled_from([-1, 1])),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("pin"), st.sampled_from(["moon", "clock", "tide", "nothing", None])),
    st.tuples(st.just("wait"), st.floats(0, 60)),
)


@given(st.lists(moves, max_size=30))
def test_whatever_is_pressed_some_page_is_on_and_its_end_is_ahead(
    pressed: list[tuple[str, object]],
) -> None:
    player, now_s = THREE, 0.0
    for what, how in pressed:
        if what == "step":
            player = player.step(int(str(how)), now_s)
        elif what == "pause":
            player = player.pause(bool(how), now_s)
        elif what == "pin":
            player = player.pin(None if how is None else str(how), now_s)
        else:
            now_s += float(str(how))
            player = player.at(now_s)
        until_s = player.until_s()
        assert player.turn in THREE.turns
        assert until_s is None or until_s > now_s
        assert (player.following is None) == (player.paused or player.pinned)
