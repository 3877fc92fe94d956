"""What a class declares, and what is refused when it is created."""

from __future__ import annotations

from dataclasses import dataclass
from types import new_class
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    Field,
    RootModel,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings
from typing_extensions import TypeAliasType, TypedDict

from framework.config import Config, Place
from framework.config.declared import Declared, declared
from framework.errors import DefinitionError


class TideConfig(Config):
    station: str
    token: SecretStr


class Region(Config, shared=True):
    regions: tuple[str, ...] = ()


# -------------------------------------------------------------------------------------- declaring


def fields(cls: type[BaseModel]) -> dict[str, Declared]:
    return {each.name: each for each in declared(cls)}


def test_a_field_belongs_to_the_class_that_declares_it() -> None:
    class Both(Place, Region):
        station: str
        timezone: str = "Asia/Tokyo"

    shared = {name: each.shared for name, each in fields(Both).items()}
    assert shared == {
        "redis_url": True,
        "timezone": False,  # declared again by a class that is not shared
        "units": True,
        "contact": True,
        "latitude": True,
        "longitude": True,
        "regions": True,
        "station": False,
    }


def test_the_fields_of_a_plain_mixin_are_own() -> None:
    class Mixin(BaseModel):
        stop: str = ""

    class Bus(Mixin, Config):
        pass

    assert not fields(Bus)["stop"].shared


def test_what_is_said_of_a_field() -> None:
    each = fields(TideConfig)
    assert (each["station"].type_text, each["station"].required) == ("str", True)
    assert (each["token"].type_text, each["token"].secret) == ("SecretStr", True)
    assert not each["station"].secret
    assert not each["redis_url"].required


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "str"),
        (str | None, "str | None"),
        (Literal["a.b", 2], "'a.b' or 2"),
        (list[SecretStr], "list[SecretStr]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (dict[str, list[Annotated[int, Field(ge=1)]]], "dict[str, list[int]]"),
        (Any, "Any"),
    ],
)
def test_a_type_as_text(annotation: Any, text: str) -> None:
    class Typed(Config):
        value: annotation

    assert fields(Typed)["value"].type_text == text


def test_the_names_that_a_field_answers_to() -> None:
    class Aliased(Config):
        plain: int = 0
        one: int = Field(default=0, alias="uno")
        many: int = Field(default=0, validation_alias=AliasChoices("viele", "muchos"))

    class ByName(Config, populate_by_name=True):
        one: int = Field(default=0, alias="uno")

    keys = {name: each.keys for name, each in fields(Aliased).items()}
    assert (keys["plain"], keys["one"], keys["many"]) == (("plain",), ("uno",), ("viele", "muchos"))
    assert fields(ByName)["one"].keys == ("uno", "one")


class Server(BaseModel):
    host: str = ""
    password: SecretStr = SecretStr("")


class Plain(BaseModel):
    host: str = ""


class Early(BaseModel):
    host: str = ""

    @model_validator(mode="before")
    @classmethod
    def look(cls, given: Any) -> Any:
        return given


class Root(RootModel[dict[str, str]]):
    pass


def test_only_a_model_that_nothing_looks_into_first_is_merged_by_fields() -> None:
    class Nested(Config):
        plain: Plain = Plain()
        optional: Plain | None = None
        union: Plain | Server = Plain()
        several: tuple[Plain, ...] = ()
        early: Early = Early()
        root: Root = Root({})
        marked: Annotated[Plain, BeforeValidator(lambda given: given)] = Plain()
        decorated: Plain = Plain()

        @field_validator("decorated", mode="before")
        @classmethod
        def look(cls, given: Any) -> Any:
            return given

    merged = {name for name, each in fields(Nested).items() if each.model is Plain}
    assert merged == {"plain", "optional"}
    assert all(each.model in (None, Plain) for each in fields(Nested).values())


@dataclass
class Account:
    user: str
    password: SecretStr


class Entry(TypedDict):
    password: SecretStr


class Row(NamedTuple):
    password: SecretStr


type_alias = TypeAliasType("type_alias", list[SecretStr])


@pytest.mark.parametrize(
    "annotation",
    [
        SecretStr | None,
        list[SecretStr],
        dict[str, list[SecretStr]],
        Server,
        list[Server],
        Account,
        Entry,
        Row,
        type_alias,
        tuple[int, Account | None],
    ],
)
def test_a_secret_is_found_however_deep(annotation: Any) -> None:
    class Deep(Config):
        value: annotation

    assert fields(Deep)["value"].secret


# ------------------------------------------------------------------------------------- refusing


class Settings(BaseSettings):
    host: str = ""


class HoldsSettings(BaseModel):
    inside: list[Settings] = []


class Loose(BaseModel, extra="allow"):
    pass


class Tree(BaseModel):
    branches: list[Tree] = []


class Under(BaseModel):
    a__b: int = 0


def refused(name: str, annotation: Any, default: Any = None, **keywords: Any) -> str:
    namespace = {"__annotations__": {name: annotation}, name: default, "__module__": __name__}
    with pytest.raises(DefinitionError) as caught:
        new_class("Refused", (Config,), keywords, lambda body: body.update(namespace))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "annotation", "default", "why"),
    [
        ("x", str, Field(default="", validation_alias=AliasPath("a", 0)), "AliasPath"),
        (
            "x",
            str,
            Field(default="", validation_alias=AliasChoices("x", AliasPath("a", 0))),
            "AliasPath",
        ),
        ("x", HoldsSettings, None, "reads sources of its own"),
        ("x", Loose | None, None, 'extra="allow"'),
        ("x", Tree, None, "holds itself"),
        ("a__b", int, 0, "between the parts"),
        ("x", int, Field(default=0, alias="a__b"), "between the parts"),
        ("x", int, Field(default=0, alias="_b"), "between the parts"),
        ("x", dict[str, Under], None, "between the parts"),
        ("Units", str, "", "two fields answer to"),
    ],
)
def test_what_no_source_could_fill_is_refused(
    name: str, annotation: Any, default: Any, why: str
) -> None:
    said = refused(name, annotation, default)
    assert why in said
    assert said.startswith(f"Refused.{name}")


def test_extra_names_are_refused() -> None:
    assert 'extra="allow"' in refused("x", int, 0, extra="allow")


@pytest.mark.parametrize(
    "annotation", [Plain, Plain | None, dict[str, str], Account, Entry, Any, object, int | Root]
)
def test_a_shared_field_is_a_scalar_or_a_list(annotation: Any) -> None:
    assert "always a section" in refused("x", annotation, None, shared=True)


@pytest.mark.parametrize("annotation", [str, int | None, list[str], Literal["a"], SecretStr])
def test_scalars_and_lists_may_be_shared(annotation: Any) -> None:
    class Shared(Config, shared=True):
        value: annotation = None

    assert fields(Shared)["value"].shared


def test_the_name_of_the_file_is_no_shared_field() -> None:
    assert "MATRIX_TOML" in refused("toml", str, "", shared=True)


class Late(Config):
    later: Later | None = None


class Later(BaseModel, extra="allow"):
    pass


def test_a_class_is_checked_once_what_it_refers_to_exists() -> None:
    with pytest.raises(DefinitionError, match='extra="allow"'):
        declared(Late)


def test_what_never_exists_is_named() -> None:
    class Never(Config):
        value: Missing  # type: ignore[name-defined]  # noqa: F821  # that is what is tested

    with pytest.raises(DefinitionError, match="refers to Missing"):
        declared(Never)


def test_a_misspelt_class_keyword_is_refused() -> None:
    with pytest.raises(TypeError):
        new_class("Misspelt", (Config,), {"shard": True})
