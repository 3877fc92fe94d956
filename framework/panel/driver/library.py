"""The library that a driver stands on: only the machine that the LEDs hang on has it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from framework.errors import ConfigError


def library(name: str, remedy: str) -> ModuleType:
    """
    :raises ConfigError: it is not installed, or not for this machine.
    """
    try:
        return import_module(name)
    except ImportError as error:
        reason = str(error)
    raise ConfigError(f"{name} cannot be imported ({reason}): {remedy}")
