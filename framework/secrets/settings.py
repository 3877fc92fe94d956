"""``[secrets]`` of ``matrix.toml``: which sources there are, and how patiently they are read.

Every tool that has to do with secrets gets them from here, so that all mean the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from framework.errors import ConfigError
from framework.project import FILE, Location, Project, Table, at, in_words
from framework.secrets.hardening import harden
from framework.secrets.plan import Settings as Rotation
from framework.secrets.source import KINDS, Home, Source

_TEN_YEARS_H = 10 * 365 * 24.0
Hours = Annotated[float, Field(strict=True, ge=0, le=_TEN_YEARS_H, allow_inf_nan=False)]


class _Rotate(Table):
    min_age_hours: Hours = 20.0
    grace_hours: Hours = 24.0
    retire: bool = Field(default=False, strict=True)


class _Secrets(Table):
    patience: float = Field(default=60.0, strict=True, ge=0, allow_inf_nan=False)
    profilers: bool = Field(default=False, strict=True)
    keyring: str = Field(default=".matrix/keyring", min_length=1)
    rotate: _Rotate = _Rotate()
    source: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class SecretsSettings:
    """How the secrets are read here."""

    sources: tuple[Source, ...]
    """In order: what a later one supplies counts more."""
    patience_s: float
    """How long what does not answer is asked again."""
    profilers: bool
    """Whether debuggers and profilers may look into a process that holds secrets."""
    home: Home
    rotation: Rotation

    @classmethod
    def of(cls, project: Project) -> SecretsSettings:
        """:raises ConfigError: a line for each problem."""
        outcome = _read(project)
        if isinstance(outcome, SecretsSettings):
            return outcome
        raise ConfigError("\n".join(outcome))

    def shield(self) -> None:
        """From here on this process cannot be looked into, unless ``profilers`` allows it.

        :raises ConfigError: the system does not let it.
        """
        refusal = None if self.profilers else _hardened()
        if refusal is not None:
            raise refusal


def _hardened() -> ConfigError | None:
    try:
        harden()
    except OSError as error:
        reason = error.strerror
    else:
        return None
    return ConfigError(
        f"this process cannot be kept from being looked into: {reason}. If secrets may be in it "
        "all the same, set [secrets] profilers = true in matrix.toml"
    )


def _read(project: Project) -> SecretsSettings | list[str]:
    """The settings, or their problems."""
    path = project.path or Path(FILE)
    try:
        table = _Secrets.model_validate(dict(project.secrets))
    except ValidationError as error:
        return in_words(path, error, _names, ("secrets",))
    sources, problems = [], []
    for number, entry in enumerate(table.source):
        outcome = _source(path, entry, ("secrets", "source", number))
        if isinstance(outcome, Source):
            sources.append(outcome)
        else:
            problems += outcome
    folder = project.state.parent
    home = Home(str(folder), str(folder / table.keyring))
    if problems:
        return problems
    return SecretsSettings(
        sources=tuple(sources),
        patience_s=table.patience,
        profilers=table.profilers,
        home=home,
        rotation=Rotation(
            min_age=timedelta(hours=table.rotate.min_age_hours),
            grace=timedelta(hours=table.rotate.grace_hours),
            retire=table.rotate.retire,
        ),
    )


def _names(loc: Location) -> Iterable[str]:
    """What may stand in the table that the last part of ``loc`` is in."""
    return (_Rotate if loc[1:-1] == ("rotate",) else _Secrets).model_fields


def _source(path: Path, entry: Mapping[str, Any], within: Location) -> Source | list[str]:
    kind = entry.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        return [f"{path}: {at((*within, 'kind'))} must be one of {', '.join(KINDS)}"]
    try:
        source = TypeAdapter(cls).validate_python(dict(entry))
    except ValidationError as error:
        return in_words(path, error, lambda _: [each.name for each in fields(cls)], within)
    misfits = source.misfits(entry.keys())
    return [f"{path}: {at((*within, name))} {what}" for name, what in misfits] or source
