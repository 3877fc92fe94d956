"""How bright the panel is to be, by the time of day and by the Sun. Pure: time comes in.

A table says from when on which level holds, each until the next: ``{sunrise = 80, sunset = 20,
"23:00" = 0}``. Levels are percent; 0 is dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticKnownError

from framework.extras import needed_by

if TYPE_CHECKING:  # every command reads [panel], and few of them need what places need
    from framework.config.place import Spot

FULL = 100
DAY = timedelta(days=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_ALIASES = {"day": "sunrise", "night": "sunset"}
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_HORIZON_DEG = -34 / 60
"""Where the Sun's upper limb is seen on the horizon: the air lifts it by so much."""


def levels(value: object) -> Mapping[str, int]:
    """``[panel] brightness`` as a table: a number is one that holds all day."""
    table: dict[Any, Any] = value if isinstance(value, dict) else {"00:00": value}
    named = {_ALIASES.get(moment, moment): level for moment, level in table.items()}
    if not 0 < len(named) == len(table) or not all(
        _is_moment(moment) and type(level) is int and 0 <= level <= FULL
        for moment, level in named.items()
    ):
        expected = '0 to 100, or by the time: {sunrise = 80, sunset = 20, "23:00" = 0}'
        raise PydanticKnownError("literal_error", {"expected": expected})
    return named


def level_at(table: Mapping[str, int], now: datetime, spot: Spot) -> int:
    """The level that holds ``now``, which is aware and in the zone whose hours are meant."""
    began = {_last(moment, now, spot): level for moment, level in table.items()}
    return began[max(began)]


def _is_moment(moment: object) -> bool:
    return isinstance(moment, str) and (
        moment in _ALIASES.values() or _TIME.fullmatch(moment) is not None
    )


def _last(moment: str, now: datetime, spot: Spot) -> datetime:
    """When it was last ``moment``."""
    at = _TIME.fullmatch(moment)
    if at is None:
        return _last_crossing(moment, now, spot)
    today = now.replace(hour=int(at[1]), minute=int(at[2]), second=0, microsecond=0)
    return max(each for day in (today, today - DAY) for each in _instants(day) if each <= now)


def _instants(shown: datetime) -> Iterator[datetime]:
    """When the clocks show that: twice in an hour that they repeat. In one that they skip, as long
    after it as it would be in it."""
    first, second = (shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    yield first
    if second > first:
        yield second


def _last_crossing(moment: str, now: datetime, spot: Spot) -> datetime:
    """When the Sun last rose or set. Where it stays up, each day of it begins when it is lowest;
    where it stays down, each night when it would be highest: a clock time in the table still has
    its turn, and does not hold for months."""
    ephem = sun_tables()
    observer, sun = ephem.Observer(), ephem.Sun()
    observer.lat, observer.lon = math.radians(spot.latitude), math.radians(spot.longitude)
    observer.pressure, observer.horizon = 0, math.radians(_HORIZON_DEG)
    observer.date = now.astimezone(UTC).replace(tzinfo=None)
    rises = moment == "sunrise"
    try:
        found = observer.previous_rising(sun) if rises else observer.previous_setting(sun)
    except ephem.AlwaysUpError:
        if not rises:
            return _LONG_AGO
        found = observer.previous_antitransit(sun)
    except ephem.NeverUpError:
        if rises:
            return _LONG_AGO
        found = observer.previous_transit(sun)
    moment_utc: datetime = found.datetime()
    return moment_utc.replace(tzinfo=UTC)


def sun_tables() -> Any:
    """ephem, which is needed only where the brightness follows the Sun.

    :raises ConfigError: it is not installed.
    """
    with needed_by("[panel] brightness that follows the Sun", "panel"):
        import ephem
    return ephem
