"""What is computed against what is published: each table names its source.

Published times are whole minutes, so half a minute of every difference is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

import pytest

from services.feeds import Moon
from services.moon import sky

Place = tuple[float, float]

BERLIN = (52.52, 13.40)
QUITO = (-0.18, -78.47)
SYDNEY = (-33.87, 151.21)
TROMSO = (69.65, 18.96)
NORTH_POLE = (90.0, 0.0)
SOUTH_POLE = (-90.0, 0.0)
DATE_LINE = (-16.8, 180.0)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seconds_apart(a: datetime, b: datetime) -> float:
    return abs((a - b).total_seconds())


def degrees_apart(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


class Run(NamedTuple):
    """Risings and settings that follow one another at one place, none left out."""

    label: str
    body: str
    place: Place
    utc_offset_h: int
    events: str

    def published(self) -> list[tuple[str, datetime]]:
        zone = timezone(timedelta(hours=self.utc_offset_h))
        words = self.events.split()
        return [
            (kind, datetime.fromisoformat(when).replace(tzinfo=zone))
            for when, kind in zip(words[::2], words[1::2], strict=True)
        ]


# U.S. Naval Observatory, Astronomical Applications Department. The tables "Rise and Set for the
# Sun/Moon" of 2019, 2022 and 2050 as kept by the project Astronomy Engine (cosinekitty/astronomy,
# generate/riseset); Boston 1984 and Fairbanks 2006 as kept by PyEphem (ephem/tests/usno); Sydney
# 2026 as kept by kipcole9/astro (test/moon_rise_set_test.exs); Tromsø 2014 as quoted at
# answers.com, "How many hour of daylight in north Norway in April".
USNO = [
    Run("Sydney 1", "moon", (-33.8688, 151.2093), 11, "2026-03-04T07:10 set 2026-03-04T19:47 rise"),
    Run("Sydney 2", "moon", (-33.8688, 151.2093), 11, "2026-03-13T00:32 rise 2026-03-13T15:48 set"),
    Run("Sydney 3", "moon", (-33.8688, 151.2093), 11, "2026-03-19T06:49 rise 2026-03-19T19:05 set"),
    Run("Sydney 4", "moon", (-33.8688, 151.2093), 11, "2026-03-25T13:50 rise 2026-03-25T23:23 set"),
    Run("far south, 2050", "moon", (-45, 150), 0, "2050-01-01T03:12 rise 2050-01-01T13:55 set"),
    Run(
        "Boston, no moonrise on the 24th",
        "moon",
        (42 + 19 / 60, -(71 + 5 / 60)),
        -5,
        """1984-01-22T09:59 set 1984-01-22T21:57 rise
        1984-01-23T10:26 set 1984-01-23T23:10 rise
        1984-01-24T10:52 set
        1984-01-25T00:21 rise 1984-01-25T11:18 set""",
    ),
    Run(
        "Fairbanks, up for four days",
        "moon",
        (64 + 48.6 / 60, -147.75),
        -8,
        """2006-06-21T01:31 rise 2006-06-21T20:13 set
        2006-06-22T01:11 rise 2006-06-22T23:04 set
        2006-06-23T00:13 rise
        2006-06-27T03:02 set 2006-06-27T04:07 rise
        2006-06-28T02:06 set 2006-06-28T06:46 rise""",
    ),
    Run(
        "85 north, up or down for a fortnight",
        "moon",
        (85, 140),
        0,
        """2022-01-08T05:27 rise 2022-01-08T11:32 set
        2022-01-09T01:46 rise 2022-01-09T19:06 set 2022-01-09T20:57 rise
        2022-01-23T02:57 set 2022-01-23T12:52 rise 2022-01-23T23:33 set
        2022-02-05T01:17 rise 2022-02-05T13:37 set 2022-02-05T21:50 rise
        2022-02-19T02:25 set 2022-02-19T09:04 rise 2022-02-19T22:41 set""",
    ),
    Run("Tromsø, spring", "sun", (69.5, 19), 1, "2014-04-01T04:50 rise 2014-04-01T18:49 set"),
    Run(
        "Tromsø, midnight sun",
        "sun",
        (69.5, 19),
        1,
        "2014-05-17T00:29 rise 2014-05-17T23:06 set 2014-05-18T00:13 rise 2014-07-25T23:20 set",
    ),
    Run(
        "80 south, end of the polar day",
        "sun",
        (-80, -150),
        0,
        "2019-02-25T09:52 set 2019-02-25T10:37 rise 2019-02-26T09:07 set 2019-02-26T11:21 rise",
    ),
    Run(
        "80 south, polar night",
        "sun",
        (-80, -150),
        0,
        """2019-04-16T20:40 rise 2019-04-16T23:17 set 2019-04-17T21:11 rise 2019-04-17T22:46 set
        2019-08-25T21:15 rise 2019-08-25T22:51 set 2019-08-26T20:45 rise 2019-08-26T23:21 set""",
    ),
    Run("North Pole", "sun", NORTH_POLE, 0, "2022-03-18T13:02 rise 2022-09-25T04:13 set"),
    Run("South Pole", "sun", SOUTH_POLE, 0, "2022-03-22T18:07 set 2022-09-20T21:52 rise"),
]

# Skyfield 1.55 with JPL's DE421 (almanac.find_risings and find_settings), to the second. It takes
# the Sun to be 16' in radius all the year round: where the Sun grazes the horizon, as it does
# in Tromsø on these days in January, that is worth a minute and a half.
SKYFIELD = [
    Run("Quito", "sun", QUITO, 0, "2024-01-18T11:20:18 rise 2024-01-18T23:28:06 set"),
    Run("Quito", "moon", QUITO, 0, "2024-01-18T05:08:33 set 2024-01-18T17:34:22 rise"),
    Run("Sydney", "sun", SYDNEY, 0, "2024-01-18T09:08:17 set 2024-01-18T19:02:51 rise"),
    Run("180 east", "moon", DATE_LINE, 0, "2024-01-18T11:51:37 set 2024-01-19T00:55:06 rise"),
    Run("180 west", "moon", (-16.8, -180), 0, "2024-01-18T11:51:37 set 2024-01-19T00:55:06 rise"),
    Run(
        "Tromsø, polar night",
        "sun",
        TROMSO,
        0,
        """2023-11-26T09:53:04 rise 2023-11-26T11:08:51 set
        2023-11-27T10:11:46 rise 2023-11-27T10:50:50 set
        2024-01-15T10:46:33 rise 2024-01-15T11:00:55 set
        2024-01-16T10:20:54 rise 2024-01-16T11:27:17 set""",
    ),
]


def follow(run: Run, start: datetime, count: int) -> Iterator[tuple[str, datetime]]:
    """What a page would show to come next, one after the other."""
    moment = start
    for _ in range(count):
        seen = sky(*run.place, moment).model_dump()
        kind = min("rise", "set", key=lambda kind: seen[run.body + kind])
        moment = seen[run.body + kind]
        yield kind, moment
        moment += timedelta(seconds=20)


@pytest.mark.parametrize(
    ("run", "tolerance_s"),
    [(run, 60) for run in USNO] + [(run, 100) for run in SKYFIELD],
    ids=lambda value: f"{value.label}, {value.body}" if isinstance(value, Run) else None,
)
def test_risings_and_settings(run: Run, tolerance_s: float) -> None:
    published = run.published()
    first = published[0][1]
    computed = list(follow(run, first - timedelta(minutes=10), len(published)))
    assert [kind for kind, _ in computed] == [kind for kind, _ in published]
    for (_, ours), (_, theirs) in zip(computed, published, strict=True):
        assert seconds_apart(ours, theirs) <= tolerance_s, (ours, theirs)


def test_day_and_night_in_tromso() -> None:
    # Wikipedia, "Tromsø": midnight sun from about 18 May to 26 July, the Sun below the horizon
    # from about 26 November to 15 January.
    day, night = sky(*TROMSO, utc("2024-06-21T12:00")), sky(*TROMSO, utc("2023-12-21T12:00"))
    assert day.sun_up
    assert day.sunset is not None
    assert seconds_apart(day.sunset, utc("2024-07-26T00:00")) < 2 * 86_400
    assert not night.sun_up
    assert night.sunrise is not None
    assert seconds_apart(night.sunrise, utc("2024-01-15T12:00")) < 2 * 86_400


# U.S. Naval Observatory, Phases of the Moon, as kept by Astronomy Engine
# (generate/moonphase/moonphases.txt). How fast the Earth will turn is a forecast, and ephem's and
# the Observatory's are two minutes apart by 2100.
@pytest.mark.parametrize(
    ("phase", "when", "tolerance_s"),
    [
        ("new", "1970-01-07T20:35", 60),
        ("full", "1970-01-22T12:55", 60),
        ("new", "1980-12-07T14:35", 60),
        ("full", "1980-12-21T18:08", 60),
        ("new", "2000-01-06T18:14", 60),
        ("full", "2000-01-21T04:40", 60),
        ("new", "2010-01-15T07:11", 60),
        ("new", "2020-01-24T21:42", 60),
        ("full", "2020-02-09T07:33", 60),
        ("new", "2030-01-04T02:49", 60),
        ("full", "2030-01-19T15:54", 60),
        ("full", "2050-01-08T01:39", 60),
        ("new", "2050-12-14T05:18", 60),
        ("full", "2090-01-16T03:04", 150),
        ("new", "2100-01-10T12:57", 150),
        ("full", "2100-12-16T17:01", 150),
    ],
)
def test_new_and_full(phase: str, when: str, tolerance_s: float) -> None:
    for days_before in (0.01, 1, 14, 28):
        seen = sky(*QUITO, utc(when) - timedelta(days=days_before))
        ours = seen.next_new if phase == "new" else seen.next_full
        assert seconds_apart(ours, utc(when)) <= tolerance_s


@pytest.mark.parametrize(
    ("phase_deg", "when"),
    [
        (90, "1970-01-14T13:18"),
        (270, "1970-01-30T14:38"),
        (0, "2000-01-06T18:14"),
        (90, "2000-01-14T13:34"),
        (180, "2000-01-21T04:40"),
        (270, "2000-01-28T07:57"),
        (90, "2030-01-11T14:06"),
        (270, "2030-01-26T18:14"),
    ],
)
def test_phase_at_the_quarters(phase_deg: float, when: str) -> None:
    assert degrees_apart(sky(*QUITO, utc(when)).phase_deg, phase_deg) < 0.01


def test_new_moon_of_an_eclipse() -> None:
    # The total eclipse of the Sun of 8 April 2024: new moon at 18:21 UTC (USNO).
    before, after = (sky(*BERLIN, utc(f"2024-04-08T18:{minute}")) for minute in (19, 23))
    assert before.phase_deg > 359.9
    assert after.phase_deg < 0.1
    assert seconds_apart(before.next_new, utc("2024-04-08T18:21")) < 60
    assert after.next_new - before.next_new > timedelta(days=29)
    assert before.illumination < 0.001


# U.S. Naval Observatory, Fraction of the Moon Illuminated, 2018, midnight Eastern Standard Time, as
# kept by Skyfield (skyfield/tests/test_almanac.py), in hundredths.
@pytest.mark.parametrize(
    ("day", "percent"), [*enumerate((0, 0, 3, 8, 15, 24, 33, 43, 52, 62), start=9)]
)
def test_illumination(day: int, percent: int) -> None:
    seen = sky(*SYDNEY, datetime(2018, 9, day, 5, tzinfo=UTC))
    assert abs(seen.illumination * 100 - percent) <= 0.5


MEEUS_48A = utc("1992-04-12T00:00") - timedelta(seconds=58)
"""0 h Dynamical Time, which was 58 s ahead of UTC."""


def test_meeus_illumination_and_phase() -> None:
    # Meeus, Astronomical Algorithms, example 48.a: k = 0.6786. The Moon's apparent longitude is
    # 133.1673 (47.a), the Sun's right ascension 20.6579, which is the longitude 22.3399.
    seen = sky(*QUITO, MEEUS_48A)
    assert seen.illumination == pytest.approx(0.6786, abs=0.0005)
    assert seen.phase_deg == pytest.approx(133.1673 - 22.3399, abs=0.01)


@pytest.mark.parametrize("place", [BERLIN, QUITO, SYDNEY, TROMSO])
def test_meeus_tilt(place: Place) -> None:
    # Example 48.a: the position angle of the bright limb is 285.0, the Moon at right ascension
    # 134.6885 and declination 13.7684. The parallactic angle by his 14.1, with his 12.4 for the
    # sidereal time. All that is geocentric: the parallax of up to one degree is the tolerance.
    latitude, longitude = place
    days = (MEEUS_48A - utc("2000-01-01T12:00")) / timedelta(days=1)
    sidereal_deg = 280.46061837 + 360.98564736629 * days
    hour_angle = math.radians(sidereal_deg + longitude - 134.6885)
    declination = math.radians(13.7684)
    parallactic_deg = math.degrees(
        math.atan2(
            math.sin(hour_angle),
            math.tan(math.radians(latitude)) * math.cos(declination)
            - math.sin(declination) * math.cos(hour_angle),
        )
    )
    assert degrees_apart(sky(*place, MEEUS_48A).tilt_deg, 285.0 - parallactic_deg) < 1


def test_tilt_in_the_skyfield_manual() -> None:
    # Skyfield's documentation, examples, "What is the angle of a crescent Moon?": Boston,
    # 238° 55' 55.3" by the same convention ("90° if the Sun is left of the Moon").
    seen = sky(42.3583, -71.0636, utc("2019-09-30T23:00"))
    assert seen.tilt_deg == pytest.approx(238 + 55 / 60 + 55.3 / 3600, abs=0.01)


# Skyfield 1.55 with DE421: position_angle_of(moon.altaz(), sun.altaz()).
@pytest.mark.parametrize(
    ("place", "when", "tilt_deg"),
    [
        (BERLIN, "1975-03-20T20:00", 234.74),  # first quarter in the evening: lit on the right
        (SYDNEY, "2024-01-18T09:00", 86.68),  # the same in Sydney: on the left
        (QUITO, "1975-03-20T20:00", 16.72),  # and near the equator: at the top, or the bottom
        (QUITO, "2037-06-20T06:30", 205.19),
        (BERLIN, "1999-08-10T03:00", 132.07),  # a thin crescent in the morning
        (SYDNEY, "2024-01-25T12:00", 141.76),  # nearly full
        (SYDNEY, "2024-02-02T18:00", 240.94),
        (TROMSO, "2024-02-02T18:00", 118.27),  # below the horizon
        (TROMSO, "2051-11-11T15:00", 260.96),
        (NORTH_POLE, "2024-01-18T09:00", 249.44),
        (SOUTH_POLE, "2024-02-02T18:00", 288.38),
        (DATE_LINE, "2024-02-02T18:00", 20.09),  # four degrees from the zenith
        ((-16.8, -180.0), "2024-02-02T18:00", 20.09),
    ],
)
def test_tilt(place: Place, when: str, tilt_deg: float) -> None:
    assert degrees_apart(sky(*place, utc(when)).tilt_deg, tilt_deg) < 0.1


@pytest.mark.parametrize("place", [BERLIN, SYDNEY, QUITO, TROMSO])
@pytest.mark.parametrize(
    ("when", "lit_side_deg"), [("1975-03-20T20:05", 270), ("2024-02-02T23:18", 90)]
)
def test_at_a_quarter_the_moons_north_is_square_to_the_light(
    place: Place, when: str, lit_side_deg: float
) -> None:
    # The Sun is on the ecliptic, and the Moon within 5.3 degrees of it: so is the direction.
    seen = sky(*place, utc(when))
    assert degrees_apart(seen.tilt_deg - seen.north_deg, lit_side_deg) < 6.5


def test_in_sydney_the_face_is_upside_down() -> None:
    # At the same moment, with the Moon on the meridian of neither.
    north, south = (sky(*place, utc("2024-01-25T17:54")) for place in (BERLIN, SYDNEY))
    assert degrees_apart(north.north_deg, 0) < 90
    assert degrees_apart(south.north_deg, 180) < 90


# Skyfield 1.55 with DE421, seen from the centre of the Earth.
@pytest.mark.parametrize(
    ("when", "phase_deg", "illumination"),
    [
        ("1975-03-20T20:00", 89.96, 0.5009),
        ("1999-08-10T03:00", 342.38, 0.0237),
        ("2024-01-25T12:00", 177.25, 0.9976),
        ("2037-06-20T06:30", 86.00, 0.4663),
        ("2051-11-11T15:00", 90.97, 0.5097),
    ],
)
def test_phase_and_illumination(when: str, phase_deg: float, illumination: float) -> None:
    everywhere: list[Moon] = [sky(*place, utc(when)) for place in (SYDNEY, TROMSO, NORTH_POLE)]
    for seen in everywhere:
        assert degrees_apart(seen.phase_deg, phase_deg) < 0.02
        assert seen.illumination == pytest.approx(illumination, abs=0.0005)
