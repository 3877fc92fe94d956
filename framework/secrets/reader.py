"""Read what one source holds, decrypt it, and keep what is declared. Runs in the child.

Whatever is wrong is a ``ConfigError``, or a ``SecretsUnavailable`` if the same may work later; both
name source and data key, and quote nothing that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from framework.errors import ConfigError, SecretsUnavailable
from framework.folding import fold
from framework.secrets.formats import OF_TEXTS, Malformed, as_field, parse
from framework.secrets.place import SEALED_FOR, elsewhere
from framework.secrets.prune import Node, Tree, keep, prune
from framework.secrets.source import Home, Source
from framework.secrets.store import Stored, StoreRefused, StoreUnavailable
from framework.secrets.strangers import Stranger, strangers
from framework.secrets.transit import (
    CIPHERTEXT,
    Sealed,
    TooOld,
    Transit,
    TransitRefused,
    TransitUnavailable,
    opens_anywhere,
    version_of,
)

Failure = ConfigError | SecretsUnavailable


@dataclass(frozen=True, slots=True)
class Read:
    """What one source has for the instances of a process."""

    values: dict[str, Any] = field(repr=False)
    strangers: list[Stranger]
    """What nobody declared."""


def read(source: Source, home: Home, tree: Tree) -> Read:
    """What ``source`` has of what ``tree`` declares.

    :raises ConfigError: :raises SecretsUnavailable:
    """
    if source.plain:
        content = _plain(source, home)
        if isinstance(content, bytes):
            return _document(source, content, source.name, tree)
        return _fields(source, content, content.__getitem__, tree)
    stored = _stored(source, home)
    with source.transit(home) as transit:
        if source.layout == "fields":
            decrypted = partial(_decrypted, source, stored, transit)
            fields = _fields(source, stored.data, decrypted, tree)
            _check_bound(source, stored, transit)
            return fields
        if source.data_key not in stored.data:
            raise ConfigError(
                f"{source.name} has no data key {source.data_key}; it has "
                f"{_listed(stored.data) or 'none'}. Set data_key of its "
                "[[secrets.source]]"
            )
        content = _decrypted(source, stored, transit, source.data_key)
        _check_bound(source, stored, transit)
    return _document(source, content, f"{source.data_key} in {source.name}", tree)


def _listed(data_keys: Iterable[str]) -> str:
    """Whoever can write there may have called one as they like."""
    return ", ".join(key if key.isprintable() else ascii(key) for key in sorted(data_keys))


def _document(source: Source, content: bytes, where: str, tree: Tree) -> Read:
    outcome = _parsed(source, content)
    if isinstance(outcome, str):
        raise ConfigError(f"{where} {outcome}. Write it anew, or set format")
    texts = source.format in OF_TEXTS
    return Read(prune(outcome, tree, texts=texts), strangers(outcome, tree, texts=texts))


def _parsed(source: Source, content: bytes) -> dict[str, Any] | str:
    """What it says, or what is wrong with it."""
    try:
        return parse(content.decode("utf-8-sig"), source.format, field=source.field)
    except UnicodeDecodeError as error:
        return f"is not text in UTF-8, at byte {error.start}"
    except Malformed as malformed:
        return str(malformed)


def _fields(
    source: Source, data_keys: Iterable[str], content: Callable[[str], bytes], tree: Tree
) -> Read:
    """Each field that is declared, decrypted by itself; no other is. ``content``: of a data key."""
    values: dict[str, Any] = {}
    names: dict[str, dict[str, None]] = {}
    alone: dict[str, None] = {}
    for data_key in sorted(data_keys):
        section, point, name = data_key.partition(".")
        fields: Mapping[str, Node] = tree.own.get(fold(section), {}) if point else tree.shared
        if point:
            names.setdefault(section, {})[name] = None
        else:
            name = section
            alone[name] = None
        if name in fields:
            text = _text(source, content(data_key), data_key)
            table = values.setdefault(section, {}) if point else values
            table[name] = keep(text, fields[name], texts=True)
    return Read(values, strangers({**alone, **names}, tree))


def _text(source: Source, content: bytes, data_key: str) -> str:
    try:
        return as_field(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        at = error.start
    raise ConfigError(f"{data_key} in {source.name} is not text in UTF-8, at byte {at}")


def _plain(source: Source, home: Home) -> bytes | Mapping[str, bytes]:
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


def _check_bound(source: Source, stored: Stored, transit: Transit) -> None:
    """Refuse a key that is not derived: it would open what was sealed for any other place."""
    first = next(filter(CIPHERTEXT.fullmatch, stored.data.values()), None)
    try:
        if first is None or not opens_anywhere(transit, first):
            return
    except TransitUnavailable as error:
        problem = str(error)
    else:
        raise ConfigError(
            f"the key that {source.name} is sealed with is not derived, so what it seals could be "
            "read in any place: seal it with one that is, with matrix reseal"
        )
    raise SecretsUnavailable(f"{source.name} cannot be decrypted now: {problem}")


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
    except TooOld:
        # A rotator may have rewrapped it since it was read: reading it again tells.
        failure = SecretsUnavailable(
            f"{where} is an old copy: its key version {version_of(ciphertext)} was retired. Put "
            "the newer copy back, seal the value again, or run matrix rotate --recover"
        )
    except TransitRefused as error:
        misplaced = elsewhere(source.place, stored.annotations.get(SEALED_FOR, ""))
        if misplaced:
            misplaced += (
                ": correct its [[secrets.source]], or seal it there with matrix encrypt. If that "
                "is not it: "
            )
        failure = ConfigError(f"{where} cannot be decrypted: {misplaced}{error}")
    raise failure
