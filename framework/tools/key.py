"""A Transit key with all that it seals, and which one is meant: what ``inventory`` looks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framework.secrets.rotator import Entry
from framework.secrets.transit import Transit

if TYPE_CHECKING:
    from framework.secrets.kubernetes.client import KubernetesClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One Transit key, and all that it seals."""

    cluster: str
    namespace: str
    inventory: Sequence[Entry]
    transit: Callable[[], AbstractContextManager[Transit]]
    names: Mapping[str, str]
    """What the user calls a Secret, by what its Store calls it."""
    kubernetes: KubernetesClient | None = None
    """Where its Secrets are; None: they are files of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What of ``access.json`` is meant. None: what there is."""

    file: Path | None
    cluster: str | None
    namespace: str | None
