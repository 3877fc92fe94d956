"""``Config`` and ``Place``: subclass one, and declare what your service or page can be told.

Their constructors read nothing. Where the values come from is left to ``loading``, what a class may
declare to ``declared``.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, Unpack
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from framework.config.declared import check_class
from framework.config.place import is_timezone, spot_of

OWN_ERRORS = frozenset({"matrix_timezone", "matrix_redis_url", "matrix_place", "matrix_contact"})
"""Errors whose message is a constant of this file, and so may be shown."""


def _known_timezone(name: str) -> str:
    if not is_timezone(name):
        raise PydanticCustomError(
            "matrix_timezone", "is not in the IANA time zone database: write one as Europe/Berlin"
        )
    return name


def _redis_scheme(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://")):
        raise PydanticCustomError("matrix_redis_url", "must begin with redis:// or rediss://")
    return url


def _fit_for_a_header(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise PydanticCustomError("matrix_contact", "must be one line of ASCII: a mail address")
    return text


class Config(BaseModel):
    """What a service or a page can be told; subclass it and declare fields.

    The constructor reads no source, so it is fit for tests: ``TideConfig(station="x")``. The fields
    of a subclass are its own, unless it says ``shared=True``: those are then also looked for at the
    top level, where every instance finds them, and must be scalars or lists.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    _shared: ClassVar[bool] = True

    redis_url: Annotated[SecretStr, AfterValidator(_redis_scheme)] = SecretStr(
        "redis://127.0.0.1:6379/0"
    )
    """The bus, ``redis://`` or, over TLS, ``rediss://``. It may hold a password."""
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    """Of the panel, as the IANA database names it: ``Europe/Berlin``."""
    units: Literal["metric", "imperial"] = "metric"
    """What pages write; what travels is metric always."""
    contact: Annotated[str, Field(max_length=200), AfterValidator(_fit_for_a_header)] = ""
    """Whom a source of data may write to, if it is asked too often: an address. It is sent to all
    of them; some, as MET Norway, refuse who has none."""

    def __init_subclass__(cls, *, shared: bool = False, **kw: Unpack[ConfigDict]) -> None:
        super().__init_subclass__(**kw)
        cls._shared = shared

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        check_class(cls)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that ``timezone`` names."""
        return ZoneInfo(self.timezone)


def _latitude_of_zone(validated: dict[str, Any]) -> float:
    return spot_of(validated.get("timezone", "")).latitude


def _longitude_of_zone(validated: dict[str, Any]) -> float:
    return spot_of(validated.get("timezone", "")).longitude


class Place(Config, shared=True):
    """A ``Config`` that knows where the panel hangs; by default in the city of its time zone."""

    latitude: float = Field(default_factory=_latitude_of_zone, ge=-90, le=90)
    """In degrees, north is positive."""
    longitude: float = Field(default_factory=_longitude_of_zone, ge=-180, le=180)
    """In degrees, east is positive."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        missing = {"latitude", "longitude"} - self.model_fields_set
        if len(missing) == 1:
            why = PydanticCustomError(
                "matrix_place",
                "is missing: latitude and longitude belong together, set both or neither",
            )
            raise ValidationError.from_exception_data(
                type(self).__name__, [{"type": why, "loc": (missing.pop(),), "input": None}]
            )
        return self
