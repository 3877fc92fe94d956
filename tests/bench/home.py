"""``Home``: a namespace on a real Vault and a real API server, for what is measured on them.

All is on this machine: there is no network between them. What the servers are is left to
``tests.real``, and what is measured to whoever starts them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from framework.secrets.access import Namespace, Secret, Workload
from framework.secrets.fields import fields_of
from framework.secrets.place import Layout
from framework.secrets.vault.bootstrap import Bootstrap, Cluster
from framework.secrets.vault.client import VaultClient
from framework.secrets.vault.login import Session, login_of
from tests.bench import parts
from tests.bench.figures import NotMeasured
from tests.real import build
from tests.real.authority import Authority
from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth

ACCOUNT = "bench"
DATA_KEY = "secrets.json"


def secret(name: str, layout: Layout, *data_keys: str) -> Secret:
    return Secret(secret=name, layout=layout, data_keys=data_keys)


DOCUMENT = secret("document", "document", DATA_KEY)
FIELDS = secret("fields", "fields", *fields_of(parts.SECRETS))
MOON = secret("moon", "document", DATA_KEY)
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


@dataclass(frozen=True)
class Home:
    """The namespace, in a cluster and a Vault that have nothing else."""

    folder: Path
    vault: RealVault
    kubernetes: RealKubernetes

    def bootstrap(self) -> None:
        """What an administrator does, once."""
        kubernetes_auth(self.vault, self.kubernetes)
        (self.folder / "root").write_text(self.vault.root_token)
        settings = parts.settings_in(self.administrator(DOCUMENT)).vault
        assert settings is not None
        with closing(VaultClient(settings)) as vault:
            bootstrap = Bootstrap(Session(vault, login_of(settings)))
            for change in bootstrap.plan([HOME], Cluster()).changes:
                bootstrap.make(change)

    def account(self, name: str, rights: Mapping[str, Sequence[str]]) -> Path:
        """Make a service account that may do so with the resources that ``rights`` names; returns
        its kubeconfig. What it logs in to Vault with is ``jwt``."""
        namespace = HOME.namespace
        self.kubernetes.account(namespace, name)
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rules = [
            {"apiGroups": [""], "resources": [what], "verbs": list(verbs)}
            for what, verbs in rights.items()
        ]
        self.kubernetes.create(f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subjects = [{"kind": "ServiceAccount", "namespace": namespace, "name": name}]
        self.kubernetes.create(
            f"{rbac}/rolebindings",
            {"metadata": {"name": name}, "roleRef": role, "subjects": subjects},
        )
        self.jwt.write_text(self.kubernetes.token(namespace, name, "vault", lifetime_s=3600))
        return self.kubernetes.kubeconfig(namespace, name)

    @property
    def jwt(self) -> Path:
        """Of the account that was made last."""
        return self.folder / "jwt"

    def seal(self, secret: Secret, content: Mapping[str, object]) -> None:
        parts.seal(parts.settings_in(self.administrator(secret)), content)

    def administrator(self, secret: Secret) -> Path:
        """A folder with the ``matrix.toml`` of one who may do everything with it."""
        login = f'method = "token"\ntoken_file = "{self.folder}/root"'
        return self.configured(secret, self.kubernetes.admin, login)

    def pod(self, role: str) -> str:
        """How that account logs in."""
        return f'method = "kubernetes"\nrole = "{role}"\ntoken_file = "{self.jwt}"'

    def configured(self, secret: Secret, kubeconfig: Path, login: str, more: str = "") -> Path:
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
def home() -> Iterator[Home]:
    """On servers of its own, set up but for accounts and what is sealed.

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
            made = Home(folder, vault, kubernetes)
            made.bootstrap()
            yield made
