"""deploy/, and the README's way from nothing to a rotating service, on real servers."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from tests.conftest import Server
from tests.ports import own_port
from tests.readme import DEPLOY, FIELDS, KUBERNETES, MODULES, ROOT, TO_SEAL
from tests.real import build
from tests.real.authority import Authority
from tests.real.conftest import required
from tests.real.kubectl import Cluster
from tests.real.servers import RealKubernetes, RealVault
from tests.waiting import LIMIT_S

MANIFESTS = ROOT / "deploy" / "kubernetes"
NAMESPACE = "led"
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
DEPLOY_README = (ROOT / "deploy" / "README.md").read_text()
(RECOVER,) = re.findall(r"```sh\n([^`]*--recover[^`]*)\n```", DEPLOY_README)
(LOGIN,) = re.findall(r"```toml\n([^`]*token-request[^`]*)```", DEPLOY_README)
TERMINAL = "\n".join(re.findall(r"^(?:config\(\)|export) .*$", DEPLOY, re.MULTILINE))
"""What is still known in the terminal that those steps were pasted into."""
NAMES = ("matrix-secrets", "another", "")
MAY: dict[str, set[tuple[str, str, str]]] = {
    "matrix-rotate": {
        ("get", "secrets", "matrix-secrets"),
        ("update", "secrets", "matrix-secrets"),
        ("create", "events", ""),
    },
    "matrix-encrypt": {
        ("get", "secrets", "matrix-secrets"),
        ("update", "secrets", "matrix-secrets"),
        # Of what does not exist yet Kubernetes does not know the name.
        *(("create", "secrets", name) for name in NAMES),
    },
    "tide": set(),
}
"""All that each service account may do of what is asked."""
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
ASKED = [
    *((verb, "secrets", name) for verb in VERBS for name in NAMES),
    *((verb, "events", "") for verb in VERBS),
    *((verb, "configmaps", "matrix-rotate") for verb in VERBS),
    ("create", "serviceaccounts/token", "tide"),
    ("create", "pods", ""),
]


@pytest.fixture
def cluster(kubernetes: RealKubernetes, tmp_path: Path) -> Cluster:
    """With all that the README has applied. No field that the API server does not know passes."""
    cluster = Cluster(kubernetes.admin, tmp_path)
    for name in ("accounts", "reviewer", "tide", "rotate"):
        apply(cluster, name)
    return cluster


def apply(cluster: Cluster, name: str) -> None:
    for manifest in yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text()):
        cluster.apply(manifest)


@pytest.mark.parametrize("account", MAY)
@pytest.mark.usefixtures("cluster")
def test_a_service_account_may_what_it_must_and_nothing_else(
    kubernetes: RealKubernetes, account: str
) -> None:
    assert allowed(kubernetes, account) == MAY[account]


def test_a_service_that_asks_the_api_server_may_get_its_secret(
    kubernetes: RealKubernetes, cluster: Cluster
) -> None:
    apply(cluster, "tide-by-api")
    try:
        assert allowed(kubernetes, "tide") == {("get", "secrets", "matrix-secrets")}
    finally:
        bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
        cluster.ask("DELETE", f"{bindings}/tide")


def allowed(kubernetes: RealKubernetes, account: str) -> set[tuple[str, str, str]]:
    return {asked for asked in ASKED if _is_allowed(kubernetes, account, *asked)}


def _is_allowed(
    kubernetes: RealKubernetes, account: str, verb: str, resource: str, name: str
) -> bool:
    resource, _, subresource = resource.partition("/")
    attributes = {"namespace": NAMESPACE, "verb": verb, "resource": resource, "name": name}
    spec = {
        "user": f"system:serviceaccount:{NAMESPACE}:{account}",
        "groups": ["system:serviceaccounts", "system:authenticated"],
        "resourceAttributes": attributes | {"subresource": subresource},
    }
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    status, review = kubernetes.request("POST", reviews, {"spec": spec})
    assert status == 201, review
    return bool(review["status"]["allowed"])


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("apps/v1/namespaces/led/deployments/tide", ("spec", "template")),
        (
            "batch/v1/namespaces/led/cronjobs/matrix-rotate",
            ("spec", "jobTemplate", "spec", "template"),
        ),
    ],
)
@pytest.mark.usefixtures("cluster")
def test_a_pod_passes_the_restricted_standard(
    kubernetes: RealKubernetes, path: str, template: tuple[str, ...]
) -> None:
    _, found = kubernetes.request("GET", f"/apis/{path}")
    for name in template:
        found = found[name]
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All"
    pod: dict[str, Any] = {"metadata": {"name": "one"}, "spec": found["spec"]}
    assert kubernetes.request("POST", pods, pod)[0] == 201
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert kubernetes.request("POST", pods, pod)[0] == 403  # the namespace does look


# ------------------------------------------------------------------------ as the README has it


@dataclass(frozen=True)
class Home:
    """Whoever follows the README: a folder, and the tools that it takes for granted."""

    folder: Path
    environ: dict[str, str]
    cluster: Cluster
    names: dict[str, str]
    """What is called otherwise here."""

    def paste(self, steps: str) -> str:
        for name, here in self.names.items():
            steps = steps.replace(name, here)
        done = subprocess.run(
            ["sh", "-ec", steps],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def replace(self, file: str, before: str, after: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))


@pytest.fixture
def home(
    tmp_path: Path,
    authority: Authority,
    kubernetes: RealKubernetes,
    server_of: Callable[[str], Server],
) -> Iterator[Home]:
    """With a Vault and a namespace that have nothing in them."""
    folder, vault_folder, bin_, pods = (
        tmp_path / name for name in ("folder", "vault", "bin", "pods")
    )
    for each in (folder, vault_folder, bin_, pods):
        each.mkdir()
    with RealVault(required(build.VAULT), vault_folder, authority.leaf("vault")) as vault:
        vault.init()
        vault.unseal()
        for name, text in MODULES.items():
            (folder / name).write_text(text)
        address = ("https://vault.home:8200", vault.address)
        server = ("https://cluster.home:6443", kubernetes.server)
        port = ("9100", str(own_port()))
        (folder / "matrix.toml").write_text(KUBERNETES.replace(*address).replace(*port))
        redis = ("redis://:PASSWORD@redis.home:6379/0", server_of("valkey").url)
        (folder / "secrets.json").write_text(TO_SEAL.replace(*redis))
        (folder / "rotate").mkdir()
        (folder / "rotate" / "matrix.toml").write_text("[secrets.rotate]\nmin_age_hours = 0\n")
        (folder / "vault-ca.pem").write_text(vault.ca_file.read_text())
        (folder / "deploy" / "kubernetes").mkdir(parents=True)
        for each in MANIFESTS.iterdir():
            made = folder / "deploy" / "kubernetes" / each.name
            made.write_text(each.read_text().replace(*address).replace(*port))
        _program(bin_ / "vault", f'printf %s "{vault.root_token}" > ~/.vault-token')
        _program(
            bin_ / "kubectl",
            f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.real.kubectl "$@"',
        )
        environ = {
            "HOME": str(tmp_path),
            "PATH": f"{bin_}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubernetes.admin),
            "PODS": str(pods),
        }
        yield Home(folder, environ, Cluster(kubernetes.admin, pods), dict((address, server)))
    for kind in ("secrets/matrix-secrets", "configmaps/tide", "configmaps/matrix-rotate"):
        kubernetes.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}/{kind}")


def outcome(lines: str) -> str:
    """Of the run whose lines these end with."""
    said: str = json.loads(lines.splitlines()[-1])["outcome"]
    return said


def rotated(home: Home, *more: str) -> str:
    """By the CronJob, in whose ConfigMap are these files too, of the folder ``rotate``."""
    job = f"job-{token_hex(4)}"
    files = ["access.json", "vault-ca.pem", *(f"rotate/{each}" for each in more)]
    config = f"{TERMINAL}\nconfig matrix-rotate {' '.join(f'--from-file={each}' for each in files)}"
    create = f"kubectl -n led create job {job} --from=cronjob/matrix-rotate"
    wait = f"kubectl -n led wait --for=condition=complete job/{job}"
    return outcome(home.paste(f"{config}\n{create}\n{wait}\nkubectl -n led logs job/{job}"))


def versions(home: Home) -> dict[str, str]:
    """Of the key that each data key is sealed with."""
    secret = home.cluster.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/matrix-secrets")
    texts = {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}
    return {key: text.split(":")[1] for key, text in texts.items()}


def publishes(home: Home, redis: Server) -> bool:
    """Whether a pod of the Deployment does, and passes its probes, before it is told to stop."""
    redis.command("FLUSHALL")
    until_s = time.monotonic() + LIMIT_S
    with subprocess.Popen(
        home.cluster.command(NAMESPACE, "tide"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as pod:
        try:
            while not (
                redis.command("EXISTS", "matrix:{tide}:state")
                and all(home.cluster.passes(NAMESPACE, "tide", probe) for probe in PROBES)
            ):
                assert pod.poll() is None, pod.stdout and pod.stdout.read()
                assert time.monotonic() < until_s
                time.sleep(0.05)
        finally:
            pod.terminate()
    return pod.returncode == 0


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="pods are in Linux namespaces")
@pytest.mark.timeout(300)  # some forty commands, one after the other
def test_from_nothing_to_a_service_that_runs_and_rotates(
    home: Home, server_of: Callable[[str], Server]
) -> None:
    said = home.paste(DEPLOY)
    assert "secrets.json in Secret led/matrix-secrets" in said
    assert outcome(said) == "nothing"  # a new key, and a Job that succeeds all the same
    assert rotated(home, "matrix.toml") == "done"
    assert versions(home) == {"secrets.json": "v2"}
    redis = server_of("valkey")
    assert publishes(home, redis)

    home.replace("matrix.toml", "[secrets.vault]", 'layout = "fields"\n\n[secrets.vault]')
    home.paste(f"{TERMINAL}\n{FIELDS}")
    assert rotated(home, "matrix.toml") == "done"
    assert versions(home) == {"redis_url": "v3", "tide.mean_m": "v3"}
    assert publishes(home, redis)
    assert not (home.folder / "secrets.json").exists()

    # Of a human, in one way and the other; though there is nothing to recover.
    nothing = " --yes || test $? -eq 3"
    assert outcome(home.paste(RECOVER + nothing)) == "nothing"
    (home.folder / "mine.toml").write_text(
        (home.folder / "matrix.toml").read_text() + LOGIN.replace("encrypt", "rotate")
    )
    mine = RECOVER.replace("VAULT_TOKEN_FILE=~/.vault-token", "MATRIX_TOML=mine.toml") + nothing
    assert outcome(home.paste(mine)) == "nothing"
