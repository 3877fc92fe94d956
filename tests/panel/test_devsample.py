"""Sample values: what the author says, else what is plausible, and always valid."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

import pytest
from pydantic import AwareDatetime, Field

from framework.errors import ConfigError
from framework.panel.dev.sample import sample
from framework.update import Values
from services import feeds

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PUBLISHED = [
    each
    for each in vars(feeds).values()
    if isinstance(each, type) and issubclass(each, Values) and each is not Values
]


class Hour(Values):
    at: AwareDatetime
    on: date
    level_m: float
    trend: str = Field(examples=["rising", "falling"])


class Branch(Values):
    name: str
    branches: tuple[Branch, ...]
    root: Branch | None


class Tide(Values):
    height_m: float = Field(examples=[1.84])
    unit: str = "m"
    kind: Literal["high", "low"]
    share: float = Field(ge=0, le=1)
    depth_m: float = Field(gt=100)
    frost_c: int = Field(lt=-3)
    tag: str = Field(max_length=2)
    code: str = Field(min_length=9)
    note: str | None = None
    within: timedelta
    hours: tuple[Hour, ...] = Field(max_length=12)
    pair: tuple[int, str]
    tree: Branch


def test_it_is_as_the_model_says() -> None:
    tide = sample(Tide, AT)
    assert isinstance(tide, Tide)
    assert (tide.height_m, tide.unit, tide.kind) == (1.84, "m", "high")
    assert (tide.tag, tide.code, tide.note) == ("Ta", "Code.....", "Note")
    assert [hour.at for hour in tide.hours] == [AT + timedelta(hours=each) for each in range(12)]
    assert [hour.trend for hour in tide.hours] == ["rising", "falling"] * 6
    assert len({hour.level_m for hour in tide.hours}) == 12


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.__name__)
def test_there_is_one_of_all_that_our_services_publish(model: type[Values]) -> None:
    assert isinstance(sample(model, AT), model)


def test_what_cannot_be_made_up_is_asked_for() -> None:
    class Ship(Values):
        call_sign: Annotated[str, Field(pattern="^[A-Z]{4}$")]

    with pytest.raises(ConfigError, match=r"Ship \(call_sign: .*Field\(examples=.*--values"):
        sample(Ship, AT)
