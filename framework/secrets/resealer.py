"""Decrypt what is sealed at one place, and seal it at another, in a new Secret. Runs in the child.

Responsible for what the plaintext has to be at its new place: it is here, and nowhere else. How it
is sealed, and what a lost reply means, is ``encryptor``'s; that nothing is written over,
``newsecret``'s. Whatever is wrong is a ``MatrixError``, which quotes nothing that was read.

The old key need not be *derived*: with one that is not, Vault ignores the context, which it is
given all the same. The new one must be, or ``Transit`` refuses to seal with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from framework.errors import ConfigError
from framework.secrets.encryptor import Encryptor
from framework.secrets.fields import fields_of
from framework.secrets.formats import Malformed, parse
from framework.secrets.newsecret import NewSecret
from framework.secrets.place import SEALED_FOR, SecretPlace
from framework.secrets.source import Home, Source
from framework.secrets.store import Stored
from framework.secrets.transit import (
    CIPHERTEXT,
    Sealed,
    Transit,
    TransitRefused,
    opens_anywhere,
    version_of,
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done: names and numbers alone."""

    opened: Mapping[str, int]
    """The data keys that were decrypted, and their key versions."""
    left: Sequence[str]
    """The other data keys of the old Secret."""
    sealed: Mapping[str, int | None]
    """The data keys of the new Secret, and their key versions; None: it is not made."""
    warnings: Sequence[str]
    """Sentences for the user."""


def reseal(old: Source, old_home: Home, new: Source, new_home: Home, *, dry_run: bool) -> Resealed:
    """A document becomes a document or, if ``new`` has that layout, its fields; fields stay fields.

    ``old_home`` names the old key. ``dry_run``: everything is tried but to seal.

    :raises MatrixError: nothing was made then, unless it says so.
    """
    store = NewSecret(new.writable_store(new_home, creates=True))
    store.read()
    held = _held(old, old_home)
    texts = _ciphertexts(old, held)
    with old.transit(old_home) as transit:
        contents = {
            data_key: _decrypted(old, held, transit, data_key, text)
            for data_key, text in texts.items()
        }
        # What opens without its data key's context is a document that nobody named.
        if old.layout == "fields" and opens_anywhere(transit, next(iter(texts.values()))):
            raise ConfigError(
                f"{old.name} has no sealed fields, since its key is not derived: let --from name "
                "the data key of its document"
            )
    values = _values(old, new, contents)
    warnings: Sequence[str] = ()
    with new.transit(new_home) as transit:
        if dry_run:
            transit.read_key()
        elif new.layout == "document":
            encryptor = Encryptor(transit, store, new.place)
            warnings = encryptor.document(new.data_key, values[new.data_key]).warnings
        else:
            warnings = Encryptor(transit, store, new.place).fields(values).warnings
    made = store.stored.data if store.stored is not None else {}
    return Resealed(
        opened={data_key: version_of(text) for data_key, text in texts.items()},
        left=sorted({*held.data, *held.binary} - texts.keys()),
        sealed={key: version_of(made[key]) if key in made else None for key in sorted(values)},
        warnings=warnings,
    )


def _held(old: Source, home: Home) -> Stored:
    held = old.store(home).read()
    if held is None:
        raise ConfigError(f"there is no {old.name}: correct --from")
    return held


def _ciphertexts(old: Source, held: Stored) -> dict[str, str]:
    """What is to be decrypted, by data key. Whoever made it from a file may have left a line break
    at its end."""
    texts = {data_key: text.strip() for data_key, text in sorted(held.data.items())}
    there = ", ".join(texts) or "none"
    if old.layout == "document" and old.data_key not in texts:
        raise ConfigError(
            f"{old.name} has no data key {old.data_key}; it has {there}. Correct --from"
        )
    if old.layout == "document":
        texts = {old.data_key: texts[old.data_key]}
    sealed = {data_key: text for data_key, text in texts.items() if CIPHERTEXT.fullmatch(text)}
    if not sealed:
        raise ConfigError(
            f"{' and '.join(texts) or 'nothing'} in {old.name} is not sealed (vault:vN:...): it is "
            "plaintext, which matrix encrypt seals from the file that it came from"
        )
    return sealed


def _decrypted(old: Source, held: Stored, transit: Transit, data_key: str, text: str) -> bytes:
    try:
        return transit.decrypt(Sealed(old.place.context(data_key), text))
    except TransitRefused as error:
        reason = str(error)
    elsewhere = _elsewhere(old.place, held.annotations.get(SEALED_FOR, ""))
    raise ConfigError(f"{data_key} in {old.name} cannot be decrypted: {elsewhere}{reason}")


def _elsewhere(place: SecretPlace, title: str) -> str:
    """That it seems to be sealed for another place, if ``title`` says so."""
    sealed = SecretPlace.titled(title)
    if sealed is None or sealed == place:
        return ""
    return (
        f"it seems to be sealed for {sealed.title}, and was read as {place.title}: correct --from "
        "or --from-cluster. If that is not it: "
    )


def _values(old: Source, new: Source, contents: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """What is to be sealed, by data key."""
    texts = {data_key: _text(old, data_key, content) for data_key, content in contents.items()}
    if old.layout == "fields":
        return contents
    text, where = texts[old.data_key], f"{old.data_key} in {old.name}"
    try:
        document = parse(text, new.format, field=new.field)
        values = (
            fields_of(document)
            if new.layout == "fields"
            else {new.data_key: contents[old.data_key]}
        )
    except Malformed as malformed:
        problem = f"{malformed}: {new.name} takes that; set format of its [[secrets.source]]"
    except ConfigError as error:
        problem = f"cannot be sealed by fields: {error}"
    else:
        if values:
            return values
        problem = "has no field that could be sealed"
    raise ConfigError(f"{where} {problem}")


def _text(old: Source, data_key: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
    raise ConfigError(f"{data_key} in {old.name} is not text in UTF-8, at byte {at}")
