"""Where a time zone is: its city and coordinates, from the tables that the tzdata package ships.

Responsible for reading those tables, and for the name of the time zone that a machine is set to.
Whether a place is used at all is the business of ``config.Place``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Spot:
    """A named point on Earth, in degrees; north and east are positive."""

    name: str
    latitude: float
    longitude: float


GREENWICH = Spot("Greenwich", 51.4779, 0.0)
"""Where a time zone without a city is."""


def spot_of(timezone: str) -> Spot:
    """The city that gives ``timezone`` its name; of an old name, the city of what replaced it.

    A zone that belongs to no city (UTC, Etc/GMT+3) or that nobody knows is Greenwich.
    """
    cities = _cities()
    return cities.get(timezone) or cities.get(_links().get(timezone, "")) or GREENWICH


def is_timezone(name: str) -> bool:
    """Whether ``name`` is in the IANA time zone database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a relative path, a folder (Europe)
        return False
    return True


def machine_timezone(environ: Mapping[str, str], etc: Path = Path("/etc")) -> str | None:
    """The name of the machine's time zone: ``TZ``, then what ``/etc`` says; None if none does."""
    for candidate in (
        environ.get("TZ", ""),
        _link_target(etc / "localtime"),
        _line(etc / "timezone"),
    ):
        # TZ may begin with a colon; it and the link may be a path into the database.
        name = candidate.removeprefix(":").rpartition("zoneinfo/")[2]
        name = name.removeprefix("posix/").removeprefix("right/")
        if name and is_timezone(name):
            return name
    return None


@cache
def _cities() -> dict[str, Spot]:
    """By the names of the zones. zone.tab has a row for each country's zones, zone1970.tab not."""
    rows = (line.split("\t") for line in _table("zone.tab") if not line.startswith("#"))
    return {
        zone: Spot(zone.rpartition("/")[2].replace("_", " "), *_coordinates(where))
        for _country, where, zone, *_comment in rows
    }


@cache
def _links() -> dict[str, str]:
    """Old names to what replaced them: lines ``L TARGET NAME``."""
    rows = (line.split() for line in _table("tzdata.zi") if line.startswith("L "))
    return {name: target for _, target, name in rows}


def _table(name: str) -> list[str]:
    return files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8").splitlines()


_ISO_6709 = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?")


def _coordinates(text: str) -> tuple[float, float]:
    """ISO 6709 as in the tables: ``+DDMM+DDDMM`` or ``+DDMMSS+DDDMMSS``."""
    match = _ISO_6709.fullmatch(text)
    if match is None:
        raise ValueError(f"not a position: {text!r}")
    part = match.groups("0")
    return _degrees(*part[:4]), _degrees(*part[4:])


def _degrees(sign: str, degrees: str, minutes: str, seconds: str) -> float:
    size = int(degrees) + int(minutes) / 60 + int(seconds) / 3600
    return round(-size if sign == "-" else size, 4)


def _link_target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
