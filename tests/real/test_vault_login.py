"""Logins at a real Vault with the tokens of a real API server, and what is said where they fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from framework.errors import MatrixError
from framework.secrets.transit import TransitRefused, TransitUnavailable
from framework.secrets.vault.login import KubernetesLogin, TokenLogin
from framework.secrets.vault.settings import TokenAuth, VaultSettings
from framework.secrets.vault.transit import open_transit
from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth

HOME = b"v1\0document\0home\0home\0matrix-secrets\0secrets.json"


@pytest.fixture
def settings(each_vault: RealVault, kubernetes: RealKubernetes) -> VaultSettings:
    """A key, and a role for the account home/tide which may encrypt with it."""
    if "transit/" not in each_vault.must("GET", "sys/mounts"):
        each_vault.must("POST", "sys/mounts/transit", {"type": "transit"})
    each_vault.must("POST", "transit/keys/login", {"derived": True})
    kubernetes_auth(each_vault, kubernetes)
    kubernetes.account("home", "tide")
    kubernetes.account("home", "other")
    policy = """
        path "transit/keys/login" { capabilities = ["read"] }
        path "transit/encrypt/login" { capabilities = ["update"] }
        path "auth/token/revoke-self" { capabilities = ["update"] }"""
    each_vault.must("PUT", "sys/policies/acl/tide", {"policy": policy})
    each_vault.must(
        "POST",
        "auth/kubernetes/role/tide",
        {
            "bound_service_account_names": "tide",
            "bound_service_account_namespaces": "home",
            "audience": "vault",
            "token_policies": ["tide"],
            "token_ttl": 60,
            "token_no_default_policy": True,
        },
    )
    return VaultSettings(
        address=each_vault.address,
        key="login",
        login=TokenAuth(token_file=str(each_vault.ca_file)),
        ca_file=str(each_vault.ca_file),
    )


Refusal = Callable[..., str]


@pytest.fixture
def refusal(settings: VaultSettings) -> Refusal:
    """What is said to a login that fails."""

    def get(login: KubernetesLogin, kind: type[MatrixError] = TransitRefused) -> str:
        with open_transit(settings, login) as transit, pytest.raises(kind) as caught:
            transit.read_key()
        assert caught.value.__context__ is None
        return str(caught.value)

    return get


def as_account(kubernetes: RealKubernetes, account: str, audience: str) -> Callable[[], str]:
    return lambda: kubernetes.token("home", account, audience)


def test_a_service_account_logs_in(settings: VaultSettings, kubernetes: RealKubernetes) -> None:
    jwt = as_account(kubernetes, "tide", "vault")
    login = KubernetesLogin(jwt, role="tide", mount="kubernetes")
    with open_transit(settings, login) as transit:
        assert transit.encrypt(HOME, b"x").startswith("vault:v1:")


def test_what_is_said_where_it_may_not(refusal: Refusal, kubernetes: RealKubernetes) -> None:
    good = as_account(kubernetes, "tide", "vault")
    elsewhere = as_account(kubernetes, "tide", kubernetes.issuer)
    other = as_account(kubernetes, "other", "vault")
    said = refusal(KubernetesLogin(elsewhere, role="tide", mount="kubernetes"))
    assert "is not for the audience of role" in said
    said = refusal(KubernetesLogin(good, role="tied", mount="kubernetes"))
    assert 'there is no role "tied" in auth/kubernetes' in said
    said = refusal(KubernetesLogin(other, role="tide", mount="kubernetes"))
    assert "is not bound to this service account and namespace" in said
    said = refusal(KubernetesLogin(good, role="tide", mount="k8s"), TransitUnavailable)
    assert "auth/k8s is not the kubernetes auth method" in said
    none = KubernetesLogin(lambda: "no.jwt.atall", role="tide", mount="kubernetes")
    said = refusal(none, TransitUnavailable)
    assert "no.jwt" not in said


def test_an_account_that_is_gone(refusal: Refusal, kubernetes: RealKubernetes) -> None:
    jwt = kubernetes.token("home", "tide", "vault")
    kubernetes.request("DELETE", "/api/v1/namespaces/home/serviceaccounts/tide")
    login = KubernetesLogin(lambda: jwt, role="tide", mount="kubernetes")
    said = refusal(login, TransitUnavailable)
    assert "the service account is gone" in said
    assert jwt not in said


def test_a_token_that_is_none(settings: VaultSettings) -> None:
    login = TokenLogin(lambda: "hvs.wrong", name="the token in ~/.vault-token")
    with (
        open_transit(settings, login) as transit,
        pytest.raises(TransitRefused, match=r"to the token in ~/.vault-token: .* \(vault login\)$"),
    ):
        transit.read_key()
