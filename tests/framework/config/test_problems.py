"""What is said of mistakes: a line each, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr

from framework.config import Config, Place
from framework.config.loading import Loaded, load
from framework.config.sources import Document, Sources
from framework.errors import ConfigError


class Server(BaseModel):
    host: str
    port: int = 80
    password: SecretStr = SecretStr("")


@dataclass
class Account:
    user: str
    password: SecretStr


class Row(NamedTuple):
    password: SecretStr


class TideConfig(Place):
    station: str = "by default"
    token: SecretStr = SecretStr("by default")
    server: Server | None = None
    servers: tuple[Server, ...] = ()
    account: Account | None = None
    row: Row | None = None
    tags: list[str] = Field(default_factory=list)
    old: int = Field(default=0, validation_alias=AliasChoices("neu", "alt"))


def given_secrets(table: Mapping[str, object]) -> tuple[Document, ...]:
    return (Document(table),)


def problems(cls: type[Config] = TideConfig, name: str = "tide", **sources: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(cls, name, sources=Sources(**sources))
    return str(caught.value).splitlines()


def loaded(name: str = "tide", **sources: Any) -> Loaded[TideConfig]:
    return load(TideConfig, name, sources=Sources(**sources))


class Strict(Config):
    station: str
    level: float = Field(default=0, ge=0, le=10)
    server: Server | None = None
    token: SecretStr


def test_all_problems_are_said_at_once_a_line_each() -> None:
    said = problems(
        Strict,
        environ={"MATRIX_TIDE__LEVEL": "11", "MATRIX_TIDE__SERVER__PORT": "x"},
        table={"units": "furlongs", "tide": {"station": 7}},
    )
    assert said == [
        "Strict [tide] units ('metric' or 'imperial'): is none of these, "
        "from [config] units in matrix.toml; "
        "correct it there",
        "Strict [tide] station (str): must be text, in quotes, "
        "from [config.tide] station in matrix.toml; "
        "correct it there",
        "Strict [tide] level (float): must be at most 10.0, from environment MATRIX_TIDE__LEVEL; "
        "correct it there",
        "Strict [tide] server.host (str): is missing; "
        "set MATRIX_TIDE__SERVER__HOST, or [config.tide.server] host in matrix.toml",
        "Strict [tide] server.port (int): is not a valid int, "
        "from environment MATRIX_TIDE__SERVER__PORT; "
        "correct it there",
        "Strict [tide] token (SecretStr): is missing; "
        "set MATRIX_TIDE__TOKEN, or tide.token in the secrets",
    ]


def test_a_name_is_said_as_it_is_written_in_each_place() -> None:
    said = problems(Strict, name="North-Pier", table={"north_pier": {"station": "x"}})
    assert said == [
        "Strict [north-pier] token (SecretStr): is missing; "
        "set MATRIX_NORTH_PIER__TOKEN, or north-pier.token in the secrets"
    ]


def test_one_coordinate_without_the_other() -> None:
    (said,) = problems(environ={"MATRIX_LATITUDE": "1"})
    assert said == (
        "TideConfig [tide] longitude (float): is missing: latitude and longitude belong together, "
        "set both or neither; set MATRIX_LONGITUDE, or [config] longitude in matrix.toml"
    )


def test_a_wrong_time_zone_is_one_problem() -> None:
    (said,) = problems(environ={"MATRIX_TIMEZONE": "Mars"})
    assert "Europe/Berlin, from environment MATRIX_TIMEZONE" in said


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (
            {"table": {"tide": {"statoin": "x"}}},
            "no field is called 'statoin', in [config.tide] of matrix.toml; did you mean station?",
        ),
        (
            {"environ": {"MATRIX_TIDE__STATOIN": "x"}},
            "no field is called 'statoin', in environment MATRIX_TIDE__STATOIN; "
            "did you mean station?",
        ),
        (
            {"table": {"tide": {"server": {"host": "h", "prot": 1}}}},
            "no field is called 'prot', in server, [config.tide] of matrix.toml; "
            "did you mean port?",
        ),
        (
            {"environ": {"MATRIX_TIDE__SERVER": '{"host": "h", "prot": 1}'}},
            "no field is called 'prot', in server, environment MATRIX_TIDE__SERVER; "
            "did you mean port?",
        ),
        (
            {"table": {"tide": {"sk-1234 is a key!": 1}}},
            "no field is called something that is no name, in [config.tide] of matrix.toml; "
            "there are redis_url, timezone, units, contact, latitude, longitude, station, token, "
            "server, servers, account, row, tags, neu, alt",
        ),
    ],
)
def test_names_that_nobody_declared(sources: dict[str, Any], said: str) -> None:
    assert problems(**sources) == [f"TideConfig [tide]: {said}"]


def test_an_unknown_argument() -> None:
    with pytest.raises(ConfigError, match="'statoin', in the arguments; did you mean station"):
        load(TideConfig, "tide", sources=Sources(), arguments={"statoin": "x"})


def test_a_section_that_is_no_table() -> None:
    (said,) = problems(table={"tide": "x"})
    assert said.endswith("so it must be a table: write [config.tide]")
    assert "tide in the secrets is no mapping" in problems(secrets=given_secrets({"tide": 1}))[0]


def test_a_variable_below_a_scalar() -> None:
    (said,) = problems(environ={"MATRIX_TIDE__STATION__X": "1"})
    assert "station (str): has no parts of its own, from environment" in said


def test_a_variable_of_an_instance_whose_name_begins_the_same_is_not_ours() -> None:
    environ = {"MATRIX_TIDE___STATION": "theirs", "MATRIX_TIDE_2__STATION": "theirs"}
    assert loaded(environ=environ).config.station == "by default"
    assert loaded("tide_", environ=environ).config.station == "theirs"


def test_every_variable_that_is_no_json_is_named() -> None:
    said = problems(environ={"MATRIX_TIDE__TAGS": "a, b", "MATRIX_TIDE__SERVER": "[" * 100_000})
    assert [line.partition(";")[0] for line in said] == [
        "TideConfig [tide] server (Server | None): is not the JSON that it must be, "
        "from environment MATRIX_TIDE__SERVER",
        "TideConfig [tide] tags (list[str]): is not the JSON that it must be, "
        "from environment MATRIX_TIDE__TAGS",
    ]


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"tide": {"token": "MARKER"}}, "token (SecretStr)"),
        ({"redis_url": "redis://MARKER"}, "redis_url (SecretStr)"),
        ({"tide": {"redis_url": "redis://MARKER"}}, "redis_url (SecretStr)"),
        ({"tide": {"server": {"host": "h", "password": "MARKER"}}}, "server.password (SecretStr)"),
        ({"tide": {"server": "MARKER"}}, "server (Server | None)"),
        (
            {"tide": {"servers": [{"host": "h"}, {"host": "h", "password": "MARKER"}]}},
            "servers (tuple[Server, ...])",
        ),
        ({"tide": {"account": {"user": "u", "password": "MARKER"}}}, "account (Account | None)"),
        ({"tide": {"account": {"pasword": "MARKER"}}}, "account (Account | None)"),
        ({"tide": {"row": ["MARKER"]}}, "row (Row | None)"),
    ],
)
def test_a_plain_file_supplies_no_secret(table: dict[str, Any], field: str) -> None:
    environ = {"MATRIX_TIDE__TOKEN": "not even if something else wins"}
    said = problems(table=table, environ=environ)
    assert f"TideConfig [tide] {field}: a secret must not stand in [config" in said[0]
    assert "MARKER" not in "".join(said)


def test_what_lies_beside_a_secret_may_stand_in_a_plain_file() -> None:
    table = {"tide": {"server": {"host": "h"}, "servers": [{"host": "h"}]}}
    assert loaded(table=table).config.servers == (Server(host="h"),)


def test_a_name_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="another name"):
        loaded("a__b")
