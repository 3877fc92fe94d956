"""What all of Open-Meteo's interfaces have in common: how they are asked, and read.

Sources: https://open-meteo.com/en/docs, and ``openapi/`` in the repository open-meteo/open-meteo.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
)
from pydantic_core import PydanticCustomError

from framework import Place
from services.jsonkind import kind


def place_params(place: Place) -> dict[str, object]:
    """For which place, whose own days are meant, and that a ``Moment`` is what we read."""
    where = {"latitude": place.latitude, "longitude": place.longitude}
    return {**where, "timezone": "auto", "timeformat": "unixtime"}


Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
]
"""Seconds since 1970."""


class Row(BaseModel):
    """What is so at one time: all of it numbers, or null."""

    time: Moment

    @field_validator("*", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        """pydantic would take true and "4.2" for numbers, and say of NaN that it is too large."""
        found = kind(value)
        if found in ("a number", "null"):
            return value
        raise PydanticCustomError(
            "number", "Input should be a number, not {found}", {"found": found}
        )


R = TypeVar("R", bound=Row)


def _rows(table: object) -> object:
    """``{"time": [1, 2], "code": [3, 4]}`` as rows. What it is not is left to the row's model."""
    if not isinstance(table, dict):
        return table
    columns = {name: column for name, column in table.items() if isinstance(column, list)}
    if len({len(column) for column in columns.values()}) > 1:
        raise PydanticCustomError("table", "its columns are not of one length")
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _ascending(rows: list[R]) -> list[R]:
    if all(row.time < later.time for row, later in pairwise(rows)):
        return rows
    raise PydanticCustomError("table", "its times do not ascend")


Table = Annotated[list[R], BeforeValidator(_rows), AfterValidator(_ascending)]
"""``Table[Hour]``: rows from the earliest to the latest, which are sent by their columns."""
