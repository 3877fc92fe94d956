"""``kubectl``, as far as the README has it typed. What runs or appears in a cluster by itself, does
so here: controllers make what is asked for, and a Job runs at once.

``python -m tests.real.kubectl``, with ``KUBECONFIG``, and a folder for pods in ``PODS``.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml

from tests.real.kubelet import Kubelet

_API = {
    "v1": "/api/v1",
    "apps/v1": "/apis/apps/v1",
    "batch/v1": "/apis/batch/v1",
    "rbac.authorization.k8s.io/v1": "/apis/rbac.authorization.k8s.io/v1",
}
_IDENTITY = ("certificate", "key")
_ACCOUNT = "kubernetes.io/service-account.name"
_ROOT_CA = "kube-root-ca.crt"


class Cluster:
    """One API server, and the pods on this machine."""

    def __init__(self, kubeconfig: Path, pods: Path) -> None:
        self._pods = pods
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = cluster["server"]
        self._ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=self._ca)
        with NamedTemporaryFile() as file:  # the one way in
            file.writelines(base64.b64decode(user[f"client-{each}-data"]) for each in _IDENTITY)
            file.flush()
            context.load_cert_chain(file.name)
        https = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(https, urllib.request.ProxyHandler({}))
        self.kubelet = Kubelet(self.ask, self._server, pods)

    def ask(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> Any:
        request = urllib.request.Request(  # noqa: S310  # https, as the kubeconfig says
            self._server + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": content_type, "Accept": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                status = json.load(error)
        sys.exit(f"Error from server ({status['reason']}): {status['message']}")

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """With all that the controllers would then do."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        where = f"/namespaces/{namespace}" if namespace else ""
        self.ask(
            "PATCH",
            f"{_API[manifest['apiVersion']]}{where}/{kind.lower()}s/{name}"
            "?fieldManager=kubectl&force=true&fieldValidation=Strict",
            manifest,
            content_type="application/apply-patch+yaml",
        )
        print(f"{kind.lower()}/{name} applied")
        if kind == "Namespace":
            made = _object("ConfigMap", _ROOT_CA, namespace=name)
            self.apply(made | {"data": {"ca.crt": self._ca}})
        elif manifest.get("type") == "kubernetes.io/service-account-token":
            self._fill(namespace, name, metadata["annotations"][_ACCOUNT])

    def _fill(self, namespace: str, secret: str, account: str) -> None:
        """A Secret that is to have an account's token."""
        secrets = f"/api/v1/namespaces/{namespace}/secrets/{secret}"
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
        token = self.ask("POST", f"{accounts}/token", {"spec": {"expirationSeconds": 3600}})
        data = {"token": token["status"]["token"], "ca.crt": self._ca}
        body = {"data": {key: _base64(text) for key, text in data.items()}}
        self.ask("PATCH", secrets, body, content_type="application/merge-patch+json")

    def create_job(self, namespace: str, name: str, cron_job: str) -> None:
        """It runs before this returns; ``wait`` and ``logs`` are about what it left."""
        path = f"/apis/batch/v1/namespaces/{namespace}"
        found = self.ask("GET", f"{path}/cronjobs/{cron_job}")
        spec = found["spec"]["jobTemplate"]["spec"]
        self.ask("POST", f"{path}/jobs", {"metadata": {"name": name}, "spec": spec})
        command = self.kubelet.command(namespace, spec["template"]["spec"])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (self._pods / f"{name}.log").write_text(done.stdout + done.stderr)
        (self._pods / f"{name}.status").write_text(str(done.returncode))
        print(f"job.batch/{name} created")

    def wait(self, job: str) -> None:
        status = (self._pods / f"{job}.status").read_text()
        if status != "0":  # as kubectl does, though not before its time is up
            sys.exit(f"job.batch/{job} has failed: {status}\n{self.logs(job)}")
        print(f"job.batch/{job} condition met")

    def logs(self, job: str) -> str:
        return (self._pods / f"{job}.log").read_text()

    def command(self, namespace: str, deployment: str, *words: str) -> list[str]:
        """What to start for its container, or for other words in its place."""
        return self.kubelet.command(namespace, self._pod(namespace, deployment), *words)

    def passes(self, namespace: str, deployment: str, probe: str) -> bool:
        """Whether its container, which runs, does."""
        return self.kubelet.passes(self._pod(namespace, deployment), probe)

    def _pod(self, namespace: str, deployment: str) -> Any:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        return self.ask("GET", path)["spec"]["template"]["spec"]

    def restart(self, namespace: str, deployment: str) -> None:
        """It was restarted when this is written; nothing runs here until it is started."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        now = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
        body = {"spec": {"template": now}}
        self.ask("PATCH", path, body, content_type="application/merge-patch+json")
        print(f"deployment.apps/{deployment} restarted")

    def get(self, namespace: str, secret: str, jsonpath: str) -> None:
        data = self.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}")["data"]
        found = re.fullmatch(r"jsonpath=\{\.data\.(.+)\}", jsonpath)
        assert found is not None
        print(data[found[1].replace("\\.", ".")], end="")


def _object(kind: str, name: str, *, namespace: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("kubectl")
    parser.add_argument("-n", dest="namespace", default="default")
    verbs = parser.add_subparsers(dest="verb", required=True)
    apply = verbs.add_parser("apply")
    apply.add_argument("-f", dest="files", action="append")
    create = verbs.add_parser("create")
    create.add_argument("kind", choices=("configmap", "job"))
    create.add_argument("name")
    create.add_argument("--from-file", action="append", type=Path)
    create.add_argument("--from", dest="cron_job")
    create.add_argument("--dry-run", choices=("client",))
    create.add_argument("-o", choices=("yaml",))
    get = verbs.add_parser("get")
    get.add_argument("kind", choices=("secret",))
    get.add_argument("name")
    get.add_argument("-o", dest="jsonpath")
    logs = verbs.add_parser("logs")
    logs.add_argument("name")
    wait = verbs.add_parser("wait")
    wait.add_argument("name")
    wait.add_argument("--for", dest="what", choices=("condition=complete",))
    rollout = verbs.add_parser("rollout")
    rollout.add_argument("what", choices=("restart", "status"))
    rollout.add_argument("name")
    execute = verbs.add_parser("exec")
    execute.add_argument("name")
    execute.add_argument("words", nargs="+")
    return parser


def main() -> None:
    given = _parser().parse_args()
    cluster = Cluster(Path(os.environ["KUBECONFIG"]), Path(os.environ["PODS"]))
    name = getattr(given, "name", "").partition("/")[2] or getattr(given, "name", "")
    match given.verb:
        case "apply":
            for file in given.files:
                text = sys.stdin.read() if file == "-" else Path(file).read_text()
                for manifest in yaml.safe_load_all(text):
                    cluster.apply(manifest)
        case "create" if given.kind == "job":
            cluster.create_job(given.namespace, name, given.cron_job.removeprefix("cronjob/"))
        case "create":
            data = {file.name: file.read_text() for file in given.from_file}
            made = _object("ConfigMap", name, namespace=given.namespace)
            print(yaml.safe_dump(made | {"data": data}))
        case "get":
            cluster.get(given.namespace, name, given.jsonpath)
        case "logs":
            print(cluster.logs(name), end="")
        case "wait":
            cluster.wait(name)
        case "rollout" if given.what == "restart":
            cluster.restart(given.namespace, name)
        case "exec":
            command = cluster.command(given.namespace, name, *given.words)
            sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
