"""Read what one source holds, decrypt it, and keep what is declared. Runs in the child.

Whatever is wrong is a ``ConfigError``, or a ``SecretsUnavailable`` if the same may work later; both
name source and data key, and quote nothing that was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framework.errors import ConfigError, SecretsUnavailable
from framework.folding import fold
from framework.secrets.formats import OF_TEXTS, Malformed, as_field, parse
from framework.secrets.prune import Node, Tree, keep, prune, strangers
from framework.secrets.source import Home, Source
from framework.secrets.store import Stored, StoreRefused, StoreUnavailable
from framework.secrets.transit import (
    CIPHERTEXT,
    Sealed,
    TooOld,
    Transit,
    TransitRefused,
    TransitUnavailable,
)

Failure = ConfigError | SecretsUnavailable


@dataclass(frozen=True, slots=True)
class Read:
    """What one source has for the instances of a process."""

    values: dict[str, Any] = field(repr=False)
    strangers: list[tuple[str, str]]
    """Section and name of what nobody declared."""


def read(source: Source, home: Home, tree: Tree) -> Read:
    """What ``source`` has of what ``tree`` declares.

    :raises ConfigError: :raises SecretsUnavailable:
    """
    if source.plain:
        return _document(source, _plain(source, home), source.name, tree)
    stored = _stored(source, home)
    transit = source.transit(home)
    if source.layout == "fields":
        return _fields(source, stored, transit, tree)
    if source.data_key not in stored.data:
        raise ConfigError(
            f"{source.name} has no data key {source.data_key}; it has "
            f"{', '.join(sorted(stored.data)) or 'none'}. Set data_key of its [[secrets.source]]"
        )
    content = _decrypted(source, stored, transit, source.data_key)
    return _document(source, content, f"{source.data_key} in {source.name}", tree)


def _document(source: Source, content: bytes, where: str, tree: Tree) -> Read:
    outcome = _parsed(source, content)
    if isinstance(outcome, str):
        raise ConfigError(f"{where} {outcome}. Write it anew, or set format")
    texts = source.format in OF_TEXTS
    return Read(prune(outcome, tree, texts=texts), strangers(outcome, tree))


def _parsed(source: Source, content: bytes) -> dict[str, Any] | str:
    """What it says, or what is wrong with it."""
    try:
        return parse(content.decode("utf-8-sig"), source.format, field=source.field)
    except UnicodeDecodeError as error:
        return f"is not text in UTF-8, at byte {error.start}"
    except Malformed as malformed:
        return str(malformed)


def _fields(source: Source, stored: Stored, transit: Transit, tree: Tree) -> Read:
    """Each field that is declared, decrypted by itself; no other is."""
    values: dict[str, Any] = {}
    names: dict[str, dict[str, None]] = {}
    for data_key in sorted(stored.data):
        section, point, name = data_key.partition(".")
        fields: Mapping[str, Node] = tree.own.get(fold(section), {}) if point else tree.shared
        if point:
            names.setdefault(section, {})[name] = None
        else:
            name = section
        if name in fields:
            text = _text(source, _decrypted(source, stored, transit, data_key), data_key)
            table = values.setdefault(section, {}) if point else values
            table[name] = keep(text, fields[name], texts=True)
    return Read(values, strangers(names, tree))


def _text(source: Source, content: bytes, data_key: str) -> str:
    try:
        return as_field(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        at = error.start
    raise ConfigError(f"{data_key} in {source.name} is not text in UTF-8, at byte {at}")


def _plain(source: Source, home: Home) -> bytes:
    failure: Failure
    try:
        return source.plain_content(home)
    except StoreUnavailable as error:
        failure = SecretsUnavailable(str(error))
    except StoreRefused as error:
        failure = ConfigError(str(error))
    raise failure


def _stored(source: Source, home: Home) -> Stored:
    failure: Failure
    try:
        stored = source.store(home).read()
    except StoreUnavailable as error:
        failure = SecretsUnavailable(str(error))
    except StoreRefused as error:
        failure = ConfigError(str(error))
    else:
        if stored is not None:
            return stored
        failure = ConfigError(
            f"there is no {source.name}: make it with matrix encrypt, or correct its "
            "[[secrets.source]] in matrix.toml"
        )
    raise failure


def _decrypted(source: Source, stored: Stored, transit: Transit, data_key: str) -> bytes:
    """The plaintext under a data key, bound to the place where it was found."""
    failure: Failure
    where, ciphertext = f"{data_key} in {source.name}", stored.data[data_key]
    if not CIPHERTEXT.fullmatch(ciphertext):
        raise ConfigError(
            f"{where} is not sealed (vault:vN:...), so it was not used: whoever put it there can "
            "write the source, and does not have its key. Seal it with matrix encrypt"
        )
    try:
        return transit.decrypt(Sealed(source.place.context(data_key), ciphertext))
    except TransitUnavailable as error:
        failure = SecretsUnavailable(f"{where} cannot be decrypted now: {error}")
    except TooOld as error:
        # A rotator may have rewrapped it since it was read: reading it again tells.
        failure = SecretsUnavailable(f"{where} cannot be decrypted: {error}")
    except TransitRefused as error:
        failure = ConfigError(f"{where} cannot be decrypted: {error}")
    raise failure
