"""The names of instances: what one may be, and that no two are one.

Section, keys, channels and variables are all made from the name, so it must be fit for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from framework.config.declared import declared
from framework.config.model import Config, Place
from framework.errors import ConfigError
from framework.folding import fold

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def check_name(name: str, cls: type[Config] = Place) -> str:
    """An instance's name as everything else is made from it: lower-cased. ``cls`` is its class.

    :raises ConfigError: it cannot be the name of an instance.
    """
    if not _NAME.fullmatch(name):
        why = "a letter, then letters, digits, - and _"
    elif "__" in fold(name):
        why = "in the environment, where - becomes _, __ ends the name"
    elif fold(name) in {fold(key) for each in declared(cls) if each.shared for key in each.keys}:
        why = "it is a field that all instances share"
    else:
        return name.lower()
    raise ConfigError(
        f"{name!r} cannot be the name of an instance: {why}. Give the instance another name"
    )


def check_unique(names: Iterable[str]) -> None:
    """Refuse names that would share a section: pages and services have one name space.

    :raises ConfigError: two of them fold to the same.
    """
    taken: dict[str, str] = {}
    for name in names:
        if fold(name) in taken:
            raise ConfigError(
                f"{taken[fold(name)]} and {name} are one name for two instances: upper case counts "
                "as lower, - as _, and pages and services share one name space. "
                "Give one another name"
            )
        taken[fold(name)] = name
