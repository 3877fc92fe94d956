"""``rotate``: a new key version when it is time, and everything that is stored brought up to it.

It never sees a plaintext and decides only from what it reads in this run. It may be killed
anywhere, run twice at once, or meet an encryptor: nothing is lost, because it writes only over what
it has just read, and never writes back. What is to be done is decided in ``plan.py``; how long who
does not answer is waited for, by the Transit and the Stores; who is told of it is left to the
caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from framework.secrets.plan import Fault, Hindrance, Settings, floor, plan
from framework.secrets.renewal import CORRECT, Action, Entry, Record, Renewal, Replies, Seen
from framework.secrets.store import StoreRefused, StoreUnavailable
from framework.secrets.transit import (
    BATCH_ITEMS,
    Sealed,
    Transit,
    TransitKey,
    TransitRefused,
    TransitUnavailable,
    version_of,
)

__all__ = ["Action", "Entry", "Outcome", "Record", "Result", "Seen", "rotate"]

ATTEMPTS = 3
"""How often the writing of one Secret is tried in one run, each time over what was read anew."""
GROUP_BYTES = 4 * 1024 * 1024
"""How much is in memory, and goes to the Transit together, if ``BATCH_ITEMS`` are not more."""
_RESTORED = (
    "the key (keyring or Vault) was restored from an older backup, or another key sealed what is "
    "named. Put the right key back, or seal that again with matrix encrypt, or remove it, if "
    "nobody reads it"
)
_MISPLACED = (
    "what is named seems to be sealed for another place than the one that it is listed for. "
    f"{CORRECT}, or seal it again with matrix encrypt"
)


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
    unknown: str = ""
    """What became of a change of the key, if Vault or the keyring could not be asked after it:
    "whether the key was rotated"."""
    contested: tuple[Hindrance, ...] = ()
    """What was rewrapped and keeps ``min_decryption_version`` where it is."""
    key: TransitKey | None = None
    """As it was read last."""
    now: datetime | None = None
    """When the run began, by the Transit's clock."""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """Every Secret of the inventory, by the name of its Store."""


def rotate(
    transit: Transit,
    inventory: Sequence[Entry],
    *,
    settings: Settings | None = None,
    dry_run: bool = False,
    recover: bool = False,
    annotate: bool = False,
    pause: Callable[[], None] = lambda: None,
    progress: Callable[[str, int, int], None] = lambda step, done, of: None,
) -> Result:
    """One run from beginning to end. What goes wrong is in the result, not raised.

    ``recover`` is for a human: it lowers ``min_decryption_version`` to the lowest version found,
    and rewraps. ``annotate``: what is rewrapped says so, in annotations. ``pause`` is called before
    a Secret is written again, and may sleep. ``progress`` is told, for each Secret, what is done to
    it, which one it is, and of how many.
    """
    run = _Run(transit, inventory, settings or Settings(), pause, progress, annotate=annotate)
    # Only the text of an error is kept: the error itself would keep the frames it went through.
    try:
        run.go(dry_run=dry_run, recover=recover)
    except TransitUnavailable as error:
        run.failed.append(str(error))
    except TransitRefused as error:
        run.blocked.append(str(error))
    return run.result()


class _Run:
    """The whole, and all that is asked of the Transit."""

    def __init__(
        self,
        transit: Transit,
        inventory: Sequence[Entry],
        settings: Settings,
        pause: Callable[[], None],
        progress: Callable[[str, int, int], None],
        *,
        annotate: bool,
    ) -> None:
        self._transit = transit
        self._secrets = [Renewal(entry) for entry in inventory]
        self._settings = settings
        self._pause = pause
        self._progress = progress
        self._annotate = annotate
        self._key: TransitKey | None = None
        self._now: datetime | None = None
        self._newest: int | None = None
        self._rotated = False
        self._floor: int | None = None
        self._contested: tuple[Hindrance, ...] = ()
        self._unknown = ""
        self.blocked: list[str] = []
        self.failed: list[str] = []

    def go(self, *, dry_run: bool, recover: bool) -> None:
        if not self._secrets:
            self.blocked.append("the inventory names no Secret: there is nothing to rotate for")
            return
        self._prove()
        key = self._read_key()
        now = self._now = self._transit.now()
        found = [each for secret in self._secrets for each in secret.found]
        todo = plan(found, key, now, self._settings, recover=recover)
        self._newest = key.latest
        why = {each.found: each.why for each in (*todo.blocked, *todo.stop)}
        due, rest = frozenset(todo.rewrap), Action.KEPT if todo.stop else Action.CURRENT
        for secret in self._secrets:
            secret.foresee(why, due, rest)
        self._contested = todo.contested
        self.blocked += dict.fromkeys(f"{each.found.secret}: {each.why}" for each in todo.contested)
        if todo.stop:
            all_misplaced = {each.found.fault for each in todo.stop} == {Fault.MISPLACED}
            why_not = _MISPLACED if all_misplaced else _RESTORED
            self.blocked.append(f"nothing was rotated or written: {why_not}")
            return
        if dry_run:
            self._rotated = todo.rotate
            self._floor = todo.floor if todo.lower is None else todo.lower
            return
        if todo.lower is not None:
            self._set_floor(todo.lower)
        newest = self._rotate(key) if todo.rotate else key.latest
        self._renew(newest)
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
        return Result(
            outcome,
            records,
            self._newest,
            self._rotated,
            self._floor,
            reasons=(*self.blocked, *self.failed),
            unknown=self._unknown,
            contested=self._contested,
            key=self._key,
            now=self._now,
            seen={secret.store.name: secret.seen for secret in self._secrets},
        )

    def _records(self) -> tuple[Record, ...]:
        return tuple(record for secret in self._secrets for record in secret.records)

    def _unfinished(self) -> bool:
        done = {Action.REWRAPPED, Action.CURRENT}
        return bool(self.blocked or self.failed) or any(
            record.action not in done for record in self._records()
        )

    # ------------------------------------------------------------------------------ the ciphertexts

    def _prove(self) -> None:
        """Whether the Transit can open what is there: a rewrap, dropped, proves it.

        Before anything is rotated, because new key material would hide what is wrong.
        """
        for group in self._groups("proving", [each for each in self._secrets if not each.found]):
            proofs = self._rewrap([secret.sealed() for secret in group])
            for secret, proof in zip(group, proofs, strict=True):
                secret.judge(proof)

    def _renew(self, newest: int) -> None:
        """Bring everything up to this version, or say why not."""
        below = [secret for secret in self._secrets if secret.is_below(newest)]
        for group in self._groups("rewrapping", below):
            for secret in self._bring_up(group, newest):
                self._retry(secret, newest)

    def _retry(self, secret: Renewal, newest: int) -> None:
        for _ in range(ATTEMPTS - 1):
            self._pause()
            if not self._read(secret) or not self._bring_up([secret], newest):
                return

    def _bring_up(self, group: Sequence[Renewal], newest: int) -> list[Renewal]:
        """Those that are to be read, and tried, again."""
        renewed = self._renewed([secret.sealed(below=newest) for secret in group], newest)
        at = self._now if self._annotate else None
        return [
            secret
            for secret, fresh in zip(group, renewed, strict=True)
            if not secret.write(fresh, at)
        ]

    def _groups(self, step: str, secrets: Sequence[Renewal]) -> Iterator[list[Renewal]]:
        """Read them, as many as go to the Transit together: never all of them are in memory."""
        group: list[Renewal] = []
        items = size = 0
        for number, secret in enumerate(secrets, 1):
            self._progress(step, number, len(secrets))
            if not self._read(secret):
                continue
            items, size = items + secret.items, size + secret.size
            if group and (items > BATCH_ITEMS or size > GROUP_BYTES):
                yield group
                group, items, size = [], secret.items, secret.size
            group.append(secret)
        if group:
            yield group

    def _read(self, secret: Renewal) -> bool:
        try:
            held = secret.store.read()
        except StoreUnavailable as error:
            secret.fail(Fault.UNAVAILABLE, str(error))
        except StoreRefused as error:
            secret.fail(Fault.UNREADABLE, str(error))
        else:
            secret.hold(held)
            return True
        return False

    def _renewed(self, due: Sequence[Mapping[str, Sealed]], newest: int) -> list[Replies]:
        """Rewrapped, and what came out once more, dropped: what is to be stored can be opened."""
        several = self._rewrap(due)
        for fresh in several:
            for data_key, text in fresh.items():
                if isinstance(text, str) and version_of(text) < newest:
                    fresh[data_key] = TransitRefused(
                        f"it was rewrapped to key version {version_of(text)} though there is "
                        f"{newest}: the key (keyring or Vault) was restored from an older backup "
                        "meanwhile. Put the newer one back, and run this again"
                    )
        again = [
            {
                data_key: Sealed(sealed[data_key].context, text)
                for data_key, text in fresh.items()
                if isinstance(text, str)
            }
            for sealed, fresh in zip(due, several, strict=True)
        ]
        for fresh, proofs in zip(several, self._rewrap(again), strict=True):
            fresh |= {
                data_key: proof for data_key, proof in proofs.items() if not isinstance(proof, str)
            }
        return several

    def _rewrap(self, several: Sequence[Mapping[str, Sealed]]) -> list[Replies]:
        """Of several Secrets, all at once."""
        batch = [sealed for each in several for sealed in each.values()]
        if not batch:
            return [{} for _ in several]
        replies = iter(self._transit.rewrap(batch))
        return [{data_key: next(replies) for data_key in each} for each in several]

    # -------------------------------------------------------------------------------------- the key

    def _read_key(self) -> TransitKey:
        key = self._key = self._transit.read_key()
        return key

    def _rotate(self, key: TransitKey) -> int:
        """A rotation whose reply was lost is not asked for again: the key shows what became."""
        unsure = refused = ""
        try:
            self._transit.rotate()
        except TransitUnavailable as error:
            unsure = str(error)
        except TransitRefused as error:
            refused = str(error)
        try:
            newest = self._newest = self._read_key().latest
        except TransitUnavailable:
            self._unknown = "whether the key was rotated"
            raise
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
        versions = {version for secret in self._secrets for version in secret.versions}
        version = floor(versions, self._read_key(), now, self._settings)
        if version is not None:
            self._set_floor(version)

    def _set_floor(self, version: int) -> None:
        try:
            self._transit.set_min_decryption_version(version)
        except TransitUnavailable:
            self._unknown = f"whether min_decryption_version was set to {version}"
            raise
        self._floor = version
