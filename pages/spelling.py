"""How numbers are written where there is little room."""

from __future__ import annotations


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
