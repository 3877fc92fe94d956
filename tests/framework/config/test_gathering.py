"""Gathering: precedence, sections, merging, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Field, SecretStr

from framework.config import Config
from framework.config.loading import Loaded, load
from framework.config.sources import Document, Sources


class Server(BaseModel):
    host: str
    port: int = 80
    password: SecretStr = SecretStr("")


class Gauge(BaseModel):
    depth: int = 0


class Level(BaseModel):
    height: int = 0


class TideConfig(Config):
    station: str = "by default"
    token: SecretStr = SecretStr("by default")
    server: Server | None = None
    either: Gauge | Level | None = None
    tags: list[str] = Field(default_factory=list)
    headers: dict[str, str] = Field(default_factory=dict)
    old: int = Field(default=0, validation_alias=AliasChoices("neu", "alt"))


def given_secrets(table: Mapping[str, object]) -> tuple[Document, ...]:
    return (Document(table),)


def loaded(name: str = "tide", **sources: Any) -> Loaded[TideConfig]:
    return load(TideConfig, name, sources=Sources(**sources))


# ------------------------------------------------------------------------------------ precedence

OWN = ("argument", "environment", "secrets", "config")


@given(st.sets(st.sampled_from(OWN)))
def test_the_first_source_that_has_an_own_field_wins(having: set[str]) -> None:
    given: dict[str, Any] = {source: {"tide": {"station": source}} for source in having}
    got = load(
        TideConfig,
        "tide",
        arguments=given.get("argument", {}).get("tide"),
        sources=Sources(
            environ={"MATRIX_TIDE__STATION": "environment"} if "environment" in having else {},
            secrets=given_secrets(given.get("secrets", {})),
            table=given.get("config", {}),
        ),
    )
    expected = next((source for source in OWN if source in having), "default")
    assert got.origins["station"].source == expected
    assert got.config.station == (expected if having else "by default")


SHARED = (
    ("argument", "argument timezone"),
    ("environment", "environment MATRIX_TIDE__TIMEZONE"),
    ("environment", "environment MATRIX_TIMEZONE"),
    ("secrets", "tide.timezone in the secrets"),
    ("secrets", "timezone in the secrets"),
    ("config", "[config.tide] timezone in matrix.toml"),
    ("config", "[config] timezone in matrix.toml"),
    ("machine", "the machine's time zone"),
)
ZONES = (
    *("Asia/Tokyo", "Europe/Berlin", "Europe/Paris", "Asia/Kolkata"),
    *("America/Lima", "Asia/Dubai", "Europe/Rome", "Africa/Cairo"),
)


@given(st.sets(st.integers(0, len(SHARED) - 1)))
def test_a_shared_field_is_looked_for_in_the_section_then_at_the_top(having: set[int]) -> None:
    def table(section: int, top: int) -> dict[str, object]:
        inside = {"tide": {"timezone": ZONES[section]}} if section in having else {}
        return inside | ({"timezone": ZONES[top]} if top in having else {})

    names = {1: "MATRIX_TIDE__TIMEZONE", 2: "MATRIX_TIMEZONE"}
    got = load(
        TideConfig,
        "tide",
        arguments={"timezone": ZONES[0]} if 0 in having else {},
        sources=Sources(
            environ={names[n]: ZONES[n] for n in names.keys() & having},
            secrets=given_secrets(table(3, 4)),
            table=table(5, 6),
            machine_timezone=ZONES[7] if 7 in having else None,
        ),
    )
    assert got.config.timezone == (ZONES[min(having)] if having else "UTC")
    origin = got.origins["timezone"]
    assert (origin.source, str(origin)) == (
        SHARED[min(having)] if having else ("default", "default")
    )


def test_an_own_field_is_never_looked_for_at_the_top() -> None:
    got = loaded(
        environ={"MATRIX_STATION": "x", "STATION": "x", "MATRIX_OTHER__STATION": "x"},
        secrets=given_secrets({"station": "x"}),
        table={"station": "x", "other": {"station": "x"}},
    )
    assert got.config.station == "by default"


def test_a_field_that_a_class_made_its_own_is_no_longer_shared() -> None:
    class Tokyo(Config):
        timezone: str = "Asia/Tokyo"

    elsewhere = Sources(
        environ={"MATRIX_TIMEZONE": "Europe/Berlin"},
        table={"timezone": "Europe/Berlin"},
        machine_timezone="Europe/Berlin",
    )
    assert load(Tokyo, "a", sources=elsewhere).config.timezone == "Asia/Tokyo"
    own = Sources(environ={"MATRIX_A__TIMEZONE": "Europe/Rome"})
    assert load(Tokyo, "a", sources=own).config.timezone == "Europe/Rome"


def test_two_instances_have_a_section_each() -> None:
    table = {"harbour": {"station": "h"}, "North-Pier": {"station": "n"}}
    environ = {"MATRIX_NORTH_PIER__TOKEN": "t"}
    assert loaded("Harbour", table=table).config.station == "h"
    pier = loaded("north-pier", table=table, environ=environ)
    assert (pier.config.station, pier.config.token.get_secret_value()) == ("n", "t")
    assert str(pier.origins["station"]) == "[config.North-Pier] station in matrix.toml"


def test_redis_is_that_of_the_folder_unless_it_is_set() -> None:
    url = "redis://:p@127.0.0.1:1234/0"
    got = loaded(machine_redis_url=url)
    assert got.config.redis_url.get_secret_value() == url
    assert str(got.origins["redis_url"]) == "the server of this folder"
    got = loaded(machine_redis_url=url, environ={"MATRIX_REDIS_URL": "redis://elsewhere"})
    assert got.config.redis_url.get_secret_value() == "redis://elsewhere"


# --------------------------------------------------------------------------------------- merging


def test_models_merge_field_by_field() -> None:
    got = loaded(
        environ={"MATRIX_TIDE__SERVER__PORT": "7"},
        secrets=given_secrets({"tide": {"server": {"password": "p", "port": 8}}}),
        table={"tide": {"server": {"host": "h", "port": 9}}},
    )
    assert got.config.server == Server(host="h", port=7, password=SecretStr("p"))
    assert {path: str(at) for path, at in got.origins.items() if path.startswith("server.")} == {
        "server.port": "environment MATRIX_TIDE__SERVER__PORT",
        "server.password": "tide.server.password in the secrets",
        "server.host": "[config.tide.server] host in matrix.toml",
    }


def test_lists_mappings_and_unions_are_replaced() -> None:
    got = loaded(
        environ={
            "MATRIX_TIDE__TAGS": '["a"]',
            "MATRIX_TIDE__HEADERS__X": "1",
            "MATRIX_TIDE__EITHER": '{"depth": 3}',
        },
        table={"tide": {"tags": ["b", "c"], "headers": {"y": "2"}, "either": {"height": 4}}},
    )
    assert got.config.tags == ["a"]
    assert got.config.headers == {"x": "1"}
    assert got.config.either == Gauge(depth=3)


def test_json_in_the_environment_holds_a_model_and_variables_add_to_it() -> None:
    got = loaded(
        environ={
            "MATRIX_TIDE__SERVER": '{"host": "h", "port": 1}',
            "MATRIX_TIDE__SERVER__PORT": "2",
        }
    )
    assert got.config.server == Server(host="h", port=2)
    assert str(got.origins["server.host"]) == "environment MATRIX_TIDE__SERVER"
    assert str(got.origins["server.port"]) == "environment MATRIX_TIDE__SERVER__PORT"


def test_null_in_the_environment_takes_a_model_away() -> None:
    table = {"tide": {"server": {"host": "h"}}}
    assert loaded(environ={"MATRIX_TIDE__SERVER": "null"}, table=table).config.server is None


def test_an_argument_that_is_a_model_replaces_the_whole() -> None:
    sources = Sources(table={"tide": {"server": {"host": "h", "port": 3}}})
    got = load(TideConfig, "tide", sources=sources, arguments={"server": Server(host="a")})
    assert got.config.server == Server(host="a")


def test_aliases_are_one_field_in_every_source() -> None:
    got = loaded(environ={"MATRIX_TIDE__ALT": "1"}, table={"tide": {"neu": 2}})
    assert got.config.old == 1
    assert str(got.origins["old"]) == "environment MATRIX_TIDE__ALT"


def test_no_variable_but_its_own_fills_a_field() -> None:
    class Shell(Config):
        user: str = ""
        path: str = ""
        lookup: str = Field(default="", alias="HOME")

    environ = {"USER": "x", "PATH": "x", "HOME": "x", "MATRIX_USER": "x", "user": "x"}
    environ |= {"matrix_shell__user": "x", "XMATRIX_SHELL__USER": "x"}
    config = load(Shell, "shell", sources=Sources(environ=environ)).config
    assert (config.user, config.path, config.lookup) == ("", "", "")
    own = Sources(environ={"MATRIX_SHELL__HOME": "mine"})
    assert load(Shell, "shell", sources=own).config.lookup == "mine"


def test_a_shared_list_is_json_in_the_environment() -> None:
    class Lists(Config, shared=True):
        lines: list[int] = Field(default_factory=list)

    class Trams(Lists):
        pass

    got = load(Trams, "trams", sources=Sources(environ={"MATRIX_LINES": "[1, 2]"}))
    assert got.config.lines == [1, 2]


def test_what_the_secrets_have_beyond_the_class_is_left_alone() -> None:
    more = {"tide": {"token": "t", "other": "x"}, "elsewhere": {"x": 1}, "scalar": 1}
    assert loaded(secrets=given_secrets(more)).config.token.get_secret_value() == "t"
