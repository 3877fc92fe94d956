"""What must hold for the Moon at every place and moment, and what the service makes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from framework import Place, Unavailable
from framework.testing import Harness
from services.feeds import Moon
from services.moon import MoonServer, sky

T0 = datetime(2024, 1, 18, 9, tzinfo=UTC)
LATITUDES = st.one_of(
    st.floats(-90, 90),
    st.floats(60, 75).flatmap(lambda latitude: st.sampled_from((latitude, -latitude))),
    st.sampled_from((-90.0, 90.0, 89.99, 66.56, 65.73, 67.4, 0.0)),
)
LONGITUDES = st.one_of(st.floats(-180, 180), st.sampled_from((-180.0, 180.0)))
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), LAST - FIRST).map(lambda since: FIRST + since)

everywhere = given(latitude=LATITUDES, longitude=LONGITUDES, moment=MOMENTS)
at_length = settings(max_examples=60)


def crossings(seen: Moon, body: str) -> tuple[bool, datetime, datetime]:
    """Whether the body is up, and when it next rises and sets."""
    values = seen.model_dump()
    return values[f"{body}_up"], values[f"{body}rise"], values[f"{body}set"]


@everywhere
@at_length
def test_every_place_and_moment(latitude: float, longitude: float, moment: datetime) -> None:
    seen = sky(latitude, longitude, moment)
    # Nowhere on Earth does the Sun stay up or down for a year, or the Moon for a month.
    for body, days in (("sun", 366), ("moon", 29)):
        up, rises, sets = crossings(seen, body)
        assert up == (sets < rises)
        assert moment <= min(rises, sets)
        assert max(rises, sets) < moment + timedelta(days=days)
    assert moment <= min(seen.next_new, seen.next_full)
    assert max(seen.next_new, seen.next_full) < moment + timedelta(days=30)
    waxing = seen.next_full < seen.next_new
    assert waxing == (seen.phase_deg < 180)


@pytest.mark.parametrize("body", ["sun", "moon"])
@given(latitude=LATITUDES, longitude=LONGITUDES, moment=MOMENTS, share=st.floats(0, 1))
@at_length
def test_nothing_happens_until_the_next_event_and_then_it_does(
    body: str, latitude: float, longitude: float, moment: datetime, share: float
) -> None:
    up, rises, sets = crossings(sky(latitude, longitude, moment), body)
    first, second = sorted((rises, sets))
    a_second = timedelta(seconds=1)
    assume(first - moment > 2 * a_second)
    meanwhile = moment + share * (first - a_second - moment)
    up_meanwhile, *later = crossings(sky(latitude, longitude, meanwhile), body)
    assert up_meanwhile is up
    assert abs(min(later) - first) < a_second
    if second - first > timedelta(minutes=1):  # else it only grazes the horizon
        up_afterwards, *_ = crossings(sky(latitude, longitude, first + a_second), body)
        assert up_afterwards is not up


@everywhere
@at_length
def test_the_time_zone_of_the_moment_does_not_matter(
    latitude: float, longitude: float, moment: datetime
) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert sky(latitude, longitude, elsewhere) == sky(latitude, longitude, moment)


def test_the_same_moment_for_all() -> None:
    """New and full Moon, phase and illumination are the same all over the Earth."""
    seen = [sky(latitude, 20, T0) for latitude in (-90, -33, 0, 52, 90)]
    for name in ("phase_deg", "illumination", "next_new", "next_full"):
        assert len({getattr(one, name) for one in seen}) == 1


def test_the_disc_turns_over_with_the_observer() -> None:
    """First quarter on the same evening: lit on the right in Tunis, on the left in Cape Town."""
    tunis = sky(36.8, 10.2, datetime(2024, 1, 18, 18, tzinfo=UTC))
    cape_town = sky(-33.9, 18.4, datetime(2024, 1, 18, 18, tzinfo=UTC))
    assert tunis.moon_up
    assert cape_town.moon_up
    assert 180 < tunis.tilt_deg < 360
    assert 0 < cape_town.tilt_deg < 180


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime(1899, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2200, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_a_clock_that_is_centuries_wrong(moment: datetime) -> None:
    with pytest.raises(Unavailable, match="set the clock"):
        sky(52, 13, moment)


@pytest.mark.parametrize("year", [1900, 2199])
def test_the_first_and_the_last_year(year: int) -> None:
    seen = sky(78.2, 15.6, datetime(year, 12, 31, 23, 59, tzinfo=UTC))
    assert seen.sunrise is not None
    assert seen.sunrise.year == year + 1


def test_two_cities_at_the_same_time() -> None:
    """Each instance computes in a thread of its own: they must not share ephem's bodies."""
    tasks = [(latitude, 15.0, T0) for latitude in (-33.0, 52.0, 69.0, 90.0)] * 8
    alone = [sky(*task) for task in tasks[:4]]
    with ThreadPoolExecutor(max_workers=4) as threads:
        together = list(threads.map(lambda task: sky(*task), tasks))
    assert together == alone * 8


def server(latitude: float = 52.52, longitude: float = 13.4) -> MoonServer:
    return MoonServer(config=Place(latitude=latitude, longitude=longitude))


async def test_publishes_what_the_place_sees() -> None:
    async with Harness(server(), now=T0) as h:
        await h.fetch()
        update = h.published(Moon)
        assert update is not None
        assert h.unavailable is None
        assert update.values == sky(52.52, 13.4, T0)
        assert Moon.model_validate_json(update.values.model_dump_json()) == update.values


async def test_a_wrong_clock_publishes_nothing() -> None:
    async with Harness(server(), now=datetime(2345, 6, 7, tzinfo=UTC)) as h:
        await h.fetch()
        assert h.unavailable is not None
        assert "2345" in h.unavailable
        assert h.published(Moon) is None


@pytest.mark.parametrize("field", ["sunset", "moonrise", "next_full"])
async def test_fetches_again_as_soon_as_something_has_happened(field: str) -> None:
    happens: datetime = getattr(sky(52.52, 13.4, T0), field)
    moon = server()
    async with Harness(moon, now=happens - timedelta(minutes=3)) as h:
        await h.fetch()
        update = h.published(Moon)
        assert update is not None
        assert abs(moon.next_update(update.values) - happens) < timedelta(seconds=1)


async def test_fetches_after_its_period_otherwise() -> None:
    moon = server()
    async with Harness(moon, now=T0):
        values = sky(52.52, 13.4, T0)
        assert moon.next_update(values) == T0 + moon.period
