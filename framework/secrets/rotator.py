"""``rotate``: a new key version when it is time, and everything that is stored brought up to it.

It never sees a plaintext and decides only from what it reads in this run. It may be killed
anywhere, run twice at once, or meet an encryptor: nothing is lost, because it writes only over what
it has just read, and never writes back. What is to be done is decided in ``plan.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import TypeVar

from framework.secrets.place import SecretPlace
from framework.secrets.plan import Fault, Found, Plan, Settings, floor, plan
from framework.secrets.store import Conflict, Store, Stored, StoreRefused, StoreUnavailable
from framework.secrets.transit import (
    Sealed,
    TooOld,
    Transit,
    TransitKey,
    TransitRefused,
    TransitUnavailable,
    Unreadable,
    version_of,
)

T = TypeVar("T")

ATTEMPTS = 5
"""How often one call, or the writing of one Secret, is tried in one run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One Secret of the inventory."""

    place: SecretPlace
    store: Store
    data_keys: tuple[str, ...] = ()
    """Those that must be there and hold ciphertext: any other is left alone. None named: all that
    are there."""


class Outcome(Enum):
    """How a run ended."""

    DONE = "done"
    """Something was due, and was done."""
    NOTHING = "nothing"
    """Everything is as it should be already."""
    BLOCKED = "blocked"
    """Somebody has to do something: another run alone changes nothing."""
    FAILED = "failed"
    """The Transit or a Store was away, or others wrote all the time: run it again."""

    @property
    def exit_code(self) -> int:
        """What the command returns."""
        return {"done": 0, "nothing": 3, "blocked": 4, "failed": 5}[self.value]


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
class Result:
    """What a run did, or, if it was a dry run, would do."""

    outcome: Outcome
    records: tuple[Record, ...]
    newest: int | None
    """The newest key version that it knew of, if it came to read the key."""
    rotated: bool
    """Whether there is a newer key version than when it began."""
    floor: int | None
    """What ``min_decryption_version`` was set to, if it was."""
    reasons: tuple[str, ...]
    """What stood in the way of the run as a whole: sentences."""


def rotate(
    transit: Transit,
    inventory: Sequence[Entry],
    *,
    settings: Settings | None = None,
    dry_run: bool = False,
    recover: bool = False,
    pause: Callable[[], None] = lambda: None,
) -> Result:
    """One run from beginning to end. What goes wrong is in the result, not raised.

    ``recover`` is for a human: it lowers ``min_decryption_version`` to the lowest version found,
    and rewraps. ``pause`` is called before something is tried again, and may sleep.
    """
    run = _Run(transit, inventory, settings or Settings(), pause)
    # Only the text of an error is kept: the error itself would keep the frames it went through.
    try:
        run.go(dry_run=dry_run, recover=recover)
    except TransitUnavailable as error:
        run.failed.append(str(error))
    except TransitRefused as error:
        run.blocked.append(str(error))
    return run.result()


class _Run:
    """The whole, and the key."""

    def __init__(
        self,
        transit: Transit,
        inventory: Sequence[Entry],
        settings: Settings,
        pause: Callable[[], None],
    ) -> None:
        self._transit = transit
        self._secrets = [_Secret(entry, transit, pause) for entry in inventory]
        self._settings = settings
        self._pause = pause
        self._newest: int | None = None
        self._rotated = False
        self._floor: int | None = None
        self.blocked: list[str] = []
        self.failed: list[str] = []

    def go(self, *, dry_run: bool, recover: bool) -> None:
        if not self._secrets:
            self.blocked.append("the inventory names no Secret: there is nothing to rotate for")
            return
        found = [each for secret in self._secrets for each in secret.look()]
        key = _patiently(self._transit.read_key, self._pause)
        now = _patiently(self._transit.now, self._pause)
        todo = plan(found, key, now, self._settings, recover=recover)
        self._newest = key.latest
        for secret in self._secrets:
            secret.foresee(todo)
        self.blocked += dict.fromkeys(f"{each.found.secret}: {each.why}" for each in todo.contested)
        if todo.stop:
            self.blocked.append(
                "nothing was rotated or written: the key (keyring or Vault) was restored from an "
                "older backup, or another key sealed what is named. Put the right key back, or "
                "seal that again with matrix encrypt"
            )
            return
        if dry_run:
            self._rotated = todo.rotate
            self._floor = todo.floor if todo.lower is None else todo.lower
            return
        if todo.lower is not None:
            self._set_floor(todo.lower)
        newest = self._rotate(key) if todo.rotate else key.latest
        for secret in self._secrets:
            secret.renew(newest)
        if todo.floor is not None and not self._unfinished():
            self._raise_floor(now)

    def result(self) -> Result:
        records = self._records()
        actions = {record.action for record in records}
        if self.blocked or Action.BLOCKED in actions:
            outcome = Outcome.BLOCKED
        elif self.failed or Action.FAILED in actions:
            outcome = Outcome.FAILED
        elif self._rotated or self._floor or actions & {Action.REWRAPPED, Action.DUE}:
            outcome = Outcome.DONE
        else:
            outcome = Outcome.NOTHING
        reasons = (*self.blocked, *self.failed)
        return Result(outcome, records, self._newest, self._rotated, self._floor, reasons)

    def _records(self) -> tuple[Record, ...]:
        return tuple(record for secret in self._secrets for record in secret.records)

    def _unfinished(self) -> bool:
        done = {Action.REWRAPPED, Action.CURRENT}
        return bool(self.blocked or self.failed) or any(
            record.action not in done for record in self._records()
        )

    def _rotate(self, key: TransitKey) -> int:
        """A rotation whose reply was lost is not asked for again: the key shows what became."""
        unsure = refused = ""
        try:
            self._transit.rotate()
        except TransitUnavailable as error:
            unsure = str(error)
        except TransitRefused as error:
            refused = str(error)
        newest = self._newest = _patiently(self._transit.read_key, self._pause).latest
        self._rotated = newest > key.latest
        if newest < key.latest or not (self._rotated or unsure or refused):
            raise TransitRefused(
                f"the key had version {key.latest}, was rotated, and now has {newest}: the key "
                "(keyring or Vault) was restored from an older backup meanwhile. Put the newer one "
                "back, and run this again"
            )
        if unsure and not self._rotated:
            self.failed.append(unsure)
        if refused and not self._rotated:
            self.blocked.append(refused)
        return newest

    def _raise_floor(self, now: datetime) -> None:
        """From the key as it is now: another run may have raised it further.

        Between this reading and the setting it still may, and the floor then is the lower of the
        two until the next run: readable is all that is stored either way.
        """
        key = _patiently(self._transit.read_key, self._pause)
        versions = {version for secret in self._secrets for version in secret.versions}
        version = floor(versions, key, now, self._settings)
        if version is not None:
            self._set_floor(version)

    def _set_floor(self, version: int) -> None:
        _patiently(lambda: self._transit.set_min_decryption_version(version), self._pause)
        self._floor = version


class _Secret:
    """One entry of the inventory, and what became of it."""

    def __init__(self, entry: Entry, transit: Transit, pause: Callable[[], None]) -> None:
        self._place = entry.place
        self._store = entry.store
        self._wanted = entry.data_keys
        self._transit = transit
        self._pause = pause
        self._found: list[Found] = []
        self.records: list[Record] = []
        self.versions: set[int] = set()
        """Of all ciphertexts that this run found stored here."""

    def look(self) -> list[Found]:
        """What is there, and whether the Transit can open it: a rewrap, dropped, proves it.

        Before anything is rotated, because new key material would hide what is wrong.
        """
        try:
            held = _patiently(self._store.read, self._pause)
        except StoreUnavailable as error:
            self._found = [Found(self._store.name, fault=Fault.UNAVAILABLE, why=str(error))]
        except StoreRefused as error:
            self._found = [Found(self._store.name, fault=Fault.UNREADABLE, why=str(error))]
        else:
            listed = self._listed(held)
            data = held.data if held is not None else {}
            proofs = self._rewrap(self._sealed(data, listed))
            self._found = [_judged(each, proofs.get(each.data_key)) for each in listed]
        return self._found

    def foresee(self, todo: Plan) -> None:
        """What is known of it before anything is changed."""
        why = {each.found: each.why for each in (*todo.blocked, *todo.stop)}
        for each in self._found:
            if each.fault is Fault.UNAVAILABLE:
                action = Action.FAILED
            elif each in why:
                action = Action.BLOCKED
            elif each in todo.rewrap:
                action = Action.DUE
            else:
                action = Action.KEPT if todo.stop else Action.CURRENT
            self.records.append(self._record(each, each.version, action, why.get(each, "")))

    def renew(self, newest: int) -> None:
        """Bring it up to this version, or say why not."""
        if all(each.version is None or each.version >= newest for each in self._found):
            return
        sent: dict[str, str] = {}
        action, reason = Action.FAILED, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause()
            try:
                self._try_to_renew(newest, sent)
                return
            except (StoreUnavailable, Conflict) as error:
                reason = str(error)
            except StoreRefused as error:
                action, reason = Action.BLOCKED, str(error)
                break
        self.records = [
            replace(record, action=action, reason=reason)
            if record.after is not None and record.after < newest and not record.reason
            else record
            for record in self.records
        ]

    def _try_to_renew(self, newest: int, sent: dict[str, str]) -> None:
        """``sent`` gathers what was sent to the Store: a reply may be lost."""
        held = self._store.read()
        data = dict(held.data) if held is not None else {}
        listed = self._listed(held)
        # A version above the newest that is known is another rotator's, and current.
        due = [each for each in listed if each.version is not None and each.version < newest]
        fresh = self._renewed(self._sealed(data, due), newest)
        if any(isinstance(each, TooOld) for each in fresh.values()) and self._store.read() != held:
            raise Conflict(f"{self._store.name} was rotated by somebody else meanwhile")
        texts = {data_key: text for data_key, text in fresh.items() if isinstance(text, str)}
        if held is not None and texts:
            sent.update(texts)
            data.update(texts)
            stored = self._store.replace(held, data, held.annotations)
            if dict(stored.data) != data:
                raise StoreRefused(
                    f"{self._store.name} holds something else than was just written to it: find "
                    "out what changes it on the way"
                )
        known = {record.data_key: record.reason for record in self.records}
        self.records = [self._became(each, data, fresh, sent, known) for each in listed]

    def _became(
        self,
        found: Found,
        data: Mapping[str, str],
        fresh: Mapping[str, str | TransitRefused],
        sent: Mapping[str, str],
        known: Mapping[str, str],
    ) -> Record:
        """``known``: why it was blocked already."""
        refused = fresh.get(found.data_key)
        if found.fault is not None:
            return self._record(found, found.version, Action.BLOCKED, found.why)
        if isinstance(refused, TransitRefused):
            why = known.get(found.data_key) or str(refused)
            return self._record(found, found.version, Action.BLOCKED, why)
        text = data[found.data_key]
        action = Action.REWRAPPED if text == sent.get(found.data_key) else Action.CURRENT
        return self._record(found, version_of(text), action)

    def _record(self, found: Found, after: int | None, action: Action, reason: str = "") -> Record:
        before = {each.data_key: each.version for each in self._found}
        return Record(
            self._place,
            self._store.name,
            found.data_key,
            before.get(found.data_key, found.version),
            after,
            action,
            reason,
        )

    def _listed(self, held: Stored | None) -> list[Found]:
        """Each data key that counts, not yet proven."""
        listed = self._counted(held)
        self.versions.update(each.version for each in listed if each.version is not None)
        return listed

    def _counted(self, held: Stored | None) -> list[Found]:
        name = self._store.name
        remedy = "encrypt its values, or take it off the sources that are rotated"
        if held is None:
            return [Found(name, fault=Fault.MISSING, why=f"{name} does not exist: {remedy}")]
        wanted = self._wanted or tuple(sorted(held.data))
        if not wanted:
            # No rotation writes to it, so none would notice an encryptor who stands between
            # encrypting with what was the newest version and writing.
            return [Found(name, fault=Fault.MISSING, why=f"{name} is empty: {remedy}")]
        return [self._single(held, data_key) for data_key in wanted]

    def _single(self, held: Stored, data_key: str) -> Found:
        found = Found(self._store.name, data_key, owner=held.owner)
        text = held.data.get(data_key)
        if text is None:
            why = f"{self._store.name} has no data key {data_key}: encrypt it"
            return replace(found, fault=Fault.MISSING, why=why)
        try:
            return replace(found, version=version_of(text))
        except Unreadable as error:
            why = f"{error}: seal it with matrix encrypt"
            return replace(found, fault=Fault.UNREADABLE, why=why)

    def _sealed(self, data: Mapping[str, str], listed: Sequence[Found]) -> dict[str, Sealed]:
        return {
            each.data_key: Sealed(self._place.context(each.data_key), data[each.data_key])
            for each in listed
            if each.version is not None
        }

    def _renewed(self, due: Mapping[str, Sealed], newest: int) -> dict[str, str | TransitRefused]:
        """Rewrapped, and what came out once more, dropped: what is to be stored can be opened."""
        fresh = self._rewrap(due)
        for data_key, text in fresh.items():
            if isinstance(text, str) and version_of(text) < newest:
                fresh[data_key] = TransitRefused(
                    f"it was rewrapped to key version {version_of(text)} though there is {newest}: "
                    "the key (keyring or Vault) was restored from an older backup meanwhile. Put "
                    "the newer one back, and run this again"
                )
        again = {
            data_key: Sealed(due[data_key].context, text)
            for data_key, text in fresh.items()
            if isinstance(text, str)
        }
        refused = {
            data_key: proof
            for data_key, proof in self._rewrap(again).items()
            if isinstance(proof, TransitRefused)
        }
        return fresh | refused

    def _rewrap(self, sealed: Mapping[str, Sealed]) -> dict[str, str | TransitRefused]:
        if not sealed:
            return {}
        replies = _patiently(lambda: self._transit.rewrap(list(sealed.values())), self._pause)
        return dict(zip(sealed, replies, strict=True))


def _judged(found: Found, proof: str | TransitRefused | None) -> Found:
    """Too old is the plan's to judge, which knows the key."""
    if isinstance(proof, Unreadable):
        return replace(found, fault=Fault.UNVERIFIED, why=str(proof))
    if isinstance(proof, TransitRefused) and not isinstance(proof, TooOld):
        return replace(found, fault=Fault.UNREADABLE, why=str(proof))
    return found


def _patiently(call: Callable[[], T], pause: Callable[[], None]) -> T:
    """Again, if whom it asks is away."""
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except (TransitUnavailable, StoreUnavailable):
            pause()
    return call()
