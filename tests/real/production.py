"""A namespace as in production: services whose secrets are in Kubernetes, sealed with Vault, and
whose rights were made by ``matrix access`` and ``matrix vault bootstrap``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any
from unittest.mock import patch

import typer
from typer.testing import CliRunner

from framework.process import exit_status
from framework.secrets.encryptor import Encryptor
from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.kubernetes.store import KubernetesStore
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.store import Stored
from framework.secrets.vault.login import KubernetesLogin, Login, TokenLogin
from framework.secrets.vault.policies import ENCRYPTOR
from framework.secrets.vault.settings import TokenAuth, VaultSettings
from framework.secrets.vault.transit import VaultTransit, open_transit
from framework.tools.access import access
from framework.tools.vault import bootstrap
from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth
from tests.real.tide import TideConfig, TideServer

ROOT = Path(__file__).parents[2]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
DOCUMENT = "whole"
FIELDS = "fields"
"""The two Secrets, by their layouts."""
COPY = "copy"
"""One that somebody else may make, which the service may read."""
DATA_KEY = "secrets.json"

MATRIX_TOML = """
[[service]]
use = "tests.real.tide:{use}"
[[service]]
use = "tests.real.tide:MoonServer"

[secrets]
patience = {patience}
profilers = {profilers}

[secrets.kubernetes]
kubeconfig = "{kubeconfig}"

[secrets.vault]
address = "{address}"
ca_file = "{ca_file}"
mount = "{mount}"
key = "{key}"
[secrets.vault.login]
{login}

[[secrets.source]]
kind = "kubernetes"
cluster = "{cluster}"
namespace = "{namespace}"
secret = "{document}"
mounted = "{mounted_document}"

[[secrets.source]]
kind = "kubernetes"
cluster = "{cluster}"
namespace = "{namespace}"
secret = "{fields}"
mounted = "{mounted_fields}"
layout = "fields"
"""


@dataclass
class Production:
    """One such namespace. ``name``: of itself, of the Transit engine and of the auth method."""

    vault: RealVault
    kubernetes: RealKubernetes
    folder: Path
    name: str = field(default_factory=lambda: f"n{token_hex(4)}")
    values: dict[str, str] = field(default_factory=dict)
    """All that is sealed, by what it is; what TideConfig declares begins with "declared"."""
    kubeconfig: Path = Path()
    """Of the service, which may get its Secrets."""
    jwt: str = ""
    """What it logs in to Vault with."""

    def make(self) -> None:
        """All of it, from nothing."""
        kubernetes_auth(self.vault, self.kubernetes)  # for its reviewer
        for account in ("tide", "moon", ENCRYPTOR):
            self.kubernetes.account(self.name, account)
        names = [DOCUMENT, FIELDS]
        itself = rule("create", "tide", what="serviceaccounts/token")
        self.allow("tide", rule("get", *names, COPY), itself)
        self.allow(ENCRYPTOR, rule("get", *names), rule("update", *names), rule("create"))
        self.kubeconfig = self.kubernetes.kubeconfig(self.name, "tide")
        self.be()
        self.write("admin", self.vault.root_token)
        self.configure()
        self.give_rights()
        self.seal()

    # ------------------------------------------------------------------------- what is sealed

    def seal(self) -> None:
        """As the encryptor, which may do that and no more."""
        self.values.clear()
        document = {
            "tide": {
                "token": self.value("declared: scalar"),
                "gauge": {
                    "host": self.value("declared: of a model"),
                    "password": self.value("of a model"),
                },
                "other": self.value("in the section"),
            },
            "moon": {"token": self.value("in another section")},
            "token": self.value("at the top level"),
        }
        fields = {
            "tide.pin": self.value("declared: field").encode(),
            "moon.pin": self.value("field of another").encode(),
        }
        with self.transit(self.login("encrypt", ENCRYPTOR)) as transit:
            for name, layout in ((DOCUMENT, "document"), (FIELDS, "fields")):
                with self.store(name, ENCRYPTOR) as store:
                    encryptor = Encryptor(transit, store, self.place(layout, name))
                    if layout == "document":
                        encryptor.document(DATA_KEY, json.dumps(document).encode())
                    else:
                        encryptor.fields(fields)

    def value(self, what: str) -> str:
        return self.values.setdefault(what, token_hex(24))

    def place(self, layout: Any, name: str, **changed: str) -> SecretPlace:
        names: dict[str, str] = {"cluster": "home", "namespace": self.name, **changed}
        known: Layout = layout
        return SecretPlace(known, names["cluster"], names["namespace"], name)

    def ciphertext(self, place: SecretPlace, data_key: str, text: str) -> str:
        """Of the namespace's key, by root, whatever it is for."""
        with self.transit(self.root) as transit:
            return transit.encrypt(place.context(data_key), text.encode())

    @contextmanager
    def store(self, name: str, account: str = "") -> Iterator[KubernetesStore]:
        """As an account, or as the administrator."""
        file = self.kubernetes.admin
        if account:
            file = self.kubernetes.kubeconfig(self.name, account)
        with closing(KubernetesClient(KubernetesSettings(kubeconfig=str(file)))) as client:
            yield KubernetesStore(client, namespace=self.name, name=name)

    def stored(self, name: str) -> Stored:
        with self.store(name) as store:
            held = store.read()
        assert held is not None
        return held

    def put(
        self, name: str, data: Mapping[str, str], annotations: Mapping[str, str] | None = None
    ) -> None:
        """By whoever can write a Secret: add this to what is in it."""
        with self.store(name) as store:
            held = store.read()
            if held is None:
                store.create(data, annotations or {})
            else:
                store.replace(held, {**held.data, **data}, {**held.annotations})

    # ------------------------------------------------------------------------------ who may what

    @property
    def root(self) -> Login:
        return TokenLogin(lambda: self.vault.root_token, name="root")

    def role(self, kind: str) -> str:
        return f"matrix_home_{self.name}_{kind}"

    def login(self, kind: str, account: str) -> Login:
        def jwt() -> str:
            return self.kubernetes.token(self.name, account, "vault")

        return KubernetesLogin(jwt, role=self.role(kind), mount=self.name)

    @contextmanager
    def transit(self, login: Login, *, key: str = "matrix") -> Iterator[VaultTransit]:
        settings = VaultSettings(
            address=self.vault.address,
            mount=self.name,
            key=key,
            login=TokenAuth(token_file=self.path("none")),
            ca_file=str(self.vault.ca_file),
        )
        with open_transit(settings, login) as transit:
            yield transit

    def be(self, account: str = "tide", audience: str = "vault") -> None:
        """Project the token of an account to where the service looks for it."""
        self.jwt = self.kubernetes.token(self.name, account, audience)
        self.write("token", self.jwt)

    def ttl_s(self, token: str) -> int | None:
        """How long a token of Vault is good for; None: Vault does not know it any more."""
        status, answer = self.vault.request("POST", "auth/token/lookup", {"token": token})
        assert status in (200, 403)
        return int(answer["data"]["ttl"]) if status == 200 else None

    def allow(self, account: str, *rules: Mapping[str, Any]) -> None:
        roles = f"{RBAC}/namespaces/{self.name}"
        body = {"metadata": {"name": account}, "rules": list(rules)}
        self.kubernetes.create(f"{roles}/roles", body)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
        subject = {"kind": "ServiceAccount", "name": account, "namespace": self.name}
        body = {"metadata": {"name": account}, "roleRef": role, "subjects": [subject]}
        self.kubernetes.create(f"{roles}/rolebindings", body)

    def give_right(self, what: str, key: str) -> str:
        """A role with this right alone, of any context; what it is called."""
        name = self.role(what)
        policy = f'path "{self.name}/{what}/{key}" {{ capabilities = ["update"] }}'
        self.vault.must("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        made = self.vault.must("GET", f"auth/{self.name}/role/{self.role('read_tide')}")["data"]
        kept = {each: made[each] for each in made if each.startswith(("bound_", "audience"))}
        path = f"auth/{self.name}/role/{name}"
        self.vault.must("POST", path, {**kept, "token_policies": [name], "token_ttl": 60})
        return what

    def give_rights(self) -> None:
        """``matrix access`` and ``matrix vault bootstrap``, as ``matrix.toml`` is now."""
        file = str(self.folder / "access.json")
        self._run(access, str(self.toml), "--out", file)
        reviewer = self.kubernetes.token("vault", "reviewer", self.kubernetes.issuer)
        self._run(
            bootstrap,
            *("--from", file, "--token-file", self.path("admin")),
            *("--kubernetes-host", self.kubernetes.server),
            *("--kubernetes-ca-file", str(self.kubernetes.ca_file)),
            *("--kubernetes-reviewer-file", self.write("reviewer", reviewer)),
        )

    def _run(self, command: Callable[..., None], *words: str) -> None:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(command)
        done = CliRunner().invoke(app, list(words), env=self.environ)
        assert done.exit_code == 0, done

    # ------------------------------------------------------------------------------- the service

    @property
    def toml(self) -> Path:
        return self.folder / "matrix.toml"

    @property
    def environ(self) -> dict[str, str]:
        return {"MATRIX_TOML": str(self.toml)}

    def configure(self, *, file: str = "matrix.toml", **changes: object) -> str:
        """Write ``matrix.toml``, with these changes to what it should be; where it is."""
        should_be = {
            "use": "TideServer",
            "patience": 0,
            "profilers": "true",
            "kubeconfig": self.kubeconfig,
            "address": self.vault.address,
            "ca_file": self.vault.ca_file,
            "mount": self.name,
            "key": "matrix",
            "login": self.pod(),
            "cluster": "home",
            "namespace": self.name,
            "document": DOCUMENT,
            "fields": FIELDS,
            "mounted_document": "",
            "mounted_fields": "",
        }
        assert changes.keys() <= should_be.keys()
        return self.write(file, MATRIX_TOML.format(**should_be | changes))

    def mounted(self, name: str, folder: Path) -> str:
        """A volume with that Secret, as kubelet makes it."""
        volume, state = folder / name, "..2026_11_24_12_00_00.123456789"
        (volume / state).mkdir(parents=True)
        (volume / "..data").symlink_to(state)
        for data_key, text in self.stored(name).data.items():
            (volume / state / data_key).write_text(text)
            (volume / data_key).symlink_to(Path("..data") / data_key)
        return str(volume)

    def approle(self) -> str:
        """How a machine logs in that may do what the service may."""
        if "approle/" not in self.vault.must("GET", "sys/auth")["data"]:
            self.vault.must("POST", "sys/auth/approle", {"type": "approle"})
        role = f"auth/approle/role/{self.name}"
        policies = [self.role("read_tide")]
        self.vault.must("POST", role, {"token_policies": policies, "token_no_default_policy": True})
        role_id = self.vault.must("GET", f"{role}/role-id")["data"]["role_id"]
        secret_id = self.vault.must("POST", f"{role}/secret-id")["data"]["secret_id"]
        file = self.write("secret-id", secret_id)
        return f'method = "approle"\nrole_id = "{role_id}"\nsecret_id_file = "{file}"'

    def pod(self, *, role: str = "read_tide") -> str:
        """How a pod logs in."""
        return (
            f'mount = "{self.name}"\nrole = "{self.role(role)}"\n'
            f'token_file = "{self.path("token")}"'
        )

    def read(self) -> TideConfig:
        """By a service that starts in this process; its child is a process as always."""
        with patch.dict(os.environ, self.environ):
            return TideServer().config

    def refused(self, service: Callable[[], object] = TideServer) -> tuple[int, str]:
        """The exit status of one that cannot start, and what it says: one line without values."""

        async def nothing(_: object) -> None: ...

        with patch.dict(os.environ, self.environ), redirect_stderr(io.StringIO()) as said:
            status = exit_status(lambda: nothing(service()))
        line = said.getvalue()
        assert line.count("\n") == bool(status)
        self.check(line)
        return status, line

    @contextmanager
    def process(self, *command: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """A service that is a process of its own; it ends with its standard input."""
        with subprocess.Popen(
            [sys.executable, *(command or ("-m", "tests.real.tide"))],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **self.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def check(self, text: str, *others: str) -> None:
        """No value is in it, nor a credential."""
        for secret in (*self.values.values(), self.jwt, self.vault.root_token, *others):
            assert secret not in text

    # --------------------------------------------------------------------------------- the folder

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return self.path(name)


def rule(verb: str, *names: str, what: str = "secrets") -> Mapping[str, Any]:
    """The right to do that, with these alone if there are any."""
    named = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [""], "resources": [what], "verbs": [verb], **named}
