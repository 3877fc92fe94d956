"""Feed an LED matrix from small services: subclass ``ServerBase`` and ``DisplayBase``.

The public names, and nothing else. Each is imported on first use, so that ``import framework``
stays cheap and a service never loads what only pages need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.canvas import Canvas
    from framework.config import Config, Place
    from framework.display import DisplayBase
    from framework.errors import (
        BusUnavailable,
        ConfigError,
        DefinitionError,
        MatrixError,
        NotModified,
        SecretsUnavailable,
        Unavailable,
    )
    from framework.feed import Feed
    from framework.secrets import SecretManager
    from framework.server import ServerBase
    from framework.update import Freshness, Update, Values

__all__ = [
    "BusUnavailable",
    "Canvas",
    "Config",
    "ConfigError",
    "DefinitionError",
    "DisplayBase",
    "Feed",
    "Freshness",
    "MatrixError",
    "NotModified",
    "Place",
    "SecretManager",
    "SecretsUnavailable",
    "ServerBase",
    "Unavailable",
    "Update",
    "Values",
]

_HOME = {
    "canvas": ("Canvas",),
    "config": ("Config", "Place"),
    "display": ("DisplayBase",),
    "errors": (
        "BusUnavailable",
        "ConfigError",
        "DefinitionError",
        "MatrixError",
        "NotModified",
        "SecretsUnavailable",
        "Unavailable",
    ),
    "feed": ("Feed",),
    "secrets": ("SecretManager",),
    "server": ("ServerBase",),
    "update": ("Freshness", "Update", "Values"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'framework' has no attribute {name!r}")
    return getattr(import_module(f"framework.{_MODULE_OF[name]}"), name)
