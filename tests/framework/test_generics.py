"""Type parameters are read when a class is created, however it got them."""

from __future__ import annotations

from datetime import timedelta
from typing import Generic

import pytest
from typing_extensions import TypeVar

from framework.config import Config
from framework.display import DisplayBase
from framework.errors import DefinitionError
from framework.feed import Feed
from framework.server import ServerBase
from framework.update import Values


class Tide(Values):
    height_m: float


class Wind(Values):
    speed_ms: float


class TideConfig(Config):
    station: str


V = TypeVar("V", bound=Values)
C = TypeVar("C", bound=Config, default=Config)
K = TypeVar("K", bound=Config)


class Base(ServerBase[V, C]):
    """Generic still: it fixes nothing."""


class Swapped(ServerBase[V, K], Generic[K, V]):
    """Its parameters are in another order than its base's."""


class OnlyValues(ServerBase[V, TideConfig]):
    """One is fixed, one is open."""


def fetches(value: Values) -> dict[str, object]:
    async def fetch(self: object) -> Values:
        return value

    return {"fetch": fetch}


@pytest.mark.parametrize(
    ("base", "values", "config"),
    [
        (ServerBase[Tide], Tide, Config),
        (ServerBase[Tide, TideConfig], Tide, TideConfig),
        (Base[Tide], Tide, Config),
        (Base[Tide, TideConfig], Tide, TideConfig),
        (Swapped[TideConfig, Wind], Wind, TideConfig),
        (OnlyValues[Wind], Wind, TideConfig),
    ],
)
def test_every_way_to_give_them(base: type, values: type, config: type) -> None:
    import types

    made = types.new_class(
        "Made", (base,), exec_body=lambda body: body.update(fetches(Tide(height_m=1)))
    )
    assert made.values is values  # type: ignore[attr-defined]  # made at run time
    assert made.config_class is config  # type: ignore[attr-defined]  # a class made here

    class Sub(made):  # type: ignore[misc, valid-type]  # made at run time
        """A plain subclass has what its parent has."""

    assert (Sub.values, Sub.config_class) == (values, config)


def test_a_service_that_does_not_say_what_it_publishes_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"Nothing: say what it publishes"):

        class Nothing(ServerBase):  # type: ignore[type-arg]  # this is the mistake
            pass


def test_a_name_instead_of_a_class_is_refused() -> None:
    with pytest.raises(DefinitionError, match="exists already"):

        class Early(ServerBase["Later"]):  # type: ignore[name-defined]  # the mistake
            pass


def test_what_is_no_values_is_refused() -> None:
    with pytest.raises(DefinitionError, match="subclass of Values"):

        class Wrong(ServerBase[dict]):  # type: ignore[type-arg, type-var]  # the mistake
            pass


def test_a_page_with_and_without_configuration() -> None:
    class Plain(DisplayBase):
        tide = Feed(Tide)

        def draw(self, canvas: object, now: object) -> None: ...

    class Configured(DisplayBase[TideConfig]):
        def draw(self, canvas: object, now: object) -> None: ...

    class TidePage(Plain):
        wind = Feed(Wind, required=False)

    assert Plain.config_class is Config
    assert Configured.config_class is TideConfig
    assert list(TidePage.feeds) == ["tide", "wind"]
    assert (Plain.title, TidePage.title) == ("Plain", "Tide")


def test_a_feed_of_what_is_no_values_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"BadPage\.tide: a Feed takes a subclass of Values"):

        class BadPage(DisplayBase):
            tide = Feed(dict)  # type: ignore[type-var]  # the mistake

            def draw(self, canvas: object, now: object) -> None: ...


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", 0),
        ("seconds", float("nan")),
        ("seconds", timedelta(seconds=10)),
        ("fps", -1),
        ("fps", float("inf")),
        ("fps", None),
    ],
)
def test_a_page_of_no_time_is_refused(name: str, value: object) -> None:
    with pytest.raises(DefinitionError, match=rf"^Fast\.{name} must be a number"):
        type("Fast", (DisplayBase,), {name: value})
