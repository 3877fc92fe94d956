"""``kind = "file"``: a file of this machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from framework.secrets.place import SecretPlace
from framework.secrets.source import Home, Source

if TYPE_CHECKING:
    from framework.secrets.store import Store
    from framework.secrets.transit import Transit


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource(Source):
    """A sealed file with the local keyring, or a plain file."""

    path: str
    kind: Literal["file"] = "file"

    @property
    def name(self) -> str:
        return self.path

    @property
    def place(self) -> SecretPlace:
        return SecretPlace(self.layout, "local", "local", Path(self.path).stem)

    def store(self, home: Home) -> Store:
        from framework.secrets.local.filestore import FileStore

        return FileStore(self._path(home))

    def transit(self, home: Home) -> AbstractContextManager[Transit]:
        from framework.secrets.local.keyring import LocalTransit

        return nullcontext(LocalTransit(Path(home.keyring)))

    def make_key(self, home: Home, sources: Iterable[Source]) -> str | None:
        from framework import durable
        from framework.project import STATE, make_state
        from framework.secrets.local.keyring import KeyringExists, LocalTransit
        from framework.secrets.transit import TransitRefused

        path, state = Path(home.keyring), Path(home.folder, STATE)
        transit = LocalTransit(path)
        if transit.exists():
            return None
        sealed = ", ".join(
            each.name
            for each in sources
            if isinstance(each, FileSource) and not each.plain and each.store(home).read()
        )
        if sealed and not transit.exists():  # else somebody else was faster
            raise TransitRefused(
                f"there is no keyring {path}, and {sealed} cannot be read without the one that "
                f"sealed it: restore that, or remove {sealed} and seal everything again"
            )
        if state in path.parents:
            make_state(state)
        try:
            LocalTransit.create(path)
        except KeyringExists:  # somebody else was faster
            return None
        if durable.is_hidden_from_git(path.parent):
            return f"{path} was made, and Git ignores it: keep a copy with your passwords"
        return f"{path} was made: keep it out of Git, and keep a copy with your passwords"

    def plain_content(self, home: Home) -> bytes:
        from framework import durable
        from framework.secrets.filefailures import store_failure
        from framework.secrets.store import StoreRefused, StoreUnavailable

        failure: StoreRefused | StoreUnavailable
        try:
            return durable.read(self._path(home))[0]
        except FileNotFoundError:
            failure = StoreRefused(
                f"{self.name} is not there: write it, or correct its [[secrets.source]]"
            )
        except OSError as error:
            failure = store_failure(self.name, "read", error)
        raise failure

    def misfits(self, given: Collection[str]) -> Iterator[tuple[str, str]]:
        yield from Source.misfits(self, given)
        if not self.path or "\0" in self.path:
            yield "path", "must name a file"
        if self.plain and "data_key" in given:
            yield "data_key", "is of a sealed file: a plain one is the document itself"

    def _path(self, home: Home) -> Path:
        return Path(home.folder, self.path)
