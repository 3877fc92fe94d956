"""``kubectl`` and ``vault`` as a human types them, for the servers that are asked here."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from framework.secrets.source import Home

_FLAGS = {
    "address": ("-address", "VAULT_ADDR"),
    "namespace": ("-namespace", "VAULT_NAMESPACE"),
    "ca_file": ("-ca-cert", "VAULT_CACERT"),
}
"""Of ``vault``, and where it looks by itself."""


def kubectl(home: Home) -> str:
    """What a command begins with; where it would ask the same by itself, nothing more is said."""
    kubeconfig, context = (home.kubernetes.get(name) for name in ("kubeconfig", "context"))
    words = ["kubectl"]
    if kubeconfig and kubeconfig != _kubeconfig_of_kubectl():
        if ":" in kubeconfig:  # --kubeconfig takes one file
            words = [f"KUBECONFIG={quote(kubeconfig)}", "kubectl"]
        else:
            words += ["--kubeconfig", quote(kubeconfig)]
    if context:
        words += ["--context", quote(context)]
    return " ".join(words)


def vault(home: Home, command: str, *arguments: str) -> str:
    """The whole of a command, such as ``policy delete``."""
    given = home.vault or {}
    flags = [
        f"{flag}={quote(given[name])}"
        for name, (flag, variable) in _FLAGS.items()
        if given.get(name) and given[name] != os.environ.get(variable)
    ]
    return " ".join(["vault", command, *flags, *arguments])


def _kubeconfig_of_kubectl() -> str:
    return os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
