"""The Moon as one place sees it, and when Moon and Sun next rise and set: computed, no network.

``sky`` is a pure function of place and moment. ephem says where the two bodies are; when they next
cross the horizon, and when the Moon is next new or full, is searched for here. What travels is
``services.feeds.Moon``; how it is drawn is left to the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ephem

from framework import Place, ServerBase, Unavailable
from services.feeds import Moon

_REFRACTION_DEG = 34 / 60
"""How far the air lifts what is on the horizon, by the convention of the almanacs."""

_EARTH_DEG_A_DAY = 361.0
_SUN_DEG_A_DAY = 1.1
_MOON_DEG_A_DAY = 16.0
"""Upper bounds: of the turning of the sky, and of each body's own way across it."""
_PARALLAX = 1.05
"""The share by which the observer, carried along by the Earth, hastens the nearby Moon, at most."""
_SHORTEST_STEP_DAYS = 20 / 86_400
_YEAR_DAYS = 366.0

_PHASE_DEG_A_DAY = 15.0
"""Over the fastest that the Moon gains on the Sun, 14.4; the slowest is 10.7."""
_PHASE_NEAR_DEG = 1e-5
"""As near as a new or full Moon is searched for: a tenth of a second."""

_EPHEM_DAY_0 = datetime(1899, 12, 31, 12, tzinfo=UTC)
_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_END = datetime(2200, 1, 1, tzinfo=UTC)


class MoonServer(ServerBase[Moon, Place]):
    """Phase and tilt of the Moon, and the next risings and settings, for one place."""

    period = timedelta(minutes=5)

    async def fetch(self) -> Moon:
        here = self.config
        # Some milliseconds as a rule, but ten times that in the polar night, and more on a Pi.
        return await self.blocking(sky, here.latitude, here.longitude, self.now())

    def next_update(self, values: Moon) -> datetime:
        """After a period, or as soon as one of the coming moments has come: nobody reads "sets
        18:19" at 18:22."""
        coming = (
            values.next_new,
            values.next_full,
            values.sunrise,
            values.sunset,
            values.moonrise,
            values.moonset,
        )
        return min(self.now() + self.period, *(moment for moment in coming if moment))


def sky(latitude: float, longitude: float, moment: datetime) -> Moon:
    """Everything in ``Moon``, seen from a place (degrees, north and east positive).

    ``moment`` is aware; no time in the answer is before it. What dips below the horizon, or peeps
    over it, for less than 20 s may count as not having crossed it.

    :raises Unavailable: the moment is too far away to be computed well.
    """
    if not _FIRST <= moment < _END:
        raise Unavailable(
            f"the Moon is computed for the years {_FIRST.year} to {_END.year - 1}, but the bus says"
            f" that it is {moment.year}: set the clock of the machine that Redis runs on"
        )
    moment = moment.astimezone(UTC)
    start = (moment - _EPHEM_DAY_0) / timedelta(days=1)

    # Bodies of our own: ephem's next_new_moon() and its like share two in the whole process, and a
    # second MoonServer, for another city, computes in another thread.
    sun, moon, observer = ephem.Sun(), ephem.Moon(), ephem.Observer()
    observer.lat, observer.lon = math.radians(latitude), math.radians(longitude)
    observer.pressure = 0  # no refraction but ours
    # The Moon's axis stands upright on the ecliptic, to within a degree and a half.
    pole = ephem.FixedBody()
    pole._ra, pole._dec = "18:00:00", "66:33:39"

    def height_deg(body: Any, days: float) -> float:
        """How far the upper limb is above the horizon; negative below it."""
        observer.date = start + days
        body.compute(observer)
        return math.degrees(body.alt + body.radius) + _REFRACTION_DEG

    def crossings(body: Any, own_deg_a_day: float) -> tuple[datetime | None, datetime | None]:
        turning_deg_a_day = _EARTH_DEG_A_DAY * abs(math.cos(observer.lat))
        rising, setting = _crossings(
            lambda days: height_deg(body, days),
            fastest_deg_a_day=(turning_deg_a_day + own_deg_a_day) * _PARALLAX,
        )
        return after(rising), after(setting)

    def phase_deg(days: float) -> float:
        return _phase_deg(sun, moon, start + days)

    def after(days: float | None) -> datetime | None:
        return None if days is None else moment + timedelta(days=days)

    sun_up, moon_up = height_deg(sun, 0) >= 0, height_deg(moon, 0) >= 0
    pole.compute(observer)
    tilt_deg, north_deg = _direction_deg(moon, sun), _direction_deg(moon, pole)
    illumination = min(moon.phase / 100, 1.0)
    sunrise, sunset = crossings(sun, _SUN_DEG_A_DAY)
    moonrise, moonset = crossings(moon, _MOON_DEG_A_DAY)
    return Moon(
        phase_deg=phase_deg(0),
        illumination=illumination,
        tilt_deg=tilt_deg,
        north_deg=north_deg,
        moon_up=moon_up,
        sun_up=sun_up,
        next_new=moment + timedelta(days=_days_until(0, phase_deg)),
        next_full=moment + timedelta(days=_days_until(180, phase_deg)),
        sunrise=sunrise,
        sunset=sunset,
        moonrise=moonrise,
        moonset=moonset,
    )


def _crossings(
    height_deg: Callable[[float], float], *, fastest_deg_a_day: float
) -> tuple[float | None, float | None]:
    """The next rising and the next setting, in days from now; None: not within a year.

    ephem's own search follows one circuit of the sky. It raises where a body stays up or down for
    longer, and after seven rounds returns whatever it has where a body only grazes the horizon.
    So we walk: what is h degrees away from the horizon, and never moves faster than f degrees a
    day, cannot cross it within h / f days. Far from the horizon such a step is hours, at the poles
    weeks; near it, 20 seconds. None jumps over a crossing, and what is found is in order.
    """
    found: dict[bool, float] = {}  # by whether it is a rising
    days, height = 0.0, height_deg(0.0)
    while len(found) < 2 and days < _YEAR_DAYS:
        step = max(abs(height) / fastest_deg_a_day, _SHORTEST_STEP_DAYS)
        next_height = height_deg(days + step)
        if (height < 0) != (next_height < 0):
            found[height < 0] = days + step * height / (height - next_height)
        days, height = days + step, next_height
    return found.get(True), found.get(False)


def _days_until(phase: float, phase_deg: Callable[[float], float]) -> float:
    """When the phase is next reached, in days from now.

    Approached from below: each step is too short to pass it, and takes at least 10.7 / 15 of what
    is missing, so that it ends after some 15.
    """
    days = 0.0
    while (missing := (phase - phase_deg(days)) % 360) > _PHASE_NEAR_DEG:
        days += missing / _PHASE_DEG_A_DAY
    return days


def _phase_deg(sun: Any, moon: Any, day: float) -> float:
    """Ecliptic longitude of the Moon less the Sun's: geocentric, apparent, of date."""

    def longitude(body: Any) -> float:
        body.compute(day)
        return float(ephem.Ecliptic(ephem.Equatorial(body.g_ra, body.g_dec, epoch=day)).lon)

    return _circle(math.degrees(longitude(moon) - longitude(sun)))


def _direction_deg(moon: Any, other: Any) -> float:
    """Which way ``other`` is from the Moon, anticlockwise from the zenith, as an observer sees it.

    The middle of the bright limb faces the Sun along a great circle. Position angle less
    parallactic angle gives the same by way of celestial north, which drops out of the difference.
    """
    turn = other.az - moon.az
    right = math.cos(other.alt) * math.sin(turn)
    up = math.sin(other.alt) * math.cos(moon.alt)
    up -= math.cos(other.alt) * math.sin(moon.alt) * math.cos(turn)
    return _circle(math.degrees(math.atan2(-right, up)))


def _circle(deg: float) -> float:
    """0 <= x < 360. Twice, because the remainder of a tiny negative number is rounded to 360."""
    return deg % 360 % 360


if __name__ == "__main__":
    MoonServer.run()
