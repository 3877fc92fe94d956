"""Which kinds of ``[[secrets.source]]`` there are. To add one, write its class and name it here."""

from __future__ import annotations

from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.local.source import FileSource
from framework.secrets.source import Source

KINDS: dict[str, type[Source]] = {"file": FileSource, "kubernetes": KubernetesSource}
"""By what ``kind`` says."""
