"""The local default of ``Store``: one Secret in one file, to be committed if one likes.

JSON, in a stable order, so that a diff shows what was changed: it holds ciphertext alone.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from framework import durable
from framework.secrets.filefailures import store_failure
from framework.secrets.patience import given
from framework.secrets.store import Conflict, Stored, StoreRefused, StoreUnavailable

_VERSION = re.compile(r"([0-9]{1,15})-[0-9a-f]{16}")

Failure = StoreRefused | StoreUnavailable


class FileStore:
    """The file at ``path``. Writers come one after another; a crash leaves the old or the new."""

    def __init__(self, path: Path, *, patience_s: float = durable.PATIENCE_S) -> None:
        """``patience_s``: how long to wait for another process that is writing it."""
        self.name = str(path)
        self._path = path
        self._patience_s = patience_s

    def read(self) -> Stored | None:
        return given(_load(self._path))

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> Stored:
        return given(self._write(None, data, annotations))

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        return given(self._write(held, data, annotations))

    def _write(
        self, held: Stored | None, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored | Failure:
        try:
            with durable.locked(self._path, patience_s=self._patience_s) as path:
                found = _load(path)
                if isinstance(found, StoreRefused | StoreUnavailable):
                    return found
                if found != held:  # all of it, not the version alone: it can be edited by hand
                    return _conflict(self.name, found)
                stored = Stored(_after(held), dict(data), dict(annotations))
                durable.write(path, _to_json(stored), mode=0o666)
        except OSError as error:
            return store_failure(self._path, "written", error)
        return stored


def _conflict(name: str, found: Stored | None) -> Conflict:
    if found is None:
        return Conflict(f"{name} was removed since it was read")
    return Conflict(f"{name} was written by somebody else: look at it, and run again")


def _after(held: Stored | None) -> str:
    """The next version. By chance too: a file that was restored from a copy counts twice."""
    found = _VERSION.fullmatch(held.version) if held else None
    return f"{int(found[1]) + 1 if found else 1}-{secrets.token_hex(8)}"


def _load(path: Path) -> Stored | Failure | None:
    try:
        content, _ = durable.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return store_failure(path, "read", error)
    try:
        table = json.loads(content)
    except (ValueError, RecursionError):
        return StoreRefused(
            f"{path} is damaged: it is not JSON, or not all of it. It was not touched: restore it "
            "from a copy, or resolve the conflict in it"
        )
    if not _is_sealed(table):
        return StoreRefused(
            f"{path} is no sealed file: it must hold a version, data and annotations, as "
            "`matrix encrypt` writes them. It was not touched: restore it, or name another file"
        )
    return Stored(table["version"], table["data"], table["annotations"])


def _is_sealed(table: object) -> bool:
    return (
        isinstance(table, dict)
        and table.keys() == {"version", "data", "annotations"}
        and isinstance(table["version"], str)
        and _VERSION.fullmatch(table["version"]) is not None
        and all(
            isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())
            for texts in (table["data"], table["annotations"])
        )
    )


def _to_json(stored: Stored) -> bytes:
    table = {
        "version": stored.version,
        "data": dict(sorted(stored.data.items())),
        "annotations": dict(sorted(stored.annotations.items())),
    }
    return json.dumps(table, indent=2).encode() + b"\n"
