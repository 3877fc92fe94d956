"""Names of ``[config]`` and of the environment that nobody answers to."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from framework.config import Config, Place
from framework.config.declared import declared
from framework.config.loading import load
from framework.config.strays import Known, strays


class ClockConfig(Config):
    hours: int = 24


class TideConfig(Place):
    station: str = ""
    token: SecretStr = SecretStr("")


class Fleet(Config, shared=True):
    fleet_id: int = 0


HERE = {
    "clock": declared(ClockConfig),
    "tide": declared(TideConfig),
    "harbour-2": declared(TideConfig),
}
KNOWN = Known(HERE)


def table(known: Known = KNOWN, /, **given: Any) -> list[str]:
    return list(strays(given, "matrix.toml", (), known))


def environment(*names: str, known: Known = KNOWN) -> list[str]:
    return list(strays({}, "matrix.toml", names, known))


# ----------------------------------------------------------------------------------- the top level


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("timezon", "did you mean timezone?"),
        ("Units", "did you mean units?"),
        ("lattitude", "did you mean latitude?"),
        ("station", "did you mean it in [config.tide]?"),
        ("xyz", "there are redis_url, timezone, units, contact, latitude, longitude"),
    ],
)
@pytest.mark.parametrize("value", ["hunter2", ["hunter2"]])
def test_a_field_that_nobody_shares(key: str, hint: str, value: object) -> None:
    assert table(**{key: value}) == [
        f"[config] {key} of matrix.toml is read by no service or page here: {hint}"
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("mood", "moon"), ("tide-3", "tide-1"), ("lide", "side"), ("tides", "tide")],
)
def test_of_equally_near_names_the_one_that_begins_alike_is_meant_and_else_the_first(
    written: str, meant: str
) -> None:
    names = ("wood", "tide-2", "tide-1", "moon", "tide", "side")
    known = Known(dict.fromkeys(names, declared(ClockConfig)))
    (said,) = table(known, **{written: {}})
    assert said.endswith(f"did you mean {meant}?")


def test_what_somebody_shares_is_no_stray() -> None:
    known = Known({"tide": declared(TideConfig), "fleet": declared(Fleet)})
    assert table(known, timezone="UTC", latitude=1, fleet_id=3) == []


def test_the_place_may_be_said_though_nobody_asks() -> None:
    assert table(Known({"clock": declared(ClockConfig)}), latitude=1, longitude=2) == []


def test_a_section_that_is_no_table_is_for_its_instance_to_refuse() -> None:
    assert table(clock=24) == []


@pytest.mark.parametrize(
    "known",
    [
        Known({"tide": declared(TideConfig), "wave": None}),
        Known({"tide": declared(TideConfig)}, frozenset({"wave"})),
        Known({"tide": declared(TideConfig)}, everyone=False),
    ],
)
def test_while_somebody_is_unknown_only_what_is_near_is_said(known: Known) -> None:
    assert table(known, xyz=1) == []
    assert len(table(known, timezon="UTC")) == 1


# ------------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("MATRIX_CLOK__HOURS", "MATRIX_CLOCK__HOURS"),
        ("MATRIX_CLOCK_HOURS", "MATRIX_CLOCK__HOURS"),
        ("MATRIX_CLOCK_HOUR", "MATRIX_CLOCK__HOURS"),
        ("MATRIX_CLOCK_FACE", "MATRIX_CLOCK__FACE"),  # which is then refused, with what there is
        ("MATRIX_HARBOUR_2_TOKEN", "MATRIX_HARBOUR_2__TOKEN"),
        ("MATRIX_HARBOR_2__TOKEN", "MATRIX_HARBOUR_2__TOKEN"),
        ("MATRIX_TIMEZON", "MATRIX_TIMEZONE"),
        ("MATRIX_REDIS_URI", "MATRIX_REDIS_URL"),
        ("MATRIX_TOLM", "MATRIX_TOML"),
        ("MATRIX_LOG_FORMT", "MATRIX_LOG_FORMAT"),
        ("MATRIX_HEALT_PORT", "MATRIX_HEALTH_PORT"),
        ("matrix_clock__hours", "MATRIX_CLOCK__HOURS"),
        ("Matrix_Timezone", "MATRIX_TIMEZONE"),
    ],
)
def test_a_variable_that_is_like_one_of_ours(written: str, meant: str) -> None:
    assert environment(written) == [
        f"environment {written} is read by no service or page here: did you mean {meant}?"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "MATRIX_TOML",
        "MATRIX_LOG_FORMAT",
        "MATRIX_HEALTH_PORT",
        "MATRIX_TIMEZONE",
        "MATRIX_CLOCK__HOURS",
        "MATRIX_CLOCK__TIMEZONE",
        "MATRIX_HARBOUR_2__STATION",
        "MATRIX_CLOCK__HOUSR",  # refused by the instance itself
    ],
)
def test_ours_are_no_strays(name: str) -> None:
    assert environment(name) == []


@pytest.mark.parametrize(
    "name",
    [
        "MATRIX_HOMESERVER",
        "MATRIX_ACCESS_TOKEN",
        "MATRIX_ROOM_ID",
        "MATRIX_USER",
        "MATRIX_OTHER__THING",
        "MATRIX_",
        "MATRIX",
        "CLOCK_HOURS",
        "path",
    ],
)
def test_what_is_like_none_of_ours_is_nobodys_business(name: str) -> None:
    assert environment(name) == []


def test_what_cannot_be_looked_at_may_have_variables_of_its_own() -> None:
    known = Known(HERE, frozenset({"clok"}))
    assert environment("MATRIX_CLOK__HOURS", known=known) == []


def test_of_a_class_that_cannot_be_looked_at_only_the_name_is_known() -> None:
    (said,) = environment("MATRIX_WAVE_HEIGHT", known=Known({"wave": None}))
    assert said.endswith("did you mean MATRIX_WAVE__HEIGHT?")


@given(st.text(), st.sampled_from(["", "MATRIX_", "MATRIX_CLOCK", "MATRIX_CLOCK_", "matrix_"]))
def test_any_name_is_looked_at_without_harm(name: str, prefix: str) -> None:
    for line in environment(f"{prefix}{name}"):
        assert line.startswith(f"environment {prefix}{name} is read by no service")


# --------------------------------------------------------------------------- one instance by itself


def test_one_instance_by_itself_judges_no_section_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in ``python tide.py``, in a folder or an environment that others share."""
    (tmp_path / "matrix.toml").write_text(
        "[config]\ntimezon = 'hunter2'\nstation = 'x'\nfleet_id = 3\n[config.clok]\n[config.tied]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MATRIX_TOML", raising=False)
    for name in ("MATRIX_TIDE2__STATION", "MATRIX_TIDE_STATION"):
        monkeypatch.setenv(name, "hunter2")
    with caplog.at_level(logging.WARNING):
        load(TideConfig, "tide")
    assert [record.getMessage() for record in caplog.records] == [
        "[config] timezon of matrix.toml is read by no service or page here: "
        "did you mean timezone?",
        "environment MATRIX_TIDE_STATION is read by no service or page here: "
        "did you mean MATRIX_TIDE__STATION?",
    ]
