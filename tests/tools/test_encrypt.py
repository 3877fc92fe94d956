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
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.place import SecretPlace
from framework.secrets.transit import Sealed
from tests import forked

MATRIX = str(Path(sys.executable).with_name("matrix"))
DOCUMENT = '[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\n'
FIELDS = DOCUMENT + 'layout = "fields"\n'
TEXT = DOCUMENT + 'format = "text"\nfield = "tide.token"\n'
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
        *arguments: str, given: str = "", program: str = "matrix"
    ) -> subprocess.CompletedProcess[str]:
        before = {path for path in folder.rglob("*") if path.is_file()}
        words = ("encrypt", *arguments) if program == "matrix" else arguments
        done = forked.run(program, *words, cwd=folder, env=os.environ, given=given)
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
        f"key         {folder}/.matrix/keyring was made, and Git ignores it: "
        "keep a copy with your passwords",
        "sealed      secrets.json in secrets.sealed",
        "has         tide.token, tide.hosts",
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


def test_without_a_file_it_takes_the_usual_one(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, FIELDS)
    (folder / "secrets.json").write_text(json.dumps({"tide": {"token": MARK}, "units": "metric"}))
    said = encrypt(program="encryptonator").stdout.splitlines()
    assert said[0] == "file        secrets.json of this folder, since no FILE is given"
    assert "added       tide.token, units" in said
    assert token(folder) == MARK
    (folder / "secrets.json").write_text(json.dumps({"tide": {"token": "2"}}))
    assert "removed     units" in encrypt("--prune").stdout
    assert token(folder) == "2"
    assert "file" not in encrypt("--set", "tide.token", given="3").stdout
    assert token(folder) == "3"


@pytest.mark.parametrize("source", [TEXT, DOCUMENT + 'format = "toml"\n'])
def test_what_takes_no_json_takes_no_usual_file(
    folder: Path, encrypt: Encrypt, source: str
) -> None:
    toml(folder, source)
    (folder / "secrets.json").write_text("{}")
    done = encrypt()
    assert (done.returncode, "give a FILE: secrets.sealed takes t" in done.stderr) == (2, True)
    assert not (folder / "secrets.sealed").exists()


def test_another_data_key_of_a_file(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT)
    done = encrypt("-", "--data-key", "other", given='{"a": 1}')
    assert "nothing reads secrets.sealed, data key other, and nothing rotates it" in done.stderr
    held = FileStore(folder / "secrets.sealed").read()
    assert held is not None
    context = SecretPlace("document", "local", "local", "secrets").context("other")
    transit = LocalTransit(folder / ".matrix" / "keyring")
    assert transit.decrypt(Sealed(context, held.data["other"])) == b'{"a": 1}'


@pytest.mark.skipif(not Path("/usr/bin/git").exists(), reason="asks git itself")
def test_what_git_makes_of_the_plaintext(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT)
    (folder / "in").mkdir()
    file, ignored = folder / "in" / "a *.json", folder / ".gitignore"
    for name in (file.name, "a x.json"):  # the other one is not meant by a pattern
        (folder / "in" / name).write_text('{"a": 1}')
    git = ("/usr/bin/git", "-C", str(folder))
    assert encrypt(str(file)).stderr == ""
    subprocess.run([*git, "init", "-q"], check=True)
    untracked = f"warning: Git does not ignore {file}, in plaintext: delete it, or name it in"
    assert encrypt(str(file)).stderr.startswith(untracked)
    subprocess.run([*git, "add", "in/a x.json"], check=True)
    assert encrypt(str(file)).stderr.startswith(untracked)
    ignored.write_text("in/\n")
    assert encrypt(str(file)).stderr == ""
    subprocess.run([*git, "--literal-pathspecs", "add", "-f", "in/a *.json"], check=True)
    (folder / "link.json").symlink_to(file)
    for named in (str(file), "link.json"):
        said = encrypt(named).stderr
        assert said.startswith(f"warning: Git tracks {named}, in plaintext: git rm --cached -- ")


@pytest.mark.skipif(not Path("/usr/bin/git").exists(), reason="asks git itself")
@pytest.mark.parametrize("there", [False, True])
def test_git_does_not_take_the_key(folder: Path, encrypt: Encrypt, *, there: bool) -> None:
    toml(folder, DOCUMENT)
    if there:
        (folder / ".matrix").mkdir(mode=0o700)
    assert "and Git ignores it" in encrypt("-", given='{"a": 1}').stdout
    subprocess.run(["/usr/bin/git", "init", "-q"], check=True)
    subprocess.run(["/usr/bin/git", "add", "."], check=True)
    listed = subprocess.run(
        ["/usr/bin/git", "ls-files"], check=True, capture_output=True, text=True
    )
    assert listed.stdout.split() == ["matrix.toml", "secrets.sealed"]


def test_it_is_not_claimed_that_git_ignores_a_key_that_it_takes(
    folder: Path, encrypt: Encrypt
) -> None:
    (folder / "matrix.toml").write_text('[secrets]\nkeyring = "my.keyring"\n' + DOCUMENT)
    said = encrypt("-", given='{"a": 1}').stdout
    assert f"{folder}/my.keyring was made: keep it out of Git" in said
    assert not (folder / ".gitignore").exists()
    toml(folder, DOCUMENT.replace("secrets.sealed", "b.sealed"))
    (folder / ".matrix").mkdir(mode=0o700)
    (folder / ".matrix" / ".gitignore").write_text("*\n!keyring\n")
    assert "keyring was made: keep it out of Git" in encrypt("-", given='{"a": 1}').stdout


def test_a_state_folder_that_is_open_to_others_gets_no_key(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT)
    (folder / ".matrix").mkdir()
    (folder / ".matrix").chmod(0o755)
    done = encrypt("-", given='{"a": 1}')
    assert (done.returncode, done.stdout) == (78, "")
    assert f"chmod 700 {folder}/.matrix" in done.stderr
    assert list((folder / ".matrix").iterdir()) == []


def test_a_key_is_announced_even_if_nothing_can_be_stored(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT.replace("secrets.sealed", "sub/s.sealed"))
    done = encrypt("-", given='{"a": 1}')
    assert done.returncode == 78
    assert done.stdout.startswith(f"key         {folder}/.matrix/keyring was made")
    assert "Make the folder that it is to be in" in done.stderr


def test_the_first_of_several_at_once_makes_the_key_for_all(folder: Path) -> None:
    toml(folder, FIELDS)
    started = [
        subprocess.Popen(
            [MATRIX, "encrypt", "--set", f"tide.field{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for number in range(4)
    ]
    said = [process.communicate(b"x", timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert sum(b"was made" in each for each in said) == 1
    held = FileStore(folder / "secrets.sealed").read()
    assert held is not None
    transit = LocalTransit(folder / ".matrix" / "keyring")
    for data_key, text in held.data.items():
        context = SecretPlace("fields", "local", "local", "secrets").context(data_key)
        assert transit.decrypt(Sealed(context, text)) == b"x"
    assert len(held.data) == 4


def test_fields_say_what_became_of_each_name(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, FIELDS)
    (folder / "s.yaml").write_text(f"tide:\n  token: {MARK}\n  hosts: [a, b]\nunits: metric\n")
    done = encrypt("--fields", "s.yaml")
    assert done.stdout.splitlines()[1:3] == [
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
    assert done.stdout.splitlines()[2] == "added       tide.token"
    assert token(folder) == MARK


def test_one_value_from_a_keyboard_is_not_shown(folder: Path) -> None:
    toml(folder, FIELDS)
    shown, status = at_the_prompt(MARK.encode() + b"\n")
    assert status == 0, shown
    assert MARK not in shown
    assert token(folder) == MARK


@pytest.mark.parametrize("pasted", [b"a\nb\n", b"a\nb", b"a\r\nb\r\nc", b"a" * 5000 + b"\n"])
def test_more_than_a_line_is_refused_and_does_not_land_in_the_shell(
    folder: Path, pasted: bytes
) -> None:
    toml(folder, FIELDS)
    shown, status = at_the_prompt(
        pasted, b"pipe it in", b"next\n", after="read line; echo got $line"
    )
    assert status == 0, shown
    assert "tide.token: more than one line, or too long a one for a terminal: pipe it in" in shown
    assert shown.splitlines()[-1] == "got next"
    assert not (folder / "secrets.sealed").exists()


def test_ctrl_c_at_the_prompt_ends_its_line(folder: Path) -> None:
    toml(folder, FIELDS)
    shown, status = at_the_prompt(b"\x03")
    assert (shown.replace("^C", ""), status) == (
        "tide.token: \r\ninterrupted: what was not written yet stays as it is; run it again, which "
        "is always safe\r\n",
        130,
    )


def at_the_prompt(*talk: bytes, after: str = "") -> tuple[str, int]:
    """What a terminal shows that is given the first of ``talk`` when it asks, and then, whenever it
    shows one, the next; and the exit status. ``after``: what the shell does next."""
    command = f"{MATRIX} encrypt --set tide.token"
    process, terminal = pty.fork()
    if process == 0:
        script = f"{command}; {after}" if after else f"exec {command}"
        os.execv("/bin/sh", ["sh", "-c", script])  # noqa: S606  # a shell is what is tested in
    shown = _until(terminal, b"tide.token: ")
    os.write(terminal, talk[0])
    for wanted, answer in zip(talk[1::2], talk[2::2], strict=True):
        shown += _until(terminal, wanted)
        os.write(terminal, answer)
    shown += _until(terminal, None)
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


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
        (
            DOCUMENT,
            ["."],
            "",
            78,
            ". is not a regular file: name one, or give it on standard input",
        ),
        (
            DOCUMENT,
            ["-", "--source", "secret.sealed"],
            "{}",
            78,
            "did you mean --source secrets.sealed?",
        ),
        (TEXT, ["-"], "x\n", 0, "has         tide.token"),
        (TEXT, ["-"], "", 78, "standard input has no value to seal"),
        (TEXT, ["-"], "\n", 78, "standard input has no value to seal"),
        (DOCUMENT, ["-"], "", 78, "standard input has no value to seal"),
        (FIELDS, ["-"], "", 78, "standard input has no value to seal"),
        (
            DOCUMENT,
            ["-", "--format", "yaml"],
            "a: 1",
            78,
            "leave --format out, or set format there",
        ),
        (DOCUMENT, ["-"], '{"a": "\\ud800"}', 78, "holds half of a surrogate pair"),
        (FIELDS, ["-"], '{"a": "\\ud800"}', 78, "holds half of a surrogate pair"),
        (DOCUMENT, ["-"], '{"a": 1, "b c": 2}', 0, "a, and 1 with more than letters, digits"),
        (DOCUMENT, ["-"], '{"b c": 2}', 0, "has         1 with more than letters, digits"),
        (FIELDS, ["--set", "a.b", "--prune"], "x", 2, "are about a FILE"),
        (FIELDS, ["--set", "a.b", "--format", "json"], "x", 2, "are about a FILE"),
        (FIELDS, ["-"], "a: 1", 78, "Give the right --format"),
        (FIELDS, ["-"], '{"a": null}', 78, "standard input: a has no value (null)"),
        (FIELDS, ["-", "--format", "text"], "x", 78, "plain text has no names"),
        (FIELDS, ["notes.txt"], "", 78, "cannot tell how notes.txt is written: give its --format"),
        ("", ["--set", "tide.token"], "x", 78, 'layout = "fields"'),
        ("", ["-"], "x", 78, "Put these lines into "),
        (
            f"keyring = '{'x' * 300}'\n{DOCUMENT}",
            ["-"],
            '{"a": 1}',
            78,
            "x cannot be read: File name",
        ),
        (FIELDS, ["-"], f'{{"{MARK} x": 1}}', 78, "SECTION.FIELD"),
        (FIELDS, ["--set", f"{MARK} x"], "", 78, "SECTION.FIELD"),
        (FIELDS, ["--set", "tide.token"], "", 78, "tide.token: no value was given"),
        (FIELDS, ["-", "--format", "env"], "TIDE__TOKEN=x", 0, "tide.token"),
        (
            DOCUMENT + DOCUMENT.replace("secrets.sealed", "b sealed"),
            ["-"],
            "{}",
            78,
            "say which, with --source secrets.sealed or --source 'b sealed'",
        ),
        (FIELDS, ["--set", f"tide.token={MARK}"], "", 2, "history of your shell now: change it"),
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "TIDE__TOKEN=x"),
        (".env.production", "TIDE__TOKEN=x"),
        ("prod.env", "TIDE__TOKEN=x"),
        ("S.JSON", '{"tide": {"token": "x"}}'),
        (".env.yml", "tide: {token: x}"),
    ],
)
def test_how_a_file_is_written_says_its_name(
    folder: Path, encrypt: Encrypt, name: str, text: str
) -> None:
    toml(folder, FIELDS)
    (folder / name).write_text(text)
    assert "added       tide.token" in encrypt("--fields", name).stdout


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a": null}',
        '{"a b": 1}',
        '{"my-tide": {"x": 1}, "my_tide": {"x": 2}}',
        '{"a": "\\ud800"}',
        "{}",
    ],
)
def test_what_is_wrong_with_a_file_names_it(folder: Path, encrypt: Encrypt, text: str) -> None:
    toml(folder, FIELDS)
    (folder / "s.json").write_text(text)
    done = encrypt("--fields", "s.json")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("s.json")
    assert done.stderr.lower().endswith("nothing was changed\n")
    assert not (folder / ".matrix").exists()


def test_a_pipe_by_name_and_a_closed_standard_input(folder: Path) -> None:
    toml(folder, FIELDS)

    def said(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f"{MATRIX} encrypt {line}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (78, "")
        return done.stderr

    assert "is not a regular file: name one, or give it on" in said("--format json <(echo '{}')")
    assert said("- <&-") == "standard input has no value to seal, and nothing was changed\n"
    assert said("--set a.b <&-") == "a.b: no value was given, and nothing was changed\n"


def test_without_a_file_of_ones_own_it_says_so(folder: Path, encrypt: Encrypt) -> None:
    assert encrypt("-").stderr == (
        "no place for sealed secrets is named yet, and there is no matrix.toml in this folder. "
        "Make one with these lines:\n\n"
        '[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\n\n'
    )
    assert encrypt("--set", "tide.token").stderr.endswith(FIELDS + "\n")
    assert list(folder.iterdir()) == []


def test_no_name_moves_the_cursor(folder: Path, encrypt: Encrypt) -> None:
    toml(folder, DOCUMENT.replace("secrets.sealed", "\\u001b[2J.sealed"))
    (folder / "\x1bc.json").write_text('{"a": 1}')
    done = encrypt("\x1bc.json")
    assert done.returncode == 0, done.stderr
    assert "in \\x1b[2J.sealed" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_what_was_sealed_for_another_layout_goes_and_a_rotation_is_not_blocked(
    folder: Path, encrypt: Encrypt
) -> None:
    toml(folder, DOCUMENT)
    encrypt("-", given='{"tide": {"token": "1"}}')
    toml(folder, FIELDS)
    done = encrypt("--set", "tide.token", given="2")
    assert done.stdout.splitlines()[1:3] == ["added       tide.token", "removed     secrets.json"]
    assert 'which cannot be read with layout = "fields": what it had is removed' in done.stderr
    assert token(folder) == "2"
    toml(folder, DOCUMENT)
    done = encrypt("-", given='{"tide": {"token": "3"}}')
    assert done.stdout.splitlines()[1:3] == ["has         tide.token", "removed     tide.token"]
    assert token(folder) == "3"
    rotated = forked.run("matrix", "rotate", cwd=folder, env=os.environ)
    assert "nothing to do: 1 data key at v1" in rotated.stdout, rotated.stdout + rotated.stderr


def test_no_second_key_is_made_while_anything_is_sealed_with_another(
    folder: Path, encrypt: Encrypt
) -> None:
    toml(folder, DOCUMENT)
    encrypt("-", given='{"a": 1}')
    (folder / ".matrix" / "keyring").unlink()
    toml(folder, DOCUMENT + FIELDS.replace("secrets.sealed", "b.sealed"))
    done = encrypt("--set", "a", "--source", "b.sealed", given="2")
    assert done.returncode == 78
    assert "restore that, or remove secrets.sealed and seal everything again" in done.stderr
    assert not (folder / ".matrix" / "keyring").exists()


def test_without_its_keyring_what_is_sealed_is_not_overwritten(
    folder: Path, encrypt: Encrypt
) -> None:
    toml(folder, DOCUMENT)
    encrypt("-", given='{"a": 1}')
    (folder / ".matrix" / "keyring").unlink()
    before = (folder / "secrets.sealed").read_bytes()
    done = encrypt("-", given='{"a": 2}')
    assert done.returncode == 78
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
    assert encrypt("--set", "tide.token", given="1", program="encryptonator").returncode == 0
    assert token(folder) == "1"
