"""The plan of a rotation against its rules, told again here in other words: all small cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, product

import pytest

from framework.secrets.plan import Fault, Found, Plan, Settings, floor, plan
from framework.secrets.transit import TransitKey

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS_OLD = (0, 19, 20, 21, 24, 25)
"""Ages on both sides of the least age (20 h) and of the grace (24 h), and on their borders."""


def key_of(*hours_old: int, floor: int = 1) -> TransitKey:
    """Version 1 first."""
    made = {version: NOW - age * HOUR for version, age in enumerate(hours_old, 1)}
    return TransitKey(made, floor)


def keys() -> Iterator[TransitKey]:
    """One to three versions, each as old as the one before it or younger, under each floor."""
    for count in (1, 2, 3):
        for ages in combinations_with_replacement(sorted(HOURS_OLD, reverse=True), count):
            for lowest in range(1, count + 1):
                yield key_of(*ages, floor=lowest)


GOOD = tuple(Found("home", "token", version) for version in (1, 2, 3, 4))
ODD = (
    Found("parts", fault=Fault.MISSING, why="it is not there"),
    Found("parts", "id", fault=Fault.UNREADABLE, why="it is no ciphertext"),
    Found("parts", fault=Fault.UNAVAILABLE, why="no answer"),
    Found("parts", fault=Fault.UNLISTED, why="access.json does not have it"),
    Found("parts", "id", 1, fault=Fault.UNVERIFIED, why="it does not verify"),
    Found("parts", "id", 1, fault=Fault.MISPLACED, why="it is of another place"),
    Found("parts", "id", 2, owner="Argo CD"),
)
INVENTORIES = (
    *((found,) for found in GOOD),
    *((first, Found("parts", "id", second)) for first, second in product(GOOD, (1, 2, 3))),
    *((first, odd) for first, odd in product(GOOD, ODD)),
    *((odd,) for odd in ODD),
)


def has_no_step(made: Plan) -> bool:
    return (made.lower, made.rotate, made.rewrap, made.floor) == (None, False, (), None)


@pytest.mark.parametrize("retire", [False, True])
@pytest.mark.parametrize("recover", [False, True])
def test_every_small_case_keeps_the_rules(*, retire: bool, recover: bool) -> None:
    settings = Settings(retire=retire)
    for key, inventory in product(keys(), INVENTORIES):
        made = plan(inventory, key, NOW, settings, recover=recover)
        check(made, inventory, key, retire=retire, recover=recover)


def check(
    made: Plan, inventory: tuple[Found, ...], key: TransitKey, *, retire: bool, recover: bool
) -> None:
    hours_old = {version: (NOW - at) // HOUR for version, at in key.versions.items()}
    newest, allowed = len(hours_old), key.min_decryption_version
    stored = [found for found in inventory if found.version is not None]
    lowest = min((found.version or 0 for found in stored), default=0)

    # A restored Transit: nothing is done at all.
    wrong = [
        found
        for found in inventory
        if (found.version or 0) > newest or found.fault in (Fault.UNVERIFIED, Fault.MISPLACED)
    ]
    assert [each.found for each in made.stop] == wrong
    if wrong:
        assert has_no_step(made)
        return

    # Rotated when the newest is older than 20 h, however much is in the way, but not all, and no
    # old copy that a human is to see to first.
    readable = [
        found
        for found in stored
        if found.fault is None and (recover or (found.version or 0) >= allowed)
    ]
    is_old_copy_there = 0 < lowest < allowed
    assert made.rotate == (
        bool(readable) and not is_old_copy_there and not recover and hours_old[newest] > 20
    )

    # Rewrapped is all that is below the newest that there will be, but for what cannot be read.
    for found in inventory:
        behind = found.version is not None and (made.rotate or found.version < newest)
        retired = (found.version or 0) < allowed and not recover
        assert (found in made.rewrap) == (behind and not retired)

    # Blocked, by name and with a reason, is what is not readable.
    blocked = [each.found for each in made.blocked]
    assert blocked == [
        found
        for found in inventory
        if found.fault is not None or (not recover and (found.version or 0) < allowed)
    ]
    contested = [each.found for each in made.contested]
    assert contested == [each for each in inventory if each.owner and retire and not recover]
    assert all(each.why for each in (*made.blocked, *made.contested, *made.stop))

    # The floor: never lowered but by a human, who lowers it to what is there.
    assert made.lower == (lowest if recover and 0 < lowest < allowed else None)

    # Raised only for good reasons, and then to the highest that is allowed.
    old_enough = [v for v, hours in hours_old.items() if hours >= 24 and allowed < v <= lowest]
    if retire and not recover and not blocked and not contested and old_enough:
        assert made.floor == max(old_enough)
    else:
        assert made.floor is None


def test_an_empty_inventory_moves_nothing() -> None:
    assert has_no_step(plan((), key_of(99, 50), NOW, Settings(retire=True)))


def test_a_clock_that_was_set_back_neither_rotates_nor_retires() -> None:
    ahead = key_of(-5, -10)
    made = plan((GOOD[1],), ahead, NOW, Settings(retire=True))
    assert has_no_step(made)


def test_the_ages_are_the_settings_own() -> None:
    settings = Settings(min_age=2 * HOUR, grace=4 * HOUR, retire=True)
    made = plan((GOOD[1],), key_of(9, 4, 3), NOW, settings)
    assert (made.rotate, made.floor) == (True, 2)
    made = plan((GOOD[1],), key_of(9, 4, 2), NOW, settings)
    assert (made.rotate, made.floor) == (False, 2)


def test_days_of_failures_do_not_retire_in_one_run_what_readers_still_hold() -> None:
    """v1 is all that is stored; versions 2 and 3 are old enough, and nobody holds them."""
    key = key_of(99, 75, 51, 27)
    made = plan((GOOD[0],), key, NOW, Settings(retire=True))
    assert made.rewrap == (GOOD[0],)
    assert made.floor is None
    # What the run sees afterwards must not be what it decides by.
    assert floor([4], key, NOW, Settings(retire=True)) == 4


def test_a_floor_needs_something_to_stand_on() -> None:
    assert floor([], key_of(99, 75), NOW, Settings(retire=True)) is None
    assert floor([2], key_of(99, 75), NOW, Settings(retire=False)) is None
