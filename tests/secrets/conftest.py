"""One factory for each ``Transit`` and ``Store``: every one of them runs the whole contract. And a
folder with a keyring and sources, for what reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from framework.project import Project
from framework.secrets import patience
from framework.secrets.kubernetes.store import KubernetesStore
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.store import Store
from framework.secrets.transit import Transit
from framework.secrets.vault.transit import open_transit
from framework.testing.secrets import MemoryStore, MemoryTransit
from tests.secrets.kubernetes_standin import NAMESPACE, KubernetesStandin
from tests.secrets.vault_standin import FAMILIES, VaultStandin


@contextmanager
def vault(family: str, folder: Path) -> Iterator[Transit]:
    with (
        VaultStandin(folder, family=family) as standin,
        open_transit(standin.settings(), standin.login()) as transit,
    ):
        yield transit


TRANSITS: dict[str, Callable[[Path], AbstractContextManager[Transit]]] = {
    "memory": lambda folder: nullcontext(MemoryTransit()),
    "local": lambda folder: nullcontext(LocalTransit.create(folder / "keyring.json")),
    **{f"vault {family}": partial(vault, family) for family in FAMILIES},
}
"""By name, each makes a key of one version."""


@contextmanager
def kubernetes(folder: Path) -> Iterator[Store]:
    with KubernetesStandin(folder) as standin, closing(standin.client()) as client:
        yield KubernetesStore(client, namespace=NAMESPACE, name="matrix-secrets")


STORES: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "memory": lambda folder: nullcontext(MemoryStore()),
    "file": lambda folder: nullcontext(FileStore(folder / "secrets.sealed")),
    "kubernetes": kubernetes,
}
"""By name, each makes a store with no Secret in it."""


@pytest.fixture
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever fails is not asked again: the wait for that alone would be too long."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 10 * patience.PATIENCE_S)


@pytest.fixture(params=TRANSITS)
def transit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transit]:
    with TRANSITS[request.param](tmp_path) as transit:
        yield transit


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with STORES[request.param](tmp_path) as store:
        yield store


class Folder:
    """A folder of one's own: a keyring, ``matrix.toml``, and what is sealed or plain in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.transit = LocalTransit.create(path / ".matrix" / "keyring")

    def ciphertext(self, file: str, data_key: str, text: str, *, layout: Layout) -> str:
        place = SecretPlace(layout, "local", "local", Path(file).stem)
        return self.transit.encrypt(place.context(data_key), text.encode())

    def store_of(self, file: str) -> FileStore:
        return FileStore(self.path / file)

    def store(self, file: str, data: Mapping[str, str]) -> None:
        """Make it what ``file`` holds, whatever it held."""
        store = self.store_of(file)
        held = store.read()
        store.create(data, {}) if held is None else store.replace(held, data, {})

    def seal(self, file: str, document: object, *, data_key: str = "secrets.json") -> None:
        """A document; what is no text as JSON."""
        text = document if isinstance(document, str) else json.dumps(document)
        self.store(file, {data_key: self.ciphertext(file, data_key, text, layout="document")})

    def seal_fields(self, file: str, fields: Mapping[str, str]) -> None:
        self.store(
            file,
            {
                key: self.ciphertext(file, key, text, layout="fields")
                for key, text in fields.items()
            },
        )

    def write(self, file: str, text: str) -> None:
        (self.path / file).write_text(text)

    def sources(self, *entries: str, secrets: str = "patience = 0", config: str = "") -> Project:
        """The project, with a file source for each of ``entries``.

        Debuggers may look in: it is the process of the tests that holds the secrets.
        """
        text = f"[secrets]\nprofilers = true\n{secrets}\n"
        text += "".join(f'[[secrets.source]]\nkind = "file"\n{entry}\n' for entry in entries)
        self.write("matrix.toml", text + config)
        return Project.find({}, self.path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The working directory, in an environment that says nothing to us."""
    for name in os.environ:
        if name.startswith("MATRIX_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)
