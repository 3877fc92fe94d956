"""``[secrets.kubernetes]`` of ``matrix.toml``: how the API server is reached.

The service reads it (``table``) and sends it on as plain data; the child, which has
neither the file nor the environment, takes it from there. Nothing of it is needed in a pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

IN_POD = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
"""Where the API server is, as kubelet tells every container."""
FOR_PLUGINS = ("HOME", "PATH")
"""What a credential plugin that a kubeconfig names cannot do without."""
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where kubelet puts what a pod's service account has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSettings:
    """One API server, and as whom it is asked."""

    kubeconfig: str = ""
    """Files with a colon between them, as in ``KUBECONFIG``. Empty: the pod's service account."""
    context: str = ""
    """Of the kubeconfig; empty: its current one."""
    ca_file: str = ""
    """Empty: the CA of the service account, or the one in the kubeconfig."""
    strict: bool = True
    """Whether certificates must be as RFC 5280 has them."""
    account: str = ACCOUNT
    environ: Mapping[str, str] = field(default_factory=dict)
    """Of the environment: ``IN_POD`` and ``FOR_PLUGINS``."""

    def sent(self) -> dict[str, Any]:
        """As it travels to the child."""
        return asdict(self)

    @classmethod
    def received(cls, sent: Mapping[str, Any]) -> KubernetesSettings:
        """What ``sent`` sent."""
        return cls(**sent)
