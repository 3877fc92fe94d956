"""``matrix rotate`` of what a key in Vault seals, as a user runs it, on stand-ins."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from framework.secrets.access import Access, Namespace, Secret
from framework.secrets.place import SecretPlace
from tests.secrets.httpserver import Answer, Request
from tests.secrets.kubernetes_standin import NAMESPACE, KubernetesStandin, encoded
from tests.secrets.vault_standin import KEY, VaultStandin

NOW = "[secrets.rotate]\nmin_age_hours = 0\n"
HOME = (("home", NAMESPACE),)
TWO = (("away", NAMESPACE), ("home", NAMESPACE))
VAULT_SOURCE = f"""
[secrets.vault]
key = "mine"
[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "{NAMESPACE}"
secret = "parts"
layout = "fields"
"""


class InVault:
    """A folder with ``access.json``, and the Vault and the cluster that it is about: one Secret
    with a field, which is a day old to Vault."""

    def __init__(self, folder: Any, vault: VaultStandin, kubernetes: KubernetesStandin) -> None:
        self.folder, self.vault, self.kubernetes = folder, vault, kubernetes
        self.file = folder.path / "access.json"
        self.list("parts")
        self.seal("parts")
        token = folder.path / "token"
        token.write_text(vault.root)
        self.environ = {
            "VAULT_ADDR": vault.address,
            "VAULT_CACERT": str(vault.leaf.ca_file),
            "VAULT_TOKEN_FILE": str(token),
            "KUBECONFIG": kubernetes.kubeconfig(),
        }
        vault.intercept = self._a_day_later

    def list(self, *secrets: str, namespaces: tuple[tuple[str, str], ...] = HOME) -> None:
        inventory = [
            Secret(secret=name, layout="fields", data_keys=("moon.pin", "tide.token"))
            for name in secrets
        ]
        found = [
            Namespace(
                cluster=cluster,
                namespace=namespace,
                mount="transit",
                key=KEY,
                auth="k8s",
                inventory=tuple(inventory),
                workloads=(),
            )
            for cluster, namespace in namespaces
        ]
        self.file.write_text(Access(namespaces=tuple(found)).text())

    def seal(self, *secrets: str) -> None:
        for name in secrets:
            place = SecretPlace("fields", "home", NAMESPACE, name)
            text = self.vault.transit.encrypt(
                place.context("tide.token"), self.folder.mark.encode()
            )
            self.kubernetes.put("secrets", name, data=encoded({"tide.token": text}))

    def rotate(self, *words: str, **environ: str) -> Any:
        return self.folder.run("matrix", "rotate", *words, **self.environ, **environ)

    def _a_day_later(self, request: Request) -> Answer | None:
        if not request.path.startswith("sys/health"):
            return None
        return Answer(200, {"sealed": False, "server_time_utc": int(time.time()) + 90000})


@pytest.fixture
def in_vault(sealed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InVault]:
    folder = tmp_path_factory.mktemp("servers")
    with VaultStandin(folder) as vault, KubernetesStandin(folder / "vault") as kubernetes:
        yield InVault(sealed, vault, kubernetes)


def test_access_json_is_all_that_it_needs(in_vault: InVault) -> None:
    done = in_vault.rotate()
    assert (done.status, done.err) == (0, "")
    record, last = map(json.loads, done.out.splitlines())
    assert record == {
        "secret": f"Secret {NAMESPACE}/parts",
        "data_key": "tide.token",
        "before": 1,
        "after": 2,
        "action": "rewrapped",
        "reason": "",
    }
    assert last["outcome"] == "done"
    annotations = in_vault.kubernetes.secret("parts")["metadata"]["annotations"]
    assert annotations["matrix.rotated/to"] == "2"
    assert f"POST /api/v1/namespaces/{NAMESPACE}/events" in in_vault.kubernetes.asked()
    assert in_vault.folder.mark not in done.out
    assert in_vault.vault.transit.read_key().latest == 2


def test_who_rotates_is_said_by_access_json_and_not_by_the_readers_login(in_vault: InVault) -> None:
    """Of [secrets.vault.login] the method counts, and where the token is."""
    in_vault.folder.toml(
        f'[secrets.vault]\n[secrets.vault.login]\nrole = "reader"\nmount = "readers"\n'
        f'token_file = "{in_vault.folder.path / "jwt"}"'
    )
    (in_vault.folder.path / "jwt").write_text("a.good.jwt")
    in_vault.environ["VAULT_TOKEN_FILE"] = ""
    logins = []

    def granted(request: Request) -> Answer | None:
        if not request.path.endswith("/login"):
            return None
        logins.append((request.path, request.body["role"]))
        return Answer(200, {"auth": {"client_token": in_vault.vault.root, "lease_duration": 60}})

    in_vault.vault.intercept = granted
    assert in_vault.rotate(VAULT_ROLE="another").status == 3
    assert logins == [("auth/k8s/login", f"matrix_home_{NAMESPACE}_rotate")]


@pytest.mark.parametrize("words", [(), ("--cluster", "home"), ("--namespace", NAMESPACE)])
def test_without_access_json_it_says_how_to_make_it(
    in_vault: InVault, words: tuple[str, ...]
) -> None:
    in_vault.file.unlink()
    in_vault.folder.toml(in_vault.folder.fields if words else VAULT_SOURCE)
    done = in_vault.rotate(*words)
    assert (done.status, done.out) == (78, "")
    assert done.err == (
        "there is no access.json, which says all that a key in Vault seals: make it (matrix "
        "access), or say where it is (--from)\n"
    )


def test_what_matrix_toml_has_and_access_json_lacks_is_in_the_way(in_vault: InVault) -> None:
    in_vault.list("others")
    in_vault.seal("others")
    in_vault.folder.toml(VAULT_SOURCE)
    done = in_vault.rotate()
    assert done.status == 4
    others, parts, _ = map(json.loads, done.out.splitlines())
    assert (others["action"], parts["action"]) == ("rewrapped", "blocked")
    assert parts["reason"] == (
        f'{in_vault.file} does not have it with layout = "fields": run matrix access'
    )


@pytest.mark.parametrize(
    ("namespaces", "words", "said"),
    [
        (TWO, (), f"has several keys: say --cluster and --namespace, of away/{NAMESPACE}, home/"),
        ((("home", "a"), ("home", "b")), (), "has several keys: say --cluster and --namespace, of"),
        (TWO, ("--cluster", "there"), f"has nothing for there/(any); it has away/{NAMESPACE}, hom"),
        (TWO, ("--namespace", "n"), f"has nothing for (any)/n; it has away/{NAMESPACE}, home/"),
        (TWO, ("--from", "nowhere"), "nowhere cannot be read: No such file or directory. Make it"),
        (TWO, ("--from", "token"), "Have it made anew: matrix access"),
    ],
)
def test_what_is_not_clear_is_78(
    in_vault: InVault,
    namespaces: tuple[tuple[str, str], ...],
    words: tuple[str, ...],
    said: str,
) -> None:
    in_vault.list("parts", namespaces=namespaces)
    done = in_vault.rotate(*words)
    assert (done.status, done.out) == (78, "")
    assert said in done.err
    assert in_vault.vault.root not in done.err


@pytest.mark.parametrize(
    ("namespaces", "words"),
    [
        ((("home", "elsewhere"), ("home", NAMESPACE)), ()),  # the one that the kubeconfig is in
        (TWO, ("--cluster", "home")),
    ],
)
def test_one_of_several_is_chosen(
    in_vault: InVault, namespaces: tuple[tuple[str, str], ...], words: tuple[str, ...]
) -> None:
    in_vault.list("parts", namespaces=namespaces)
    assert in_vault.rotate(*words).status == 0


def test_with_files_alone_an_access_json_beside_them_is_for_others(in_vault: InVault) -> None:
    in_vault.folder.toml(NOW, in_vault.folder.fields)
    in_vault.folder.seal_fields({"latitude": in_vault.folder.mark})
    done = in_vault.rotate()
    assert done.status == 0
    assert [json.loads(line).get("data_key") for line in done.out.splitlines()] == [
        "latitude",
        None,
    ]
    assert in_vault.vault.requests == []


def test_of_several_keys_each_is_told_by_its_place(in_vault: InVault) -> None:
    in_vault.folder.toml(in_vault.folder.fields, VAULT_SOURCE)
    in_vault.folder.seal_fields({"latitude": in_vault.folder.mark})
    done = in_vault.rotate()
    assert done.status == 0
    places = [
        (each["cluster"], each["namespace"]) for each in map(json.loads, done.out.split("\n")[:-1])
    ]
    assert places == [("local", "local")] * 2 + [("home", NAMESPACE)] * 2
    shown = in_vault.folder.on_terminal("matrix", "rotate", **in_vault.environ)
    lines = shown.out.splitlines()
    assert (lines[0], f"home/{NAMESPACE}" in lines) == ("local/local", True)


def test_a_terminal_shows_how_far_many_are(in_vault: InVault) -> None:
    names = [f"parts-{number}" for number in range(21)]
    in_vault.list(*names)
    in_vault.seal(*names)
    shown = in_vault.folder.on_terminal("matrix", "rotate", **in_vault.environ)
    assert shown.status == 0
    progress, _, table = shown.out.rpartition("\r\x1b[K")
    assert progress.split("\r\x1b[K")[1:] == [
        f"{step} {number} of 21" for step in ("proving", "rewrapping") for number in range(1, 22)
    ]
    assert table.startswith("secret ")
