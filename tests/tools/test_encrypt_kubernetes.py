"""``matrix encrypt`` into a Secret of Kubernetes: where it puts it, and what it says is to be done.

What real servers make of it: ``tests/real/test_encrypt.py``.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import pytest

from framework.project import Project
from framework.secrets.access import Access, Namespace, Secret, Workload
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.settings import SecretsSettings
from framework.secrets.transit import Sealed
from tests import forked
from tests.secrets.httpserver import Answer, Request
from tests.secrets.kubernetes_standin import NAMESPACE, KubernetesStandin, encoded
from tests.secrets.vault_standin import KEY, ROLE_ID, SECRET_ID, VaultStandin

MATRIX = str(Path(sys.executable).with_name("matrix"))
MARK = "s3cr3t-mark"
DOCUMENT = json.dumps({"tide": {"token": MARK}})
SOURCE = f"""
[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "{NAMESPACE}"
secret = "matrix-secrets"
"""
OTHER = SOURCE.replace("matrix-secrets", "matrix-other")
PARTS = SOURCE.replace("matrix-secrets", "matrix-parts") + 'layout = "fields"\n'
FILE = '[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\n'

Reader = tuple[str, str, Layout, tuple[str, ...]]
"""A workload, and a Secret that it reads: name, layout and data keys."""


class Cluster:
    """A Kubernetes, a Vault, and a folder with a ``matrix.toml`` for both."""

    def __init__(self, folder: Path, kubernetes: KubernetesStandin, vault: VaultStandin) -> None:
        self.folder = folder
        self.kubernetes = kubernetes
        self.vault = vault

    def toml(self, *sources: str, context: str = "", login: str = "") -> None:
        token = self.folder / "token"
        token.write_text(self.vault.root)
        login = login or f'{{ method = "token", token_file = "{token}" }}'
        text = f"""
            [secrets.kubernetes]
            kubeconfig = "{self.kubernetes.kubeconfig()}"
            context = "{context}"
            [secrets.vault]
            address = "{self.vault.address}"
            key = "{KEY}"
            ca_file = "{self.vault.leaf.ca_file}"
            login = {login}
            """
        (self.folder / "matrix.toml").write_text("\n".join((text, *sources)))

    def access(self, *workloads: Reader) -> None:
        """Write ``access.json``."""
        made = [
            Workload(
                name=name,
                service_account=name,
                instances=(name,),
                reads=(Secret(secret=secret, layout=layout, data_keys=data_keys),),
            )
            for name, secret, layout, data_keys in workloads
        ]
        namespace = Namespace(
            cluster="home",
            namespace=NAMESPACE,
            mount="transit",
            key=KEY,
            auth="kubernetes",
            inventory=tuple(read for each in made for read in each.reads),
            workloads=tuple(made),
        )
        (self.folder / "access.json").write_text(Access(namespaces=(namespace,)).text())

    def encrypt(self, *words: str, given: str = DOCUMENT) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if "MATRIX_" not in key}
        environ["KUBECONFIG"] = str(self.kubernetes.folder / "kubeconfig")
        done = forked.run("matrix", "encrypt", *words, cwd=self.folder, env=environ, given=given)
        assert MARK not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def opened(
        self, name: str, data_key: str, *, layout: Layout = "document", namespace: str = NAMESPACE
    ) -> bytes:
        """What is sealed there, for just that place."""
        stored = self.kubernetes.objects["secrets", namespace, name]["data"][data_key]
        place = SecretPlace(layout, "home", namespace, name)
        text = base64.b64decode(stored).decode()
        return self.vault.transit.decrypt(Sealed(place.context(data_key), text))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folders = [tmp_path / name for name in ("kubernetes", "vault")]
    for folder in folders:
        folder.mkdir()
    with KubernetesStandin(folders[0]) as kubernetes, VaultStandin(folders[1]) as vault:
        yield Cluster(tmp_path, kubernetes, vault)


def test_it_goes_where_the_source_says(cluster: Cluster) -> None:
    cluster.toml(SOURCE)
    done = cluster.encrypt("-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"sealed      secrets.json in Secret {NAMESPACE}/matrix-secrets",
        "has         tide.token",
        f"next        matrix access, then kubectl -n {NAMESPACE} rollout restart deployment/NAME, "
        "for each that it says reads matrix-secrets",
    ]
    assert cluster.opened("matrix-secrets", "secrets.json") == DOCUMENT.encode()


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["--name", "other"], (NAMESPACE, "other", "secrets.json")),
        (["--data-key", "other.json"], (NAMESPACE, "matrix-secrets", "other.json")),
        (
            ["--namespace", "test", "--name", "matrix-secrets"],
            ("test", "matrix-secrets", "secrets.json"),
        ),
        (
            ["--namespace", "test", "--name", "other", "--data-key", "x"],
            ("test", "other", "x"),
        ),
    ],
)
def test_another_place_is_bound_to_and_warned_of(
    cluster: Cluster, words: list[str], place: tuple[str, str, str]
) -> None:
    namespace, name, data_key = place
    cluster.kubernetes.namespaces.add("test")
    cluster.toml(SOURCE, *([PARTS] if "matrix-secrets" in words else []))
    done = cluster.encrypt("-", *words)
    assert done.returncode == 0, done.stderr
    assert cluster.opened(name, data_key, namespace=namespace) == DOCUMENT.encode()
    assert done.stderr == (
        f"warning: nothing reads Secret {namespace}/{name}, data key {data_key}, and nothing "
        "rotates it, until a [[secrets.source]] of matrix.toml names it\n"
    )
    assert "next" not in done.stdout


def test_a_place_that_a_source_has_is_that_source(cluster: Cluster) -> None:
    cluster.toml(SOURCE, PARTS)
    done = cluster.encrypt("-", "--name", "matrix-parts", given='{"tide": {"pin": "1"}}')
    assert (done.returncode, done.stderr) == (0, "")
    assert cluster.opened("matrix-parts", "tide.pin", layout="fields") == b"1"
    done = cluster.encrypt("-", "--name", "matrix-secrets", "--namespace", NAMESPACE)
    assert (done.returncode, done.stderr) == (0, "")
    assert cluster.opened("matrix-secrets", "secrets.json") == DOCUMENT.encode()


@pytest.mark.parametrize(
    ("words", "given", "name", "data_key"),
    [
        (["-"], DOCUMENT, "matrix-secrets", "secrets.json"),
        (["-", "--fields"], DOCUMENT, "matrix-parts", "tide.token"),
        (["--set", "tide.token"], MARK, "matrix-parts", "tide.token"),
        (["-", "--source", f"{NAMESPACE}/matrix-parts"], DOCUMENT, "matrix-parts", "tide.token"),
        (["-", "--namespace", NAMESPACE], DOCUMENT, "matrix-secrets", "secrets.json"),
        (["--set", "a", "--name", "matrix-new"], MARK, "matrix-new", "a"),
    ],
)
def test_of_several_it_is_the_one_with_that_layout(
    cluster: Cluster, words: list[str], given: str, name: str, data_key: str
) -> None:
    cluster.toml(SOURCE, PARTS)
    done = cluster.encrypt(*words, given=given)
    assert done.returncode == 0, done.stderr
    assert list(cluster.kubernetes.secret(name)["data"]) == [data_key]


def test_the_lines_that_are_proposed_name_a_vault_too(cluster: Cluster) -> None:
    (cluster.folder / "matrix.toml").touch()
    words = ("--set", "tide.token", "--name", "a")
    _, _, lines = cluster.encrypt(*words, given=MARK).stderr.partition("matrix.toml:\n\n")
    (cluster.folder / "matrix.toml").write_text(lines)
    settings = SecretsSettings.of(
        Project.find({}, cluster.folder), {"VAULT_TOKEN_FILE": str(cluster.folder / "token")}
    )
    (source,) = settings.sources
    assert (source.name, source.layout) == ("Secret matrix/a", "fields")
    assert settings.vault is not None


@pytest.mark.parametrize(
    ("sources", "words", "sentence"),
    [
        (
            [SOURCE, OTHER, PARTS],
            ["--namespace", NAMESPACE],
            f"say which, with --source 'Secret {NAMESPACE}/matrix-secrets' or "
            f"--source 'Secret {NAMESPACE}/matrix-other'\n",
        ),
        ([SOURCE, OTHER], ["--name", "new"], "there are several sources: say which, with --source"),
        (
            [SOURCE, PARTS],
            ["--source", "matrix-parts"],
            f"did you mean --source 'Secret {NAMESPACE}/matrix-parts'?",
        ),
        (
            [SOURCE, PARTS],
            ["--source", "else"],
            f"--source 'Secret {NAMESPACE}/matrix-secrets' or --source 'Secret {NAMESPACE}/matrix-",
        ),
        (
            [SOURCE, PARTS],
            ["--source", f"Secret {NAMESPACE}/matrix-secrets", "--name", "matrix-parts"],
            f"own, which says how it is sealed: --source 'Secret {NAMESPACE}/matrix-parts'",
        ),
        ([SOURCE], ["--name", "Wrong"], "--name must be a name of lower-case letters"),
        ([SOURCE], ["--namespace", "a.b"], "--namespace must be a name of lower-case letters"),
        ([SOURCE], ["--data-key", "a b"], "--data-key must be a name of letters, digits"),
        ([SOURCE], ["--data-key", ""], "--data-key is empty: say a name, or leave it out"),
        ([PARTS], ["--data-key", "a"], '--data-key is of a document, and layout = "fields" has'),
        ([FILE], ["--name", "a"], "secrets.sealed is a file, and --name is of a Secret in"),
        ([], ["--name", "a"], 'cluster = "home"\nnamespace = "matrix"\nsecret = "a"\n\n'),
    ],
)
def test_a_place_that_is_not_clear_is_one_sentence(
    cluster: Cluster, sources: list[str], words: list[str], sentence: str
) -> None:
    cluster.toml(*sources)
    done = cluster.encrypt("-", *words)
    assert (done.returncode, sentence in done.stderr) == (78, True), done.stderr
    assert cluster.kubernetes.objects == {}


# ---------------------------------------------------------------------- what is to be started again

READERS: tuple[Reader, ...] = (
    ("tide", "matrix-parts", "fields", ("tide.token", "tide.latitude", "latitude")),
    ("moon", "matrix-parts", "fields", ("moon.token", "moon.latitude", "latitude")),
    ("panel", "matrix-secrets", "document", ("secrets.json",)),
)


@pytest.mark.parametrize(
    ("words", "given", "restarted"),
    [
        (["--set", "tide.token"], "1", ("tide",)),
        (["--set", "latitude"], "1", ("moon", "tide")),
        (["-", "--name", "matrix-secrets"], DOCUMENT, ("panel",)),
    ],
)
def test_what_reads_it_is_restarted(
    cluster: Cluster, words: list[str], given: str, restarted: tuple[str, ...]
) -> None:
    cluster.toml(SOURCE, PARTS, context="standin")
    cluster.access(*READERS)
    if "--set" in words:
        words = [*words, "--name", "matrix-parts"]
    names = " ".join(f"deployment/{each}" for each in restarted)
    assert cluster.encrypt(*words, given=given).stdout.splitlines()[-1] == (
        f"next        kubectl --context standin -n {NAMESPACE} rollout restart {names}"
    )


def test_what_nobody_reads_restarts_nothing(cluster: Cluster) -> None:
    cluster.toml(PARTS)
    cluster.access(*READERS)
    said = cluster.encrypt("--set", "sun.token", given="1").stdout
    assert "next        nothing reads that, as access.json has it: matrix access --check" in said


@pytest.mark.parametrize("text", ["{", json.dumps({"format": 2}), "\udcff"])
def test_an_access_file_of_no_use_stands_in_nobodys_way(cluster: Cluster, text: str) -> None:
    cluster.toml(SOURCE)
    (cluster.folder / "access.json").write_bytes(text.encode(errors="surrogateescape"))
    done = cluster.encrypt("-")
    assert done.returncode == 0
    assert "next        matrix access, then kubectl" in done.stdout


# -------------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_interrupts_it_is_told_what_that_means_and_no_token_stays(
    cluster: Cluster, number: signal.Signals
) -> None:
    secret_id = cluster.folder / "secret-id"
    secret_id.write_text(SECRET_ID)
    login = f'{{ method = "approle", role_id = "{ROLE_ID}", secret_id_file = "{secret_id}" }}'
    cluster.toml(SOURCE, login=login)
    asked = Event()

    def held(request: Request) -> Answer | None:
        if not request.path.startswith("transit/encrypt"):
            return None
        asked.set()
        return Answer(200, after_s=60)

    cluster.vault.intercept = held
    process = subprocess.Popen(
        [MATRIX, "encrypt", "-"],
        cwd=cluster.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(DOCUMENT)
    process.stdin.close()
    process.stdin = None
    assert asked.wait(60)
    assert len(cluster.vault.tokens) == 2
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == (
        "",
        "interrupted: what was not written yet stays as it is; run it again, which is always "
        "safe\n",
        128 + number,
    )
    assert cluster.vault.tokens == {cluster.vault.root}


# ------------------------------------------------------------------------------------ who refuses


@pytest.mark.parametrize("verb", ["get", "create", "update"])
def test_all_rights_that_it_needs_are_named_at_once(cluster: Cluster, verb: str) -> None:
    if verb == "update":
        cluster.kubernetes.put("secrets", "matrix-secrets", data={})
    cluster.toml(SOURCE)
    cluster.kubernetes.forbidden.add((verb, "secrets"))
    done = cluster.encrypt("-")
    assert done.returncode == 78
    assert done.stderr.endswith(
        f"does not let service account {NAMESPACE}/tide {verb} secrets matrix-secrets in namespace "
        f"{NAMESPACE}. Bind it to a Role there with the rules\n"
        '- {apiGroups: [""], resources: [secrets], resourceNames: [matrix-secrets], '
        "verbs: [get, update]}\n"
        '- {apiGroups: [""], resources: [secrets], verbs: [create]}\n'
    )


def test_what_was_applied_in_plaintext_is_gone_and_the_rest_is_named(cluster: Cluster) -> None:
    kept: Mapping[str, str | bytes] = {"secrets.json": DOCUMENT, "ca.crt": MARK, "ca.p12": b"\xff"}
    annotations: Mapping[str, str] = {
        "kubectl.kubernetes.io/last-applied-configuration": DOCUMENT,
        "team": "weather",
    }
    cluster.kubernetes.put(
        "secrets", "matrix-secrets", data=encoded(kept), metadata={"annotations": annotations}
    )
    cluster.toml(SOURCE)
    done = cluster.encrypt("-")
    assert done.returncode == 0
    applied, others = done.stderr.splitlines()
    assert "do not apply that file again" in applied
    assert others.startswith(
        f"warning: Secret {NAMESPACE}/matrix-secrets has ca.crt, ca.p12 in plaintext"
    )
    after = cluster.kubernetes.secret("matrix-secrets")
    assert set(after["metadata"]["annotations"]) == {
        "team",
        "matrix.edit/secrets.json",
        "matrix.sealed/for",
    }
    assert {key: after["data"][key] for key in ("ca.crt", "ca.p12")} == encoded(
        {key: kept[key] for key in ("ca.crt", "ca.p12")}
    )
    assert cluster.opened("matrix-secrets", "secrets.json") == DOCUMENT.encode()
