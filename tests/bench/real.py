"""What reading the secrets costs with a real Vault and a real API server, beside the same without
the framework. All is on this machine: there is no network between them.

What the servers are is left to ``tests.real``, what is done without the framework to ``bare``.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from framework.secrets.access import Namespace, Secret, Workload
from framework.secrets.fields import fields_of
from framework.secrets.kubernetes.mounted import LINK
from framework.secrets.place import Layout
from framework.secrets.vault.bootstrap import Bootstrap, Cluster
from framework.secrets.vault.client import VaultClient
from framework.secrets.vault.login import Session, login_of
from framework.secrets.vault.policies import reader_name
from tests.bench import parts, start
from tests.bench.figures import Figure, NotMeasured, spread
from tests.real import build
from tests.real.authority import Authority
from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth

RUNS = 12
BARE = Path(__file__).with_name("bare.py")
ACCOUNT = "bench"
DATA_KEY = "secrets.json"


def _secret(name: str, layout: Layout, *data_keys: str) -> Secret:
    return Secret(secret=name, layout=layout, data_keys=data_keys)


DOCUMENT = _secret("document", "document", DATA_KEY)
FIELDS = _secret("fields", "fields", *fields_of(parts.SECRETS))
MOON = _secret("moon", "document", DATA_KEY)
ALL = (DOCUMENT, FIELDS, MOON)
HOME = Namespace(
    cluster="bench",
    namespace="home",
    mount="transit",
    key="matrix",
    auth="kubernetes",
    inventory=ALL,
    workloads=(Workload(name="bench", service_account=ACCOUNT, instances=("bench",), reads=ALL),),
)
ROLE = reader_name(HOME, "bench")


async def reading() -> list[Figure]:
    """In the child and without the framework, in turn; then starts of a service."""
    with _home() as home:
        home.bootstrap()
        times, models_mb = _read_in_turn(home)
        started = await start.sealed(home.start)
    *_, child = started
    return [
        *spread("one document with ten fields", times["document"]),
        *spread("bare hvac and ApiClient", times["requests"]),
        _ratio("one document to bare", times["document"], times["requests"], target=1.3),
        *spread("ten sealed fields", times["fields"]),
        _ratio("ten sealed fields to one document", times["fields"], times["document"]),
        *spread("one document, mounted", times["mounted"]),
        *spread("CoreV1Api and hvac", times["models"]),
        _ratio("CoreV1Api and hvac to one document", times["models"], times["document"]),
        Figure("memory of CoreV1Api and hvac, which stays", models_mb, "MB"),
        Figure("that to the child's, which ends", models_mb / child.value, "x", None, 2),
        *started,
    ]


def _ratio(
    name: str, times_ms: list[float], to_ms: list[float], *, target: float | None = None
) -> Figure:
    return Figure(f"{name}, medians", median(times_ms) / median(to_ms), "x", target, 2)


def _read_in_turn(home: _Home) -> tuple[Mapping[str, list[float]], float]:
    """Milliseconds of each way, and the resident megabytes of the one with models."""
    home.seal(DOCUMENT, parts.SECRETS)
    home.seal(FIELDS, parts.SECRETS)
    folders = {
        "document": home.reader(DOCUMENT),
        "fields": home.reader(FIELDS),
        "mounted": home.reader(DOCUMENT, mounted=home.mount(DOCUMENT)),
    }
    times: dict[str, list[float]] = {name: [] for name in (*folders, "requests", "models")}
    for _ in range(RUNS):
        for name, folder in folders.items():
            times[name].append(parts.read_ms(folder))
        for way in ("requests", "models"):
            taken_ms, resident_mb = home.bare(way)
            times[way].append(taken_ms)
    return times, resident_mb


@dataclass(frozen=True)
class _Home:
    """The namespace, in a cluster and a Vault that have nothing else."""

    folder: Path
    vault: RealVault
    kubernetes: RealKubernetes

    def bootstrap(self) -> None:
        """What an administrator does, once."""
        self._account()
        kubernetes_auth(self.vault, self.kubernetes)
        (self.folder / "root").write_text(self.vault.root_token)
        settings = parts.settings_in(self._administrator(DOCUMENT)).vault
        assert settings is not None
        with closing(VaultClient(settings)) as vault:
            bootstrap = Bootstrap(Session(vault, login_of(settings)))
            for change in bootstrap.plan([HOME], Cluster()).changes:
                bootstrap.make(change)

    def seal(self, secret: Secret, content: Mapping[str, object]) -> None:
        parts.seal(parts.settings_in(self._administrator(secret)), content)

    def mount(self, secret: Secret) -> Path:
        """Where kubelet would have mounted it, and as it would."""
        settings = parts.settings_in(self._administrator(secret))
        stored = settings.sources[0].store(settings.home).read()
        assert stored is not None
        folder = self.folder / "volume"
        (folder / "..now").mkdir(parents=True)
        (folder / LINK).symlink_to("..now")
        for data_key, text in stored.data.items():
            (folder / "..now" / data_key).write_text(text)
            (folder / data_key).symlink_to(f"{LINK}/{data_key}")
        return folder

    def reader(self, secret: Secret, *, mounted: Path | None = None) -> Path:
        """A folder with the ``matrix.toml`` of a service that reads it."""
        login = f'method = "kubernetes"\nrole = "{ROLE}"\ntoken_file = "{self.folder}/jwt"'
        more = "" if mounted is None else f'mounted = "{mounted}"'
        return self._configured(secret, self._kubeconfig, login, more)

    async def start(self) -> float:
        """Milliseconds until ``services.moon`` publishes, its redis_url sealed."""
        with parts.server_url() as url:
            self.seal(MOON, {"redis_url": url})
            environ = {"MATRIX_TOML": str(self.reader(MOON) / "matrix.toml")}
            return (await start.start_on(url, environ))[0]

    def bare(self, way: str) -> tuple[float, float]:
        """Milliseconds from starting the program to what it has read, and what it weighs then."""
        where = {
            "kubeconfig": str(self._kubeconfig),
            "namespace": HOME.namespace,
            "secret": DOCUMENT.secret,
            "data_key": DATA_KEY,
            "context": base64.b64encode(HOME.place(DOCUMENT).context(DATA_KEY)).decode(),
            "address": self.vault.address,
            "ca_file": str(self.vault.ca_file),
            "token_file": str(self.folder / "jwt"),
            "role": ROLE,
            "auth": HOME.auth,
            "mount": HOME.mount,
            "key": HOME.key,
        }
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-I", BARE, way],
            input=json.dumps(where).encode(),
            stdout=subprocess.PIPE,
            check=True,
            env={},
            cwd="/",
        )
        taken_ms = 1e3 * (time.perf_counter() - began)
        said = json.loads(done.stdout)
        assert said["content"] == parts.SECRETS
        return taken_ms, said["resident_mb"]

    @property
    def _kubeconfig(self) -> Path:
        return self.kubernetes.folder / f"{HOME.namespace}-{ACCOUNT}.kubeconfig"

    def _account(self) -> None:
        """Let it read the Secrets of the namespace, and log in."""
        name, namespace = ACCOUNT, HOME.namespace
        self.kubernetes.account(namespace, name)
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
        self.kubernetes.create(f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subjects = [{"kind": "ServiceAccount", "namespace": namespace, "name": name}]
        self.kubernetes.create(
            f"{rbac}/rolebindings",
            {"metadata": {"name": name}, "roleRef": role, "subjects": subjects},
        )
        self.kubernetes.kubeconfig(namespace, name)
        jwt = self.kubernetes.token(namespace, name, "vault", lifetime_s=3600)
        (self.folder / "jwt").write_text(jwt)

    def _administrator(self, secret: Secret) -> Path:
        login = f'method = "token"\ntoken_file = "{self.folder}/root"'
        return self._configured(secret, self.kubernetes.admin, login)

    def _configured(self, secret: Secret, kubeconfig: Path, login: str, more: str = "") -> Path:
        """A folder with a ``matrix.toml``. What is measured may be looked into."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "matrix.toml").write_text(f"""\
[secrets]
profilers = true

[secrets.vault]
address = "{self.vault.address}"
ca_file = "{self.vault.ca_file}"
key = "{HOME.key}"

[secrets.vault.login]
{login}

[secrets.kubernetes]
kubeconfig = "{kubeconfig}"

[[secrets.source]]
kind = "kubernetes"
cluster = "{HOME.cluster}"
namespace = "{HOME.namespace}"
secret = "{secret.secret}"
layout = "{secret.layout}"
{more}
""")
        return folder


@contextmanager
def _home() -> Iterator[_Home]:
    """Servers of our own.

    :raises NotMeasured: they are not built.
    """
    binaries = build.built(build.VAULT), build.built(build.KUBE_APISERVER), build.etcd()
    vault_binary, kubernetes_binary, etcd = binaries
    if vault_binary is None or kubernetes_binary is None or etcd is None:
        raise NotMeasured("make test-real builds the servers")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority(folder)
        with (
            RealVault(vault_binary, folder, authority.leaf("vault")) as vault,
            RealKubernetes(kubernetes_binary, etcd, folder, authority) as kubernetes,
        ):
            vault.init()
            vault.unseal()
            yield _Home(folder, vault, kubernetes)
