"""``Origin``: what a resealed Secret was made of, as its annotations say it.

So an earlier run of the same is recognised, whatever a rotation did to either Secret since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from framework.secrets.encryptor import edit_annotation
from framework.secrets.source import Home, Source
from framework.secrets.store import Stored
from framework.secrets.transit import version_of

RESEALED_FROM = "matrix.resealed/from"
"""The annotation for humans: place, key and key versions."""
RESEALED_EDIT = "matrix.resealed/edit"
"""The annotation that is compared."""


def key_of(home: Home) -> str:
    """The path of its key in Vault."""
    vault = home.vault or {}
    return f"{vault['mount']}/keys/{vault['key']}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Data keys of one Secret, as one edit had left them."""

    title: str
    edit: str

    @classmethod
    def of(cls, source: Source, home: Home, held: Stored, texts: Mapping[str, str]) -> Self:
        """``texts``: the ciphertexts of ``held`` that are resealed."""
        key = key_of(home)
        versions = ", ".join(f"v{each}" for each in sorted(set(map(version_of, texts.values()))))
        # Without an edit id there is nothing but the ciphertext, and a rotation counts as an edit.
        edits = {each: held.annotations.get(edit_annotation(each), texts[each]) for each in texts}
        whole = json.dumps([source.place.title, key, edits], sort_keys=True)
        return cls(
            f"{source.place.title} with {key}, {versions}",
            hashlib.sha256(whole.encode()).hexdigest(),
        )

    @property
    def annotations(self) -> Mapping[str, str]:
        return {RESEALED_FROM: self.title, RESEALED_EDIT: self.edit}

    def is_of(self, made: Stored) -> bool:
        """Whether that was made of the same."""
        return made.annotations.get(RESEALED_EDIT) == self.edit
