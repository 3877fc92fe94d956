"""The contract of ``Store`` on a real API server, and what its rights make of it."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from framework.config import Config
from framework.project import Project
from framework.secrets import SecretManager
from framework.secrets.encryptor import Encryptor, edit_annotation
from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.kubernetes.store import KubernetesStore, plain_contents, request_token
from framework.secrets.place import SecretPlace
from framework.secrets.rotator import Entry, Outcome, rotate
from framework.secrets.store import Conflict, Store, StoreRefused, StoreUnavailable
from framework.secrets.vault.login import login_of
from framework.secrets.vault.settings import TokenAuth, VaultSettings
from framework.secrets.vault.transit import open_transit
from framework.testing.secrets import MemoryTransit
from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth
from tests.secrets.test_store_contract import *  # noqa: F403  # each is a test here too

NAMESPACE = "contract"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
RULES = "/apis/rbac.authorization.k8s.io/v1"

Open = Callable[..., KubernetesClient]


@pytest.fixture
def opened(kubernetes: RealKubernetes) -> Iterator[Open]:
    """Makes a client: the administrator's, or that of a kubeconfig."""
    kubernetes.account(NAMESPACE, "tide")
    with ExitStack() as stack:

        def make(kubeconfig: Path = kubernetes.admin, *, patience_s: float = 5) -> KubernetesClient:
            settings = KubernetesSettings(kubeconfig=str(kubeconfig))
            return stack.enter_context(closing(KubernetesClient(settings, patience_s=patience_s)))

        yield make


@pytest.fixture
def name() -> str:
    """Of a Secret of this test's own."""
    return f"secret-{secrets.token_hex(4)}"


@pytest.fixture
def store(opened: Open, name: str) -> Store:
    return KubernetesStore(opened(), namespace=NAMESPACE, name=name)


def allow(kubernetes: RealKubernetes, account: str, *rules: dict[str, Any]) -> None:
    """Let an account of the namespace do this, and nothing else."""
    kubernetes.account(NAMESPACE, account)
    namespaced = f"{RULES}/namespaces/{NAMESPACE}"
    kubernetes.create(f"{namespaced}/roles", {"metadata": {"name": account}, "rules": list(rules)})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    kubernetes.create(
        f"{namespaced}/rolebindings",
        {"metadata": {"name": account}, "subjects": [subject], "roleRef": role},
    )


def rule(*verbs: str, name: str, resource: str = "secrets") -> dict[str, Any]:
    return {
        "apiGroups": [""],
        "resources": [resource],
        "verbs": list(verbs),
        **({"resourceNames": [name]} if name else {}),
    }


def test_what_is_not_ours_stays(kubernetes: RealKubernetes, store: Store, name: str) -> None:
    made = kubernetes.create(
        SECRETS,
        {
            "metadata": {"name": name, "labels": {"app": "matrix"}, "annotations": {"a": "b"}},
            "type": "example.org/own",
            "data": {"ca.p12": "//4=", "notes": base64.b64encode(b"text").decode()},
        },
    )
    held = store.read()
    assert held is not None
    assert (dict(held.data), dict(held.annotations)) == ({"notes": "text"}, {"a": "b"})
    store.replace(held, {**held.data, "new": "value"}, held.annotations)

    after = kubernetes.request("GET", f"{SECRETS}/{name}")[1]
    assert after["data"] == {**made["data"], "new": base64.b64encode(b"value").decode()}
    assert after["type"] == made["type"]
    for part in ("labels", "annotations", "uid", "creationTimestamp"):
        assert after["metadata"][part] == made["metadata"][part]


def test_a_secret_that_was_made_anew_is_another(
    kubernetes: RealKubernetes, store: Store, name: str
) -> None:
    held = store.create({"a": "1"}, {})
    kubernetes.request("DELETE", f"{SECRETS}/{name}")
    with pytest.raises(Conflict, match="was removed since it was read"):
        store.replace(held, {"a": "2"}, {})
    store.create({"a": "3"}, {})
    with pytest.raises(Conflict, match="was written by somebody else"):
        store.replace(held, {"a": "2"}, {})


def test_an_immutable_one_is_refused(kubernetes: RealKubernetes, store: Store, name: str) -> None:
    held = store.create({"a": "1"}, {})
    patch = "application/merge-patch+json"
    kubernetes.request("PATCH", f"{SECRETS}/{name}", {"immutable": True}, content_type=patch)
    held = store.read() or held
    with pytest.raises(StoreRefused, match="is immutable"):
        store.replace(held, {"a": "2"}, {})
    assert store.replace(held, {"a": "1"}, {"b": "c"}).annotations == {"b": "c"}


def test_what_is_too_large_is_refused(store: Store) -> None:
    held = store.create({"a": "x" * 1024 * 1024}, {})
    assert store.replace(held, {"a": "y" * 1024 * 1024}, {}).data == {"a": "y" * 1024 * 1024}
    with pytest.raises(StoreRefused, match="split it into two sources"):
        store.replace(held, {"a": "x" * 1024 * 1024, "b": "x"}, {})


def test_annotations_that_are_too_long_are_refused(store: Store) -> None:
    held = store.create({"a": "1"}, {})
    with pytest.raises(StoreRefused, match=r"does not store .*: metadata.annotations is too long"):
        store.replace(held, {"a": "1"}, {"b": "x" * 300_000})


def test_names_that_kubernetes_does_not_know_are_refused(store: Store) -> None:
    with pytest.raises(StoreRefused, match=r"does not store .*: data\[a b\] is not valid"):
        store.create({"a b": "marker"}, {})
    with pytest.raises(StoreRefused, match=r"metadata\.annotations is not valid"):
        store.create({"a": "marker"}, {"a b": "marker"})


def test_a_namespace_that_is_not_there(opened: Open) -> None:
    store = KubernetesStore(opened(), namespace="nowhere", name="a")
    assert store.read() is None
    with pytest.raises(StoreRefused, match="there is no namespace nowhere"):
        store.create({}, {})


def test_the_annotations_of_an_encryptor_are_legal(store: Store, name: str) -> None:
    place = SecretPlace("fields", "test", NAMESPACE, name)
    keys = {"tide.token": b"1", "a" * 253: b"2", "-odd_": b"3"}
    Encryptor(MemoryTransit(), store, place).fields(keys)
    held = store.read()
    assert held is not None
    assert set(held.data) == set(keys)
    assert set(map(edit_annotation, keys)) < set(held.annotations)


def test_what_applies_it_is_its_owner(kubernetes: RealKubernetes, store: Store, name: str) -> None:
    """As Flux, and Argo CD where it is told to, write; a human with ``kubectl edit`` is none."""
    held = store.create({"a": "1"}, {})
    assert held.owner is None
    path = f"{SECRETS}/{name}?fieldManager="
    patch = {"data": {"b": "Yg=="}}
    kubernetes.request(
        "PATCH", f"{path}kubectl-edit", patch, content_type="application/merge-patch+json"
    )
    held = store.read() or held
    assert (held.data, held.owner) == ({"a": "1", "b": "b"}, None)
    applied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **patch}
    kubernetes.request("PATCH", f"{path}flux", applied, content_type="application/apply-patch+yaml")
    held = store.read() or held
    assert held.owner == 'the field manager "flux"'


def test_a_reader_reads_what_its_role_names_and_nothing_else(
    kubernetes: RealKubernetes, opened: Open, store: Store, name: str
) -> None:
    store.create({"a": "1"}, {})
    other = KubernetesStore(opened(), namespace=NAMESPACE, name=f"{name}-other")
    other.create({"a": "2"}, {})
    account = f"reader-{name}"
    allow(kubernetes, account, rule("get", name=name))
    client = opened(kubernetes.kubeconfig(NAMESPACE, account))

    reader = KubernetesStore(client, namespace=NAMESPACE, name=name)
    held = reader.read()
    assert held is not None
    assert held.data == {"a": "1"}
    with pytest.raises(StoreRefused) as refused:
        KubernetesStore(client, namespace=NAMESPACE, name=f"{name}-other").read()
    assert str(refused.value) == (
        f"{client.name} does not let service account {NAMESPACE}/{account} get secrets "
        f"{name}-other in namespace {NAMESPACE}. Bind it to a Role there with the rule "
        f'- {{apiGroups: [""], resources: [secrets], resourceNames: [{name}-other], verbs: [get]}}'
    )
    with pytest.raises(StoreRefused, match=r"resourceNames: \[[^]]*\], verbs: \[get, update\]"):
        reader.replace(held, {"a": "3"}, {})
    with pytest.raises(StoreRefused, match=r"resources: \[secrets\], verbs: \[create\]"):
        KubernetesStore(client, namespace=NAMESPACE, name="b").create({}, {})


def test_a_writer_needs_what_it_is_told_to(
    kubernetes: RealKubernetes, opened: Open, store: Store, name: str
) -> None:
    """The rules of the sentences, and no more."""
    account = f"writer-{name}"
    allow(kubernetes, account, rule("get", "update", name=name), rule("create", name=""))
    client = opened(kubernetes.kubeconfig(NAMESPACE, account))
    writer = KubernetesStore(client, namespace=NAMESPACE, name=name)
    writer.replace(writer.create({"a": "1"}, {}), {"a": "2"}, {})
    held = store.read()
    assert held is not None
    assert held.data == {"a": "2"}


def test_a_token_for_vault(kubernetes: RealKubernetes, opened: Open, name: str) -> None:
    account = f"laptop-{name}"
    resource = "serviceaccounts/token"
    allow(kubernetes, account, rule("create", name="tide", resource=resource))
    client = opened(kubernetes.kubeconfig(NAMESPACE, account))
    token = request_token(client, account="tide", namespace=NAMESPACE, audience="vault")
    review = {"spec": {"token": token, "audiences": ["vault"]}}
    reviewed = kubernetes.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)[1]
    assert reviewed["status"]["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:tide"
    with pytest.raises(StoreRefused, match=r"resourceNames: \[other\], verbs: \[create\]"):
        request_token(client, account="other", namespace=NAMESPACE, audience="vault")
    with pytest.raises(StoreRefused, match="there is no service account contract/nobody"):
        request_token(opened(), account="nobody", namespace=NAMESPACE, audience="vault")


def test_plain_objects(kubernetes: RealKubernetes, opened: Open, name: str) -> None:
    client = opened()
    maps = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    body = {"metadata": {"name": name}, "data": {"a": "é"}, "binaryData": {"b": "//4="}}
    kubernetes.create(maps, body)
    found = plain_contents(client, "ConfigMap", namespace=NAMESPACE, name=name)
    assert found == {"a": "é".encode(), "b": b"\xff\xfe"}
    kubernetes.create(SECRETS, {"metadata": {"name": name}, "data": {"c": "//4="}})
    assert plain_contents(client, "Secret", namespace=NAMESPACE, name=name) == {"c": b"\xff\xfe"}
    with pytest.raises(StoreRefused, match=f"there is no ConfigMap {NAMESPACE}/nothing"):
        plain_contents(client, "ConfigMap", namespace=NAMESPACE, name="nothing")


def test_a_token_that_is_not_for_the_api_server(
    kubernetes: RealKubernetes, opened: Open, tmp_path: Path
) -> None:
    config = json.loads(kubernetes.kubeconfig(NAMESPACE, "tide").read_text())
    config["users"][0]["user"]["token"] = kubernetes.token(NAMESPACE, "tide", "vault")
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    with pytest.raises(StoreRefused, match="does not know who asks"):
        KubernetesStore(opened(file), namespace=NAMESPACE, name="a").read()


def test_frozen_and_stopped_it_is_away(kubernetes: RealKubernetes, opened: Open) -> None:
    store = KubernetesStore(opened(patience_s=2), namespace=NAMESPACE, name="a")
    assert store.read() is None
    kubernetes.freeze()
    try:
        with pytest.raises(StoreUnavailable, match="does not answer in time"):
            store.read()
    finally:
        kubernetes.thaw()
    assert store.read() is None
    kubernetes.stop()
    try:
        with pytest.raises(StoreUnavailable, match="cannot be reached: Connection refused"):
            store.read()
    finally:
        kubernetes.start()
    assert store.read() is None


class Tide(Config):
    token: SecretStr


def test_the_whole_way(
    kubernetes: RealKubernetes, vault: RealVault, opened: Open, name: str, tmp_path: Path
) -> None:
    """Sealed with Vault, stored in Kubernetes, rotated; then read from a laptop, by a child that
    may get one Secret and ask for the token of one account.
    """
    if "transit/" not in vault.must("GET", "sys/mounts"):
        vault.must("POST", "sys/mounts/transit", {"type": "transit"})
    vault.must("POST", f"transit/keys/{name}", {"derived": True})
    kubernetes_auth(vault, kubernetes)
    allowed = f'path "transit/decrypt/{name}" {{ capabilities = ["update"] }}'
    vault.must("PUT", f"sys/policies/acl/{name}", {"policy": allowed})
    role = {
        "bound_service_account_names": name,
        "bound_service_account_namespaces": NAMESPACE,
        "audience": "vault",
        "token_policies": [name],
        "token_ttl": "60s",
    }
    vault.must("POST", f"auth/kubernetes/role/{name}", role)
    resource = "serviceaccounts/token"
    allow(kubernetes, name, rule("get", name=name), rule("create", name=name, resource=resource))

    place = SecretPlace("fields", "test", NAMESPACE, name)
    store = KubernetesStore(opened(), namespace=NAMESPACE, name=name)
    token_file = tmp_path / "root"
    token_file.write_text(vault.root_token)
    own = TokenAuth(token_file=str(token_file))
    settings = VaultSettings(address=vault.address, key=name, login=own, ca_file=str(vault.ca_file))
    with open_transit(settings, login_of(settings)) as transit:
        Encryptor(transit, store, place).fields({"tide.token": b"high water"})
        transit.rotate()
        assert rotate(transit, [Entry(place, store)]).outcome is Outcome.DONE

    (tmp_path / "matrix.toml").write_text(
        f"""
        [secrets]
        profilers = true
        patience = 0
        [secrets.kubernetes]
        kubeconfig = "{kubernetes.kubeconfig(NAMESPACE, name)}"
        [secrets.vault]
        address = "{vault.address}"
        key = "{name}"
        ca_file = "{vault.ca_file}"
        [secrets.vault.login]
        method = "token-request"
        role = "{name}"
        service_account = "{name}"
        namespace = "{NAMESPACE}"
        [[secrets.source]]
        kind = "kubernetes"
        cluster = "test"
        namespace = "{NAMESPACE}"
        secret = "{name}"
        layout = "fields"
        """
    )
    config = SecretManager(Project.find({}, tmp_path)).read(Tide, name="tide")
    assert config.token.get_secret_value() == "high water"
