"""What bootstrap makes of what it finds, on a Vault that is a table of paths. That real ones say
the same, and what its roles may do there, is tested in ``tests/real``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from framework.secrets.access import Namespace, Secret, Workload
from framework.secrets.transit import TransitRefused
from framework.secrets.vault.bootstrap import Bootstrap, Cluster
from framework.secrets.vault.client import Reply

WHOLE = {"secret": "whole", "layout": "document", "data_keys": ["secrets.json"]}
READS = (Secret.model_validate(WHOLE),)
TIDE = Workload(name="tide", service_account="tide", instances=("tide",), reads=READS)
HOME = Namespace(
    cluster="home",
    namespace="matrix",
    mount="transit",
    key="matrix",
    auth="kubernetes",
    inventory=READS,
    workloads=(TIDE,),
)
KEY, CONFIG = "transit/keys/matrix", "auth/kubernetes/config"
ROLE = "auth/kubernetes/role/matrix-home-matrix-read-tide"


class TableVault:
    """Keeps what is posted under its path. Is session, client and adapter in one."""

    name = "Vault at test"

    def __init__(self) -> None:
        self.vault = self.login = self.adapter = self
        self.table: dict[str, dict[str, Any]] = {"sys/mounts": {}, "sys/auth": {}}
        self.posted: list[str] = []
        self.forbidden = ""

    def ask(self, path: str, ask: Callable[[Any], Reply], *, repeat: bool) -> Reply:
        assert repeat is not path.startswith("post ")
        return ask(self)

    def request(self, method: str, path: str, *, json: Any) -> Reply:
        path = path.removeprefix("/v1/")
        if path == self.forbidden:
            return Reply(403, {"errors": ["permission denied"]})
        if method == "post":
            self.posted.append(path)
            parent, _, name = path.rpartition("/")
            if parent in ("sys/mounts", "sys/auth"):
                self.table[parent][f"{name}/"] = json
            self.table.setdefault(path, {}).update(json)
            return Reply(204, {})
        if method == "list":
            names = [key.rpartition("/")[2] for key in self.table if key.startswith(f"{path}/")]
            return Reply(200, {"data": {"keys": names}}) if names else Reply(404, {})
        return Reply(200, {"data": self.table[path]}) if path in self.table else Reply(404, {})


@pytest.fixture
def vault() -> Any:
    return TableVault()


def made(vault: Any, namespace: Namespace = HOME, cluster: Cluster | None = None) -> list[str]:
    """Bootstraps; the warnings."""
    bootstrap = Bootstrap(vault)
    plan = bootstrap.plan([namespace], cluster or Cluster())
    for change in plan.changes:
        bootstrap.make(change)
    return list(plan.warnings)


def test_all_at_first_and_then_nothing(vault: Any) -> None:
    assert made(vault, cluster=Cluster("https://api:6443", "PEM", "a.re.viewer")) == []
    assert vault.posted[:4] == ["sys/mounts/transit", KEY, "sys/auth/kubernetes", CONFIG]
    assert len(vault.posted) == 4 + 3 * 2
    assert vault.table[CONFIG] == {
        "kubernetes_host": "https://api:6443",
        "kubernetes_ca_cert": "PEM",
        "token_reviewer_jwt": "a.re.viewer",
    }
    vault.posted.clear()
    assert made(vault, cluster=Cluster("https://api:6443", "PEM\n", "another")) == []
    assert vault.posted == []


def test_what_ran_halfway_is_gone_on_with(vault: Any) -> None:
    bootstrap = Bootstrap(vault)
    changes = bootstrap.plan([HOME], Cluster()).changes
    for change in changes[:3]:
        bootstrap.make(change)
    rest = bootstrap.plan([HOME], Cluster()).changes
    assert [change.path for change in rest] == [change.path for change in changes[3:]]


def test_how_a_login_is_checked_is_never_changed(vault: Any) -> None:
    made(vault)
    assert vault.table[CONFIG] == {"kubernetes_host": "https://kubernetes.default.svc"}
    vault.posted.clear()
    (warning,) = made(vault, cluster=Cluster("https://api:6443"))
    assert warning.startswith(f"{CONFIG} has another kubernetes_host, and was left as it is")
    assert vault.posted == []


@pytest.mark.parametrize(
    ("path", "there", "said"),
    [
        (KEY, {"type": "aes256-gcm96", "derived": False}, "not derived"),
        (KEY, {"type": "ed25519", "derived": True}, "of a kind that cannot be used"),
    ],
)
def test_a_key_that_cannot_be_used(vault: Any, path: str, there: Any, said: str) -> None:
    vault.table |= {"sys/mounts": {"transit/": {"type": "transit"}}, path: there}
    with pytest.raises(TransitRefused, match=said):
        made(vault)
    assert vault.posted == []


def test_something_else_in_its_place(vault: Any) -> None:
    vault.table["sys/auth"] = {"kubernetes/": {"type": "jwt"}}
    with pytest.raises(TransitRefused, match="something else at kubernetes/ than kubernetes"):
        made(vault)
    assert vault.posted == []


def test_a_key_with_more_than_is_needed(vault: Any) -> None:
    made(vault)
    vault.table[KEY] |= {"exportable": True, "deletion_allowed": False}
    assert made(vault) == [
        "the key matrix of transit is there with exportable = true, which nobody here needs"
    ]


def test_a_reader_that_nobody_is_any_more(vault: Any) -> None:
    made(vault)
    away = HOME.model_copy(update={"workloads": ()})
    (warning,) = made(vault, away)
    assert f"vault delete {ROLE}" in warning
    assert ROLE in vault.table


def test_a_reader_of_another_namespace_that_begins_alike_is_left_in_peace(vault: Any) -> None:
    made(vault)
    stranger = f"{ROLE}-x-encrypt"
    vault.table[stranger] = {"bound_service_account_namespaces": ["matrix-read-tide-x"]}
    assert made(vault) == []


def test_a_vault_outside_of_the_cluster_is_told_what_to_give(
    vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = vault.request
    monkeypatch.setattr(
        vault,
        "request",
        lambda method, path, *, json: (
            Reply(400, {"errors": ["open ca.crt: no such file"]})
            if (method, path) == ("post", f"/v1/{CONFIG}")
            else request(method, path, json=json)
        ),
    )
    with pytest.raises(TransitRefused, match="--kubernetes-host, --kubernetes-ca-file and"):
        made(vault)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bound_service_account_namespace_selector", '{"matchLabels": {"a": "b"}}'),
        ("bound_service_account_namespaces", ["matrix", "other"]),
        ("alias_name_source", "serviceaccount_name"),
        ("token_period", 86400),
        ("token_explicit_max_ttl", 86400),
        ("token_num_uses", 1),
        ("token_policies", ["root"]),
    ],
)
def test_who_may_log_in_and_for_how_long_is_put_right(vault: Any, name: str, value: Any) -> None:
    made(vault)
    wanted = dict(vault.table[ROLE])
    vault.table[ROLE][name] = value
    vault.posted.clear()
    made(vault)
    assert vault.posted == [ROLE]
    assert vault.table[ROLE] == wanted


def test_a_difference_is_shown_line_by_line(vault: Any) -> None:
    made(vault)
    vault.table[ROLE]["token_ttl"] = 86400
    bootstrap = Bootstrap(vault)
    (change,) = bootstrap.plan([HOME], Cluster()).changes
    assert not change.is_new
    assert [line for line in change.difference if line[0] in "+-"] == [
        "-token_ttl = 86400",
        "+token_ttl = 60",
    ]


@pytest.mark.parametrize(
    ("path", "what"), [("sys/mounts", "read"), ("sys/policies/acl/matrix-home-matrix-rotate", "")]
)
def test_what_may_not_be_done_is_named(vault: Any, path: str, what: str) -> None:
    vault.forbidden = path
    with pytest.raises(TransitRefused, match=rf"does not let .* {what}.*{path}.*--token-file"):
        made(vault)
    assert vault.posted == []
