"""``Renewal``: one Secret of a rotation, from what was found in it to what became of it.

Responsible for which of its data keys count, for writing only over what was read, and for what is
said of each. The Transit, the order of things and trying again are ``rotator``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from framework.secrets.place import SEALED_FOR, SecretPlace, elsewhere
from framework.secrets.plan import Fault, Found
from framework.secrets.store import Conflict, Store, Stored, StoreRefused, StoreUnavailable
from framework.secrets.transit import (
    CIPHERTEXT,
    Sealed,
    TooOld,
    TransitRefused,
    Unreadable,
    version_of,
)

Replies = dict[str, str | TransitRefused]
"""What a Transit says of the ciphertexts of one Secret, by data key."""

ROTATED_AT = "matrix.rotated/at"
"""The annotation with the time, by the Transit's clock, of the run that last rewrapped anything."""
ROTATED_TO = "matrix.rotated/to"
"""The one with the key version that it was rewrapped to."""
ROTATED_RESULT = "matrix.rotated/result"
"""The one that says what keeps the Secret from being rotated, as long as something does."""
CORRECT = (
    "Correct its [[secrets.source]] in matrix.toml and, if it is in access.json, run matrix access"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One Secret of the inventory."""

    place: SecretPlace
    store: Store
    data_keys: tuple[str, ...] = ()
    """Those that are listed; none: all that are there. A document must be there, a field may be
    absent, and what is there must be a ciphertext. One that is not listed is brought up all the
    same, or it would be locked out; if it is no ciphertext, it is left alone."""
    elsewhere: frozenset[str] = frozenset()
    """Those of this Secret that another entry lists."""
    unlisted: str = ""
    """A sentence: why the Secret is not to be rotated although the key seals it. It is not looked
    at, and keeps ``min_decryption_version`` where it is."""


class Action(Enum):
    """What was done about one data key."""

    REWRAPPED = "rewrapped"
    DUE = "due"
    """It is below the newest version: a dry run, or one that ended before it came to this."""
    CURRENT = "current"
    """It is at the newest version already, or was brought there by somebody else."""
    KEPT = "kept"
    """The run stopped before it changed anything."""
    BLOCKED = "blocked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one data key (empty: of the Secret as a whole)."""

    place: SecretPlace
    secret: str
    data_key: str
    before: int | None
    """The key version of its ciphertext when this run read it first."""
    after: int | None
    action: Action
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Which state of a Secret this run has read, or written, last."""

    place: SecretPlace
    uid: str = ""
    """Empty, as the version: it could not be read."""
    version: str = ""
    result: str = ""
    """What ``ROTATED_RESULT`` says there."""


class Renewal:
    """One entry of the inventory, and what became of it."""

    def __init__(self, entry: Entry) -> None:
        self.store = entry.store
        self.found: list[Found] = []
        """As it was read first."""
        self.records: list[Record] = []
        self.versions: set[int] = set()
        """Of all ciphertexts that this run found stored here."""
        self.seen = Seen(entry.place)
        self._entry = entry
        self._held: Stored | None = None
        self._there: list[Found] = []
        """As it was read last, not proven."""
        self._why: dict[str, str] = {}
        """Why a data key was blocked from the beginning."""
        self._sent: dict[str, str] = {}
        """All that was sent to the Store: a reply may be lost."""
        if entry.unlisted:
            self.fail(Fault.UNLISTED, entry.unlisted)

    # -------------------------------------------------------------------------------- as it is read

    def hold(self, held: Stored | None) -> None:
        """What was read, until it is judged or written over."""
        self._held = held
        self._there = self._counted(held)
        self.versions.update(each.version for each in self._there if each.version is not None)
        if held is not None:
            self._see(held)

    def _see(self, stored: Stored) -> None:
        result = stored.annotations.get(ROTATED_RESULT, "")
        self.seen = Seen(self._entry.place, stored.uid, stored.version, result)

    @property
    def items(self) -> int:
        """How many ciphertexts it holds."""
        return sum(each.version is not None for each in self._there)

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return 0 if self._held is None else sum(map(len, self._held.data.values()))

    def sealed(self, *, below: int | None = None) -> dict[str, Sealed]:
        """Its ciphertexts; of those that are below a key version, if one is given.

        A version above the newest that is known is another rotator's, and current.
        """
        data = {} if self._held is None else self._held.data
        return {
            each.data_key: Sealed(self._entry.place.context(each.data_key), data[each.data_key])
            for each in self._there
            if each.version is not None and (below is None or each.version < below)
        }

    def fail(self, fault: Fault, why: str) -> None:
        """It cannot be read."""
        if self.records:
            self._give_up(Action.FAILED if fault is Fault.UNAVAILABLE else Action.BLOCKED, why)
        else:
            self.found = [Found(self.store.name, fault=fault, why=why)]

    def _counted(self, held: Stored | None) -> list[Found]:
        """Each data key that counts."""
        name = self.store.name
        remedy = "encrypt its values, or take it off matrix.toml (and access.json, if it has it)"
        if held is None:
            return [Found(name, fault=Fault.MISSING, why=f"{name} does not exist: {remedy}")]
        wanted = self._wanted(held.data)
        if not wanted:
            # No rotation writes to it, so none would notice an encryptor who stands between
            # encrypting with what was the newest version and writing.
            why = f"{name} holds nothing that is sealed: {remedy}"
            return [Found(name, fault=Fault.MISSING, why=why)]
        return [self._single(held, data_key) for data_key in wanted]

    def _wanted(self, data: Mapping[str, str]) -> list[str]:
        listed = self._entry.data_keys
        if not listed:
            return sorted(data)
        needed = listed if self._entry.place.layout == "document" else data.keys() & set(listed)
        known = self._entry.elsewhere.union(listed)
        return [
            *sorted(needed),
            *sorted(key for key in data.keys() - known if CIPHERTEXT.fullmatch(data[key])),
        ]

    def _single(self, held: Stored, data_key: str) -> Found:
        found = Found(self.store.name, data_key, owner=held.owner)
        text = held.data.get(data_key)
        if text is None:
            why = f"{self.store.name} has no data key {data_key}: encrypt it"
            return replace(found, fault=Fault.MISSING, why=why)
        try:
            return replace(found, version=version_of(text))
        except Unreadable as error:
            why = f"{error}: seal it with matrix encrypt"
            return replace(found, fault=Fault.UNREADABLE, why=why)

    # --------------------------------------------------------------------------- what becomes of it

    def judge(self, proofs: Mapping[str, str | TransitRefused]) -> None:
        """``proofs``: of what it holds, rewrapped."""
        held, self._held = self._held, None
        title = "" if held is None else held.annotations.get(SEALED_FOR, "")
        misplaced = elsewhere(self._entry.place, title)
        self.found = [
            self._judged(each, proofs.get(each.data_key), misplaced) for each in self._there
        ]

    def _judged(self, found: Found, proof: str | TransitRefused | None, misplaced: str) -> Found:
        """Too old is the plan's to judge, which knows the key. ``misplaced``: that it seems to be
        sealed for another place, if it does."""
        if isinstance(proof, Unreadable) and misplaced:
            why = f"{misplaced}. {CORRECT}. If that is not it: {proof}"
            return replace(found, fault=Fault.MISPLACED, why=why)
        if isinstance(proof, Unreadable):
            why = str(proof)
            if self._entry.data_keys and found.data_key not in self._entry.data_keys:
                why += ". It is not listed: if it has another layout now, run matrix access"
            return replace(found, fault=Fault.UNVERIFIED, why=why)
        if isinstance(proof, TransitRefused) and not isinstance(proof, TooOld):
            return replace(found, fault=Fault.UNREADABLE, why=str(proof))
        return found

    def foresee(self, why: Mapping[Found, str], due: frozenset[Found], rest: Action) -> None:
        """What is known of it before anything is changed. ``why`` it is blocked, what is ``due``,
        and what becomes of the ``rest``."""
        for each in self.found:
            if each.fault is Fault.UNAVAILABLE:
                action = Action.FAILED
            elif each in why:
                action = Action.BLOCKED
            else:
                action = Action.DUE if each in due else rest
            self._why[each.data_key] = why.get(each, "")
            self.records.append(self._record(each, each.version, action, why.get(each, "")))

    def is_below(self, newest: int) -> bool:
        return any(each.version is not None and each.version < newest for each in self.found)

    def write(self, fresh: Replies, at: datetime | None) -> bool:
        """Whether that is the end of it; else it is to be read, and tried, again.

        ``fresh``: what it holds below the newest version, rewrapped. ``at``: when, if it is to say
        so.
        """
        try:
            self._write(fresh, at)
        except (StoreUnavailable, Conflict) as error:
            self._give_up(Action.FAILED, str(error))
            return False
        except StoreRefused as error:
            self._give_up(Action.BLOCKED, str(error))
        self._sent.clear()
        return True

    def _write(self, fresh: Replies, at: datetime | None) -> None:
        held, self._held = self._held, None
        if any(isinstance(each, TooOld) for each in fresh.values()) and self.store.read() != held:
            raise Conflict(f"{self.store.name} was rotated by somebody else meanwhile")
        data = {} if held is None else dict(held.data)
        texts = {data_key: text for data_key, text in fresh.items() if isinstance(text, str)}
        if held is not None and texts:
            self._sent |= texts
            data |= texts
            note = {} if at is None else _note(at, max(map(version_of, texts.values())))
            stored = self.store.replace(held, data, {**held.annotations, **note})
            self._see(stored)
            if dict(stored.data) != data:
                raise StoreRefused(
                    f"{self.store.name} holds something else than was just written to it: find "
                    "out what changes it on the way"
                )
        self.records = [self._became(each, data, fresh.get(each.data_key)) for each in self._there]

    def _became(
        self, found: Found, data: Mapping[str, str], reply: str | TransitRefused | None
    ) -> Record:
        if found.fault is not None:
            return self._record(found, found.version, Action.BLOCKED, found.why)
        if isinstance(reply, TransitRefused):
            why = self._why.get(found.data_key) or str(reply)
            return self._record(found, found.version, Action.BLOCKED, why)
        text = data[found.data_key]
        action = Action.REWRAPPED if text == self._sent.get(found.data_key) else Action.CURRENT
        return self._record(found, version_of(text), action)

    def _give_up(self, action: Action, reason: str) -> None:
        """On what is not done: for now, or for good."""
        self.records = [
            replace(record, action=action, reason=reason)
            if record.action in (Action.DUE, Action.FAILED)
            else record
            for record in self.records
        ]

    def _record(self, found: Found, after: int | None, action: Action, reason: str = "") -> Record:
        before = {each.data_key: each.version for each in self.found}
        return Record(
            self._entry.place,
            self.store.name,
            found.data_key,
            before.get(found.data_key, found.version),
            after,
            action,
            reason,
        )


def _note(at: datetime, version: int) -> dict[str, str]:
    return {ROTATED_AT: f"{at:%Y-%m-%dT%H:%M:%SZ}", ROTATED_TO: str(version)}
