"""Who else writes a Kubernetes object, as far as it shows: pure, from its metadata.

Whoever does so by itself brings back what it has, an older ciphertext too. A human with an editor
does not, and is none of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MANAGER = "matrix"
"""The field manager that all writes of ours are made as."""

_MARKS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
    "kubectl.kubernetes.io/last-applied-configuration": "kubectl apply",
}
"""Labels and annotations that each leaves; the first one found counts."""
_BY_ITSELF = ("controller", "operator")
"""What the names of programs have in them that write again and again."""


def owner_of(metadata: Mapping[str, Any]) -> str | None:
    """Who, in words; None: nobody that can be seen."""
    for each in _list(metadata, "ownerReferences"):
        if each.get("controller") is True:
            return f"{each.get('kind')} {each.get('name')}"
    marks = {**_table(metadata, "labels"), **_table(metadata, "annotations")}
    for mark, owner in _MARKS.items():
        if mark in marks:
            return owner
    for each in _list(metadata, "managedFields"):
        manager = str(each.get("manager", ""))
        applies = each.get("operation") == "Apply" or any(one in manager for one in _BY_ITSELF)
        fields = _table(each, "fieldsV1").keys()
        if applies and manager != MANAGER and fields & {"f:data", "f:stringData"}:
            return f'the field manager "{manager}"'
    return None


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name)
    return found if isinstance(found, dict) else {}


def _list(table: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = table.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
