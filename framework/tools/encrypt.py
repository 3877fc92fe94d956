"""``matrix encrypt``: put a document, its fields, or one value into a source of secrets, sealed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from getpass import getpass
from pathlib import Path
from typing import Annotated, Self

import typer

from framework import durable
from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import Project
from framework.secrets.encryptor import Change, Encryptor
from framework.secrets.fields import content_of, data_key_of, fields_of, names_of
from framework.secrets.formats import Format, Malformed, as_field, parse
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source
from framework.tools.options import LogLevelOption
from framework.tools.sealed import sealed_source

STDIN = "-"
SUFFIXES: Mapping[str, Format] = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".env": "env",
}
"""How a file whose fields are to be sealed is written, by the end of its name."""


def encrypt(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="What to seal; - reads it from standard input."),
    ] = None,
    as_fields: Annotated[
        bool,
        typer.Option(
            "--fields", help='Into the source with layout = "fields": each field by itself.'
        ),
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the sealed fields that FILE does not have.")
    ] = False,
    one: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="SECTION.FIELD",
            help="Replace one sealed field: asks for its value without showing it, or reads it "
            "from a pipe.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which [[secrets.source]], where there are several."),
    ] = None,
    written: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="How FILE is written, if its fields are sealed and its name does not say so.",
        ),
    ] = None,
    log_level: LogLevelOption = "warning",
) -> None:
    """Seal a document, or fields of one, into a [[secrets.source]] of matrix.toml.

    A document is sealed whole; nobody can change a part of it. Sealed fields are each a ciphertext
    of their own: one can be set alone, and a service decrypts no other than it declares. Which of
    the two it is, and where it goes, says the source:

    \b
        [[secrets.source]]
        kind = "file"
        path = "secrets.sealed"
        layout = "fields"            # without it: a document
    \b
        matrix encrypt secrets.json
        matrix encrypt --fields secrets.yaml --prune
        pass show tide | matrix encrypt --set tide.token

    What somebody else has changed meanwhile is never overwritten. The first time, the local key is
    made: .matrix/keyring, without which nothing that it sealed can be read.
    """
    configure_logging(log_level)
    if (file is None) == (one is None):
        raise typer.BadParameter("give a FILE (- for standard input), or --set SECTION.FIELD")
    settings = SecretsSettings.of(Project.find(os.environ, Path.cwd()))
    to = sealed_source(settings, source)
    if to.layout == "document" and (as_fields or prune or one is not None):
        raise ConfigError(_document_is_whole(to))
    settings.shield()
    sealing = Sealing.of_field(one or "") if file is None else Sealing.of_file(file, to, written)
    key = to.make_key(settings.home)
    encryptor = Encryptor(to.transit(settings.home), to.store(settings.home), to.place)
    if to.layout == "fields":
        change = encryptor.fields(sealing.contents, prune=prune)
    else:
        change = encryptor.document(to.data_key, sealing.contents[to.data_key])
    for line in _told(to, change, sealing, key):
        typer.echo(line)
    for warning in change.warnings:
        typer.echo(f"warning: {warning}", err=True)


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is to be sealed."""

    contents: Mapping[str, bytes] = field(repr=False)
    """By data key."""
    names: tuple[str, ...]
    """What it has."""
    file: str | None = None
    """Where it lies in plaintext, and stays."""

    @classmethod
    def of_field(cls, name: str) -> Self:
        """One value, from the keyboard or a pipe.

        :raises ConfigError: the name is none, or no value was given.
        """
        data_key = data_key_of(*name.split("."))
        if sys.stdin.isatty():
            value = getpass(f"{data_key}: ")
        else:
            value = as_field(_text(sys.stdin.buffer.read(), "standard input"))
        if not value:
            raise ConfigError(f"{data_key}: no value was given, and nothing was changed")
        return cls({data_key: content_of(value)}, (data_key,))

    @classmethod
    def of_file(cls, file: str, to: Source, written: Format | None) -> Self:
        """All that a file has, or standard input.

        :raises ConfigError: it cannot be read, or does not say what it should.
        """
        name = "standard input" if file == STDIN else file
        content = _content(file)
        if to.layout == "document":
            hint = f"{to.name} takes that: set format of its [[secrets.source]]"
            document = _parsed(content, name, to.format, to.field, hint)
            contents, names = {to.data_key: content}, names_of(document)
        else:
            kind = written or SUFFIXES.get(Path(file).suffix.lower(), "json")
            contents = fields_of(_parsed(content, name, kind, None, "Give its --format"))
            names = list(contents)
        if not names:
            raise ConfigError(f"{name} has no value to seal, and nothing was changed")
        return cls(contents, tuple(names), None if file == STDIN else file)


def _content(file: str) -> bytes:
    if file == STDIN:
        if sys.stdin.isatty():
            typer.echo("Type or paste what is to be sealed, then Ctrl-D.", err=True)
        return sys.stdin.buffer.read()
    try:
        return durable.read(Path(file))[0]
    except OSError as error:
        reason = error.strerror
    raise ConfigError(f"{file} cannot be read: {reason}. Nothing was changed")


def _parsed(
    content: bytes, name: str, kind: Format, filled: str | None, hint: str
) -> Mapping[str, object]:
    try:
        return parse(_text(content, name), kind, field=filled)
    except Malformed as malformed:
        problem = str(malformed)
    raise ConfigError(f"{name} {problem}. {hint}, or correct the file. Nothing was changed")


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
    raise ConfigError(f"{name} is not text in UTF-8, at byte {at}. Nothing was changed")


def _document_is_whole(to: Source) -> str:
    return (
        f"{to.name} holds a document, which is sealed as a whole: who seals cannot decrypt it, and "
        "so cannot change a part of it. Change it where it comes from and run matrix encrypt FILE; "
        'or set layout = "fields" of its [[secrets.source]], and seal all fields once'
    )


def _told(to: Source, change: Change, sealing: Sealing, key: str | None) -> Iterator[str]:
    """What was done, by name, and what is left to do."""
    if to.layout == "document":
        over = ", over what was there" if change.overwritten else ""
        yield f"sealed      {to.data_key} in {to.name}{over}"
        yield f"has         {', '.join(sealing.names)}"
    else:
        yield f"sealed      in {to.name}"
        for word in ("added", "overwritten", "removed"):
            if names := getattr(change, word):
                yield f"{word:<11} {', '.join(names)}"
    if key is not None:
        yield f"key         {key}"
    if sealing.file is not None:
        yield f"plaintext   {sealing.file} has it still: delete it, or keep it with your passwords"
    yield "next        start again what reads it; matrix read shows what that will get"
