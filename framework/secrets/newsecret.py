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

    def __init__(self, store: Store) -> None:
        self.name = store.name
        self.stored: Stored | None = None
        """As it was last made, read or replaced."""
        self._store = store
        self._given: Mapping[str, str] | None = None
        """The annotations that it was made with, or may have been."""

    def read(self) -> Stored | None:
        held = self._store.read()
        if held is not None and not self._is_own(held):
            raise Overtaken(
                f"{self.name} exists already, and is not written over: see with matrix read what "
                "it has. If it is not what you want, let the [[secrets.source]] name another"
            )
        self.stored = held
        return held

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        self._given = annotations
        self.stored = self._store.create(data, annotations)
        return self.stored

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        self.stored = self._store.replace(held, data, annotations)
        return self.stored

    def _is_own(self, held: Stored) -> bool:
        return self._given is not None and self._given.items() <= held.annotations.items()
