"""``SecretManager``: typed configuration from the secrets, outside the base classes too.

``ServerBase`` and ``DisplayBase`` have it built in: their constructors do what ``read`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, cast

from framework.config import Config
from framework.config.loading import load_all
from framework.errors import DefinitionError
from framework.project import Project

C = TypeVar("C", bound=Config)


class Configs:
    """What ``read_all`` read: ``configs[TideConfig, "harbour"]`` is a ``TideConfig``."""

    def __init__(self, found: Mapping[tuple[type[Config], str], Config]) -> None:
        self._found = found

    def __getitem__(self, instance: tuple[type[C], str]) -> C:
        cls, name = instance
        return cast(C, self._found[cls, name.lower()])

    def __iter__(self) -> Iterator[tuple[type[Config], str]]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class SecretManager:
    """Reads what a class declares, from the secrets and all other sources.

    A process of its own logs in, decrypts, hands over the declared fields and ends; nothing else
    reaches this one. ::

        config = SecretManager().read(TideConfig, name="tide")
    """

    def __init__(self, project: Project | None = None) -> None:
        """``project``: by default the ``matrix.toml`` of this folder, found at each reading."""
        self._project = project

    def read(self, cls: type[C], *, name: str) -> C:
        """The configuration of the instance ``name``.

        :raises DefinitionError: ``cls`` is no subclass of ``Config``.
        :raises ConfigError: something is missing, wrong, or refused.
        :raises SecretsUnavailable: the secrets could not be read within ``[secrets] patience``.
        """
        return self.read_all([(cls, name)])[cls, name]

    def read_all(self, instances: Iterable[tuple[type[Config], str]]) -> Configs:
        """Those of several, each a class and a name, read at once by one process."""
        asked = [(_checked(cls), name.lower()) for cls, name in instances]
        loaded = load_all(asked, project=self._project)
        return Configs({each: one.config for each, one in zip(asked, loaded, strict=True)})


def _checked(cls: object) -> type[Config]:
    if isinstance(cls, type) and issubclass(cls, Config):
        return cls
    name = getattr(cls, "__qualname__", type(cls).__qualname__)
    raise DefinitionError(
        f"{name} must be a subclass of Config: its fields are what is read, and nothing else is"
    )
