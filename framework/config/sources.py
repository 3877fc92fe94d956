"""What there is to load a configuration from, and how one says where a value came from.

Reading ``matrix.toml`` is left to ``project``, the machine's time zone to ``place``, the secrets to
``secrets.reading``. Which source wins is decided in ``gathering``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from framework.config.place import machine_timezone
from framework.errors import ConfigError
from framework.project import FILE, Project

Kind = Literal["argument", "environment", "secrets", "config", "machine", "default"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    source: Kind
    where: str
    """Exactly: ``environment MATRIX_TIDE__TOKEN``, ``[config.tide] station in matrix.toml``."""
    remedy: str = field(default="", compare=False)
    """How one sets it right there, if that is not as for any value."""

    def __str__(self) -> str:
        return self.where


@dataclass(frozen=True, slots=True)
class Document:
    """What one source of secrets gave. Its repr shows no values."""

    values: Mapping[str, object] = field(repr=False)
    """Of the shape of ``[config]``: shared fields and sections."""
    where: str = "the secrets"
    """What messages call it."""
    sealed: bool = True
    """Whether it was encrypted: what is not never overrides what is."""
    may_fill_secrets: bool = True
    by_field: bool = False
    """Whether each field is sealed by itself."""

    def remedy(self, keys: Sequence[str]) -> str:
        """How one sets right what is there under ``keys``."""
        if not self.sealed:
            return f"correct it in {self.where}"
        if self.by_field:
            return f"seal it again: matrix encrypt --set {'.'.join(keys[:2])}"
        return "change it in the document and seal that again: matrix encrypt FILE"


@dataclass(frozen=True, slots=True)
class Sources:
    """What there is to load from. Its repr shows no values."""

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    table: Mapping[str, object] = field(default_factory=dict, repr=False)
    """``[config]`` of ``matrix.toml``: shared fields and sections."""
    table_path: str = FILE
    """What messages call the file of ``table``."""
    secrets: Sequence[Document] = field(default=(), repr=False)
    """In order: what a later one supplies counts more."""
    machine_timezone: str | None = None
    machine_redis_url: str | None = field(default=None, repr=False)
    """Of the embedded server of this folder, when one runs."""

    @classmethod
    def of_machine(
        cls, project: Project, environ: Mapping[str, str], *, secrets: Sequence[Document] = ()
    ) -> Self:
        """What there is on this machine, in the folder of ``project``.

        :raises ConfigError: the address of the folder's server must not be read.
        """
        try:
            redis_url = project.bus_url()
        except ConfigError as error:
            problem = str(error)
        else:
            return cls(
                environ=environ,
                table=project.config,
                table_path=FILE if project.path is None else project.path.name,
                secrets=secrets,
                machine_timezone=machine_timezone(environ),
                machine_redis_url=redis_url,
            )
        del environ, secrets  # a traceback keeps the locals of this frame, and these hold values
        raise ConfigError(problem)
