"""``DryRunClient``: writes that the API server judges (rights, quota, admission) and drops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framework.secrets.kubernetes.client import KubernetesClient, Outcome, Reply


class DryRunClient(KubernetesClient):
    """Asks for everything but to keep it."""

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, repeat: bool
    ) -> Outcome:
        if method == "GET":
            return super().ask(method, path, body, repeat=repeat)
        sign = "&" if "?" in path else "?"
        outcome = super().ask(method, f"{path}{sign}dryRun=All", body, repeat=True)
        metadata = outcome.body.get("metadata") if isinstance(outcome, Reply) else None
        if isinstance(metadata, dict):  # what is not kept is given no version, which a Store needs
            metadata.setdefault("resourceVersion", "dry run")
        return outcome
