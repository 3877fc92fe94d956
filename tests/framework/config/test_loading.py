"""Loading: remarks, what must not leak, descriptions, and this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from framework.config import Config, Place
from framework.config.loading import describe, load
from framework.config.sources import Document, Sources
from framework.errors import ConfigError
from framework.project import Project


class Server(BaseModel):
    host: str
    port: int = 80


class Gauge(BaseModel):
    depth: int = 0


class Level(BaseModel):
    height: int = 0


class TideConfig(Place):
    station: str
    token: SecretStr
    server: Server | None = None


def given_secrets(table: Mapping[str, object]) -> tuple[Document, ...]:
    return (Document(table),)


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
    with pytest.raises(ConfigError, match="broke with KeyError in") as caught:
        load(Leaky, "leaky", sources=Sources(environ={"MATRIX_LEAKY__C": "MARKER"}))
    assert f"{__file__}, line" in str(caught.value)


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
    shown = {each.field: each for each in describe(TideConfig, "Tide", sources)}
    assert {name: str(each.origin or "not set") for name, each in shown.items()} == {
        "redis_url": "default",
        "timezone": "the machine's time zone",
        "units": "[config] units in matrix.toml",
        "contact": "default",
        "latitude": "the place of the time zone",
        "longitude": "the place of the time zone",
        "station": "[config.tide] station in matrix.toml",
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


def test_what_the_folder_refuses_takes_no_value_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.find({}, tmp_path)
    (project.make_state() / "bus").write_text("redis://:MARKER@127.0.0.1:1/0\n")
    (project.state / "bus").chmod(0o644)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MATRIX_TIDE__TOKEN", "MARKER")
    monkeypatch.delenv("MATRIX_TOML", raising=False)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        Sources.of_machine(project, {"MATRIX_TIDE__TOKEN": "MARKER"})
    check_nothing_leaks(caught.value, "MARKER")
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        load(TideConfig, "tide", arguments={"station": "MARKER"})
    check_nothing_leaks(caught.value, "MARKER")
