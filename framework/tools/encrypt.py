"""``matrix encrypt``: put a document, its fields, or one value into a source of secrets, sealed."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

import typer

from framework import durable
from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import FILE, Project
from framework.secrets.encryptor import Change, Encryptor
from framework.secrets.fields import content_of, data_key_of, fields_of, names_of
from framework.secrets.formats import Format, Malformed, as_field, parse
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Home, Source
from framework.tools.git import standing
from framework.tools.options import LogLevelOption
from framework.tools.prompt import ask_hidden
from framework.tools.restart import next_step
from framework.tools.sealed import printable, sealed_source

STDIN = "-"
DEFAULT = "secrets.json"
"""What is sealed where no FILE is given."""
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
        typer.Argument(
            metavar="FILE",
            help=f"What to seal; - reads it from standard input. Default: {DEFAULT} of this "
            "folder, if it is there.",
        ),
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
        typer.Option(
            metavar="NAME",
            help="Which [[secrets.source]], where there are several: its path, or "
            "NAMESPACE/SECRET.",
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(metavar="NAMESPACE", help="Of the Secret, if not that of the source."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="SECRET", help="Of the Secret, if not that of the source.")
    ] = None,
    data_key: Annotated[
        str | None,
        typer.Option(
            metavar="DATA_KEY", help="Which one is to hold the document, if not that of the source."
        ),
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
    """Seal a document, or fields of one, where matrix.toml says.

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

    Sealed with Vault into a Secret of Kubernetes, it is bound to cluster, namespace, name and data
    key, and can be read in no other place.

    \b
        [[secrets.source]]
        kind = "kubernetes"
        cluster = "home"
        namespace = "matrix"
        secret = "matrix-secrets"

    \b
        matrix encrypt secrets.json
        matrix encrypt secrets.json --name matrix-secrets-2

    What somebody else has changed meanwhile is never overwritten. What was sealed before layout was
    changed is removed, since nobody can read it any more. The first time, the local key is made:
    .matrix/keyring, without which nothing that it sealed can be read.

    \b
    Exit status:
        0   it is sealed
        1   somebody else has changed it meanwhile: look at it, and run this again
        2   options that do not go together, or none
        75  the key or the source does not answer now: try again, always safe
        78  FILE, a value, matrix.toml or a right is missing or wrong
        130 interrupted (143 by SIGTERM): run it again, always safe
    """
    configure_logging(log_level)
    is_default = file is None and one is None and Path(DEFAULT).is_file()
    if is_default:
        file = DEFAULT
    if (file is None) == (one is None):
        raise typer.BadParameter("give a FILE (- for standard input), or --set SECTION.FIELD")
    if one is not None and "=" in one:
        raise typer.BadParameter(
            "give the name alone: the value is asked for, or piped in. What you gave after = is in "
            "the history of your shell now: change it where it comes from",
            param_hint="--set",
        )
    if one is not None and (prune or written):
        raise typer.BadParameter(
            "--prune and --format are about a FILE; --set changes one field and no other"
        )
    settings = SecretsSettings.of(Project.find(os.environ, Path.cwd()))
    options = {"namespace": namespace, "secret": name, "data_key": data_key}
    place = {part: given for part, given in options.items() if given is not None}
    are_fields = as_fields or prune or one is not None
    to = sealed_source(settings, source, layout="fields" if are_fields else "document", place=place)
    if to.layout == "document":
        _check_document(to, are_fields=are_fields, written=written)
    if is_default and to.format != "json":
        raise typer.BadParameter(f"give a FILE: {to.name} takes {to.format}, and not {DEFAULT}")
    if is_default:
        typer.echo(f"file        {DEFAULT} of this folder, since no FILE is given")
    settings.shield()
    sealing = Sealing.of_field(one or "") if file is None else Sealing.of_file(file, to, written)
    if key := to.make_key(settings.home, settings.sources):  # said even if the rest fails
        typer.echo(printable(f"key         {key}"))
    with to.transit(settings.home) as transit:
        encryptor = Encryptor(transit, to.writable_store(settings.home, creates=True), to.place)
        if to.layout == "fields":
            change = encryptor.fields(sealing.contents, prune=prune)
        else:
            change = encryptor.document(to.data_key, sealing.contents[to.data_key])
    is_read = to in settings.sources
    for line in _told(to, change, sealing, settings.home if is_read else None):
        typer.echo(printable(line))
    unread = [] if is_read else [_nothing_reads(to)]
    for warning in (*change.warnings, *unread, *_left_in_git(sealing.file)):
        typer.echo(printable(f"warning: {warning}"), err=True)


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is to be sealed."""

    contents: Mapping[str, bytes] = field(repr=False)
    """By data key."""
    has: str
    """Names of what it has, as one says them."""
    file: str | None = None
    """Where it lies in plaintext, and stays."""

    @classmethod
    def of_field(cls, name: str) -> Self:
        """One value, from the keyboard or a pipe.

        :raises ConfigError: the name is none, or no value was given.
        """
        data_key = data_key_of(*name.split("."))
        is_asked = sys.stdin.isatty()
        content = ask_hidden(f"{data_key}: ") if is_asked else sys.stdin.buffer.read()
        if content is None:
            raise ConfigError(
                f"{data_key}: more than one line, or too long a one for a terminal: pipe it in. "
                "Nothing was changed"
            )
        value = as_field(_text(content, "what was given"))
        if not value:
            raise ConfigError(f"{data_key}: no value was given, and nothing was changed")
        return cls({data_key: content_of(value)}, data_key)

    @classmethod
    def of_file(cls, file: str, to: Source, written: Format | None) -> Self:
        """All that a file has, or standard input.

        :raises ConfigError: it cannot be read, or does not say what it should.
        """
        name = "standard input" if file == STDIN else file
        if to.layout == "document":
            content = _content(file)
            has = _document(content, name, to)
            contents: Mapping[str, bytes] = {to.data_key: content}
        else:
            contents = _fields(file, name, written)
            has = ", ".join(contents)
        if not has:
            raise ConfigError(f"{name} has no value to seal, and nothing was changed")
        return cls(contents, has, None if file == STDIN else file)


def _document(content: bytes, name: str, to: Source) -> str:
    """Names of what a document has, as one says them."""
    hint = f"{to.name} takes that: set format of its [[secrets.source]]"
    names, others = names_of(_parsed(_text(content, name), name, to.format, to.field, hint))
    if others:
        also = "and " if names else ""
        names.append(f"{also}{others} with more than letters, digits, _ and - in the name")
    return ", ".join(names)


def _fields(file: str, name: str, written: Format | None) -> Mapping[str, bytes]:
    """Each field that a file has, by its data key."""
    kind = written or _format(file)
    if kind == "text":
        raise ConfigError(
            "plain text has no names: give it to matrix encrypt --set SECTION.FIELD, by a pipe. "
            "Nothing was changed"
        )
    document = _parsed(_text(_content(file), name), name, kind, None, "Give the right --format")
    try:
        return fields_of(document)
    except ConfigError as error:
        problem = str(error)
    raise ConfigError(f"{name}: {problem}. Nothing was changed")


def _format(file: str) -> Format:
    """How it is written, as its name says."""
    if file == STDIN:
        return "json"
    path = Path(file)
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    if path.name.lower() == ".env" or path.name.lower().startswith(".env."):
        return "env"
    raise ConfigError(f"cannot tell how {file} is written: give its --format. Nothing was changed")


def _content(file: str) -> bytes:
    if file == STDIN:
        if sys.stdin.isatty():
            typer.echo("Type or paste what is to be sealed, then Ctrl-D.", err=True)
        return sys.stdin.buffer.read()
    try:
        return durable.read(Path(file))[0]
    except IsADirectoryError:  # of a pipe too
        problem = "is not a regular file: name one, or give it on standard input, with -"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    raise ConfigError(f"{file} {problem}. Nothing was changed")


def _parsed(
    text: str, name: str, kind: Format, filled: str | None, hint: str
) -> Mapping[str, object]:
    if not text.strip():
        return {}
    try:
        return parse(text, kind, field=filled)
    except Malformed as malformed:
        problem = str(malformed)
    raise ConfigError(f"{name} {problem}. {hint}, or correct the file. Nothing was changed")


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
    raise ConfigError(f"{name} is not text in UTF-8, at byte {at}. Nothing was changed")


def _check_document(to: Source, *, are_fields: bool, written: Format | None) -> None:
    """:raises ConfigError: what was asked for cannot be done to a document."""
    if are_fields:
        raise ConfigError(
            f"{to.name} holds a document, which is sealed as a whole: who seals cannot decrypt it, "
            "and so cannot change a part of it. Change it where it comes from and run matrix "
            'encrypt FILE; or set layout = "fields" of its [[secrets.source]], and seal all fields '
            "once"
        )
    if written:
        raise ConfigError(
            f"{to.name} holds a document, and how that is written says its [[secrets.source]] to "
            "whoever reads it too: leave --format out, or set format there"
        )


def _nothing_reads(to: Source) -> str:
    where = f", data key {to.data_key}" if to.layout == "document" else ""
    return (
        f"nothing reads {to.name}{where}, and nothing rotates it, until a [[secrets.source]] of "
        f"{FILE} names it"
    )


def _left_in_git(file: str | None) -> Iterator[str]:
    """What is to be warned of, if what was sealed is there in plaintext, or may get there."""
    if file is None:
        return
    found = standing(Path(file))
    if found == "tracked":
        yield (
            f"Git tracks {file}, in plaintext: git rm --cached -- {shlex.quote(file)}, have Git "
            "ignore it, and change the values where they come from, since the history keeps them"
        )
    elif found == "untracked":
        yield f"Git does not ignore {file}, in plaintext: delete it, or name it in .gitignore"


def _told(to: Source, change: Change, sealing: Sealing, home: Home | None) -> Iterator[str]:
    """What was done, by name, and what is left to do. ``home``: None, if nothing reads it."""
    if to.layout == "document":
        over = ", over what was there" if change.overwritten else ""
        yield f"sealed      {to.data_key} in {to.name}{over}"
        yield f"has         {sealing.has}"
        words = ["removed"]
    else:
        yield f"sealed      in {to.name}"
        words = ["added", "overwritten", "removed"]
    for word in words:
        if names := getattr(change, word):
            yield f"{word:<11} {', '.join(names)}"
    if sealing.file is not None:
        yield f"plaintext   {sealing.file} has it still: delete it, or keep it with your passwords"
    if home is not None:
        changed = (*change.added, *change.overwritten, *change.removed)
        yield f"next        {next_step(to, changed, home)}"
