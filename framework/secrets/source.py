"""One ``[[secrets.source]]``: what it is called, how it is written, and how it is opened.

There is a class for each kind (``kinds``). The service validates an entry (``settings``) and sends
it on; the child that reads the secrets opens it. So what opening needs is imported only then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from framework.secrets.formats import Format
from framework.secrets.place import Layout, SecretPlace

if TYPE_CHECKING:
    from framework.secrets.store import Store
    from framework.secrets.transit import Transit


@dataclass(frozen=True, slots=True)
class Home:
    """What all sources of one ``matrix.toml`` share."""

    folder: str
    """What relative paths start from: the folder of ``matrix.toml``."""
    keyring: str
    """The file with the keys of the local default."""
    vault: Mapping[str, Any] | None = field(default=None, repr=False)
    """``[secrets.vault]``, as ``VaultSettings.sent`` sends it."""
    kubernetes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """``[secrets.kubernetes]``, as ``KubernetesSettings.sent`` sends it."""


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

    needs_vault: ClassVar[bool] = False
    """Whether those that are sealed have their key in ``[secrets.vault]``."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it."""

    @property
    @abstractmethod
    def place(self) -> SecretPlace:
        """What its ciphertexts are bound to."""

    @abstractmethod
    def store(self, home: Home) -> Store:
        """Where its ciphertexts are read."""

    def writable_store(self, home: Home, *, creates: bool = False) -> Store:
        """Where its ciphertexts are written. ``creates``: by one who makes it if there is none."""
        return self.store(home)

    def trial_store(self, home: Home) -> Store:
        """A writable one that makes nothing: what is written there is judged as if it were kept."""
        raise NotImplementedError

    @abstractmethod
    def transit(self, home: Home) -> AbstractContextManager[Transit]:
        """What its ciphertexts are decrypted by, until the context is left."""

    def make_key(self, home: Home, sources: Iterable[Source]) -> str | None:
        """Make the key where it is this machine's own and there is none yet: what was made, and
        what to do about it. ``sources``: all that it may have sealed, were it only missing.

        :raises TransitRefused: something is sealed already, by a key that is not there.
        """
        return None

    @abstractmethod
    def plain_content(self, home: Home) -> bytes | Mapping[str, bytes]:
        """All of a plain source: its document, or its fields by data key.

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
