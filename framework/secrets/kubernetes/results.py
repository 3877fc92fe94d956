"""The annotation of a Secret that says what keeps a rotation from it, as long as something does.

Events are gone after an hour. Responsible for writing it only where it would say something else;
where it cannot be written, it is not. What is rewrapped has annotations of its own (``renewal``).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from framework.secrets.kubernetes.events import BLOCKED, FAILED, shortened, told_of
from framework.secrets.renewal import ROTATED_RESULT, Entry, Seen
from framework.secrets.rotator import Result
from framework.secrets.store import Store, StoreRefused, StoreUnavailable

MAX_BYTES = 512


def annotate(inventory: Iterable[Entry], result: Result) -> None:
    """What a run has read, and found blocked, or not blocked any more."""
    stores = {entry.store.name: entry.store for entry in inventory}
    for name, told in told_of(result).items():
        reason, message = told or ("", "")
        said = shortened(f"blocked: {message}", MAX_BYTES) if reason == BLOCKED else ""
        seen = result.seen[name]
        # What failed may be blocked as before.
        if seen.version and reason != FAILED and said != seen.result:
            with suppress(StoreRefused, StoreUnavailable):
                _write(stores[name], seen, said)


def _write(store: Store, seen: Seen, said: str) -> None:
    """Beside what lies there, if that is still what the run has seen."""
    held = store.read()
    if held is None or held.version != seen.version:
        return
    annotations = {**held.annotations, ROTATED_RESULT: said}
    if not said:
        del annotations[ROTATED_RESULT]
    store.replace(held, held.data, annotations)
