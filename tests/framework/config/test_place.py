"""Where time zones are, and what time zone a machine is in."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import available_timezones

import pytest

from framework.config.place import GREENWICH, is_timezone, machine_timezone, spot_of


@pytest.mark.parametrize(
    ("timezone", "name", "latitude", "longitude"),
    [
        ("Europe/Berlin", "Berlin", 52.5, 13.3667),
        ("Australia/Sydney", "Sydney", -33.8667, 151.2167),  # south and east
        ("America/St_Johns", "St Johns", 47.5667, -52.7167),  # north and west
        ("America/Argentina/Ushuaia", "Ushuaia", -54.8, -68.3),  # south and west
        ("America/Los_Angeles", "Los Angeles", 34.0522, -118.2428),  # with seconds
        ("Arctic/Longyearbyen", "Longyearbyen", 78.0, 16.0),  # not in zone1970.tab
        ("Europe/Oslo", "Oslo", 59.9167, 10.75),  # a link, yet a city of its own
        ("Europe/Amsterdam", "Amsterdam", 52.3667, 4.9),
        ("Africa/Accra", "Accra", 5.55, -0.2167),  # between the equator and Greenwich
    ],
)
def test_a_zone_is_where_its_city_is(
    timezone: str, name: str, latitude: float, longitude: float
) -> None:
    spot = spot_of(timezone)
    assert (spot.name, spot.latitude, spot.longitude) == (name, latitude, longitude)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("US/Pacific", "America/Los_Angeles"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("Japan", "Asia/Tokyo"),
    ],
)
def test_an_old_name_is_where_the_new_one_is(old: str, new: str) -> None:
    assert spot_of(old) == spot_of(new) != GREENWICH


@pytest.mark.parametrize("timezone", ["UTC", "Etc/UTC", "GMT", "Etc/GMT+3", "Factory", "No/Where"])
def test_a_zone_without_a_city_is_greenwich(timezone: str) -> None:
    assert spot_of(timezone) is GREENWICH


def test_every_zone_is_somewhere_on_earth() -> None:
    spots = [spot_of(timezone) for timezone in available_timezones()]
    assert all(abs(spot.latitude) <= 90 and abs(spot.longitude) <= 180 for spot in spots)
    assert len({spot for spot in spots if spot is not GREENWICH}) > 400


@pytest.mark.parametrize(
    "name", ["", "Europe", "Europe/", "/etc/localtime", "../UTC", "a\0", "Utc "]
)
def test_what_is_no_time_zone(name: str) -> None:
    assert not is_timezone(name)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "localtime").symlink_to("../usr/share/zoneinfo/Europe/Amsterdam")
    (tmp_path / "timezone").write_text("America/Lima\n")
    return tmp_path


@pytest.mark.parametrize(
    ("tz", "timezone"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        (":/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        ("<+03>-3", "Europe/Amsterdam"),  # a rule, no name
        ("", "Europe/Amsterdam"),
    ],
)
def test_the_zone_of_the_environment_comes_first(etc: Path, tz: str, timezone: str) -> None:
    assert machine_timezone({"TZ": tz}, etc) == timezone


def test_the_zone_of_the_machine(etc: Path) -> None:
    assert machine_timezone({}, etc) == "Europe/Amsterdam"  # itself, not what it is a link to
    (etc / "localtime").unlink()
    assert machine_timezone({}, etc) == "America/Lima"
    (etc / "localtime").write_bytes(b"TZif")  # a copy, as in containers
    assert machine_timezone({}, etc) == "America/Lima"
    (etc / "timezone").write_bytes(b"\xff")
    assert machine_timezone({}, etc) is None
