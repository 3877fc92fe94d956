"""The local default of ``Transit``: a keyring in a file of one's own.

``Keyring`` is what a derived ``aes256-gcm96`` key of Vault's Transit engine is, and does, without
I/O; ``LocalTransit`` keeps one in a file. Whoever can read that file can read what it sealed: it
protects copies of the sealed file, not the machine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from framework import durable
from framework.secrets.filefailures import transit_failure
from framework.secrets.patience import given
from framework.secrets.transit import (
    Sealed,
    TooOld,
    TransitKey,
    TransitRefused,
    TransitUnavailable,
    Unreadable,
)

_FORMAT = "matrix keyring 1"
_KEY_BYTES = 32
_NONCE_BYTES = 12

Failure = TransitRefused | TransitUnavailable


class KeyringExists(TransitRefused):
    """There is a keyring already, where one was to be made."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of the key."""

    created: datetime
    key: bytes = field(repr=False)

    @classmethod
    def new(cls, now: datetime) -> KeyVersion:
        return cls(now, os.urandom(_KEY_BYTES))

    def derived(self, context: bytes) -> AESGCM:
        """The key for this context alone."""
        hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=context)
        return AESGCM(hkdf.derive(self.key))


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every version that was ever made: none is ever deleted. Never changes; a change is a new one.

    Refusals are returned, not raised: an exception that is kept keeps the frames that it went
    through, and what they held.
    """

    versions: tuple[KeyVersion, ...]
    """Version 1 first."""
    min_decryption_version: int = 1

    @classmethod
    def new(cls, now: datetime) -> Keyring:
        return cls((KeyVersion.new(now),))

    @property
    def known(self) -> TransitKey:
        """What may be known of it."""
        created = {n: each.created for n, each in enumerate(self.versions, 1)}
        return TransitKey(created, self.min_decryption_version)

    def rotated(self, now: datetime) -> Keyring:
        return replace(self, versions=(*self.versions, KeyVersion.new(now)))

    def with_floor(self, version: int) -> Keyring | TransitRefused:
        if not 1 <= version <= len(self.versions):
            return TransitRefused(
                f"min_decryption_version cannot be {version}: the versions of the key are 1 to "
                f"{len(self.versions)}"
            )
        return replace(self, min_decryption_version=version)

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        body = nonce + self.versions[-1].derived(context).encrypt(nonce, plaintext, None)
        return f"vault:v{len(self.versions)}:{base64.b64encode(body).decode()}"

    def decrypt(self, sealed: Sealed) -> bytes | TransitRefused:
        try:
            version = sealed.version
        except Unreadable as unreadable:
            return unreadable.with_traceback(None)
        if version > len(self.versions):
            return Unreadable(
                f"the ciphertext is of key version {version}, and the key has "
                f"{len(self.versions)}: it is another key, or an older copy of it was restored"
            )
        if version < self.min_decryption_version:
            return TooOld(
                f"the ciphertext is of key version {version}, below min_decryption_version "
                f"{self.min_decryption_version}: it was retired. Seal the value again, or bring it "
                "back with `matrix rotate --recover`"
            )
        body = _unbase64(sealed.ciphertext.rpartition(":")[2])
        if body is not None and len(body) > _NONCE_BYTES:
            nonce, text = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
            try:
                return self.versions[version - 1].derived(sealed.context).decrypt(nonce, text, None)
            except InvalidTag:
                pass
        return Unreadable(
            "the ciphertext does not verify: it was sealed for another place or with another key, "
            "or it is damaged"
        )

    def rewrap(self, sealed: Sealed) -> str | TransitRefused:
        plaintext = self.decrypt(sealed)
        if isinstance(plaintext, TransitRefused):
            return plaintext
        return self.encrypt(sealed.context, plaintext)


class LocalTransit:
    """A keyring in one file, which only its owner can open.

    Every call reads it afresh: another process may have rotated. Those that change it come one
    after another, and a crash leaves it as it was or as it was to be.
    """

    def __init__(self, path: Path, *, patience_s: float = durable.PATIENCE_S) -> None:
        """``patience_s``: how long to wait for another process that is writing it."""
        self.path = path
        self._patience_s = patience_s

    @classmethod
    def create(cls, path: Path, *, patience_s: float = durable.PATIENCE_S) -> LocalTransit:
        """Make a keyring with one version, and its folder (mode 0700) if there is none.

        :raises KeyringExists: there is one already; it is not touched.
        :raises TransitRefused: :raises TransitUnavailable:
        """
        transit = cls(path, patience_s=patience_s)
        given(_made(path.parent))
        given(transit._write(_first))
        return transit

    def exists(self) -> bool:
        """Whether there is a keyring, be it of use or not.

        :raises TransitRefused: :raises TransitUnavailable: that cannot be seen.
        """
        return given(_is_there(self.path))

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        return self._keyring().encrypt(context, plaintext)

    def decrypt(self, sealed: Sealed) -> bytes:
        return given(self._keyring().decrypt(sealed))

    def rewrap(self, batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        keyring = self._keyring()
        return [keyring.rewrap(each) for each in batch]

    def read_key(self) -> TransitKey:
        return self._keyring().known

    def rotate(self) -> None:
        self._change(lambda keyring: keyring.rotated(self.now()))

    def set_min_decryption_version(self, version: int) -> None:
        self._change(lambda keyring: keyring.with_floor(version))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def _keyring(self) -> Keyring:
        return given(_load(self.path))

    def _change(self, change: Callable[[Keyring], Keyring | TransitRefused]) -> None:
        self._keyring()  # or say why not, before a lock is put beside what is not there

        def changed(path: Path) -> Keyring | Failure:
            keyring = _load(path)
            return change(keyring) if isinstance(keyring, Keyring) else keyring

        given(self._write(changed))

    def _write(self, make: Callable[[Path], Keyring | Failure]) -> Failure | None:
        try:
            with durable.locked(self.path, patience_s=self._patience_s) as path:
                made = make(path)
                if not isinstance(made, Keyring):
                    return made
                durable.write(path, _to_json(made), mode=0o600)
        except OSError as error:
            return transit_failure(self.path, "written", error)
        return None


def _made(folder: Path) -> Failure | None:
    try:
        durable.make_private(folder)
    except OSError as error:
        return transit_failure(folder, "made", error)
    return None


def _is_there(path: Path) -> bool | Failure:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        return transit_failure(path, "read", error)
    return True


def _first(path: Path) -> Keyring | Failure:
    there = _is_there(path)
    if not isinstance(there, bool):
        return there
    if there:
        return KeyringExists(
            f"there is a keyring {path} already, which was not touched: use it, "
            "or name another file"
        )
    return Keyring.new(datetime.now(UTC))


def _load(path: Path) -> Keyring | Failure:
    try:
        content, found = durable.read(path)
    except FileNotFoundError:
        return TransitRefused(
            f"there is no keyring {path}. `matrix encrypt` makes one; what is sealed already can "
            "be read only with the keyring that sealed it"
        )
    except OSError as error:
        return transit_failure(path, "read", error)
    if found.st_uid != os.geteuid():
        return TransitRefused(
            f"the keyring {path} belongs to another user (id {found.st_uid}), who can read all "
            "that it seals. Run as that user, or use a keyring of your own"
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return TransitRefused(
            f"the keyring {path} is open to other users. Close it: chmod 600 {path}. If others "
            "could read it, change what it sealed"
        )
    keyring = _from_json(content)
    if keyring is None:
        return TransitRefused(
            f"the keyring {path} is damaged, or a newer release wrote it; it was not touched. "
            "Restore it from a copy, or update: without it nothing that it sealed can be read"
        )
    return keyring


def _to_json(keyring: Keyring) -> bytes:
    table = {
        "format": _FORMAT,
        "min_decryption_version": keyring.min_decryption_version,
        "versions": [
            {"created": each.created.isoformat(), "key": base64.b64encode(each.key).decode()}
            for each in keyring.versions
        ],
    }
    return json.dumps({**table, "sha256": _digest(table)}, indent=2).encode() + b"\n"


def _from_json(content: bytes) -> Keyring | None:
    """None: damaged. What has the right digest is what ``_to_json`` wrote."""
    try:
        table = json.loads(content)
        if table.pop("sha256") != _digest(table) or table["format"] != _FORMAT:
            return None
        versions = tuple(
            KeyVersion(datetime.fromisoformat(each["created"]), base64.b64decode(each["key"]))
            for each in table["versions"]
        )
        return Keyring(versions, table["min_decryption_version"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _digest(table: object) -> str:
    """So that a flipped bit is damage, and not a ciphertext that does not verify."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _unbase64(text: str) -> bytes | None:
    """What it means, if it is the only way to write that."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return raw if base64.b64encode(raw).decode() == text else None
