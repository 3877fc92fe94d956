"""``[secrets]`` of ``matrix.toml``: which sources there are, and how patiently they are read.

Every tool that has to do with secrets gets them from here, so that all mean the same place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from framework.errors import ConfigError
from framework.project import FILE, Project
from framework.secrets.hardening import harden
from framework.secrets.kinds import KINDS
from framework.secrets.kubernetes.table import VARIABLES as OF_KUBERNETES
from framework.secrets.kubernetes.table import read_kubernetes
from framework.secrets.local.source import FileSource
from framework.secrets.plan import Settings as Rotation
from framework.secrets.source import Home, Source
from framework.secrets.vault.settings import VaultSettings
from framework.secrets.vault.table import VARIABLES as OF_VAULT
from framework.secrets.vault.table import read_vault
from framework.tables import Location, Table, at, in_words

_VARIABLES = (*OF_VAULT, *OF_KUBERNETES)
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)

_TEN_YEARS_H = 10 * 365 * 24.0
Hours = Annotated[float, Field(strict=True, ge=0, le=_TEN_YEARS_H, allow_inf_nan=False)]


class _Rotate(Table):
    min_age_hours: Hours = 20.0
    grace_hours: Hours = 24.0
    retire: bool = Field(default=False, strict=True)


class _Secrets(Table):
    patience: float = Field(default=60.0, strict=True, ge=0, allow_inf_nan=False)
    profilers: bool = Field(default=False, strict=True)
    keyring: str = Field(default=".matrix/keyring", min_length=1, pattern=r"^[^\x00]*$")
    rotate: _Rotate = _Rotate()
    source: tuple[dict[str, Any], ...] = ()
    vault: dict[str, Any] | None = None
    kubernetes: dict[str, Any] | None = None


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
    vault: VaultSettings | None = None
    """``[secrets.vault]``, if there is one and it was read."""
    path: Path | None = None
    """Of ``matrix.toml``; None: there is none."""

    @classmethod
    def of(
        cls, project: Project, environ: Mapping[str, str] = os.environ, *, with_vault: bool = True
    ) -> SecretsSettings:
        """``with_vault``: else [secrets.vault] is not read, half of which may be missing.

        :raises ConfigError: a line for each problem.
        """
        known = {name: environ[name] for name in _VARIABLES if name in environ}
        del environ  # a traceback keeps the locals of this frame
        outcome = _read(project, known, with_vault=with_vault)
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


def _read(
    project: Project, environ: Mapping[str, str], *, with_vault: bool
) -> SecretsSettings | list[str]:
    """The settings, or their problems."""
    path = project.path or Path(FILE)
    try:
        table = _Secrets.model_validate(dict(project.secrets))
    except ValidationError as error:
        return in_words(path, error, _names, ("secrets",))
    sources: list[Source] = []
    problems: list[str] = []
    for number, entry in enumerate(table.source):
        outcome = _source(path, entry, ("secrets", "source", number))
        if isinstance(outcome, Source):
            sources.append(outcome)
        else:
            problems += outcome
    folder = project.state.parent
    if not problems:
        problems += _clashes(path, sources, folder)
    vault = None
    if table.vault is not None and with_vault:
        vault = read_vault(path, table.vault, environ, folder)
    if isinstance(vault, list):
        problems += vault
    elif table.vault is None:
        problems += [
            f"{path}: {at(('secrets', 'vault'))} is missing: {each.name} is sealed with a key in it"
            for each in sources
            if each.needs_vault and not each.plain
        ]
    kubernetes = read_kubernetes(path, table.kubernetes or {}, environ, folder)
    if isinstance(kubernetes, list):
        problems += kubernetes
    if problems or isinstance(vault, list) or isinstance(kubernetes, list):
        return problems
    sent = None if vault is None else vault.sent()
    return SecretsSettings(
        sources=tuple(sources),
        patience_s=table.patience,
        profilers=table.profilers,
        home=Home(
            str(folder),
            str(folder / _expanded(table.keyring)),
            sent,
            kubernetes.sent(),
        ),
        rotation=Rotation(
            min_age=timedelta(hours=table.rotate.min_age_hours),
            grace=timedelta(hours=table.rotate.grace_hours),
            retire=table.rotate.retire,
        ),
        vault=vault,
        path=project.path,
    )


def _names(loc: Location) -> Iterable[str]:
    """What may stand in the table that the last part of ``loc`` is in."""
    return (_Rotate if loc[1:-1] == ("rotate",) else _Secrets).model_fields


def _source(path: Path, entry: Mapping[str, Any], within: Location) -> Source | list[str]:
    kind = entry.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        return [f"{path}: {at((*within, 'kind'))} must be one of {', '.join(KINDS)}"]
    given = dict(entry)
    if isinstance(given.get("path"), str):  # here, because the child does not know HOME
        given["path"] = _expanded(given["path"])
    # pydantic takes "yes" for true, unless it is strict: then it takes no table for a dataclass.
    no_bools = [
        f"{path}: {at((*within, each.name))} must be true or false"
        for each in fields(cls)
        if each.type == "bool" and not isinstance(given.get(each.name, False), bool)
    ]
    try:
        source: Source = _adapter(cls).validate_python(given)
    except ValidationError as error:
        names = [each.name for each in fields(cls)]
        return list(dict.fromkeys([*in_words(path, error, lambda _: names, within), *no_bools]))
    misfits = [f"{path}: {at((*within, name))} {what}" for name, what in source.misfits(given)]
    return no_bools or misfits or source


def _expanded(path: str) -> str:
    """With the home folder for ``~``; where nobody has that, it is a name as any other."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        return path


def _clashes(path: Path, sources: Sequence[Source], folder: Path) -> Iterator[str]:
    """Which two cannot both be."""
    numbered = [
        (f"{at(('secrets', 'source', number))} ({each.name})", each)
        for number, each in enumerate(sources)
    ]
    for (first, one), (second, other) in combinations(numbered, 2):
        sealed = not (one.plain or other.plain)
        if isinstance(one, FileSource) and isinstance(other, FileSource):
            if os.path.realpath(folder / one.path) == os.path.realpath(folder / other.path):
                yield f"{path}: {first} and {second} are one file: remove one of the two"
            elif sealed and one.place == other.place:
                yield (
                    f"{path}: {first} and {second} are sealed for one place, which is the name of "
                    "the file without folder and suffix, so that one can be put where the other "
                    "was: call them by two names"
                )
        elif sealed and one.name == other.name:
            yield f"{path}: {first} and {second} are one Secret: remove one, or make it two"
