"""One factory for each ``Transit`` and ``Store``: every one of them runs the whole contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from framework.secrets.filestore import FileStore
from framework.secrets.keyring import LocalTransit
from framework.secrets.store import Store
from framework.secrets.transit import Transit
from framework.testing.secrets import MemoryStore, MemoryTransit

TRANSITS: dict[str, Callable[[Path], Transit]] = {
    "memory": lambda folder: MemoryTransit(),
    "local": lambda folder: LocalTransit.create(folder / "keyring.json"),
}
"""By name, each makes a key of one version."""

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(),
    "file": lambda folder: FileStore(folder / "secrets.sealed"),
}
"""By name, each makes a store with no Secret in it."""


@pytest.fixture(params=TRANSITS)
def transit(request: pytest.FixtureRequest, tmp_path: Path) -> Transit:
    return TRANSITS[request.param](tmp_path)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)
