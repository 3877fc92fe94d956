"""``Encryptor``: puts values into one Secret, sealed, so that no newer value is lost to an older.

It never decrypts. Each data key that it writes carries the *edit id* of the call that wrote it, in
an annotation that a rotation keeps: whoever lost a reply, or was overtaken, finds out by it whether
what is stored is its own, what it had read, or somebody else's.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from framework.errors import MatrixError
from framework.secrets.place import SEALED_FOR, Layout, SecretPlace
from framework.secrets.store import (
    MAX_BYTES,
    Conflict,
    Store,
    Stored,
    StoreRefused,
    StoreUnavailable,
)
from framework.secrets.transit import (
    CIPHERTEXT,
    Sealed,
    TooOld,
    Transit,
    TransitRefused,
    TransitUnavailable,
    version_of,
)

EDIT_PREFIX = "matrix.edit/"
"""Before the name of a data key: the annotation that holds the edit id of what is in it."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where ``kubectl apply`` keeps a copy of all it applied: plaintext, if that was applied."""

HEADROOM = 8
"""Bytes that a ciphertext can grow by when it is rewrapped: from v1 to v999999999."""
SEALED_BYTES = 28
"""What AES-GCM adds to a value: a nonce and a tag."""

ATTEMPTS = 5
"""How often a change is tried when rotations come in between."""
ATTEMPTS_UNANSWERED = 2
"""How often, when the Store does not answer: that has waited in vain each time."""

_GONE = (
    "it is stored, and the Transit, restored from a backup meanwhile, cannot open it: encrypt again"
)
_RETIRED = (
    "{} is changed, and nobody can read it: meanwhile its key version was retired "
    "(min_decryption_version). Encrypt again, or run matrix rotate --recover"
)

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DIGEST = "sha256-"
_NAME_LENGTH = 63


class Overtaken(MatrixError):
    """Somebody else has changed the same data key meanwhile: a human has to look."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was stored: names of data keys, sorted."""

    added: tuple[str, ...]
    overwritten: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """Sentences for the user."""


def edit_annotation(data_key: str) -> str:
    """The annotation's name for a data key: readable where Kubernetes allows it, else a digest."""
    if _NAME.fullmatch(data_key) and not data_key.startswith(_DIGEST):
        return EDIT_PREFIX + data_key
    digest = hashlib.sha256(data_key.encode()).hexdigest()
    return EDIT_PREFIX + (_DIGEST + digest)[:_NAME_LENGTH]


class Encryptor:
    """Seals values into the Secret at ``place``, whatever rotators and other encryptors do there.

    Both methods raise ``Overtaken``, and what the Transit and the Store raise. Nothing was stored
    then, unless the message says that it was, or that this is not known. Running them again is
    always safe.
    """

    def __init__(self, transit: Transit, store: Store, place: SecretPlace) -> None:
        self._transit = transit
        self._store = store
        self._place = place

    def document(self, data_key: str, text: bytes) -> Change:
        """Seal a whole text as this data key; all others stay as they are.

        But what was sealed for the other layout is removed, by both methods: under the layout of
        the place nobody can read it, and a rotation would be blocked by it.
        """
        return self._change("document", {data_key: text}, prune=False)

    def fields(self, values: Mapping[str, bytes], *, prune: bool = False) -> Change:
        """Seal each value as a data key of its own, all in one write.

        Other data keys stay as they are; with ``prune`` those that are there now are removed.
        """
        return self._change("fields", values, prune=prune)

    def _change(self, layout: Layout, values: Mapping[str, bytes], *, prune: bool) -> Change:
        if self._place.layout != layout:
            raise ValueError(f"{self._store.name} has the layout {self._place.layout!r}")
        first = self._store.read()
        there = set(first.data) if first is not None else set()
        left_over = _of_another_layout(first, layout)
        edit = _Edit(
            transit=self._transit,
            store=self._store,
            place=self._place,
            first=first,
            values=values,
            removed=frozenset((there if prune else left_over) - set(values)),
        )
        warnings = edit.carry_out()
        if left_over & edit.removed:
            warnings.append(
                f"{self._store.name} was sealed with another layout, which cannot be read with "
                f'layout = "{layout}": what it had is removed'
            )
        return Change(
            added=tuple(sorted(set(values) - there)),
            overwritten=tuple(sorted(there & set(values))),
            removed=tuple(sorted(edit.removed)),
            warnings=tuple(warnings),
        )


@dataclass(slots=True, kw_only=True)
class _Edit:
    """One change, under one edit id however often it has to be tried."""

    transit: Transit
    store: Store
    place: SecretPlace
    first: Stored | None = field(repr=False)
    """What was read first: the change is of this, and of nothing newer."""
    values: Mapping[str, bytes] = field(repr=False)
    removed: frozenset[str]
    lost: str = ""
    """What was said of a request that may have arrived, or may arrive yet, if there is one."""
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def carry_out(self) -> list[str]:
        """Returns what the user should be warned of."""
        self.transit.read_key()  # a key that cannot be used is refused before anything is written
        stored = self._write()
        warnings = self._exposed(stored)
        owner = stored.owner
        if owner is None and self.first is not None and LAST_APPLIED not in self.first.annotations:
            owner = self.first.owner  # who applies from the server's side loses what we write
        if owner is not None:
            warnings.append(
                f"{owner} writes {self.store.name} too and may bring the old values back: "
                "change them there as well"
            )
        if not self._bring_up(stored):
            warnings.append(
                f"{self.store.name} is changed, and may be below the newest key version until the "
                "next rotation"
            )
        return warnings

    def _exposed(self, stored: Stored) -> list[str]:
        """What was in plaintext until now, and what still is."""
        name, first, warnings = self.store.name, self.first, []
        touched = {*self.values, *self.removed}
        if first is not None and LAST_APPLIED in first.annotations:
            warnings.append(
                f"{name} had the annotation {LAST_APPLIED}, which is removed now. If what was "
                "applied was plaintext, backups of the cluster still hold it: change the values "
                "where they come from, and do not apply that file again"
            )
        elif first is not None and (plain := touched & _unsealed(first)):
            warnings.append(
                f"{name} had {', '.join(sorted(plain))} in plaintext until now, and backups still "
                "do: change the values where they come from"
            )
        if plain := _unsealed(stored):
            warnings.append(
                f"{name} has {', '.join(sorted(plain))} in plaintext, which is left as it is: seal "
                "it too and remove it there, or keep in there only what anybody may read"
            )
        return warnings

    def _write(self) -> Stored:
        try:
            return self._write_or_look()
        except MatrixError as error:
            if not self.lost or isinstance(error, Overtaken):
                raise
            reason = str(error)
        reasons = "; then: ".join(dict.fromkeys((self.lost, reason)))
        raise StoreUnavailable(
            f"it is not known whether {self.store.name} was changed: {reasons}. It is safe to "
            "encrypt again"
        )

    def _write_or_look(self) -> Stored:
        """At once, or again after a rotation came between; never over what somebody else wrote."""
        held = self.first
        reason = f"{self.store.name} is written by others all the time: run it again"
        unanswered = 0
        for _ in range(ATTEMPTS):
            try:
                return self._try(held)
            except (Conflict, TooOld):  # too old: asleep since encrypting, through rotations
                pass
            except StoreUnavailable as error:
                self.lost = reason = str(error)
                unanswered += 1
            held = self.store.read()
            if held is not None and self._is_done(held):
                return held
            self._check_untouched(held)
            if unanswered == ATTEMPTS_UNANSWERED:
                break
        raise Conflict(reason)

    def _try(self, held: Stored | None) -> Stored:
        """Encrypt after reading, or what is written could be of a version that is retired."""
        data = dict(held.data) if held is not None else {}
        annotations = dict(held.annotations) if held is not None else {}
        for data_key in self.removed:
            data.pop(data_key, None)
            annotations.pop(edit_annotation(data_key), None)
        self._check_size(data, held.binary if held is not None else {})
        data.update(self._encrypted())
        annotations.pop(LAST_APPLIED, None)
        annotations.update(dict.fromkeys(map(edit_annotation, self.values), self.id))
        annotations[SEALED_FOR] = self.place.title
        if held is None:
            return self.store.create(data, annotations)
        return self.store.replace(held, data, annotations)

    def _encrypted(self) -> dict[str, str]:
        texts = {data_key: self._sealed(data_key, value) for data_key, value in self.values.items()}
        self._rewrapped(texts, "what was encrypted does not verify and is not stored")
        return texts

    def _sealed(self, data_key: str, value: bytes) -> str:
        try:
            return self.transit.encrypt(self.place.context(data_key), value)
        except TransitRefused as error:
            reason = str(error)
        raise TransitRefused(f"{self.store.name}, data key {data_key}, cannot be sealed: {reason}")

    def _is_done(self, held: Stored) -> bool:
        """An earlier try arrived, though its reply did not."""
        return len(self._own(held)) == len(self.values) and not self.removed & set(held.data)

    def _check_untouched(self, held: Stored | None) -> None:
        """What this change is about is as it was read first, but for a rotation."""
        if self.first is not None and (held is None or held.uid != self.first.uid):
            raise Overtaken(
                f"{self.store.name}: removed{' and made anew' if held else ''} by somebody else, "
                "look and run again"
            )
        for data_key in sorted({*self.values, *self.removed}):
            if _mark(held, data_key) != _mark(self.first, data_key):
                raise Overtaken(
                    f"{self.store.name}, data key {data_key}: changed by somebody else, look and "
                    "run again"
                )

    def _check_size(self, data: Mapping[str, str], binary: Mapping[str, int]) -> None:
        """Before anything is sent: Vault refuses, in words of its own, what is far too large."""
        kept = [text for data_key, text in data.items() if data_key not in self.values]
        size = (
            sum(len(text.encode()) + HEADROOM for text in kept)
            + sum(map(_sealed_size, self.values.values()))
            + sum(binary.values())
        )
        if size > MAX_BYTES:
            raise StoreRefused(
                f"{self.store.name} would have {size} bytes, with what rotations may add, and "
                f"{MAX_BYTES} are allowed: it stays as it is; split it into two sources"
            )

    def _own(self, held: Stored) -> list[str]:
        """The data keys that hold what this edit wrote, rewrapped since or not."""
        return [
            data_key
            for data_key in self.values
            if data_key in held.data and held.annotations.get(edit_annotation(data_key)) == self.id
        ]

    def _bring_up(self, stored: Stored) -> bool:
        """Whether what is still one's own is at the newest version: a rotation may have passed by
        before it was there.

        Rewrap, never encrypt again: somebody else's newer value may be there by now.

        :raises TransitRefused: nobody can read it.
        """
        held: Stored | None = stored
        is_retired = False
        for _ in range(ATTEMPTS):
            try:
                held = held or self.store.read()
                latest = self.transit.read_key().latest
                if held is None:
                    return True
                behind = {
                    data_key: held.data[data_key]
                    for data_key in self._own(held)
                    if version_of(held.data[data_key]) != latest
                }
                if not behind:
                    return True
                fresh = self._rewrapped(behind, _GONE)
                self._rewrapped(fresh, _GONE)
                held = self.store.replace(held, {**held.data, **fresh}, held.annotations)
            except (Conflict, TooOld) as error:  # a rotation has brought it up, a raise followed
                held, is_retired = None, isinstance(error, TooOld)
            except (StoreRefused, StoreUnavailable, TransitUnavailable):
                return False
        if is_retired:
            raise TransitRefused(_RETIRED.format(self.store.name))
        return False

    def _rewrapped(self, texts: Mapping[str, str], problem: str) -> dict[str, str]:
        """:raises TransitRefused: one was refused; the message begins with ``problem``."""
        batch = [Sealed(self.place.context(data_key), text) for data_key, text in texts.items()]
        # One by one: the policy of the encryptor has no batches, in which any context could hide.
        replies = [self.transit.rewrap([each])[0] for each in batch]
        fresh = {}
        for data_key, reply in zip(texts, replies, strict=True):
            if isinstance(reply, TransitRefused):
                refused = TooOld if isinstance(reply, TooOld) else TransitRefused
                raise refused(f"{problem}: {self.store.name}, data key {data_key}: {reply}")
            fresh[data_key] = reply
        return fresh


def _sealed_size(value: bytes) -> int:
    """How many bytes its ciphertext has at most, whatever the key version."""
    return len("vault:v1:") + HEADROOM + (len(value) + SEALED_BYTES + 2) // 3 * 4


def _of_another_layout(held: Stored | None, layout: Layout) -> set[str]:
    """The data keys with ciphertexts, if they were sealed when the layout was the other one."""
    if held is None:
        return set()
    before = held.annotations.get(SEALED_FOR, "").partition("/")[0]
    if before == layout or before not in get_args(Layout):
        return set()
    return {data_key for data_key, text in held.data.items() if CIPHERTEXT.fullmatch(text)}


def _unsealed(held: Stored) -> set[str]:
    """The data keys with anything but a ciphertext."""
    texts = {data_key for data_key, text in held.data.items() if not CIPHERTEXT.fullmatch(text)}
    return texts | held.binary.keys()


def _mark(held: Stored | None, data_key: str) -> str | None:
    """What tells one edit from another and not a rotation from none: the edit id.

    Without one there is nothing but the ciphertext, and a rotation counts as a change.
    """
    if held is None or data_key not in held.data:
        return None
    return held.annotations.get(edit_annotation(data_key)) or held.data[data_key]
