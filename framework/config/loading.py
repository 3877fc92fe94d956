"""Load the configuration of an instance from its sources, or say what is wrong with it.

``gathering`` decides which source wins, the class what is valid, ``problems`` how that is said.
Here they come together; and no error that leaves carries a value, not even in its traceback.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from framework.config.declared import declared
from framework.config.gathering import COORDINATES, OF_ZONE, gather
from framework.config.model import Config
from framework.config.names import check_name
from framework.config.place import GREENWICH, spot_of
from framework.config.sources import Document, Origin, Sources
from framework.config.strays import Known, strays
from framework.errors import ConfigError, SecretsUnavailable
from framework.project import Project

C = TypeVar("C", bound=Config)
Problem = ConfigError | SecretsUnavailable
_log = logging.getLogger("matrix")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """A configuration, and how it came about."""

    config: C
    origins: Mapping[str, Origin]
    """By field: ``station``, ``server.host``."""
    remarks: tuple[str, ...]
    """What its user should be told: "Berlin, from your time zone: ..."."""


@dataclass(frozen=True, slots=True)
class Description:
    """One field of a class, and where its value would come from now. Never the value."""

    field: str
    type: str
    shared: bool
    secret: bool
    required: bool
    origin: Origin | None
    """None: not set."""


def load(
    cls: type[C],
    name: str,
    *,
    sources: Sources | None = None,
    arguments: Mapping[str, object] | None = None,
) -> Loaded[C]:
    """The configuration of the instance ``name``; by default from this machine and folder.

    :raises ConfigError: with one line for each problem.
    :raises SecretsUnavailable: they could not be read for now.
    """
    outcome = _attempt(cls, name, sources, arguments or {})
    # A traceback keeps the locals of this frame, and these hold values.
    del sources, arguments
    if isinstance(outcome, Loaded):
        return outcome
    raise outcome


def load_all(
    instances: Sequence[tuple[type[Config], str]], *, project: Project | None = None
) -> list[Loaded[Config]]:
    """The configuration of each, a class and a name, from this machine and the folder of
    ``project``, by default this one. The secrets of all are read at once.

    :raises ConfigError: of the first that has a problem.
    :raises SecretsUnavailable: they could not be read for now.
    """
    checked = [(cls, check_name(name, cls)) for cls, name in instances]
    outcome = _attempt_all(checked, project)
    if isinstance(outcome, list):
        return outcome
    raise outcome


def describe(cls: type[Config], name: str, sources: Sources) -> list[Description]:
    """What ``cls`` declares and where each value would come from now; nothing is validated, and no
    secret is read but those in ``sources``."""
    origins: dict[str, Origin] = {}
    for path, origin in gather(cls, check_name(name, cls), sources, {}).origins.items():
        origins.setdefault(path.partition(".")[0], origin)
    return [
        Description(
            field=each.name,
            type=each.type_text,
            shared=each.shared,
            secret=each.secret,
            required=each.required,
            origin=origins.get(each.name),
        )
        for each in declared(cls)
    ]


def _attempt(
    cls: type[C], name: str, sources: Sources | None, arguments: Mapping[str, object]
) -> Loaded[C] | Problem:
    """The configuration, or the problem as data: whoever raises must not hold values."""
    try:
        name = check_name(name, cls)
        if sources is None:
            sources = _sources_here([(cls, name)], None)
            known = Known({name: declared(cls)}, everyone=False)
            for stray in strays(sources.table, sources.table_path, sources.environ, known):
                _log.warning("%s", stray)
    except (ConfigError, SecretsUnavailable) as error:
        return type(error)(str(error))  # without the traceback, which holds this frame
    return _validated(cls, name, sources, arguments)


def _attempt_all(
    instances: Sequence[tuple[type[Config], str]], project: Project | None
) -> list[Loaded[Config]] | Problem:
    try:
        sources = _sources_here(instances, project)
    except (ConfigError, SecretsUnavailable) as error:
        return type(error)(str(error))
    loaded = []
    for cls, name in instances:
        outcome = _validated(cls, name, sources, {})
        if not isinstance(outcome, Loaded):
            return outcome
        loaded.append(outcome)
    return loaded


def _sources_here(
    instances: Sequence[tuple[type[Config], str]], project: Project | None
) -> Sources:
    """What there is on this machine, with what the secrets have for ``instances``."""
    project = project or Project.find(os.environ, Path.cwd())
    secrets: tuple[Document, ...] = ()
    if project.secrets:
        # Here, because most have no secrets, and reading them needs a good deal.
        from framework.secrets.reading import read_documents
        from framework.secrets.settings import SecretsSettings

        secrets = read_documents(SecretsSettings.of(project), instances)
    return Sources.of_machine(project, os.environ, secrets=secrets)


def _validated(
    cls: type[C], name: str, sources: Sources, arguments: Mapping[str, object]
) -> Loaded[C] | Problem:
    gathered = gather(cls, name, sources, arguments)
    problems = gathered.problems
    try:
        config = cls.model_validate(gathered.values)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] != "default_factory_not_called":  # follows from another error
                problems.append(gathered.who.refused(each, gathered.origins))
    except Exception as error:  # a validator may raise anything, and hold a value in it
        last = traceback.extract_tb(error.__traceback__)[-1]
        problems.append(
            f"{gathered.who}: its validation broke with {type(error).__name__} in "
            f"{last.filename}, line {last.lineno}; mend it to raise ValueError for what it refuses"
        )
    else:
        if not problems:
            return Loaded(config, gathered.origins, _remarks(config, gathered.origins))
    return ConfigError("\n".join(dict.fromkeys(problems)))


def _remarks(config: Config, origins: Mapping[str, Origin]) -> tuple[str, ...]:
    if any(origins.get(name) is not OF_ZONE for name in COORDINATES):
        return ()
    spot = spot_of(config.timezone)
    why = (
        f"because the time zone is {config.timezone.removeprefix('Etc/')}"
        if spot is GREENWICH
        else "from your time zone"
    )
    return (f"{spot.name}, {why}: set [config] latitude, longitude",)
