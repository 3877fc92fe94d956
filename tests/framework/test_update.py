"""What travels: the JSON, and until when it is good."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from framework.bustime import from_us
from framework.update import Freshness, Update, Values

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
US = timedelta(microseconds=1)


class Tide(Values):
    height_m: float
    place: str = "Föhr"


class Nested(Values):
    tides: list[Tide]
    at: datetime | None = None


def tide(**changes: object) -> Update[Tide]:
    given = {
        "feed": "Tide",
        "updated": T0,
        "valid": T0 + 10 * MINUTE,
        "expires": T0 + 20 * MINUTE,
        "values": Tide(height_m=1.5),
    }
    return Update[Tide].model_validate(given | changes)


def test_the_json() -> None:
    assert json.loads(tide(observed=T0 - MINUTE, updated=T0 + US).to_wire()) == {
        "type": "Tide",
        "updated": "2026-11-24T12:00:00.000001Z",
        "valid": "2026-11-24T12:10:00Z",
        "expires": "2026-11-24T12:20:00Z",
        "observed": "2026-11-24T11:59:00Z",
        "values": {"height_m": 1.5, "place": "Föhr"},
    }


def test_the_order_of_its_names() -> None:
    assert list(json.loads(tide().to_wire())) == [
        *("type", "updated", "valid", "expires", "observed", "values")
    ]


def test_times_of_other_zones_are_told_in_utc() -> None:
    there = timezone(timedelta(hours=2))
    update = tide(updated=datetime(2026, 11, 24, 14, tzinfo=there))
    assert json.loads(update.to_wire())["updated"] == "2026-11-24T12:00:00Z"
    assert update == tide()


zones = st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])
moments = st.builds(lambda us, zone: from_us(us).astimezone(zone), st.integers(0, 10**16), zones)
texts = st.text(st.characters(codec="utf-8"))
tides = st.builds(Tide, height_m=st.floats(allow_nan=False, allow_infinity=False), place=texts)


@given(
    updated=moments,
    valid=moments,
    good_for=st.timedeltas(timedelta(), timedelta(days=9999)),
    observed=st.none() | moments,
    values=st.builds(Nested, tides=st.lists(tides), at=st.none() | moments),
)
def test_it_comes_back_as_it_went(
    updated: datetime,
    valid: datetime,
    good_for: timedelta,
    observed: datetime | None,
    values: Nested,
) -> None:
    update = Update[Nested].model_validate(
        {
            "type": "Nested",
            "updated": updated,
            "valid": valid,
            "expires": valid + good_for,
            "observed": observed,
            "values": values,
        }
    )
    wire = update.to_wire()
    assert Update[Nested].model_validate_json(wire) == update
    assert Update[Nested].model_validate_json(wire).to_wire() == wire
    assert json.loads(wire)["updated"].endswith("Z")
    assert datetime.fromisoformat(json.loads(wire)["updated"]) == updated


def test_a_newer_service_does_not_break_an_older_page() -> None:
    wire = json.loads(tide().to_wire())
    wire["mood"] = "good"
    wire["values"]["salt"] = {"g_per_l": 35}
    del wire["observed"]
    assert Update[Tide].model_validate_json(json.dumps(wire)) == tide()


@pytest.mark.parametrize("name", ["updated", "valid", "expires", "observed"])
def test_a_time_without_a_zone_is_refused(name: str) -> None:
    naive = datetime(2026, 11, 24, 12)  # noqa: DTZ001 - that is what is refused
    with pytest.raises(ValidationError):
        tide(**{name: naive})
    wire = json.loads(tide().to_wire()) | {name: "2026-11-24T12:00:00"}
    with pytest.raises(ValidationError):
        Update[Tide].model_validate_json(json.dumps(wire))


@pytest.mark.parametrize("name", ["type", "updated", "valid", "expires", "values"])
def test_what_must_be_there(name: str) -> None:
    wire = json.loads(tide().to_wire())
    del wire[name]
    with pytest.raises(ValidationError):
        Update[Tide].model_validate_json(json.dumps(wire))


def test_expires_is_never_before_valid() -> None:
    assert tide(expires=T0 + 10 * MINUTE).expires == T0 + 10 * MINUTE
    with pytest.raises(ValidationError, match="expires must not be before valid"):
        tide(expires=T0 + 10 * MINUTE - US)


def test_nobody_changes_what_has_travelled() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        tide().updated = T0
    with pytest.raises(ValidationError, match="frozen"):
        tide().values.height_m = 2.0


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-60 * MINUTE, Freshness.LATE),
        (-MINUTE - US, Freshness.LATE),
        (-MINUTE, Freshness.FRESH),
        (timedelta(), Freshness.FRESH),
        (10 * MINUTE - US, Freshness.FRESH),
        (10 * MINUTE, Freshness.LATE),
        (20 * MINUTE - US, Freshness.LATE),
        (20 * MINUTE, Freshness.EXPIRED),
        (timedelta(days=365), Freshness.EXPIRED),
    ],
    ids=str,
)
def test_freshness(age: timedelta, expected: Freshness) -> None:
    assert tide().freshness(T0 + age) is expected


@given(st.lists(st.timedeltas(timedelta(), timedelta(hours=1)), min_size=2))
def test_it_only_ever_gets_worse(ages: list[timedelta]) -> None:
    seen = [tide().freshness(T0 + age) for age in sorted(ages)]
    assert seen == sorted(seen)


def test_its_age_counts_from_what_the_source_says() -> None:
    assert tide().since == T0
    assert tide(observed=T0 - MINUTE).since == T0 - MINUTE
