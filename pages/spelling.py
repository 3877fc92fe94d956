"""How numbers, measures and the calendar are written where there is little room."""

from __future__ import annotations

from typing import Literal, TypeAlias

Units: TypeAlias = Literal["metric", "imperial"]

UNKNOWN = "–"
KM_PER_MILE = 1.609344
# Not strftime's names: they follow whatever locale the process happens to have.
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def degrees(celsius: float | None, units: Units) -> str:
    """In the reader's units."""
    if celsius is None:
        return UNKNOWN
    number = round(celsius * 1.8 + 32 if units == "imperial" else celsius)
    return f"{number}°".replace("-", "−")


def speed(kmh: float, units: Units) -> str:
    return f"{kmh / KM_PER_MILE:.0f} mph" if units == "imperial" else f"{kmh:.0f} km/h"


def compact(number: float) -> str:
    """At most four characters and a sign: "999", "1.2k", "34M"."""
    scaled = number
    for unit in ("", "k", "M", "G", "T"):
        if abs(scaled) < 999.5:
            decimals = 1 if unit and abs(scaled) < 9.95 else 0
            return f"{scaled:z.{decimals}f}{unit}"
        scaled /= 1000
    return f"{number:.0e}"


def spellings(number: float, decimals: int | None) -> list[str]:
    """The same number ever shorter: first as it is wanted, last as few characters as make sense.

    ``decimals`` None: as many as it has, up to twelve digits.
    """
    wanted = f"{number:.12g}" if decimals is None else f"{number:z.{decimals}f}"
    shorter = [f"{number:z.0f}", compact(number)] if abs(number) >= 1 else [f"{number:.1g}"]
    return [wanted, *(each for each in shorter if len(each) < len(wanted))]
