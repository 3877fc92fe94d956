"""What all of Open-Meteo's interfaces have in common: how they are asked, and read.

Sources: https://open-meteo.com/en/docs, and ``openapi/`` in the repository open-meteo/open-meteo.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

from framework import Place


def place_params(place: Place) -> dict[str, object]:
    """For which place, whose own days are meant, and that a ``Moment`` is what we read."""
    where = {"latitude": place.latitude, "longitude": place.longitude}
    return {**where, "timezone": "auto", "timeformat": "unixtime"}


Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
]
"""Seconds since 1970."""


def _rows(table: object) -> object:
    """``{"time": [1, 2], "code": [3, 4]}`` as rows. What it is not is left to the row's model."""
    if not isinstance(table, dict):
        return table
    columns = {name: column for name, column in table.items() if isinstance(column, list)}
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("its columns are not of one length")
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


ByColumns = BeforeValidator(_rows)
"""``Annotated[list[Hour], ByColumns]``: a table that is sent by its columns."""
