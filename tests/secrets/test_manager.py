"""The SecretManager and the base classes: what a class gets from which source, and what it never
gets: a value from another place, or one that nobody sealed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

import pytest
from pydantic import BaseModel, Field, SecretStr

from framework.canvas import Canvas
from framework.config import Config, Place
from framework.config.loading import load
from framework.display import DisplayBase
from framework.errors import ConfigError, SecretsUnavailable
from framework.process import exit_status
from framework.project import Project
from framework.secrets import SecretManager, asking, reading, settings
from framework.secrets.asking import Failure
from framework.secrets.child import LIFETIME_S
from framework.secrets.reading import until_answered, wait_s
from framework.server import ServerBase
from framework.tools.instances import make_instances
from framework.update import Values
from tests.secrets.dumpable import is_dumpable


class Server(BaseModel):
    host: str = ""
    password: SecretStr = SecretStr("")


class TideConfig(Config):
    station: str = "by default"
    token: SecretStr = SecretStr("by default")
    server: Server = Server()
    tags: list[str] = Field(default_factory=list)


class Tide(Values):
    height_m: float = 0.0


class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self) -> Tide:
        return Tide()


class TidePage(DisplayBase[TideConfig]):
    def draw(self, canvas: Canvas, now: datetime) -> None: ...


SEALED = 'path = "secrets.sealed"'
FIELDS = 'path = "fields.sealed"\nlayout = "fields"'
PLAIN = 'path = "plain.json"\nplain = true'


def read(project: Project, name: str = "tide") -> TideConfig:
    return SecretManager(project).read(TideConfig, name=name)


def token(project: Project, name: str = "tide") -> str:
    return read(project, name).token.get_secret_value()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What children are asked."""
    requests: list[dict[str, Any]] = []

    def ask(request: dict[str, Any], **options: Any) -> Any:
        requests.append(request)
        return asking.ask(request, **options)

    monkeypatch.setattr(reading, "ask", ask)
    return requests


# ------------------------------------------------------------------------------------- what it gets


def test_a_sealed_document(folder: Any) -> None:
    folder.seal("secrets.sealed", {"Tide": {"token": "t", "tags": ["a"]}, "units": "imperial"})
    config = read(folder.sources(SEALED))
    assert_type(config, TideConfig)
    assert config.token.get_secret_value() == "t"
    assert (config.tags, config.units) == (["a"], "imperial")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ('format = "yaml"', "tide:\n  token: t\n  tags: [a]\n"),
        ('format = "toml"', "[tide]\ntoken = 't'\ntags = ['a']\n"),
        ('format = "env"', "TIDE__TOKEN=t\nTIDE__TAGS='[\"a\"]'\n"),
        ('data_key = "all"', '{"tide": {"token": "t", "tags": ["a"]}}'),
    ],
)
def test_a_document_in_other_formats(folder: Any, options: str, text: str) -> None:
    folder.seal("secrets.sealed", text, data_key="all" if "all" in options else "secrets.json")
    config = read(folder.sources(f"{SEALED}\n{options}"))
    assert (config.token.get_secret_value(), config.tags) == ("t", ["a"])


def test_a_text_as_one_field(folder: Any) -> None:
    folder.seal("secrets.sealed", "t\n")
    assert token(folder.sources(f'{SEALED}\nformat = "text"\nfield = "tide.token"')) == "t"


def test_sealed_fields_and_no_other_is_decrypted(folder: Any) -> None:
    folder.seal_fields(
        "fields.sealed",
        {
            "tide.token": "[no list]",
            "tide.server": '{"host": "h", "password": "p"}',
            "tide.tags": '["a", "b"]',
            "units": "imperial",
        },
    )
    stored = folder.store_of("fields.sealed").read().data
    damaged = {"tide.other": "vault:v9:AAAA", "moon.token": "no ciphertext", "token": "neither"}
    folder.store("fields.sealed", {**stored, **damaged})
    config = read(folder.sources(FIELDS))
    assert config.token.get_secret_value() == "[no list]"
    assert (config.server.host, config.tags, config.units) == ("h", ["a", "b"], "imperial")
    assert config.server.password.get_secret_value() == "p"


def test_several_instances_are_read_by_one_child(folder: Any, asked: list[Any]) -> None:
    folder.seal("secrets.sealed", {"tide": {"token": "1"}, "harbour-2": {"token": "2"}})
    project = folder.sources(SEALED)
    found = SecretManager(project).read_all(
        [(TideConfig, "tide"), (TideConfig, "Harbour-2"), (Place, "moon")]
    )
    assert_type(found[TideConfig, "tide"], TideConfig)
    assert_type(found[Place, "moon"], Place)
    tokens = [found[TideConfig, name].token.get_secret_value() for name in ("tide", "Harbour-2")]
    assert tokens == ["1", "2"]
    assert list(found) == [(TideConfig, "tide"), (TideConfig, "harbour-2"), (Place, "moon")]
    assert (len(found), len(asked)) == (3, 1)
    with pytest.raises(KeyError):
        found[TideConfig, "moon"]


def test_the_base_classes_read_when_they_are_constructed(folder: Any, asked: list[Any]) -> None:
    folder.seal("secrets.sealed", {"tide": {"token": "1"}, "tidepage": {"token": "2"}})
    folder.sources(SEALED)
    assert TideServer().config.token.get_secret_value() == "1"
    assert TidePage().config.token.get_secret_value() == "2"
    assert len(asked) == 2


def test_a_given_configuration_is_all_there_is(
    folder: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("matrix.toml", "[secrets]\nnonsense = 1\n")
    monkeypatch.setattr(settings, "harden", lambda: pytest.fail("hardened"))
    TideServer(config=TideConfig())
    TidePage(config=TideConfig())
    assert asked == []


def test_without_a_source_nothing_is_started(
    folder: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "harden", lambda: pytest.fail("hardened"))
    folder.write("matrix.toml", "[secrets]\npatience = 1\n[config.tide]\nstation = 'x'\n")
    assert read(Project.find({}, folder.path)).station == "x"
    assert asked == []


# --------------------------------------------------------------------------------- which one counts


def test_between_the_environment_and_the_file(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.seal("secrets.sealed", {"tide": {"token": "s", "station": "s", "tags": ["s"]}})
    project = folder.sources(SEALED, config="[config.tide]\nstation = 'c'\ntags = ['c']\n")
    monkeypatch.setenv("MATRIX_TIDE__TAGS", '["e"]')
    config = read(project)
    assert (config.token.get_secret_value(), config.station, config.tags) == ("s", "s", ["e"])
    assert str(load(TideConfig, "tide").origins["token"]) == "tide.token in secrets.sealed"


def test_a_later_source_overrides_field_by_field(folder: Any) -> None:
    folder.seal(
        "secrets.sealed", {"tide": {"token": "1", "server": {"host": "1"}}, "units": "metric"}
    )
    folder.seal_fields("fields.sealed", {"tide.server": '{"password": "2"}', "units": "imperial"})
    config = read(folder.sources(SEALED, FIELDS))
    assert (config.token.get_secret_value(), config.units) == ("1", "imperial")
    assert (config.server.host, config.server.password.get_secret_value()) == ("1", "2")
    assert read(folder.sources(FIELDS, SEALED)).units == "metric"


@pytest.mark.parametrize("order", [(SEALED, PLAIN), (PLAIN, SEALED)])
def test_what_is_plain_never_overrides_what_is_sealed(folder: Any, order: tuple[str, str]) -> None:
    folder.seal("secrets.sealed", {"tide": {"server": {"host": "sealed"}}, "units": "imperial"})
    folder.write(
        "plain.json",
        '{"tide": {"units": "metric", "station": "plain", "server": {"host": "plain"}}}',
    )
    config = read(folder.sources(*order))
    assert (config.server.host, config.units, config.station) == ("sealed", "imperial", "plain")


def test_a_later_plain_source_overrides_an_earlier_one(folder: Any) -> None:
    folder.write("plain.json", '{"tide": {"station": "1", "tags": ["1"]}}')
    folder.write("later.json", '{"tide": {"station": "2"}}')
    config = read(folder.sources(PLAIN, PLAIN.replace("plain.json", "later.json")))
    assert (config.station, config.tags) == ("2", ["1"])


# ---------------------------------------------------------------------------------- what is refused


def refused(project: Project) -> str:
    with pytest.raises(ConfigError) as caught:
        read(project)
    assert caught.value.__context__ is None
    return str(caught.value)


def test_a_secret_in_a_plain_source(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    folder.write("plain.json", '{"tide": {"token": "t", "server": {"password": "p"}}}')
    lines = refused(folder.sources(PLAIN)).splitlines()
    assert [line.partition(", from")[0].partition(";")[0] for line in lines] == [
        "TideConfig [tide] token (SecretStr): a secret must not stand in plain.json, which is not "
        "encrypted",
        "TideConfig [tide] server.password (SecretStr): a secret must not stand in plain.json, "
        "which is not encrypted",
    ]
    assert caplog.messages == []
    for _ in range(2):
        assert token(folder.sources(f"{PLAIN}\nsecrets = true")) == "t"
    assert (
        caplog.messages
        == [
            "plain.json may supply secrets, and is not encrypted: whoever can read it has them. "
            "Seal it with matrix encrypt"
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        ('{"tide": {"token": "PLAIN"}}', "is not sealed (vault:vN:...), so it was not used"),
        ("vault:v1:no base64", "is not sealed"),
        ("vault:v0:AAAA", "is not sealed"),
        ("", "is not sealed"),
        ("vault:v1:AAAA", "does not verify"),
        ("vault:v2:AAAA", "is of key version 2, and the key has 1"),
    ],
)
def test_what_nobody_sealed(folder: Any, plant: str, said: str) -> None:
    folder.store("secrets.sealed", {"secrets.json": plant})
    message = refused(folder.sources(SEALED))
    assert said in message
    assert "secrets.json in secrets.sealed" in message
    folder.store("fields.sealed", {"tide.token": plant})
    message = refused(folder.sources(FIELDS))
    assert said in message
    assert "tide.token in fields.sealed" in message
    assert "PLAIN" not in message


def test_a_ciphertext_counts_in_its_own_place_alone(folder: Any) -> None:
    folder.seal_fields("fields.sealed", {"tide.token": "a", "harbour.token": "b"})
    folder.seal("secrets.sealed", {"tide": {"token": "t"}})
    fields = dict(folder.store_of("fields.sealed").read().data)
    document = folder.store_of("secrets.sealed").read().data["secrets.json"]
    assert token(folder.sources(FIELDS)) == "a"

    folder.store("fields.sealed", {"tide.token": fields["harbour.token"]})
    assert "does not verify" in refused(folder.sources(FIELDS))  # of another data key
    folder.store("copy.sealed", {"tide.token": fields["tide.token"]})
    assert "does not verify" in refused(folder.sources(FIELDS.replace("fields.", "copy.")))
    folder.store("copy.sealed", {"secrets.json": document})
    assert "does not verify" in refused(folder.sources('path = "copy.sealed"'))  # of another file
    folder.store("secrets.sealed", {"tide.token": document})
    as_field = f'{SEALED}\nlayout = "fields"'
    assert "does not verify" in refused(folder.sources(as_field))  # of another layout
    sealed_alike = folder.ciphertext("secrets.sealed", "tide.token", "{}", layout="document")
    folder.store("secrets.sealed", {"tide.token": sealed_alike})
    assert "does not verify" in refused(folder.sources(as_field))
    folder.store("secrets.sealed", {"other": document})
    other = f'{SEALED}\ndata_key = "other"'
    assert "does not verify" in refused(folder.sources(other))


def test_what_is_not_there(folder: Any) -> None:
    assert "there is no secrets.sealed: make it with matrix encrypt" in refused(
        folder.sources(SEALED)
    )
    folder.seal("secrets.sealed", {})
    message = refused(folder.sources(f'{SEALED}\ndata_key = "other"'))
    assert "secrets.sealed has no data key other; it has secrets.json" in message
    sealed = folder.store_of("secrets.sealed").read().data["secrets.json"]
    folder.store("secrets.sealed", {"x\x1b[2Jy": sealed, "z": sealed})
    assert r"; it has 'x\x1b[2Jy', z. Set data_key" in refused(folder.sources(SEALED))
    folder.seal("secrets.sealed", {})
    (folder.path / ".matrix" / "keyring").unlink()
    assert "there is no keyring" in refused(folder.sources(SEALED))


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        (SEALED, "change it in the document and seal that again: matrix encrypt FILE"),
        (FIELDS, "seal it again: matrix encrypt --set tide.server"),
        (PLAIN, "correct it in plain.json"),
    ],
)
def test_what_is_wrong_is_set_right_where_it_is(folder: Any, source: str, remedy: str) -> None:
    """Not in matrix.toml, which counts less."""
    server = {"host": ["MARKER"]}
    folder.seal("secrets.sealed", {"tide": {"server": server}})
    folder.seal_fields("fields.sealed", {"tide.server": json.dumps(server)})
    folder.write("plain.json", json.dumps({"tide": {"server": server}}))
    config = "[config.tide.server]\nhost = 'of no use'\n"
    said = refused(folder.sources(source, config=config))
    where = source.partition('"')[2].partition('"')[0]
    assert said == (
        "TideConfig [tide] server.host (str): must be text, in quotes, from tide.server.host in "
        f"{where}; {remedy}"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"MARKER"', "secrets.json in secrets.sealed is not JSON, at line 1, column 10"),
        ("[]", "secrets.json in secrets.sealed must be a mapping of names to values"),
        ('{"tide": "MARKER"}', "TideConfig [tide]: tide in secrets.sealed is no mapping"),
        ('{"tide": {"tags": "MARKER"}}', "tags (list[str]): is not a valid list[str], from"),
    ],
)
def test_a_document_that_cannot_be(folder: Any, text: str, said: str) -> None:
    folder.seal("secrets.sealed", text)
    message = refused(folder.sources(SEALED))
    assert said in message
    assert "MARKER" not in message


def test_a_name_that_nobody_declared_is_said(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    folder.seal("secrets.sealed", {"tide": {"tokne": "x"}, "moon": {"x": "x"}})
    read(folder.sources(SEALED))
    assert caplog.messages == [
        "secrets.sealed has tide.tokne (did you mean token?), which nobody declared"
    ]
    caplog.clear()
    fields = {"tide.zzz": "x", "tide.server.host": "x", "moon.x": "x", "zzz": "x"}
    folder.seal_fields("fields.sealed", fields)
    read(folder.sources(FIELDS))
    (said,) = caplog.messages
    assert said == (
        "fields.sealed has tide.server.host (did you mean server?), tide.zzz, which nobody "
        "declared; tide takes redis_url, timezone, units, contact, station, token, server, tags"
    )


def test_what_is_misspelt_at_the_top_level_is_said(
    folder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder.seal("secrets.sealed", {"timezon": "x", "tidee": {"token": "x"}, "moon": {}})
    folder.seal_fields("fields.sealed", {"redis_ur": "x", "zzz": "x"})
    read(folder.sources(SEALED, FIELDS))
    assert caplog.messages == [
        "timezon in secrets.sealed is read by no instance here: did you mean timezone?",
        "tidee in secrets.sealed belongs to no instance here: did you mean tide?",
        "redis_ur in fields.sealed is read by no instance here: did you mean redis_url?",
    ]
    caplog.clear()
    folder.seal_fields("fields.sealed", {"tide.token": "x"})
    read(folder.sources(SEALED, FIELDS))
    assert not any("tidee" in message for message in caplog.messages)


def test_a_class_that_is_none(folder: Any) -> None:
    manager = SecretManager(folder.sources(SEALED))
    nones: tuple[Any, ...] = (dict, BaseModel, TideConfig())
    for cls, name in zip(nones, ("dict", "BaseModel", "TideConfig"), strict=True):
        with pytest.raises(TypeError, match=f"{name} must be a subclass of Config"):
            manager.read(cls, name="x")


# ----------------------------------------------------------------------------- how long it is tried


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now_s += duration_s


def in_time(
    answers: Callable[[int], list[Any] | Failure], patience_s: float = 60.0
) -> tuple[Any, Clock]:
    """What comes of it, when the attempt with a number from 0 has that answer."""
    clock = Clock()
    outcome = until_answered(
        lambda _: answers(len(clock.slept)),
        patience_s,
        clock=lambda: clock.now_s,
        sleep=clock.sleep,
    )
    return outcome, clock


AWAY = Failure("unavailable", "Vault is sealed")


def test_what_does_not_answer_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    outcome, clock = in_time(lambda attempt: ["documents"] if attempt == 3 else AWAY)
    assert outcome == ["documents"]
    assert len(clock.slept) == 3
    assert caplog.messages == ["the secrets cannot be read yet: Vault is sealed. Trying for 60 s"]


def test_the_patience_ends_in_one_sentence() -> None:
    outcome, clock = in_time(lambda _: AWAY)
    assert isinstance(outcome, SecretsUnavailable)
    assert str(outcome) == "the secrets could not be read within 60 s: Vault is sealed"
    assert 50 - reading.LONGEST_WAIT_S <= clock.now_s <= 60
    assert len(clock.slept) < 20


def test_an_attempt_takes_no_longer_than_is_left_of_the_patience() -> None:
    limits: list[float] = []
    clock = Clock()

    def hang(limit_s: float) -> Failure:
        limits.append(limit_s)
        clock.now_s += limit_s
        return AWAY

    until_answered(hang, 50.0, clock=lambda: clock.now_s, sleep=clock.sleep)
    first, second = limits
    assert first == LIFETIME_S
    assert second == pytest.approx(50 - LIFETIME_S - clock.slept[0])
    assert clock.now_s == 50
    limits.clear()
    until_answered(hang, 0.0, clock=lambda: clock.now_s, sleep=clock.sleep)
    assert limits == [reading.LEAST_LIMIT_S]


def test_what_refuses_is_not_asked_again() -> None:
    outcome, clock = in_time(lambda _: Failure("refused", "no such role"))
    assert isinstance(outcome, ConfigError)
    assert (str(outcome), clock.slept) == ("the secrets cannot be read: no such role", [])


def test_the_waits_grow_and_are_spread() -> None:
    assert [wait_s(n, 1.0) for n in (1, 2, 3, 4, 5, 6, 2000)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert [wait_s(n, 0.0) for n in (1, 6)] == [0.25, 5.0]


def test_a_ciphertext_that_was_retired_is_read_again(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.seal("secrets.sealed", {"tide": {"token": "t"}})
    folder.transit.rotate()
    folder.transit.set_min_decryption_version(2)
    with pytest.raises(SecretsUnavailable) as caught:
        read(folder.sources(SEALED))
    assert str(caught.value) == (
        "the secrets could not be read within 0 s: secrets.json in secrets.sealed is an old copy: "
        "its key version 1 was retired. Put the newer copy back, seal the value again, or run "
        "matrix rotate --recover"
    )

    def ask_and_rewrap(request: Any, **options: Any) -> Any:
        answer = asking.ask(request, **options)
        folder.transit.set_min_decryption_version(1)
        return answer

    monkeypatch.setattr(reading, "ask", ask_and_rewrap)
    assert token(folder.sources(SEALED, secrets="patience = 20")) == "t"


def test_a_child_that_does_not_answer_is_one_sentence(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.seal("secrets.sealed", {})
    project = folder.sources(SEALED)
    monkeypatch.setattr(asking, "MODULE", "this")
    with pytest.raises(SecretsUnavailable) as caught:
        read(project)
    assert str(caught.value) == (
        "the secrets could not be read within 0 s: the process that reads them ended with status 0 "
        "and without an answer: see with matrix read whether it always does"
    )


# ------------------------------------------------------------------------------- in whole processes

PROGRAM = """
from pydantic import SecretStr
from framework import Config, ServerBase, Values

class Tide(Values):
    height_m: float = 0.0

class TideConfig(Config):
    token: SecretStr

class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self):
        return Tide()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


@pytest.mark.parametrize(("secrets", "status"), [({"tide": {}}, 78), (None, 75)])
def test_the_exit_status_says_whether_to_start_again(
    folder: Any, secrets: object, status: int
) -> None:
    folder.write("tide.py", PROGRAM)
    folder.seal("secrets.sealed", secrets)
    if secrets is None:
        folder.transit.rotate()
        folder.transit.set_min_decryption_version(2)
    folder.sources(SEALED)
    done = run("import tide; tide.TideServer.run()")
    assert (done.returncode, done.stderr.count("\n")) == (status, 1)


def test_a_service_is_hardened_before_it_holds_a_secret_and_before_its_heavy_imports(
    folder: Any,
) -> None:
    folder.write("tide.py", PROGRAM)
    folder.seal("secrets.sealed", {"tide": {"token": "t"}})
    folder.sources(SEALED)
    folder.write("matrix.toml", Path("matrix.toml").read_text().replace("profilers = true", ""))
    done = run(
        "import sys, resource, tide\n"
        "from framework.secrets import reading\n"
        "from tests.secrets.dumpable import is_dumpable\n"
        "ask = reading.ask\n"
        "reading.ask = lambda request, **o: (print(is_dumpable()), ask(request, **o))[1]\n"
        "tide.TideServer()\n"
        "print(is_dumpable(), resource.getrlimit(resource.RLIMIT_CORE))\n"
        "print(*{'redis', 'httpx2', 'hvac', 'kubernetes', 'cryptography'} & set(sys.modules))\n"
    )
    assert (done.stdout, done.stderr) == ("False\nFalse (0, 0)\n\n", "")


def test_a_process_that_cannot_be_hardened_reads_nothing(
    folder: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.seal("secrets.sealed", {})
    folder.sources(SEALED)
    folder.write("matrix.toml", Path("matrix.toml").read_text().replace("profilers = true", ""))

    def fail() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(settings, "harden", fail)
    with pytest.raises(ConfigError, match="profilers = true"):
        load(TideConfig, "tide")
    assert asked == []


def test_the_commands_read_for_all_at_once(
    folder: Any, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("tide_at_once.py", PROGRAM)
    monkeypatch.syspath_prepend(folder.path)
    folder.seal("secrets.sealed", {"tide": {"token": "1"}, "harbour": {"token": "2"}})
    entry = '[[service]]\nuse = "tide_at_once:TideServer"\n'
    pages = '[[page]]\nuse = "clock"\n'
    project = folder.sources(SEALED, config=f"{entry}{entry}name = 'harbour'\n{pages}")
    made = make_instances(project, project.services, project.pages)
    assert [one.config.token.get_secret_value() for one in made.services] == ["1", "2"]
    assert [one.page.name for one in made.pages] == ["clock"]
    assert made.kept == {"tide": ["token"], "harbour": ["token"], "clock": []}
    assert len(asked) == 1
    assert asked[0]["tree"]["own"].keys() == {"tide", "harbour", "clock"}


def test_list_reads_nothing_and_says_what_may_be(folder: Any) -> None:
    folder.write("matrix.toml", '[[secrets.source]]\nkind = "file"\npath = "not there"\n')
    done = subprocess.run(
        [str(Path(sys.executable).with_name("matrix")), "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "MATRIX_UNITS": "metric"},
    )
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0].startswith("The secrets are not read here.")
    assert "redis_url SecretStr default" in lines
    assert "units 'metric' or 'imperial' environment MATRIX_UNITS" in lines


def test_a_page_that_waits_for_its_secrets_does_so_before_there_is_a_loop(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a loop it would be deaf to being told to stop, for as long as it is patient."""
    looping = []

    class Late(TidePage):
        def __init__(self, **options: Any) -> None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                looping.append(False)
            else:
                looping.append(True)
            raise SecretsUnavailable("later")

    monkeypatch.setattr("framework.process.configure_logging", lambda: None)
    with pytest.raises(SystemExit) as caught:
        Late.run()
    assert (caught.value.code, looping) == (75, [False])


def test_unavailable_is_a_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def construct() -> Any:
        raise SecretsUnavailable("not yet")

    assert exit_status(construct) == 75
    assert capsys.readouterr().err == "not yet\n"
    assert is_dumpable()  # the tests' own process was left alone
