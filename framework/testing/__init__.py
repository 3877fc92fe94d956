"""What tests of services and pages import.

Each name is imported on first use: a test of a service needs no Pillow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.testing.bus import MemoryBus
    from framework.testing.clock import FakeClock
    from framework.testing.golden import assert_golden
    from framework.testing.harness import Harness
    from framework.testing.http import Canned

__all__ = ["Canned", "FakeClock", "Harness", "MemoryBus", "assert_golden"]

_MODULE_OF = {
    "Canned": "http",
    "FakeClock": "clock",
    "Harness": "harness",
    "MemoryBus": "bus",
    "assert_golden": "golden",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'framework.testing' has no attribute {name!r}")
    return getattr(import_module(f"framework.testing.{_MODULE_OF[name]}"), name)
