"""``matrix read`` as a user runs it: what it says of each value, and that it shows none."""

from __future__ import annotations

from typing import Any

import pytest

TIDE = """
from datetime import datetime

from pydantic import BaseModel, SecretStr

from framework import Canvas, Config, DisplayBase, ServerBase, Unavailable, Values


class Tide(Values):
    height_m: float


class Gauge(BaseModel):
    host: str = ""
    password: SecretStr = SecretStr("")


class TideConfig(Config):
    station: str
    token: SecretStr
    gauge: Gauge = Gauge()
    limit: int = 3


class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self) -> Tide:
        raise Unavailable("the gauge is dry")


class TidePage(DisplayBase):
    def draw(self, canvas: Canvas, now: datetime) -> None:
        raise NotImplementedError


if __name__ == "__main__":
    TideServer.run()
"""
SETTINGS = """
[config.tide]
station = "Bergen"
[[service]]
use = "tide:TideServer"
[[page]]
use = "clock"
name = "wall"
"""


@pytest.fixture
def folder(sealed: Any) -> Any:
    sealed.toml(sealed.document, sealed.fields, SETTINGS)
    (sealed.path / "tide.py").write_text(TIDE)
    sealed.seal({"tide": {"token": sealed.mark, "gauge": {"password": sealed.mark}}})
    sealed.seal_fields({"latitude": sealed.mark, "units": "imperial"})
    return sealed


def rows(text: str) -> dict[str, str]:
    """By field, what follows it, without the spaces that align it."""
    split = [line.split() for line in text.splitlines()]
    return {words[0]: " ".join(words[1:]) for words in split if words}


# --------------------------------------------------------------------------- of services and pages


def test_each_field_where_it_is_from_and_no_value(folder: Any) -> None:
    done = folder.run("matrix", "read", MATRIX_TIDE__GAUGE__HOST=folder.mark)
    assert (done.status, done.err) == (0, "")
    assert folder.mark not in done.out
    tide, wall, _ = done.out.split("\n\n")
    assert tide.splitlines() == [
        "tide (TideServer)",
        "  field      type                    from                                   value",
        "  redis_url  SecretStr               default",
        "  timezone   str                     the machine's time zone                set",
        "  units      'metric' or 'imperial'  units in fields.sealed                 set",
        "  contact    str                     default",
        "  station    str                     [config.tide] station in matrix.toml   set",
        "  token      SecretStr               tide.token in secrets.sealed           set",
        "  gauge      Gauge                   environment MATRIX_TIDE__GAUGE__HOST   set",
        "                                     tide.gauge.password in secrets.sealed",
        "  limit      int                     default",
    ]
    assert wall.startswith("wall (Clock)\n")


def test_a_model_with_nothing_in_it(folder: Any) -> None:
    folder.seal({"tide": {"token": "x", "gauge": {}}})
    assert rows(folder.run("matrix", "read", "tide").out)["gauge"] == "Gauge default"


def test_a_value_is_set_and_nothing_more_is_said_of_it(folder: Any) -> None:
    long = folder.run("matrix", "read").out
    folder.seal({"tide": {"token": "x", "gauge": {"password": ""}}})
    assert folder.run("matrix", "read").out == long


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["tide"], ["tide (TideServer)"]),
        (["tide:TideServer", "wall"], ["tide (TideServer)", "wall (Clock)"]),
        (["tide:TidePage"], ["tidepage (TidePage)"]),
        (["moon"], ["moon (MoonServer)", "moonpage (MoonPage)"]),
    ],
)
def test_what_can_be_a_target(folder: Any, targets: list[str], names: list[str]) -> None:
    folder.toml(SETTINGS)
    done = folder.run("matrix", "read", *targets, MATRIX_TIDE__TOKEN=folder.mark)
    assert done.status == 0, done.err
    assert [line for line in done.out.splitlines() if not line.startswith(" ") and line] == names


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("tied:TideServer", "there is no module tied"),
        ("tide:Tide", "tide:Tide is neither a service nor a page"),
        ("", "a TARGET is empty: name a service or a page"),
        (
            "wal",
            "wal is not known: did you mean wall? There are ",
        ),
    ],
)
def test_a_target_that_is_none(folder: Any, target: str, said: str) -> None:
    done = folder.run("matrix", "read", target)
    assert (done.status, done.out) == (78, "")
    assert said in done.err


def test_a_class_that_takes_no_configuration_is_refused_as_it_is_at_its_start(folder: Any) -> None:
    (folder.path / "own.py").write_text(
        "from tide import TideServer\n"
        "class Own(TideServer):\n"
        "    def __init__(self, name=None):\n"
        "        super().__init__(name=name)\n"
    )
    for command in ("read", "serve"):
        done = folder.run("matrix", command, "own:Own")
        assert (done.status, done.out) == (78, "")
        assert done.err == (
            "Own: its __init__ must accept config= and name= and hand them to super().__init__(), "
            "and require nothing else\n"
        )


def test_nothing_to_read(sealed: Any) -> None:
    sealed.toml("")
    done = sealed.run("matrix", "read")
    assert done.status == 78
    assert "name a TARGET (matrix list shows them) or a --field" in done.err


def test_what_is_wrong_is_said_as_the_service_says_it(folder: Any) -> None:
    folder.seal({"tide": {"tokn": folder.mark, "gauge": {"password": [folder.mark]}}})
    done = folder.run("matrix", "read", "tide")
    assert (done.status, done.out) == (78, "")
    assert "TideConfig [tide] token (SecretStr): is missing" in done.err
    assert "TideConfig [tide] gauge.password (SecretStr)" in done.err
    service = folder.run("python", "tide.py")
    assert service.status == 78
    assert [line for line in done.err.splitlines() if line.startswith("TideConfig")] == [
        line for line in service.err.splitlines() if line.startswith("TideConfig")
    ]
    assert folder.mark not in done.err


def test_what_cannot_be_read_now_is_75(folder: Any) -> None:
    folder.transit.rotate()
    folder.transit.set_min_decryption_version(2)
    for words in (["tide"], ["--field", "tide.token"]):
        done = folder.run("matrix", "read", *words)
        assert (done.status, done.out) == (75, "")
        assert "the secrets could not be read within 0 s: secrets.json in secrets.se" in done.err


# ----------------------------------------------------------------------------- of the secrets alone


@pytest.mark.parametrize("words", [("matrix", "read"), ("readstub",)])
def test_fields_by_their_names_alone(folder: Any, words: tuple[str, ...]) -> None:
    names = ("--field", "Tide.token", "--field", "latitude")
    done = folder.run(*words, *names, MATRIX_TIDE__TOKEN=folder.mark)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "field       from                          value",
        "tide.token  tide.token in secrets.sealed  set",
        "latitude    latitude in fields.sealed     set",
    ]


def test_a_field_that_is_nowhere(folder: Any) -> None:
    done = folder.run("matrix", "read", "--field", "tide.tokn", "--field", "latitude")
    assert done.status == 78
    assert rows(done.out) == {
        "field": "from value",
        "tide.tokn": "nowhere",
        "latitude": "latitude in fields.sealed set",
    }
    assert done.err == (
        "tide.tokn is not in secrets.sealed, fields.sealed: did you mean tide.token?\n"
    )


@pytest.mark.parametrize(
    ("toml", "words", "status", "said"),
    [
        ("", ["--field", "tide.token"], 78, "no place for sealed secrets is named yet"),
        ("", ["--field", "a.b.c"], 78, "SECTION.FIELD, or FIELD"),
        ("", ["--field", "tide.token", "tide"], 2, "not both"),
    ],
)
def test_what_cannot_be(sealed: Any, toml: str, words: list[str], status: int, said: str) -> None:
    sealed.toml(toml)
    done = sealed.run("matrix", "read", *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err


# ------------------------------------------------------------------------------------------ reveal


def test_values_are_shown_on_a_terminal(folder: Any) -> None:
    found = rows(folder.on_terminal("matrix", "read", "tide", "--reveal").out)
    assert found["token"] == f'SecretStr tide.token in secrets.sealed "{folder.mark}"'
    assert found["station"].endswith('"Bergen"')
    assert found["limit"] == "int default 3"
    assert found["gauge"].endswith(f'{{"host": "", "password": "{folder.mark}"}}')


def test_a_value_cannot_paint_on_the_terminal(folder: Any) -> None:
    folder.seal({"tide": {"token": "\x1b[2J\x9b\u202e" + folder.mark}})
    out = folder.on_terminal("matrix", "read", "--field", "tide.token", "--reveal").out
    assert rows(out)["tide.token"].endswith(rf'"\u001b[2J\x9b\u202e{folder.mark}"')
    assert "\x1b" not in out


@pytest.mark.parametrize("words", [["tide"], ["--field", "tide.token"]])
def test_on_a_terminal_too_no_value_is_shown_unasked(folder: Any, words: list[str]) -> None:
    assert folder.mark not in folder.on_terminal("matrix", "read", *words).out


@pytest.mark.parametrize("words", [["tide"], ["--field", "tide.token"]])
def test_values_are_not_shown_to_a_pipe(folder: Any, words: list[str]) -> None:
    done = folder.run("matrix", "read", *words, "--reveal")
    assert (done.status, done.out) == (2, "")
    assert "values are shown on a terminal alone" in done.err
    assert folder.mark not in done.err
