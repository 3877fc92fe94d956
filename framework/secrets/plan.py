"""What a rotation has to do: a pure decision from what was read. No clock, no I/O of its own.

The order of reading matters and is the caller's: first every ciphertext of the inventory, then the
key. The other way round, a version that a second rotator has just made would look like a restored
Transit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from framework.secrets.transit import TransitKey


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose."""

    min_age: timedelta = timedelta(hours=20)
    """A newer key version than this is not followed by another: a run that is repeated rotates
    once."""
    grace: timedelta = timedelta(hours=24)
    """How old a key version must be before the ones below it are retired."""
    retire: bool = False
    """Whether ``min_decryption_version`` (the floor) is ever raised."""


class Fault(Enum):
    """What is wrong with an entry of the inventory."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    """It is there, and the answer is no: not a ciphertext, or the right to read it is lacking."""
    UNAVAILABLE = "unavailable"
    """It cannot be read now."""
    UNVERIFIED = "unverified"
    """A ciphertext that the Transit cannot open: it was made with key material that is gone."""
    MISPLACED = "misplaced"
    """One that the Transit cannot open, and that says of itself that it is of another place."""
    UNLISTED = "unlisted"
    """The key seals it, and the inventory does not list it: nobody has looked at it."""


_NOT_OPENED = (Fault.UNVERIFIED, Fault.MISPLACED)


@dataclass(frozen=True, slots=True)
class Found:
    """One data key of the inventory as it was read first."""

    secret: str
    """The name of its Store."""
    data_key: str = ""
    """Empty: the Secret as a whole."""
    version: int | None = None
    """The key version of its ciphertext, if there is one."""
    owner: str | None = None
    """Who else writes the Secret, if that can be seen."""
    fault: Fault | None = None
    why: str = ""
    """A sentence about the fault."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What is in the way, and what to do about it."""

    found: Found
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, in this order. With a ``stop`` there are none."""

    stop: tuple[Hindrance, ...] = ()
    """The key was restored from a backup, it seems. A new version of it would only hide that."""
    lower: int | None = None
    """Lower the floor to this version: only when a human asks to recover."""
    rotate: bool = False
    rewrap: tuple[Found, ...] = ()
    """What is below the newest version, as far as can be known before rotating."""
    floor: int | None = None
    """Raise the floor to this version, if all of ``rewrap`` succeeded."""
    blocked: tuple[Hindrance, ...] = ()
    """What cannot be rewrapped. One is enough to keep the floor where it is."""
    contested: tuple[Hindrance, ...] = ()
    """What is rewrapped and yet keeps the floor where it is, if that was to be raised."""


def plan(
    inventory: Sequence[Found],
    key: TransitKey,
    now: datetime,
    settings: Settings,
    *,
    recover: bool = False,
) -> Plan:
    """Decide. ``now`` is the Transit's own, as the times in ``key`` are."""
    stop = tuple(_stops(inventory, key))
    blocked = tuple(_blocks(inventory, key, recover=recover))
    if stop or not inventory:
        return Plan(stop=stop, blocked=blocked)
    contested = tuple(_contests(inventory)) if settings.retire and not recover else ()
    versions = [found.version for found in inventory if found.version is not None]
    lowest = min(versions, default=key.latest)
    reach = lowest if recover else key.min_decryption_version
    readable = [
        found
        for found in inventory
        if found.version is not None and found.version >= reach and found.fault is None
    ]
    # Nothing would be sealed with a version that is made while all is missing or refused, and an
    # old copy, which waits for somebody, would be further behind with each.
    may_rotate = bool(readable) and lowest >= reach and not recover
    rotate = may_rotate and now - key.versions[key.latest] > settings.min_age
    rewrap = tuple(found for found in readable if rotate or (found.version or 0) < key.latest)
    return Plan(
        lower=lowest if recover and lowest < key.min_decryption_version else None,
        rotate=rotate,
        rewrap=rewrap,
        floor=None if recover or blocked or contested else floor(versions, key, now, settings),
        blocked=blocked,
        contested=contested,
    )


def floor(
    versions: Iterable[int], key: TransitKey, now: datetime, settings: Settings
) -> int | None:
    """What to raise ``min_decryption_version`` to, or None if it stays as it is.

    ``versions`` are those found stored *before* anything was rewrapped. After days of failures one
    run rewraps from v5 to v10: it must not retire v9 in the same breath, because readers and
    mounted volumes still hold v5. And it is the highest version that is old enough, not "the
    newest, once it is old enough": a run whose period is about the grace would never see that.
    """
    lowest = min(versions, default=None)
    if not settings.retire or lowest is None:
        return None
    return max(
        (
            version
            for version, made in key.versions.items()
            if key.min_decryption_version < version <= lowest and now - made >= settings.grace
        ),
        default=None,
    )


def _stops(inventory: Sequence[Found], key: TransitKey) -> Iterable[Hindrance]:
    for found in inventory:
        if found.version is not None and found.version > key.latest:
            yield Hindrance(
                found,
                f"it is sealed with key version {found.version} and the key has only "
                f"{key.latest}: the key (keyring or Vault) was restored from an older backup. Put "
                "the newer one back, or seal this again with matrix encrypt",
            )
        elif found.fault in _NOT_OPENED:
            yield Hindrance(found, found.why)


def _blocks(inventory: Sequence[Found], key: TransitKey, *, recover: bool) -> Iterable[Hindrance]:
    for found in inventory:
        if found.fault not in (None, *_NOT_OPENED):
            yield Hindrance(found, found.why)
        elif (
            found.version is not None and found.version < key.min_decryption_version and not recover
        ):
            yield Hindrance(
                found,
                f"it is sealed with key version {found.version} and the key allows none below "
                f"{key.min_decryption_version}: an old copy was put back, and until it is seen to "
                "no new version is made. Run matrix rotate --recover (for a key in Vault as "
                "matrix-rotate, or after vault login with VAULT_TOKEN_FILE=~/.vault-token), or "
                "seal it again with matrix encrypt",
            )


def _contests(inventory: Sequence[Found]) -> Iterable[Hindrance]:
    for found in inventory:
        if found.owner is not None:
            yield Hindrance(
                found,
                f"{found.owner} writes it too and may bring an older ciphertext back: "
                "min_decryption_version stays as it is",
            )
