"""What is to be started again after secrets were changed: a process reads them when it starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from shlex import quote

from framework.errors import ConfigError
from framework.secrets.access import FILE as ACCESS
from framework.secrets.access import Access
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.source import Home, Source


def next_step(source: Source, changed: Collection[str], home: Home) -> str:
    """In words, or as a command for a shell. ``changed``: data keys."""
    if not isinstance(source, KubernetesSource):
        return "start again what reads it; matrix read shows what that will get"
    restart = f"{kubectl(home)} -n {source.namespace} rollout restart"
    readers = _readers(source, changed, Path(home.folder, ACCESS))
    if readers is None:
        return f"{restart} deployment/NAME, for all that read it: matrix access finds out which"
    if not readers:
        return f"nothing reads that, as {ACCESS} has it: matrix access --check sees if it is right"
    return " ".join((restart, *(f"deployment/{name}" for name in readers)))


def kubectl(home: Home) -> str:
    """With the context that we use too."""
    context = home.kubernetes.get("context")
    return f"kubectl --context {quote(context)}" if context else "kubectl"


def _readers(
    source: KubernetesSource, changed: Collection[str], file: Path
) -> Sequence[str] | None:
    """The workloads that read any of it; None: that is not written down."""
    try:
        access = Access.read(file)
    except ConfigError:
        return None
    workloads = [
        workload
        for namespace in access.namespaces
        if (namespace.cluster, namespace.namespace) == (source.cluster, source.namespace)
        for workload in namespace.workloads
    ]
    if not workloads:
        return None
    return [
        workload.name
        for workload in workloads
        if any(
            each.secret == source.secret and not set(changed).isdisjoint(each.data_keys)
            for each in workload.reads
        )
    ]
