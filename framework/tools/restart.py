"""What is to be started again after secrets were changed: a process reads them when it starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from framework.errors import ConfigError
from framework.secrets.access import FILE as ACCESS
from framework.secrets.access import Access
from framework.secrets.commands import kubectl
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.source import Home, Source


def next_step(source: Source, changed: Collection[str], home: Home) -> str:
    """In words, or as a command for a shell. ``changed``: data keys."""
    if not isinstance(source, KubernetesSource):
        return "start again what reads it; matrix read shows what that will get"
    names = readers(source, changed, home)
    if names is None:
        some = restart(source.namespace, ["NAME"], home)
        return f"matrix access, then {some}, for each that it says reads {source.secret}"
    if not names:
        return f"nothing reads that, as {ACCESS} has it: matrix access --check sees if it is right"
    return restart(source.namespace, names, home)


def restart(namespace: str, names: Sequence[str], home: Home) -> str:
    """The command that starts these again."""
    deployments = " ".join(f"deployment/{name}" for name in names)
    return f"{kubectl(home)} -n {namespace} rollout restart {deployments}"


def readers(source: KubernetesSource, changed: Collection[str], home: Home) -> Sequence[str] | None:
    """The workloads that read any of it; None: that is not written down."""
    try:
        access = Access.read(Path(home.folder, ACCESS))
    except ConfigError:
        return None
    for namespace in access.namespaces:
        inventory = [namespace.place(secret) for secret in namespace.inventory]
        if source.place in inventory:
            return [
                workload.name
                for workload in namespace.workloads
                if any(
                    namespace.place(secret) == source.place
                    and not set(changed).isdisjoint(secret.data_keys)
                    for secret in workload.reads
                )
            ]
    return None
