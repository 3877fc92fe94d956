"""What travels: ``Values`` in an ``Update``, and the two rules that both ends share.

*Freshness*: until when an update is good. *Supersedes*: which of two updates wins.
This module knows nothing of Redis, schedules or pages.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Generic

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypeVar

from framework.bustime import AHEAD, from_us


class Values(BaseModel):
    """The payload of one type of update: subclass it, and its class name is the feed's name.

    Unknown fields are ignored, so that a newer service never breaks an older page. Numbers are
    finite: JSON has no others.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    credit: ClassVar[str] = ""
    """Whose data it is, for the panel's web page, if they ask to be named: "Tides by NOAA"."""


V = TypeVar("V", bound=Values, default=Any)


class Freshness(IntEnum):
    """How far an update can be relied on; the larger the worse."""

    FRESH = 0
    LATE = 1
    EXPIRED = 2


def _as_utc(moment: datetime) -> datetime:
    with suppress(OverflowError):
        return moment.astimezone(UTC)
    raise ValueError("in UTC it lies outside the years 1 to 9999")


def _as_z(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


UtcTime = Annotated[
    AwareDatetime,
    AfterValidator(_as_utc),
    PlainSerializer(_as_z, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An aware datetime; on the wire ISO 8601 in UTC with a Z, to the microsecond."""


class Update(BaseModel, Generic[V]):
    """One update of one feed: plain JSON on the wire, unknown names ignored.

    ``{"type": "Tide", "updated": "…Z", "valid": "…Z", "expires": "…Z", "observed": null,
    "values": {…}}``
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    feed: str = Field(alias="type")
    """The name of the ``Values`` class."""
    updated: UtcTime
    """When the fetch began: decides which of two updates is the newer."""
    valid: UtcTime
    """Fresh until then."""
    expires: UtcTime
    """Late until then, afterwards expired."""
    observed: UtcTime | None = None
    """When the source says that it was so; the age shown counts from it."""
    values: V

    @model_validator(mode="after")
    def _in_order(self) -> Update[V]:
        if not self.valid <= self.expires:
            raise ValueError("expires must not be before valid")
        return self

    @property
    def since(self) -> datetime:
        """What the age shown counts from."""
        return self.observed or self.updated

    def freshness(self, now: datetime) -> Freshness:
        """``now`` is the bus's time. What claims to come from the future is never fresh."""
        if now >= self.expires:
            return Freshness.EXPIRED
        if now >= self.valid or self.updated - now > AHEAD:
            return Freshness.LATE
        return Freshness.FRESH

    def to_wire(self) -> bytes:
        """The JSON that is published and stored."""
        return self.model_dump_json(by_alias=True, exclude_none=False).encode()


def unreadable(values: Values) -> str:
    """Why whoever follows could not read ``values`` from the wire; empty: they can."""
    try:
        type(values).model_validate_json(values.model_dump_json(by_alias=True))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except Exception as error:  # it is no JSON, or a validator of the user's breaks
        return f"{type(error).__name__}: {error}"
    return ""


def supersedes(new_us: int, held_us: int | None, now: datetime) -> bool:
    """Whether an update of ``new_us`` replaces the one of ``held_us`` (microseconds since 1970).

    Held and from the future means that a clock was wrong when it was made: whatever comes wins.
    The Lua script of the bus holds the same rule; a test holds the two together.
    """
    return held_us is None or new_us > held_us or from_us(held_us) - now > AHEAD
