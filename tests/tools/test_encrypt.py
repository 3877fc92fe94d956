"""``matrix encrypt`` as a user runs it: files, pipes, a terminal, and what it prints."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from framework import SecretManager
from framework.config import Config
from framework.project import Project
from framework.secrets.filestore import FileStore
from framework.secrets.keyring import LocalTransit

MATRIX = str(Path(sys.executable).with_name("matrix"))
DOCUMENT = '[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\n'
FIELDS = DOCUMENT + 'layout = "fields"\n'
MARK = "s3cr3t-mark"

Encrypt = Callable[..., "subprocess.CompletedProcess[str]"]


class TideConfig(Config):
    token: str = ""
    hosts: tuple[str, ...] = ()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("MATRIX_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def encrypt(folder: Path) -> Encrypt:
    """Run it; whatever it does, it shows no value and leaves none in a file."""

    def run(
        *arguments: str, given: str = "", command: str = MATRIX
    ) -> subprocess.CompletedProcess[str]:
        before = {path for path in folder.rglob("*") if path.is_file()}
        words = [command, "encrypt"] if command == MATRIX else [command]
        done = subprocess.run(
            [*words, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert MARK not in done.stdout + done.stderr
        for path in set(folder.rglob("*")) - before:
            assert not path.is_file() or MARK not in path.read_text()
        return done

    return run


def toml(folder: Path, text: str) -> None:
    # Debuggers may look in: it is the process of the tests that reads.
    (folder / "matrix.toml").write_text("[secrets]\nprofilers = true\n" + text)


def token(folder: Path) -> str:
    return SecretManager(Project.find({}, folder)).read(TideConfig, name="tide").token


def test_a_document_whose_key_is_made_on_the_way(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT)
    (folder / "secrets.json").write_text(json.dumps({"tide": {"token": MARK, "hosts": ["a"]}}))
    done = encrypt("secrets.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "sealed      secrets.json in secrets.sealed",
        "has         tide.token, tide.hosts",
        f"key         {folder}/.matrix/keyring was made, and Git ignores it: "
        "keep a copy with your passwords",
        "plaintext   secrets.json has it still: delete it, or keep it with your passwords",
        "next        start again what reads it; matrix read shows what that will get",
    ]
    assert token(folder) == MARK
    keyring = folder / ".matrix" / "keyring"
    assert stat.S_IMODE(keyring.stat().st_mode) == 0o600
    again = encrypt("-", given='{"tide": {"token": "2"}}')
    assert again.stdout.splitlines() == [
        "sealed      secrets.json in secrets.sealed, over what was there",
        "has         tide.token",
        "next        start again what reads it; matrix read shows what that will get",
    ]
    assert token(folder) == "2"


@pytest.mark.skipif(not Path("/usr/bin/git").exists(), reason="asks git itself")
def test_git_does_not_take_the_key(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT)
    assert encrypt("-", given='{"a": 1}').returncode == 0
    subprocess.run(["/usr/bin/git", "init", "-q"], check=True)
    subprocess.run(["/usr/bin/git", "add", "."], check=True)
    listed = subprocess.run(
        ["/usr/bin/git", "ls-files"], check=True, capture_output=True, text=True
    )
    assert listed.stdout.split() == ["matrix.toml", "secrets.sealed"]


def test_fields_say_what_became_of_each_name(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, FIELDS)
    (folder / "s.yaml").write_text(f"tide:\n  token: {MARK}\n  hosts: [a, b]\nunits: metric\n")
    done = encrypt("--fields", "s.yaml")
    assert done.stdout.splitlines()[:2] == [
        "sealed      in secrets.sealed",
        "added       tide.hosts, tide.token, units",
    ]
    (folder / "s.toml").write_text('[tide]\ntoken = "2"\nother = 1\n')
    done = encrypt("s.toml")
    assert done.stdout.splitlines()[1:3] == ["added       tide.other", "overwritten tide.token"]
    done = encrypt("s.toml", "--prune")
    assert done.stdout.splitlines()[1:3] == [
        "overwritten tide.other, tide.token",
        "removed     tide.hosts, units",
    ]
    assert token(folder) == "2"


def test_one_value_from_a_pipe(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, FIELDS)
    done = encrypt("--set", "tide.token", given=MARK + "\n")
    assert done.stdout.splitlines()[1] == "added       tide.token"
    assert token(folder) == MARK


def test_one_value_from_a_keyboard_is_not_shown(folder: Path) -> None:
    toml(folder, FIELDS)
    process, terminal = pty.fork()
    if process == 0:
        os.execv(MATRIX, [MATRIX, "encrypt", "--set", "tide.token"])  # noqa: S606  # no shell
    shown = _until(terminal, b"tide.token: ")
    os.write(terminal, MARK.encode() + b"\n")
    shown += _until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert MARK.encode() not in shown
    assert token(folder) == MARK


def _until(terminal: int, wanted: bytes | None) -> bytes:
    """What is shown up to ``wanted``, or to the end."""
    shown = b""
    while wanted is None or wanted not in shown:
        try:
            chunk = os.read(terminal, 1024)
        except OSError:  # on Linux, that nobody writes any more
            break
        if not chunk:
            break
        shown += chunk
    return shown


@pytest.mark.parametrize(
    ("sources", "arguments", "given", "status", "sentence"),
    [
        ("", ["-"], "{}", 78, "[[secrets.source]]"),
        (DOCUMENT, [], "", 2, "give a FILE"),
        (DOCUMENT, ["-", "--set", "a.b"], "", 2, "give a FILE"),
        (DOCUMENT, ["--set", "tide.token"], MARK, 78, "sealed as a whole"),
        (DOCUMENT, ["-", "--fields"], "{}", 78, "sealed as a whole"),
        (DOCUMENT, ["-", "--prune"], "{}", 78, "sealed as a whole"),
        (DOCUMENT, ["-"], f'{{"a": "{MARK}"', 78, "standard input is not JSON, at line 1"),
        (DOCUMENT, ["-"], "{}", 78, "standard input has no value to seal"),
        (DOCUMENT, ["nowhere.json"], "", 78, "nowhere.json cannot be read: No such file"),
        (DOCUMENT, ["."], "", 78, ". cannot be read: It is not a regular file"),
        (DOCUMENT, ["-", "--source", "secret.sealed"], "{}", 78, "did you mean secrets.sealed?"),
        (DOCUMENT + 'format = "text"\nfield = "tide.token"\n', ["-"], "", 0, "has         tide."),
        (FIELDS, ["-"], f'{{"{MARK} x": 1}}', 78, "SECTION.FIELD"),
        (FIELDS, ["--set", f"{MARK} x"], "", 78, "SECTION.FIELD"),
        (FIELDS, ["--set", "tide.token"], "", 78, "tide.token: no value was given"),
        (FIELDS, ["-", "--format", "env"], "TIDE__TOKEN=x", 0, "tide.token"),
        (
            FIELDS + DOCUMENT.replace("secrets.sealed", "b.sealed"),
            ["-"],
            "{}",
            78,
            "secrets.sealed, b.sealed",
        ),
    ],
)
def test_what_is_not_clear_is_one_sentence(
    folder: Path,
    encrypt: Encrypt,
    sources: str,
    arguments: list[str],
    given: str,
    status: int,
    sentence: str,
) -> None:
    toml(folder, sources)
    done = encrypt(*arguments, given=given)
    said = done.stdout + done.stderr
    assert (done.returncode, sentence in said) == (status, True), said
    assert "Traceback" not in said
    assert (folder / "secrets.sealed").exists() is (status == 0)


def test_without_its_keyring_what_is_sealed_is_not_overwritten(
    folder: Path, encrypt: Encrypt
) -> None:
    toml(folder, DOCUMENT)
    encrypt("-", given='{"a": 1}')
    (folder / ".matrix" / "keyring").unlink()
    before = (folder / "secrets.sealed").read_bytes()
    done = encrypt("-", given='{"a": 2}')
    assert done.returncode == 1
    assert "restore that, or remove secrets.sealed" in done.stderr
    assert (folder / "secrets.sealed").read_bytes() == before
    assert not (folder / ".matrix" / "keyring").exists()


def test_what_an_older_key_sealed_stays_readable(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, FIELDS)
    encrypt("--set", "tide.token", given="1")
    LocalTransit(folder / ".matrix" / "keyring").rotate()
    encrypt("--set", "units", given="metric")
    held = FileStore(folder / "secrets.sealed").read()
    assert held is not None
    versions = {key: text.split(":")[1] for key, text in held.data.items()}
    assert versions == {"tide.token": "v1", "units": "v2"}
    assert token(folder) == "1"


def test_it_goes_by_its_other_name(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, FIELDS)
    command = str(Path(sys.executable).with_name("encryptonator"))
    assert encrypt("--set", "tide.token", given="1", command=command).returncode == 0
    assert token(folder) == "1"
