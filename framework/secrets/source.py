"""One ``[[secrets.source]]``: what it is called, how it is written, and how it is opened.

To add a kind, write one class and name it in ``KINDS``. The service validates an entry
(``settings``) and sends it on; the child that reads the secrets opens it. So nothing heavy is
imported here, least of all by the module itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from framework.secrets.formats import Format
from framework.secrets.place import Layout, SecretPlace

if TYPE_CHECKING:
    from framework.secrets.store import Store
    from framework.secrets.transit import Transit


@dataclass(frozen=True, slots=True)
class Home:
    """Where on this machine the local default lives."""

    folder: str
    """What relative paths start from: the folder of ``matrix.toml``."""
    keyring: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(ABC):
    """What entries of every kind say."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "hide_input_in_errors": True}

    layout: Layout = "document"
    data_key: str = "secrets.json"
    """Which one holds the document, where the layout is ``document``."""
    format: Format = "json"
    """How the document is written."""
    field: str | None = None
    """What a document that is plain text fills: ``tide.token``."""
    plain: bool = False
    """Whether it is not encrypted at all."""
    secrets: bool = False
    """Whether it may supply secrets although it is plain."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it."""

    @property
    @abstractmethod
    def place(self) -> SecretPlace:
        """What its ciphertexts are bound to."""

    @abstractmethod
    def store(self, home: Home) -> Store: ...

    @abstractmethod
    def transit(self, home: Home) -> Transit: ...

    def make_key(self, home: Home) -> str | None:
        """Make the key where it is this machine's own and there is none yet: what was made, and
        what to do about it.

        :raises TransitRefused: something is sealed already, by a key that is not there.
        """
        return None

    @abstractmethod
    def plain_content(self, home: Home) -> bytes:
        """All of the document of a plain source.

        :raises StoreRefused: :raises StoreUnavailable:
        """

    def misfits(self, given: Collection[str]) -> Iterator[tuple[str, str]]:
        """Which of the names ``given`` do not go together: the name, and what is wrong with it."""
        if self.plain:
            if "layout" in given:
                yield "layout", "says how something is sealed, and plain = true that it is not"
        elif "secrets" in given:
            yield "secrets", "is for a plain source: a sealed one may supply secrets anyway"
        if self.layout == "fields":
            for name in sorted({"data_key", "format", "field"} & set(given)):
                yield name, 'is of a document, and layout = "fields" has none'
        elif self.format == "text" and self.field is None:
            yield "field", 'is missing: format = "text" fills one field, as in "tide.token"'
        elif self.format != "text" and self.field is not None:
            yield "field", 'is for format = "text" alone: every other format names its fields'
        if self.field is not None and not all(self.field.split(".")):
            yield "field", 'must be names with a point between them, as in "tide.token"'


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
        from framework.secrets.filestore import FileStore

        return FileStore(self._path(home))

    def transit(self, home: Home) -> Transit:
        from framework.secrets.keyring import LocalTransit

        return LocalTransit(Path(home.keyring))

    def make_key(self, home: Home) -> str | None:
        from framework.secrets.keyring import LocalTransit
        from framework.secrets.transit import TransitRefused

        path = Path(home.keyring)
        if path.exists():
            return None
        if self.store(home).read() is not None:
            raise TransitRefused(
                f"{self.name} is sealed already, and there is no keyring {path}: restore that, or "
                f"remove {self.name} and seal everything again"
            )
        LocalTransit.create(path)
        return f"{path} was made, and Git ignores it: keep a copy with your passwords"

    def plain_content(self, home: Home) -> bytes:
        from framework import durable
        from framework.secrets.store import StoreRefused, StoreUnavailable

        try:
            return durable.read(self._path(home))[0]
        except OSError as error:
            kind = StoreRefused if durable.is_lasting(error) else StoreUnavailable
            reason = durable.in_words(error)
        raise kind(f"{self.name} cannot be read: {reason}")

    def misfits(self, given: Collection[str]) -> Iterator[tuple[str, str]]:
        yield from Source.misfits(self, given)
        if not self.path:
            yield "path", "must name a file"
        if self.plain and "data_key" in given:
            yield "data_key", "is of a sealed file: a plain one is the document itself"

    def _path(self, home: Home) -> Path:
        return Path(home.folder, self.path)


KINDS: dict[str, type[Source]] = {"file": FileSource}
"""By what ``kind`` says."""
