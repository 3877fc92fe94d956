"""``NewSecret``: a ``Store`` whose Secret is to be made, and is never written over.

It tells what was made by itself, also by a request whose reply was lost, from what somebody else
has made: by the annotations that it gave it, among which is the edit id of an ``Encryptor``.
"""

from __future__ import annotations

from collections.abc import Mapping

from framework.secrets.encryptor import Overtaken
from framework.secrets.store import Store, Stored


class NewSecret:
    """The Secret of ``store``, once it is made. ``read`` raises ``Overtaken`` if it is another's.

    Nothing can be replaced that it has not made or read.
    """

    def __init__(self, store: Store, *, origin: Mapping[str, str], look: str) -> None:
        """``origin``: annotations that it is made with too. ``look``: a command that shows it."""
        self.name = store.name
        self.stored: Stored | None = None
        """As it was last made, read or replaced."""
        self._store = store
        self._origin = origin
        self._look = look
        self._given: Mapping[str, str] | None = None
        """The annotations that it was made with, or may have been."""

    def read(self) -> Stored | None:
        held = self._store.read()
        if held is not None and not self._is_own(held):
            raise self.is_there()
        self.stored = held
        return held

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        self._given = {**annotations, **self._origin}
        self.stored = self._store.create(data, self._given)
        return self.stored

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        self.stored = self._store.replace(held, data, annotations)
        return self.stored

    def is_there(self) -> Overtaken:
        """What to raise, if somebody else has made it."""
        return Overtaken(
            f"{self.name} exists already, and is not written over: look at it ({self._look}). If "
            "nothing reads it, delete it and run this again; else let the [[secrets.source]] name "
            "another"
        )

    def _is_own(self, held: Stored) -> bool:
        return self._given is not None and self._given.items() <= held.annotations.items()
