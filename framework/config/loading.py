"""Load the configuration of an instance from its sources, or say what is wrong with it.

``gathering`` decides which source wins, the class what is valid, ``problems`` how that is said.
Here they come together; and no error that leaves carries a value, not even in its traceback.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from framework.config.declared import declared
from framework.config.gathering import COORDINATES, OF_ZONE, gather
from framework.config.model import Config
from framework.config.names import check_name
from framework.config.place import GREENWICH, spot_of
from framework.config.sources import Origin, Sources
from framework.errors import ConfigError
from framework.project import Project

C = TypeVar("C", bound=Config)


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
    """
    outcome = _attempt(cls, name, sources, arguments or {})
    # A traceback keeps the locals of this frame, and these hold values.
    del sources, arguments
    if isinstance(outcome, Loaded):
        return outcome
    raise ConfigError("\n".join(outcome))


def describe(cls: type[Config], name: str, sources: Sources) -> list[Description]:
    """What ``cls`` declares and where each value would come from now; nothing is validated.

    Whoever does not want the secrets to be read for it gives ``sources`` without them.
    """
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
) -> Loaded[C] | list[str]:
    """The configuration, or the problems as data: whoever raises must not hold values."""
    try:
        name = check_name(name, cls)
        if sources is None:
            sources = Sources.of_machine(Project.find(os.environ, Path.cwd()), os.environ)
    except ConfigError as error:
        return [str(error)]
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
    return list(dict.fromkeys(problems))


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
