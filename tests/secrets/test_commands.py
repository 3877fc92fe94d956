"""``kubectl`` and ``vault`` go where we go, and say no more than they have to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from framework.secrets.commands import kubectl, vault
from framework.secrets.source import Home


def home(vault: Mapping[str, str] | None = None, /, **kubernetes: str) -> Home:
    return Home("", "", vault, kubernetes)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "kubectl"),
        ({"kubeconfig": "/mine"}, "kubectl"),
        ({"kubeconfig": "/its own"}, "kubectl --kubeconfig '/its own'"),
        ({"kubeconfig": "/a:/b"}, "KUBECONFIG=/a:/b kubectl"),
        ({"kubeconfig": "/a", "context": "x y"}, "kubectl --kubeconfig /a --context 'x y'"),
        ({"context": "x"}, "kubectl --context x"),
    ],
)
def test_kubectl(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], command: str) -> None:
    monkeypatch.setenv("KUBECONFIG", "/mine")
    assert kubectl(home(**given)) == command


def test_kubectl_has_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert kubectl(home(kubeconfig="/home/me/.kube/config")) == "kubectl"
    assert kubectl(home(kubeconfig="/other/config")) == "kubectl --kubeconfig /other/config"


def test_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"address": "https://vault:8200", "namespace": "team", "ca_file": "/a ca.pem"}
    monkeypatch.setenv("VAULT_ADDR", "https://another")
    monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
    monkeypatch.delenv("VAULT_CACERT", raising=False)
    assert vault(home(given), "policy delete", "NAME") == (
        "vault policy delete -address=https://vault:8200 -namespace=team -ca-cert='/a ca.pem' NAME"
    )
    monkeypatch.setenv("VAULT_ADDR", "https://vault:8200")
    assert vault(home({**given, "namespace": "", "ca_file": ""}), "list", "x") == ("vault list x")
