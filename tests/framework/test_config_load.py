"""Loading: precedence, sections, merging, where values came from, and what is said of mistakes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from framework.config import Config, Loaded, Place, Sources, describe, load
from framework.errors import ConfigError
from framework.project import Project


class Server(BaseModel):
    host: str
    port: int = 80
    password: SecretStr = SecretStr("")


@dataclass
class Account:
    user: str
    password: SecretStr


class Gauge(BaseModel):
    depth: int = 0


class Level(BaseModel):
    height: int = 0


class TideConfig(Place):
    station: str = "by default"
    token: SecretStr = SecretStr("by default")
    server: Server | None = None
    servers: tuple[Server, ...] = ()
    account: Account | None = None
    either: Gauge | Level | None = None
    tags: list[str] = Field(default_factory=list)
    headers: dict[str, str] = Field(default_factory=dict)
    old: int = Field(default=0, validation_alias=AliasChoices("neu", "alt"))


def given_secrets(table: Mapping[str, object]) -> Any:
    return lambda _cls, _name: table


def problems(cls: type[Config] = TideConfig, name: str = "tide", **sources: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(cls, name, sources=Sources(**sources))
    return str(caught.value).splitlines()


def loaded(name: str = "tide", **sources: Any) -> Loaded[TideConfig]:
    return load(TideConfig, name, sources=Sources(**sources))


# ------------------------------------------------------------------------------------ precedence

OWN = ("argument", "environment", "secrets", "config")


@settings(deadline=None)  # the first example imports pydantic-settings
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


@settings(deadline=None)  # the first example imports pydantic-settings
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


def test_the_secrets_are_asked_for_this_class_and_this_instance() -> None:
    asked = []

    def secrets(cls: type[Config], name: str) -> Mapping[str, object]:
        asked.append((cls, name))
        return {}

    loaded("Harbour", secrets=secrets)
    assert asked == [(TideConfig, "harbour")]


# --------------------------------------------------------------------------------------- remarks


def test_a_place_taken_from_the_time_zone_is_said() -> None:
    def remarks(**sources: Any) -> tuple[str, ...]:
        return load(Place, "here", sources=Sources(**sources)).remarks

    how = "set [config] latitude, longitude"
    assert remarks(machine_timezone="Europe/Berlin") == (f"Berlin, from your time zone: {how}",)
    assert remarks() == (f"Greenwich, because the time zone is UTC: {how}",)
    assert remarks(machine_timezone="Etc/UTC") == remarks()
    assert remarks(table={"latitude": 1, "longitude": 2}) == ()
    assert load(Config, "here", sources=Sources()).remarks == ()


def test_a_class_with_a_place_of_its_own_says_nothing() -> None:
    class Observatory(Place):
        latitude: float = 52.0
        longitude: float = 13.0

    got = load(Observatory, "here", sources=Sources(machine_timezone="Asia/Tokyo"))
    assert (got.config.latitude, got.remarks) == (52.0, ())


# -------------------------------------------------------------------------------------- mistakes


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
        "set MATRIX_UNITS, or [config] units in matrix.toml",
        "Strict [tide] station (str): must be text, in quotes, "
        "from [config.tide] station in matrix.toml; "
        "set MATRIX_TIDE__STATION, or [config.tide] station in matrix.toml",
        "Strict [tide] level (float): must be at most 10.0, from environment MATRIX_TIDE__LEVEL; "
        "set MATRIX_TIDE__LEVEL, or [config.tide] level in matrix.toml",
        "Strict [tide] server.host (str): is missing; "
        "set MATRIX_TIDE__SERVER__HOST, or [config.tide.server] host in matrix.toml",
        "Strict [tide] server.port (int): is not a valid int, "
        "from environment MATRIX_TIDE__SERVER__PORT; "
        "set MATRIX_TIDE__SERVER__PORT, or [config.tide.server] port in matrix.toml",
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
            "there are redis_url, timezone, units, latitude, longitude, station, token, server, "
            "servers, account, either, tags, headers, neu, alt",
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


# ----------------------------------------------------------------------------------- what leaks


class Leaky(Config):
    """Does with values what people do."""

    a: str = ""
    b: str = ""
    c: str = ""
    f: str = ""
    d: dict[str, int] = Field(default_factory=dict)
    e: Gauge | Level | None = None
    s: SecretStr = SecretStr("")

    @field_validator("a")
    @classmethod
    def says(cls, value: str) -> str:
        if value:
            raise ValueError(f"{value} is wrong")
        return value

    @field_validator("b")
    @classmethod
    def asserts(cls, value: str) -> str:
        assert not value, value
        return value

    @field_validator("f")
    @classmethod
    def borrows(cls, value: str) -> str:
        if value:
            raise PydanticCustomError("string_too_short", "{value} is short", {"value": value})
        return value

    @model_validator(mode="after")
    def breaks(self) -> Self:
        if self.c:
            raise KeyError(self.c)
        return self


def check_nothing_leaks(error: ConfigError, marker: str) -> None:
    assert marker not in str(error)
    assert marker not in repr(error.args)
    assert error.__context__ is None
    assert error.__cause__ is None
    assert error.__traceback__ is not None
    frame = error.__traceback__.tb_next  # the first is the test's own
    while frame is not None:
        assert marker not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next


@pytest.mark.parametrize("name", ["A", "B", "C", "F", "S", "D", "E", "NONE"])
@pytest.mark.parametrize("value", ["MARKER", '{"MARKER": "MARKER"}', '["MARKER"'])
def test_errors_hold_no_value(name: str, value: str) -> None:
    environ = {f"MATRIX_LEAKY__{name}": value, "MATRIX_UNITS": "MARKER"}
    sources = Sources(environ=environ, table={"leaky": {"s": "MARKER"}})
    arguments = {"timezone": "MARKER"}
    with pytest.raises(ConfigError, match="units") as caught:
        load(Leaky, "leaky", sources=sources, arguments=arguments)
    check_nothing_leaks(caught.value, "MARKER")


def test_a_check_that_breaks_is_named_by_its_line() -> None:
    (said,) = problems(Leaky, "leaky", environ={"MATRIX_LEAKY__C": "MARKER"})
    assert f"broke with KeyError in {__file__}, line" in said


def test_sources_do_not_show_what_they_hold() -> None:
    sources = Sources(
        environ={"A": "MARKER"}, table={"a": "MARKER"}, machine_redis_url="redis://:MARKER@h"
    )
    assert "MARKER" not in repr(sources)


MARKER = "sEcReT-7f3a"
NAMES = [
    "a",
    "b",
    "c",
    "f",
    "d",
    "e",
    "s",
    "x",
    "units",
    "latitude",
    "redis_url",
    "leaky",
    "depth",
    "",
]
VALUES = st.recursive(
    st.sampled_from([MARKER, f"redis://{MARKER}", "", "null", f'{{"{MARKER}": 1}}', "[", 5, 1e400])
    | st.text('aß{["\\\n\0 ', max_size=4).map(lambda text: text + MARKER)
    | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)


@st.composite
def environments(draw: st.DrawFn) -> dict[str, str]:
    pieces = st.lists(st.sampled_from(NAMES).map(str.upper), min_size=1, max_size=4)
    names = draw(st.lists(pieces.map(lambda some: "MATRIX_" + "__".join(some)), max_size=5))
    texts = VALUES.map(lambda value: value if isinstance(value, str) else json.dumps(value))
    return {name: draw(texts) for name in names}


@settings(deadline=None)  # the first example imports pydantic-settings
@given(environments(), TABLES, TABLES, TABLES)
def test_whatever_is_given_nothing_but_a_config_error_and_never_a_value(
    environ: dict[str, str],
    table: dict[str, object],
    secret: dict[str, object],
    arguments: dict[str, object],
) -> None:
    sources = Sources(environ=environ, table=table, secrets=given_secrets(secret))
    shown = describe(Leaky, "leaky", sources)
    assert MARKER not in repr(shown)
    try:
        load(Leaky, "leaky", sources=sources, arguments=arguments)
    except ConfigError as error:
        check_nothing_leaks(error, MARKER)


# ------------------------------------------------------------------------------------ describing


def test_describing_needs_no_value_and_shows_none() -> None:
    sources = Sources(
        environ={"MATRIX_TIDE__SERVER__PORT": "no number"},
        table={"units": "MARKER", "tide": {"station": 7}},
        machine_timezone="Asia/Tokyo",
    )
    shown = {each.field: each for each in describe(Strict, "Tide", sources)}
    assert {name: str(each.origin or "not set") for name, each in shown.items()} == {
        "redis_url": "default",
        "timezone": "the machine's time zone",
        "units": "[config] units in matrix.toml",
        "station": "[config.tide] station in matrix.toml",
        "level": "default",
        "server": "environment MATRIX_TIDE__SERVER__PORT",
        "token": "not set",
    }
    token = shown["token"]
    assert (token.type, token.required, token.secret, token.shared) == (
        "SecretStr",
        True,
        True,
        False,
    )
    assert shown["units"].shared
    assert "MARKER" not in repr(shown)


def test_the_place_of_the_time_zone_is_said() -> None:
    shown = {each.field: each for each in describe(Place, "here", Sources())}
    assert str(shown["latitude"].origin) == "the place of the time zone"


# --------------------------------------------------------------------------------- this machine


def test_by_default_from_this_machine_and_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "matrix.toml").write_text("[config.tide]\nstation = 'x'\n")
    state = Project.find({}, tmp_path).make_state()
    (state / "bus").touch(mode=0o600)
    (state / "bus").write_text("redis://:p@127.0.0.1:1/0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("MATRIX_TIDE__TOKEN", "t")
    monkeypatch.delenv("MATRIX_TOML", raising=False)
    got = load(TideConfig, "tide")
    assert (got.config.station, got.config.token.get_secret_value()) == ("x", "t")
    assert got.config.timezone == "Europe/Berlin"
    assert got.config.redis_url.get_secret_value() == "redis://:p@127.0.0.1:1/0"
    assert got.remarks == ("Berlin, from your time zone: set [config] latitude, longitude",)
