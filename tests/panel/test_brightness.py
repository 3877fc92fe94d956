"""How bright the panel is by the time: at home, at the poles, at the change of the clocks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from framework.brightness import level_at, levels
from framework.config.place import Spot
from framework.errors import ConfigError
from framework.panel.panelsink import brightness_of, leds_of
from framework.project import Project

BERLIN = ZoneInfo("Europe/Berlin")
HERE = Spot("Berlin", 52.52, 13.40)
POLE = Spot("Pole", 89.0, 0.0)
SUN = {"sunrise": 80, "sunset": 20}


def at(table: Mapping[str, int], moment: str, spot: Spot = HERE) -> int:
    return level_at(table, datetime.fromisoformat(moment).replace(tzinfo=BERLIN), spot)


def test_a_number_holds_all_day() -> None:
    assert [at(levels(70), f"2026-03-01T{hour:02}:00") for hour in range(24)] == [70] * 24


@pytest.mark.parametrize(
    ("time", "level"),
    [("00:00", 5), ("06:59", 5), ("07:00", 80), ("21:59", 80), ("22:00", 5), ("23:59", 5)],
)
def test_a_level_holds_until_the_next(time: str, level: int) -> None:
    assert at({"07:00": 80, "22:00": 5}, f"2026-03-01T{time}") == level


# To the minute, as calendars print them.
@pytest.mark.parametrize(
    ("day", "rises", "sets"),
    [("2026-06-21", "04:43", "21:33"), ("2026-12-21", "08:15", "15:54")],
)
def test_the_sun_of_the_place_counts(day: str, rises: str, sets: str) -> None:
    def around(time: str) -> tuple[int, int]:
        moment = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=BERLIN).timestamp()
        before, after = (datetime.fromtimestamp(moment + by, BERLIN) for by in (-120, 120))
        return level_at(SUN, before, HERE), level_at(SUN, after, HERE)

    assert around(rises) == (20, 80)
    assert around(sets) == (80, 20)


def test_day_and_night_are_the_suns() -> None:
    assert levels({"day": 80, "night": 20}) == SUN


@pytest.mark.parametrize(("day", "level"), [("2026-06-21", 80), ("2026-12-21", 20)])
def test_where_the_sun_stays_up_or_down(day: str, level: int) -> None:
    assert at(SUN, f"{day}T12:00", POLE) == at(SUN, f"{day}T00:00", POLE) == level
    hours = {**SUN, "22:00": 3}
    # A day of its begins, and a night of its, though nothing rises or sets.
    assert [at(hours, f"{day}T{time}", POLE) for time in ("15:00", "23:00")] == [level, 3]


def test_hours_and_sun_together() -> None:
    table = {"sunrise": 80, "sunset": 20, "23:00": 0}
    seen = [at(table, f"2026-06-21T{time}") for time in ("04:00", "05:00", "22:00", "23:30")]
    assert seen == [0, 80, 20, 0]


def test_an_hour_that_the_clocks_skip_or_repeat() -> None:
    table = {"02:30": 10, "12:00": 90}
    for day in ("2026-03-29", "2026-10-25"):
        assert [at(table, f"{day}T{time}") for time in ("01:59", "03:31", "12:00")] == [90, 10, 90]


def test_in_the_hour_that_the_clocks_repeat_a_level_begins_again_and_never_ends() -> None:
    table = {"02:30": 0, "07:00": 80}
    midnight = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)
    dark = [
        minute
        for minute in range(0, 24 * 60, 10)
        if not level_at(table, (midnight + timedelta(minutes=minute)).astimezone(BERLIN), HERE)
    ]
    assert dark == list(range(150, 8 * 60, 10))  # 07:00 is eight hours after midnight


def test_in_the_hour_that_the_clocks_repeat_all_of_it_is_seen_twice() -> None:
    table = {"02:15": 10, "02:45": 90}
    shown = [datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)]
    assert [level_at(table, each, HERE) for each in shown] == [10, 10]
    assert level_at(table, shown[1].replace(minute=10), HERE) == 90


@pytest.mark.parametrize(
    "wrong",
    [
        *("101", "-1", "true", "0.5", "'80'", "[1]", "{}", "{noon = 5}"),
        *("{'7:00' = 5}", "{'24:00' = 5}", "{day = 200}", "{day = true}"),
        "{day = 80, sunrise = 70}",
    ],
)
def test_what_is_no_brightness(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "matrix.toml").write_text(f"[panel]\nbrightness = {wrong}\n")
    with pytest.raises(ConfigError) as caught:
        Project.find({}, tmp_path)
    assert str(caught.value).endswith(
        "matrix.toml: panel.brightness must be 0 to 100, or by the time: {sunrise = 80, "
        'sunset = 20, "23:00" = 0}'
    )


def project(folder: Path, text: str) -> Project:
    (folder / "matrix.toml").write_text(text)
    return Project.find({}, folder)


def test_the_hours_are_those_of_the_configured_zone_and_the_sun_of_the_place(
    tmp_path: Path,
) -> None:
    table = '[config]\ntimezone = "Asia/Tokyo"\n[panel]\nbrightness = '
    hours = brightness_of(project(tmp_path, table + '{"07:00" = 80, "22:00" = 5}'))
    assert hours(datetime(2026, 3, 1, 22, 0, tzinfo=UTC)) == 80
    assert hours(datetime(2026, 3, 1, 21, 59, tzinfo=UTC)) == 5
    sun = brightness_of(project(tmp_path, table + "{day = 80, night = 5}"))
    assert sun(datetime(2026, 3, 1, 0, 0, tzinfo=UTC)) == 80
    assert sun(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) == 5


def test_without_ephem_the_sun_cannot_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ephem", None)
    with pytest.raises(ConfigError, match=r"pip install 'matrix-framework\[panel\]'"):
        brightness_of(project(tmp_path, "[panel]\nbrightness = {day = 80, night = 5}"))


def test_without_a_driver_there_are_no_leds(tmp_path: Path) -> None:
    assert list(leds_of(project(tmp_path, "[panel]\n"))(None)) == []  # type: ignore[arg-type]  # not asked for the time
