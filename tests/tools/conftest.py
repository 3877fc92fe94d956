"""A folder with secrets, and the commands as a user runs them in it: from a script, or on a
terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from framework.secrets.encryptor import Encryptor
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.place import SecretPlace
from tests import forked

MARK = "s3cr3t-mark"
DOCUMENT = '[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\n'
FIELDS = '[[secrets.source]]\nkind = "file"\npath = "fields.sealed"\nlayout = "fields"\n'


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    out: str
    err: str
    """On a terminal all is in ``out``."""
    status: int


class SealedFolder:
    """The folder, its keyring, and what is sealed in it."""

    mark = MARK
    """In every value: what must never be shown."""
    document = DOCUMENT
    fields = FIELDS

    def __init__(self, path: Path) -> None:
        self.path = path
        self.transit = LocalTransit.create(path / ".matrix" / "keyring")
        self.document_store = FileStore(path / "secrets.sealed")
        self.fields_store = FileStore(path / "fields.sealed")

    def toml(self, *parts: str) -> None:
        """Without patience: what cannot be read now is said at once."""
        (self.path / "matrix.toml").write_text("\n".join(["[secrets]\npatience = 0", *parts]))

    def seal(self, document: object) -> None:
        place = SecretPlace("document", "local", "local", "secrets")
        text = json.dumps(document).encode()
        Encryptor(self.transit, self.document_store, place).document("secrets.json", text)

    def seal_fields(self, values: Mapping[str, str]) -> None:
        place = SecretPlace("fields", "local", "local", "fields")
        contents = {name: value.encode() for name, value in values.items()}
        Encryptor(self.transit, self.fields_store, place).fields(contents)

    def run(self, *words: str, **environ: str) -> Done:
        """In a script: nothing is a terminal."""
        program, *rest = words
        if program in forked.PROGRAMS:
            done = forked.run(program, *rest, cwd=self.path, env=_environ(environ))
        else:
            done = subprocess.run(
                [_program(program), *rest],
                cwd=self.path,
                env=_environ(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert "Traceback" not in done.stderr
        return Done(done.stdout, done.stderr, done.returncode)

    def run_in_shell(self, first: str, *words: str) -> Done:
        """After a shell was told ``first``."""
        return self.run("sh", "-c", f'{first}; exec "$@"', "sh", _program(words[0]), *words[1:])

    def on_terminal(
        self, *words: str, question: str = "", answer: str = "", **environ: str
    ) -> Done:
        """On a terminal of 80 columns, where somebody gives ``answer`` to ``question``."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                [_program(words[0]), *words[1:]],
                cwd=self.path,
                env=_environ({"COLUMNS": "80", **environ}),
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        shown = b""
        # On Linux it is an error to read where nobody writes any more.
        with process, os.fdopen(ours, "rb", buffering=0) as screen, suppress(OSError):
            while chunk := screen.read(4096):
                shown += chunk
                if question and question.encode() in shown:
                    os.write(ours, answer.encode() + b"\n")
                    question = ""
        text = shown.decode().replace("\r\n", "\n")
        assert "Traceback" not in text
        return Done(text, "", process.returncode)


def _program(name: str) -> str:
    """Ours stand beside this Python."""
    ours = Path(sys.executable).with_name(name)
    return str(ours) if ours.exists() else name


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MATRIX_")}
    return {**kept, "TZ": "Europe/Berlin", **more}


@pytest.fixture
def sealed(tmp_path: Path) -> SealedFolder:
    return SealedFolder(tmp_path)
