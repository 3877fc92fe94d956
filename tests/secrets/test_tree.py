"""What is declared, as a tree; and that a class finds in the pruned document what it did in all."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NewType, NotRequired, Required

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    RootModel,
    Secret,
    SecretStr,
    Tag,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypeAliasType, TypedDict

from framework.config import Config, Place
from framework.config.loading import load
from framework.config.sources import Document, Sources
from framework.errors import ConfigError
from framework.secrets.prune import Tree, prune
from framework.secrets.tree import tree_of

ALL: dict[str, Any] = {"all": True}


class Server(BaseModel):
    host: str
    port: int = 80
    password: SecretStr = SecretStr("")


class Strict(BaseModel, extra="forbid"):
    a: int = 0
    b: list[str] = Field(default_factory=list)


class Loose(BaseModel):
    a: str = ""
    c: Strict | None = None


class Looking(BaseModel):
    a: str = ""

    @model_validator(mode="before")
    @classmethod
    def look(cls, value: Any) -> Any:
        return {"a": str(value)}


class Own(BaseModel):
    a: str = ""

    def __init__(self, **given: Any) -> None:
        super().__init__(a=str(given))


class Lines(RootModel[list[str]]): ...


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Odd(Enum):
    PAIR = (1, 2)


@dataclass
class Row:
    a: str
    kind: ClassVar[str] = "row"


class Typed(TypedDict):
    a: Required[str]
    b: NotRequired[Annotated[list[Row], Field(max_length=2)]]


class Pair(NamedTuple):
    a: str
    b: Row | None = None


@dataclass
class Renamed:
    a: Annotated[str, Field(alias="x")]


class RenamedInTyped(TypedDict):
    a: NotRequired[Annotated[str, Field(validation_alias="x")]]


@dataclass
class Default:
    a: str = Field(default="", alias="x")


@dataclass
class Validated:
    a: str = ""

    @field_validator("a", mode="before")
    @classmethod
    def look(cls, value: Any) -> str:
        return str(value)


@pydantic_dataclass
class OfPydantic:
    a: str = ""


class Configured(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # as pydantic has it
    a: str


class OfConfigured(Configured):
    b: str


class More(TypedDict, extra_items=str):  # type: ignore[call-arg]  # newer than mypy
    a: str


Word = NewType("Word", str)
Words = TypeAliasType("Words", list[Word])
Nest = TypeAliasType("Nest", list["Nest"])  # type: ignore[misc]  # it refers to itself


def _tag(value: Any) -> str:
    return "loose" if isinstance(value, dict) and "x" in value else "strict"


def node(annotation: Any) -> dict[str, Any]:
    """Of a field that is so annotated."""

    class Some(Config):
        some: annotation = None

    found: dict[str, Any] = tree_of([(Some, "x")]).own["x"]["some"]
    return found


SERVER = {"fields": {"host": {}, "port": {}, "password": {}}, "strict": False}
STRICT: dict[str, Any] = {"fields": {"a": {}, "b": {"items": {}}}, "strict": True}
ROW = {"fields": {"a": {}}, "strict": True}
TYPED = {"fields": {"a": {}, "b": {"items": ROW}}, "strict": True}
PAIR = {"fields": {"a": {}, "b": ROW}, "strict": True}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {}),
        (SecretStr, {}),
        (date | None, {}),
        (Literal["a", 1], {}),
        (Colour, {}),
        (Path, {}),
        (Annotated[int, Field(ge=1)], {}),
        (Annotated[str, AfterValidator(str.lower)], {}),
        (Word, {}),
        (Secret[list[str]], {"items": {}}),
        (list[str], {"items": {}}),
        (tuple[int, ...], {"items": {}}),
        (Sequence[Server], {"items": SERVER}),
        (Words, {"items": {}}),
        (dict[str, list[int]], {"values": {"items": {}}}),
        (Mapping[str, Server], {"values": SERVER}),
        (Server | None, SERVER),
        (Strict, STRICT),
        (
            Strict | Loose,
            {
                "fields": {"a": {}, "b": {"items": {}}, "c": STRICT},
                "strict": True,
            },
        ),
        (str | list[Server], {"items": SERVER}),
        (
            dict[str, list[str]] | Strict,
            {
                "values": {"items": {}},
                "fields": {"a": {"items": {}}, "b": {"items": {}}},
                "strict": False,
            },
        ),
        (Any, ALL),
        (object, ALL),
        (list, ALL),
        (dict, ALL),
        (OrderedDict[str, str], ALL),
        (Row, ROW),
        (Typed, TYPED),
        (Pair, {**PAIR, "items": {"fields": {"a": {}}, "strict": True}}),
        (dict[str, list[Row]], {"values": {"items": ROW}}),
        (Row | Strict, {**STRICT, "fields": {**STRICT["fields"], "b": {"items": {}}}}),
        (Renamed, ALL),
        (RenamedInTyped, ALL),
        (Default, ALL),
        (Validated, ALL),
        (OfPydantic, ALL),
        (Configured, ALL),
        (OfConfigured, ALL),
        pytest.param(More, ALL, marks=pytest.mark.filterwarnings("ignore:TypedDict class")),
        (Lines, ALL),
        (Looking, ALL),
        (Own, ALL),
        (Odd, ALL),
        (str | Looking, ALL),
        (list[Looking], {"items": ALL}),
        (Annotated[str, BeforeValidator(str)], ALL),
        (list[Annotated[str, BeforeValidator(str)]], {"items": ALL}),
        (Json[list[int]], ALL),
        (Nest, {"items": ALL}),
        (
            Annotated[
                Annotated[Strict, Tag("strict")] | Annotated[Loose, Tag("loose")],
                Discriminator(_tag),
            ],
            ALL,
        ),
    ],
)
def test_what_may_stand_there(annotation: Any, expected: dict[str, Any]) -> None:
    assert node(annotation) == expected


def test_whatever_a_validator_of_the_class_may_look_at_is_kept() -> None:
    class OneField(Config):
        a: str = ""
        b: str = ""

        @field_validator("a", mode="before")
        @classmethod
        def look(cls, value: Any) -> str:
            return str(value)

    class Whole(Config):
        a: str = ""

        @model_validator(mode="before")
        @classmethod
        def look(cls, value: Any) -> Any:
            return value

    own = tree_of([(OneField, "x"), (Whole, "y")]).own
    assert (own["x"]["a"], own["x"]["b"], own["y"]["a"]) == (ALL, {}, ALL)


def test_a_generator_of_aliases_renames_what_is_in_a_dataclass_too() -> None:
    class Camel(Config, alias_generator=str.upper):
        row: Row | None = None

    class Some(Config):
        camel: Camel | None = None

    fields = tree_of([(Some, "x")]).own["x"]["camel"]["fields"]
    assert fields["ROW"] == ALL
    config = Some.model_validate({"camel": {"ROW": {"A": "x"}}})
    assert config.camel
    assert config.camel.row == Row("x")


def test_instances_and_what_they_share() -> None:
    class Region(Config, shared=True):
        regions: list[str] = Field(default_factory=list)

    class TideConfig(Region):
        old: str = Field(default="", validation_alias=AliasChoices("neu", "alt"))

    tree = tree_of([(TideConfig, "Harbour-2"), (Place, "moon")])
    assert tree.own.keys() == {"harbour_2", "moon"}
    assert tree.own["harbour_2"].keys() - tree.own["moon"].keys() == {"regions", "neu", "alt"}
    assert tree.own["moon"].keys() - tree.own["harbour_2"].keys() == {"latitude", "longitude"}
    assert tree.shared.keys() == {
        *("redis_url", "timezone", "units", "contact", "latitude", "longitude", "regions")
    }
    sent = json.loads(json.dumps(asdict(tree)))
    assert Tree(**sent) == tree


# --------------------------------------------------------------------------------- what it keeps

TREE = Tree(
    own={"tide": {"token": {}, "server": SERVER, "tags": {"items": {}}, "stationId": {}}},
    shared={"latitude": {}, "tags": {"items": {}}},
)


def test_nothing_else_is_kept() -> None:
    document = {
        "Tide": {
            "token": "t",
            "other": "x",
            "server": {"host": "h", "other": "x"},
            "tags": ["a", {"x": "x"}, ["x"]],
        },
        "moon": {"token": "x"},
        "latitude": 5,
        "token": "x",
    }
    assert prune(document, TREE) == {
        "Tide": {"token": "t", "server": {"host": "h"}, "tags": ["a", {}, []]},
        "latitude": 5,
    }


def test_no_section_leaves_under_the_name_of_a_scalar_or_a_list() -> None:
    document = {"latitude": {"x": "x"}, "tags": {"x": "x"}, "tide": {"token": {"x": "x"}}}
    assert prune(document, TREE) == {"latitude": {}, "tags": {}, "tide": {"token": {}}}
    assert prune({"latitude": ["x"], "tide": "x"}, TREE) == {"latitude": [], "tide": None}


def test_in_texts_what_is_more_than_a_scalar_is_json() -> None:
    document = {
        "tide": {"token": "[1]", "server": '{"host": "h", "x": 1}', "tags": '["a"]'},
        "tags": "no JSON",
    }
    assert prune(document, TREE, texts=True) == {
        "tide": {"token": "[1]", "server": {"host": "h"}, "tags": ["a"]},
        "tags": "no JSON",
    }


def test_in_texts_keys_are_found_in_lower_case() -> None:
    document = {"tide": {"stationid": "s", "server": {"host": "h"}}}
    assert prune(document, TREE, texts=True) == {
        "tide": {"stationId": "s", "server": {"host": "h"}}
    }
    assert prune(document, TREE)["tide"].keys() == {"server"}


# ---------------------------------------------------------------------------------- the property


class Everything(Place):
    text: str = ""
    secret: SecretStr = SecretStr("")
    number: Decimal | int = 0
    when: date | None = None
    colour: Colour = Colour.RED
    odd: Odd | None = None
    pick: Literal["a", 1] = "a"
    server: Server | None = None
    strict: Strict | Loose | None = None
    looses: list[Loose] = Field(default_factory=list)
    strings: dict[str, str] | list[str] | str = ""
    mixed: dict[str, Strict] | Strict | None = None
    tagged: (
        Annotated[
            Annotated[Strict, Tag("strict")] | Annotated[Loose, Tag("loose")], Discriminator(_tag)
        ]
        | None
    ) = None
    looking: Looking | None = None
    lower: Annotated[str, BeforeValidator(str)] = ""
    anything: Any = None
    row: Row | None = None
    typed: Typed | None = None
    pair: Pair | None = None
    pairs: list[Pair | Row | Strict] = Field(default_factory=list)
    lines: Lines | None = None
    old: int = Field(default=0, validation_alias=AliasChoices("neu", "alt"))


FIELDS = st.sampled_from([*Everything.model_fields, "neu", "alt", "undeclared"])
SCALARS = st.sampled_from(["", "a", "red", "2026-01-01", "5", 0, 1, 2, -1.5, True, None, "UTC"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*"abcx", "host", "port"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SECTIONS = st.dictionaries(FIELDS, VALUES, min_size=1, max_size=4)
DOCUMENTS = st.builds(
    lambda shared, sections: shared | sections,
    st.dictionaries(FIELDS, VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["here", "HERE", "there"]), SECTIONS | SCALARS, max_size=2),
)


def outcome(document: Mapping[str, Any]) -> Any:
    try:
        loaded = load(Everything, "here", sources=Sources(secrets=(Document(document),)))
    except ConfigError as error:
        return str(error)
    # Of a union pydantic may warn that it dumps another member than it looked at first.
    dumped = loaded.config.model_dump(warnings=False)
    return dumped, loaded.config.model_fields_set, dict(loaded.origins)


EVERYTHING = tree_of([(Everything, "here")])


@settings(max_examples=400)
@given(DOCUMENTS)
def test_a_class_finds_in_the_pruned_document_what_it_found_in_all_of_it(
    document: dict[str, Any],
) -> None:
    pruned = prune(document, EVERYTHING)
    assert outcome(pruned) == outcome(document)
    assert prune(pruned, EVERYTHING) == pruned
