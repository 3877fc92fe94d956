"""Decrypt what is sealed at one place, and seal it at another, in a new Secret. Runs in the child.

Responsible for what the plaintext has to be at its new place: it is here, and nowhere else. How it
is sealed, and what a lost reply means, is ``encryptor``'s; that nothing is written over,
``newsecret``'s. Whatever is wrong is a ``MatrixError``, which quotes nothing that was read.

The old key need not be *derived*: with one that is not, Vault ignores the context, which it is
given all the same. The new one must be, or ``Transit`` refuses to seal with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from framework.errors import ConfigError
from framework.secrets.commands import kubectl
from framework.secrets.encryptor import Encryptor
from framework.secrets.fields import fields_of
from framework.secrets.formats import Malformed, parse
from framework.secrets.newsecret import NewSecret
from framework.secrets.origin import Origin, key_of
from framework.secrets.place import SEALED_FOR, SecretPlace, elsewhere
from framework.secrets.source import Home, Source
from framework.secrets.store import Store, Stored, StoreRefused
from framework.secrets.transit import (
    CIPHERTEXT,
    Sealed,
    Transit,
    TransitForbidden,
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
    is_earlier: bool
    """Whether an earlier run had made it."""
    warnings: Sequence[str]
    """Sentences for the user."""


def reseal(
    old: Source,
    old_home: Home,
    new: Source,
    new_home: Home,
    *,
    dry_run: bool,
    expect: Callable[[int], object] = lambda fields: None,
) -> Resealed:
    """A document becomes a document or, if ``new`` has that layout, its fields; fields stay fields.

    ``old_home`` names the old key. ``dry_run``: all of it is done, but that whoever keeps the new
    Secret does not keep it. ``expect`` is told how many fields there are, as soon as that is known.

    :raises MatrixError: nothing was made then, unless it says so.
    """
    target = new.trial_store(new_home) if dry_run else new.writable_store(new_home, creates=True)
    there, held = _read_all(target, old.store(old_home))
    if held is None:
        raise ConfigError(f"there is no {old.name}: correct --from")
    texts = _ciphertexts(old, held)
    origin = Origin.of(old, old_home, held, texts)
    look = f"{kubectl(new_home)} -n {new.place.namespace} describe secret {new.place.secret}"
    secret = NewSecret(target, origin=origin.annotations, look=look)
    if there is not None and not origin.is_of(there):
        raise secret.is_there()
    expect(len(texts))
    warnings: Sequence[str] = ()
    try:
        with old.transit(old_home) as opening, new.transit(new_home) as sealing:
            values = _values(old, new, _contents(old, held, opening, texts))
            expect(len(values))
            _prove(sealing, new.place, next(iter(values)))
            if there is None:
                warnings = _sealed(Encryptor(sealing, secret, new.place), new, values)
            else:
                _brought_up(sealing, secret, new.place, there, values)
    except TransitForbidden as error:
        refusal = error.what
    else:
        made = secret.stored.data if secret.stored is not None else {}
        is_made = there is not None or not dry_run
        return Resealed(
            opened={data_key: version_of(text) for data_key, text in texts.items()},
            left=sorted({*held.data, *held.binary} - texts.keys()),
            sealed={
                data_key: version_of(made[data_key]) if is_made and data_key in made else None
                for data_key in sorted(values)
            },
            is_earlier=there is not None,
            warnings=warnings,
        )
    raise ConfigError(
        f"{refusal}: log in as one who may decrypt with {key_of(old_home)}, and encrypt, rewrap "
        f"and read {key_of(new_home)} (vault login, then export VAULT_TOKEN_FILE=~/.vault-token)"
    )


def _read_all(*stores: Store) -> list[Stored | None]:
    """:raises ConfigError: what is wrong with any of them, all at once."""
    held: list[Stored | None] = []
    refusals: dict[str, None] = {}
    for store in stores:
        try:
            held.append(store.read())
        except StoreRefused as error:
            refusals[str(error)] = None
    if refusals:
        raise ConfigError("\n".join(refusals))
    return held


def _prove(transit: Transit, place: SecretPlace, data_key: str) -> None:
    """Seal nothing, to see that one may: an ``Encryptor`` gives the remedy of a tool.

    :raises TransitForbidden:
    """
    context = place.context(data_key)
    [reply] = transit.rewrap([Sealed(context, transit.encrypt(context, b""))])
    if isinstance(reply, TransitRefused):
        raise reply


def _sealed(encryptor: Encryptor, new: Source, values: Mapping[str, bytes]) -> Sequence[str]:
    """Returns what the user should be warned of."""
    if new.layout == "fields":
        return encryptor.fields(values).warnings
    return encryptor.document(new.data_key, values[new.data_key]).warnings


def _brought_up(
    transit: Transit,
    secret: NewSecret,
    place: SecretPlace,
    there: Stored,
    values: Mapping[str, bytes],
) -> None:
    """What an earlier run has made is at the newest key version, and verifies.

    :raises Overtaken: it is not as that run had made it.
    """
    sealed = [Sealed(place.context(data_key), text) for data_key, text in there.data.items()]
    replies = zip(there.data, transit.rewrap(sealed), strict=True)
    fresh = {data_key: reply for data_key, reply in replies if isinstance(reply, str)}
    if not fresh.keys() == there.data.keys() == values.keys() or there.binary:
        raise secret.is_there()
    if any(version_of(fresh[each]) != version_of(there.data[each]) for each in fresh):
        secret.replace(there, fresh, there.annotations)
    else:
        secret.stored = there


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


def _contents(
    old: Source, held: Stored, transit: Transit, texts: Mapping[str, str]
) -> Mapping[str, bytes]:
    """What was sealed, by data key."""
    contents = {
        data_key: _decrypted(old, held, transit, data_key, text) for data_key, text in texts.items()
    }
    # What opens without its data key's context is a document that nobody named.
    if old.layout == "fields" and opens_anywhere(transit, next(iter(texts.values()))):
        raise ConfigError(
            f"{old.name} has no sealed fields, since its key is not derived: let --from name the "
            "data key of its document"
        )
    return contents


def _decrypted(old: Source, held: Stored, transit: Transit, data_key: str, text: str) -> bytes:
    try:
        return transit.decrypt(Sealed(old.place.context(data_key), text))
    except TransitForbidden:
        raise
    except TransitRefused as error:
        reason = str(error)
    misplaced = elsewhere(old.place, held.annotations.get(SEALED_FOR, ""))
    if misplaced:
        misplaced += ": correct --from or --from-cluster. If that is not it: "
    raise ConfigError(f"{data_key} in {old.name} cannot be decrypted: {misplaced}{reason}")


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
