"""No value of a secret in an error, a log, an argument list, an environment or a file.

``MARKER`` stands for values that are declared as well as for those that are not.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from framework.config import Config
from framework.config.loading import load, load_all
from framework.errors import ConfigError, MatrixError, SecretsUnavailable
from framework.project import Project
from framework.secrets import SecretManager

MARKER = "sEcReT-7f3a"


class Strict(BaseModel, extra="forbid"):
    host: str = ""


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Leaky(Config):
    """Does with values what people do."""

    needed: SecretStr
    number: int = 0
    ident: UUID | None = None
    says: SecretStr = SecretStr("")
    asserts: str = ""
    strict: Strict | None = None
    stricts: list[Strict] = Field(default_factory=list)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    fine: SecretStr = SecretStr("")

    @field_validator("says")
    @classmethod
    def says_it(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            raise ValueError(f"{value.get_secret_value()} is wrong")
        return value

    @field_validator("asserts")
    @classmethod
    def asserts_it(cls, value: str) -> str:
        assert not value, value
        return value


SEALED = 'path = "secrets.sealed"'
FIELDS = 'path = "fields.sealed"\nlayout = "fields"'
PLAIN = 'path = "plain.json"\nplain = true'


def document(**fields: object) -> str:
    """With a value that is fine, and one that nobody declared."""
    given = {"fine": MARKER, "other": MARKER, **fields}
    return json.dumps({"leaky": given, "elsewhere": {"x": MARKER}, MARKER: MARKER})


def shown(error: BaseException) -> Iterator[str]:
    """All that a log, a crash report or a debugger shows of it, but for the frames of the test."""
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    for frame, _ in traceback.walk_tb(frames):
        yield repr(frame.f_locals)
        for value in frame.f_locals.values():
            yield repr(vars(value)) if hasattr(value, "__dict__") else repr(value)
    for inner in (error.__context__, error.__cause__):
        if inner is not None:
            yield from shown(inner)


@pytest.fixture(autouse=True)
def _nothing_is_said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    said = capfd.readouterr()
    assert MARKER not in said.out + said.err
    assert MARKER not in "".join(f"{vars(record)}" for record in caplog.get_records("call"))


def check(project: Project, error: type[MatrixError] = ConfigError) -> MatrixError:
    """Reading fails, in each of the ways to read, and shows nothing."""
    caught: list[MatrixError] = []
    for read in (
        lambda: SecretManager(project).read(Leaky, name="leaky"),
        lambda: load(Leaky, "leaky"),
        lambda: load_all([(Leaky, "leaky"), (Config, "x")], project=project),
    ):
        with pytest.raises(error) as raised:
            read()
        caught.append(raised.value)
    for each in caught:
        assert MARKER not in "".join(shown(each))
        assert each.__context__ is None
    return caught[0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "needed (SecretStr): is missing"),
        ({"needed": {"x": MARKER}}, "needed (SecretStr): must be text"),
        ({"needed": 5, "nedeed": MARKER}, "needed (SecretStr): must be text"),
        ({"needed": "n", "number": MARKER}, "number (int): is not a valid int"),
        ({"needed": "n", "ident": MARKER}, "ident (UUID | None): is not a valid"),
        ({"needed": "n", "says": MARKER}, "says (SecretStr): is refused by the class's own check"),
        ({"needed": "n", "asserts": MARKER}, "asserts (str): is refused by the class's own check"),
        ({"needed": "n", "strict": MARKER}, "strict (Strict | None): is not a valid"),
        ({"needed": "n", "stricts": [{MARKER: MARKER}]}, "stricts (list[Strict]): is not a valid"),
        ({"needed": "n", "pet": {"kind": MARKER}}, "pet"),
        ({"needed": "n", "counts": {MARKER: MARKER}}, "counts (dict[str, int]): is not a valid"),
    ],
)
def test_what_is_missing_wrong_or_too_much(
    folder: Any, fields: dict[str, object], said: str
) -> None:
    folder.seal("secrets.sealed", document(**fields))
    assert said in str(check(folder.sources(SEALED)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", f'{{"leaky": {{"needed": "{MARKER}"'),
        ("json", f'{{"leaky": "{MARKER}"}}'),
        ("json", f'["{MARKER}"]'),
        ("yaml", f"leaky:\n  needed: *{MARKER}"),
        ("yaml", f"leaky:\n  needed: !{MARKER} x"),
        ("yaml", f"leaky: {MARKER}: {MARKER}"),
        ("toml", f"[leaky]\nneeded = {MARKER}"),
        ("toml", f"{MARKER} = 1\n[{MARKER}]"),
        ("env", f"LEAKY__NEEDED='{MARKER}"),
        ("env", f"LEAKY__{MARKER}__=x"),
    ],
)
def test_a_document_that_cannot_be_read(folder: Any, kind: str, text: str) -> None:
    folder.seal("secrets.sealed", text)
    check(folder.sources(f'{SEALED}\nformat = "{kind}"'))


def test_a_text_in_another_encoding(folder: Any) -> None:
    folder.write("plain.json", "")
    (folder.path / "plain.json").write_bytes(MARKER.encode() + b"\xff")
    assert "at byte 11" in str(check(folder.sources(PLAIN)))


def test_what_is_planted_or_refused(folder: Any) -> None:
    folder.store("secrets.sealed", {"secrets.json": document(needed=MARKER)})
    check(folder.sources(SEALED))
    folder.store("fields.sealed", {"leaky.needed": MARKER, "leaky.fine": MARKER})
    check(folder.sources(FIELDS))
    folder.write("plain.json", document(needed=MARKER))
    assert "must not stand in plain.json" in str(check(folder.sources(PLAIN)))


def test_a_field_that_is_wrong_beside_one_that_is_fine(folder: Any) -> None:
    folder.seal_fields(
        "fields.sealed",
        {"leaky.fine": MARKER, "leaky.number": MARKER, "leaky.strict": MARKER, "leaky.x": MARKER},
    )
    assert "number (int): is not a valid int" in str(check(folder.sources(FIELDS)))


def test_what_is_unavailable(folder: Any) -> None:
    folder.seal_fields("fields.sealed", {"leaky.fine": MARKER})
    folder.transit.rotate()
    folder.seal("secrets.sealed", document(needed=MARKER))
    folder.transit.set_min_decryption_version(2)
    check(folder.sources(SEALED, FIELDS), SecretsUnavailable)


@pytest.mark.parametrize(
    "code",
    [
        f"print('{MARKER}'); sys.exit(1)",
        f"reply(b'{MARKER}')",
        f"reply(b'ready{MARKER}' * 100); print('{MARKER}'); os.kill(os.getpid(), 9)",
        f"reply(b'ready'); raise ValueError('{MARKER}')",
        f"reply(b'ready' + (40).to_bytes(8, 'big') + b'{{\"documents\": [\"{MARKER}')",
    ],
)
def test_a_child_that_fails_with_secrets_in_its_hands(
    folder: Any, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    if code.startswith("print"):
        code = code.replace("print", "reply(b'ready'); print")
    script = folder.path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "def reply(content): os.write(int(sys.argv[-1]), content)\n" + code
    )
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    check(folder.sources(SEALED), SecretsUnavailable)


def test_what_is_read_shows_nothing_either(folder: Any) -> None:
    folder.seal("secrets.sealed", document(needed=MARKER))
    project = folder.sources(SEALED)
    found = SecretManager(project).read_all([(Leaky, "leaky")])
    loaded = load(Leaky, "leaky")
    assert found[Leaky, "leaky"].needed.get_secret_value() == MARKER
    assert MARKER not in repr((found, found[Leaky, "leaky"], loaded))


def test_the_check_would_find_it(folder: Any) -> None:
    def leak(value: str) -> None:
        try:
            raise LookupError(value)
        except LookupError:
            raise ConfigError("it is wrong")  # noqa: B904  # the context is the point

    with pytest.raises(ConfigError) as caught:
        leak(MARKER)
    assert MARKER in "".join(shown(caught.value))


# ----------------------------------------------------------------------------------- of processes

AUDITED = """
import json, os, runpy, sys
seen = []
def look(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append(["open", str(arguments[0])])
    elif event.partition(".")[0] in ("subprocess", "tempfile", "socket", "shutil"):
        seen.append([event])
    elif event in ("os.exec", "os.fork", "os.posix_spawn", "os.system", "os.putenv", "os.mkdir"):
        seen.append([event])
def record(status):
    from pathlib import Path
    try:
        environ = Path("/proc/self/environ").read_text()
    except PermissionError:  # nobody may look, not even it
        environ = ""
    lines = Path("/proc/self/cmdline").read_text()
    found = [list(seen), sys.argv, dict(os.environ), environ, lines]
    Path(__file__).with_name("audit.json").write_text(json.dumps(found))
    leave(status)
leave, os._exit = os._exit, record
sys.dont_write_bytecode = True
sys.argv[:] = [sys.argv[0], sys.argv[-1]]
sys.addaudithook(look)
runpy.run_module("framework.secrets.child", run_name="__main__", alter_sys=True)
"""


def test_the_child_writes_no_file_and_starts_nothing(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATRIX_LEAKY__SAYS", "")
    monkeypatch.setenv("MARKER", MARKER)
    script = folder.path / "python"
    script.write_text(f"#!{sys.executable}\n{AUDITED}")
    script.chmod(0o700)
    folder.seal("secrets.sealed", document(needed=MARKER))
    folder.seal_fields("fields.sealed", {"leaky.fine": MARKER})
    folder.sources(SEALED, FIELDS)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(script))
        assert load(Leaky, "leaky").config.needed.get_secret_value() == MARKER
    text = (folder.path / "audit.json").read_text()
    assert json.loads(text)[0] == []
    assert MARKER not in text


def test_the_service_passes_nothing_on(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = subprocess.Popen

    def look(*arguments: Any, **options: Any) -> Any:
        started.append((arguments, options["env"]))
        return popen(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", look)
    folder.seal("secrets.sealed", document(needed=MARKER))
    before = set(folder.path.rglob("*"))
    folder.sources(SEALED)
    load(Leaky, "leaky")
    ((arguments, environment),) = started
    assert arguments[0][1:4] == ["-I", "-m", "framework.secrets.child"]
    assert environment == {}
    assert set(folder.path.rglob("*")) - before == {folder.path / "matrix.toml"}
