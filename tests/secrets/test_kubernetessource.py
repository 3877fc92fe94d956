"""``kind = "kubernetes"`` and ``[secrets.kubernetes]``: what can be said, and what is read then, by
the child, with Vault beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from framework.config import Config
from framework.errors import ConfigError
from framework.project import Project
from framework.secrets import SecretManager
from framework.secrets.kinds import KINDS
from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Home
from framework.secrets.vault.settings import TokenRequestAuth
from tests.secrets.kubernetes_standin import GOOD, NAMESPACE, KubernetesStandin, encoded
from tests.secrets.vault_standin import JWT, KEY, ROLE, VaultStandin

SEALED = f"""
kind = "kubernetes"
cluster = "home"
namespace = "{NAMESPACE}"
secret = "matrix-secrets"
"""
VAULT = """
[secrets.vault]
address = "https://localhost"
key = "x"
login = { method = "token", token_file = "x" }
"""
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def settings(folder: Path, text: str, environ: dict[str, str] | None = None) -> SecretsSettings:
    (folder / "matrix.toml").write_text(text)
    return SecretsSettings.of(Project.find({}, folder), environ or {})


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(folder, text)
    return [line.partition("matrix.toml: ")[2] for line in str(caught.value).splitlines()]


def source(*lines: str, base: str = 'kind = "kubernetes"') -> str:
    return "\n".join([VAULT, "[[secrets.source]]", base, *lines])


# ------------------------------------------------------------------------------------- what is said


def test_a_sealed_source(tmp_path: Path) -> None:
    (found,) = settings(tmp_path, source(base=SEALED)).sources
    assert found == KubernetesSource(cluster="home", namespace=NAMESPACE, secret="matrix-secrets")  # noqa: S106  # its name
    assert found.name == f"Secret {NAMESPACE}/matrix-secrets"
    assert found.place == SecretPlace("document", "home", NAMESPACE, "matrix-secrets")
    sent = json.loads(json.dumps(asdict(found)))
    assert KINDS[sent["kind"]](**sent) == found


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (('secret = "s"', "plain = true"), "Secret s"),
        (('configmap = "c"', "plain = true", 'layout = "fields"'), "ConfigMap c"),
        (('configmap = "c"', "plain = true", 'namespace = "n"', 'data_key = "a"'), "ConfigMap n/c"),
        (('secret = "s"', 'cluster = "c"', 'namespace = "n"', 'mounted = "/s"'), "Secret n/s"),
        (('secret = "a.b-c.9"', 'cluster = "c.x"', 'namespace = "n-1"'), "Secret n-1/a.b-c.9"),
    ],
)
def test_what_can_be(tmp_path: Path, lines: tuple[str, ...], name: str) -> None:
    (found,) = settings(tmp_path, source(*lines)).sources
    assert found.name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (source("plain = true"), ".secret or configmap must be given: one of them"),
        (source('secret = "s"', 'configmap = "c"', "plain = true"), ".secret or configmap must"),
        (source('configmap = "c"'), ".configmap is never sealed: say plain = true, or name a"),
        (source('secret = "s"', 'namespace = "n"'), ".cluster is missing: ciphertexts are bound"),
        (source('secret = "s"', 'cluster = "c"'), ".namespace is missing: ciphertexts are bound"),
        (source('secret = "s"', 'cluster = "c"', "plain = true"), ".cluster is what ciphertexts"),
        (source('secret = "S"', "plain = true"), ".secret must be a name of lower-case letters"),
        (source('secret = "a/b"', "plain = true"), ".secret must be a name of lower-case"),
        (source('secret = "a..b"', "plain = true"), ".secret must be a name of lower-case"),
        (source(f'secret = "{254 * "a"}"', "plain = true"), ".secret must be a name of lower-case"),
        (source('secret = "s"', 'namespace = "a.b"', "plain = true"), ".namespace must be a name"),
        (source('secret = "s\\n"', "plain = true"), ".secret must be a name of lower-case"),
        (source('secret = "s"', 'data_key = "a b"', "plain = true"), ".data_key must be a name of"),
        (source('secret = "s"', 'data_key = ".."', "plain = true"), ".data_key must be a name of"),
        (source(base=SEALED + "secrets = true"), ".secrets is for a plain source"),
        (source(base=SEALED + 'name = "x"'), "nothing is called secrets.source 1.name"),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in problems(tmp_path, text))


def test_what_is_sealed_needs_vault(tmp_path: Path) -> None:
    without = source(base=SEALED).removeprefix(VAULT)
    assert problems(tmp_path, without) == [
        f"secrets.vault is missing: Secret {NAMESPACE}/matrix-secrets is sealed with a key in it"
    ]


@pytest.mark.parametrize(
    ("table", "environ", "kubeconfig"),
    [
        ("", {}, "{home}/.kube/config"),
        ("", POD, ""),
        ("", POD | {"KUBECONFIG": "/a:b"}, "/a:{cwd}/b"),
        ('kubeconfig = "x"', POD | {"KUBECONFIG": "/a"}, "{folder}/x"),
        ('kubeconfig = "~/x"', {}, "{home}/x"),
        ('context = "work"', POD, "{home}/.kube/config"),
    ],
)
def test_where_the_api_server_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    environ: dict[str, str],
    kubeconfig: str,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir("/")
    home = settings(tmp_path, f"[secrets.kubernetes]\n{table}", environ | {"OTHER": "x"}).home
    found = KubernetesSettings.received(json.loads(json.dumps(home.kubernetes)))
    assert found.kubeconfig == kubeconfig.format(home="/home/somebody", cwd="", folder=tmp_path)
    assert found.environ == {name: environ[name] for name in POD if name in environ}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("strict = 0", "secrets.kubernetes.strict must be true or false"),
        ("kubeconfg = 'x'", "nothing is called secrets.kubernetes.kubeconfg; did you mean"),
        ("account = 'x'", "nothing is called secrets.kubernetes.account"),
        ("context = 1", "secrets.kubernetes.context must be text, in quotes"),
    ],
)
def test_what_cannot_be_said_of_the_api_server(tmp_path: Path, line: str, said: str) -> None:
    assert said in problems(tmp_path, f"[secrets.kubernetes]\n{line}")[0]


# ------------------------------------------------------------------------------------- what is read


class TideConfig(Config):
    station: str = "none"
    token: SecretStr = SecretStr("")


class Cluster:
    """A Kubernetes, a Vault, and a ``matrix.toml`` for both."""

    def __init__(self, folder: Path, kubernetes: KubernetesStandin, vault: VaultStandin) -> None:
        self.folder = folder
        self.kubernetes = kubernetes
        self.vault = vault

    def sealed(self, layout: Layout, texts: dict[str, str]) -> dict[str, str]:
        place = SecretPlace(layout, "home", NAMESPACE, "matrix-secrets")
        return {
            key: self.vault.transit.encrypt(place.context(key), text.encode())
            for key, text in texts.items()
        }

    def read(self, *sources: str, login: str = "") -> TideConfig:
        """What the child reads; ``login``: how, if not with a token."""
        token = self.folder / "token"
        token.write_text(self.vault.root)
        text = f"""
            [secrets]
            profilers = true
            patience = 0
            [secrets.kubernetes]
            kubeconfig = "{self.kubernetes.kubeconfig()}"
            [secrets.vault]
            address = "{self.vault.address}"
            key = "{KEY}"
            ca_file = "{self.vault.leaf.ca_file}"
            [secrets.vault.login]
            """
        text += login or f'method = "token"\ntoken_file = "{token}"'
        (self.folder / "matrix.toml").write_text("\n".join((text, *sources)))
        return SecretManager(Project.find({}, self.folder)).read(TideConfig, name="tide")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folders = [tmp_path / name for name in ("kubernetes", "vault")]
    for folder in folders:
        folder.mkdir()
    with KubernetesStandin(folders[0]) as kubernetes, VaultStandin(folders[1]) as vault:
        yield Cluster(tmp_path, kubernetes, vault)


ENTRY = f"[[secrets.source]]{SEALED}"


def test_a_sealed_document(cluster: Cluster) -> None:
    text = json.dumps({"tide": {"station": "x", "token": "sEcReT"}})
    data = cluster.sealed("document", {"secrets.json": text})
    cluster.kubernetes.put("secrets", "matrix-secrets", data=encoded(data))
    config = cluster.read(ENTRY)
    assert (config.station, config.token.get_secret_value()) == ("x", "sEcReT")


def test_sealed_fields_of_a_mounted_secret(cluster: Cluster) -> None:
    volume = cluster.folder / "volume"
    (volume / "..1").mkdir(parents=True)
    (volume / "..data").symlink_to("..1")
    data = cluster.sealed("fields", {"tide.token": "sEcReT", "moon.token": "another"})
    for key, text in data.items():
        (volume / "..data" / key).write_text(text)
    config = cluster.read(ENTRY + 'layout = "fields"\nmounted = "volume"')
    assert config.token.get_secret_value() == "sEcReT"
    assert cluster.kubernetes.requests == []
    # The field that is declared, and whether it opens without its context.
    assert sum("decrypt" in path for path in cluster.vault.paths()) == 2


def test_a_ciphertext_of_another_place(cluster: Cluster) -> None:
    data = cluster.sealed("document", {"secrets.json": "{}"})
    cluster.kubernetes.put("secrets", "other", data=encoded(data))
    with pytest.raises(ConfigError, match="sealed for another place or with another key"):
        cluster.read(ENTRY.replace("matrix-secrets", "other"))


def test_plain_documents_and_fields(cluster: Cluster) -> None:
    kubernetes = cluster.kubernetes
    kubernetes.put("configmaps", "c", data={"tide.station": "x\n", "other": "y"})
    kubernetes.put("secrets", "s", data=encoded({"secrets.json": '{"tide": {"token": "z"}}'}))
    plain = '[[secrets.source]]\nkind = "kubernetes"\nplain = true\n'
    config = cluster.read(
        f'{plain}configmap = "c"\nlayout = "fields"', f'{plain}secret = "s"\nsecrets = true'
    )
    assert (config.station, config.token.get_secret_value()) == ("x", "z")
    with pytest.raises(
        ConfigError, match=r"ConfigMap c has no data key secrets\.json; it has othe"
    ):
        cluster.read(f'{plain}configmap = "c"')


def test_what_is_not_there_or_refused(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="there is no Secret led/matrix-secrets"):
        cluster.read(ENTRY)
    cluster.kubernetes.forbidden.add(("get", "secrets"))
    with pytest.raises(ConfigError, match=r"resourceNames: \[matrix-secrets\], verbs: \[get\]"):
        cluster.read(ENTRY)


def test_a_laptop_logs_in_with_a_token_that_kubernetes_makes(cluster: Cluster) -> None:
    data = cluster.sealed("document", {"secrets.json": '{"tide": {"token": "sEcReT"}}'})
    cluster.kubernetes.put("secrets", "matrix-secrets", data=encoded(data))
    login = f"""
        method = "token-request"
        role = "{ROLE}"
        service_account = "tide"
        namespace = "{NAMESPACE}"
        """
    assert cluster.read(ENTRY, login=login).token.get_secret_value() == "sEcReT"
    (asked,) = [each for each in cluster.vault.requests if each.path.endswith("/login")]
    assert asked.body["jwt"] == JWT


def test_every_connection_is_closed(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a store with it: nobody closes a store."""
    closed: list[KubernetesClient] = []
    close = KubernetesClient.close

    def note(client: KubernetesClient) -> None:
        close(client)
        closed.append(client)

    monkeypatch.setattr(KubernetesClient, "close", note)
    login = TokenRequestAuth(role=ROLE, service_account="tide", namespace=NAMESPACE)
    home = Home(
        folder="",
        keyring="",
        vault=cluster.vault.settings(login=login).sent(),
        kubernetes=cluster.kubernetes.settings().sent(),
    )
    cluster.kubernetes.put("secrets", "matrix-secrets", data=encoded({"secrets.json": "{}"}))
    source = KubernetesSource(cluster="home", namespace=NAMESPACE, secret="matrix-secrets")  # noqa: S106  # its name
    store = source.store(home)
    assert store.read() is not None
    assert not closed
    del store
    assert len(closed) == 1
    assert replace(source, plain=True).plain_content(home) == b"{}"
    assert len(closed) == 2
    with source.transit(home) as transit:
        transit.read_key()
        assert len(closed) == 3


def test_a_credential_plugin_is_found(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has no environment but what is told to it."""
    version = "client.authentication.k8s.io/v1"
    plugin = cluster.folder / "matrix-test-plugin"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": GOOD}}
    plugin.write_text(f"#!/bin/sh\ntest \"$HOME\" && echo '{json.dumps(credential)}'\n")
    plugin.chmod(0o700)
    monkeypatch.setenv("PATH", f"{cluster.folder}:{os.environ['PATH']}")
    user = {"exec": {"command": plugin.name, "apiVersion": version}}
    monkeypatch.setattr(
        cluster.kubernetes, "kubeconfig", partial(cluster.kubernetes.kubeconfig, user=user)
    )
    data = cluster.sealed("document", {"secrets.json": '{"tide": {"station": "x"}}'})
    cluster.kubernetes.put("secrets", "matrix-secrets", data=encoded(data))
    assert cluster.read(ENTRY).station == "x"
