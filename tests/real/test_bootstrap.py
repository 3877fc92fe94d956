"""``matrix vault bootstrap`` on real Vaults with a real API server, and what each role may do then.

It is asked for as by whoever would want more of it than is meant.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from framework.errors import ConfigError
from framework.secrets import rotator
from framework.secrets.access import Access, Namespace, Secret, Workload
from framework.secrets.encryptor import Encryptor
from framework.secrets.place import Layout
from framework.secrets.transit import Sealed, TransitRefused
from framework.secrets.vault.login import KubernetesLogin, TokenLogin
from framework.secrets.vault.policies import ENCRYPTOR, ROTATOR, roles_of
from framework.secrets.vault.settings import TokenAuth, VaultSettings
from framework.secrets.vault.transit import open_transit
from framework.testing.secrets import MemoryStore
from framework.tools.vault import bootstrap
from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth


def secret(name: str, layout: Layout, *data_keys: str) -> Secret:
    return Secret(secret=name, layout=layout, data_keys=data_keys)


FIELDS = secret("fields", "fields", "redis_url", "tide.token")
DOCUMENT = secret("whole", "document", "secrets.json")
OTHERS = secret("fields", "fields", "redis_url", "air.token")
ELSEWHERE = secret("elsewhere", "fields", "tide.token")
AS_DOCUMENT = secret("fields", "document", "tide.token")
"""The last two are nobody's."""
PLAINTEXT = base64.b64encode(b"value").decode()
"""Of all of them."""


@dataclass(frozen=True)
class Home:
    """One Vault as bootstrap leaves it, and a cluster whose service accounts log in to it."""

    vault: RealVault
    kubernetes: RealKubernetes
    access: Namespace
    folder: Path

    def bootstrap(self, *words: str) -> Result:
        """From outside of the cluster."""
        server = ("--kubernetes-host", self.kubernetes.server)
        ca = ("--kubernetes-ca-file", str(self.kubernetes.ca_file))
        return self.bare_bootstrap(*server, *ca, "--kubernetes-reviewer-file", "reviewer", *words)

    def bare_bootstrap(self, *words: str) -> Result:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(bootstrap)
        environ = {"VAULT_ADDR": self.vault.address, "VAULT_CACERT": str(self.vault.ca_file)}
        with chdir(self.folder):
            return CliRunner().invoke(
                app,
                ["--token-file", "token", *words],
                env={
                    **environ,
                    **dict.fromkeys(["MATRIX_TOML", "VAULT_NAMESPACE", "VAULT_TOKEN_FILE"]),
                },
            )

    def write(self, access: Namespace) -> None:
        (self.folder / "access.json").write_text(Access(namespaces=(access,)).text())

    def role(self, kind: str) -> str:
        return f"matrix_{self.access.cluster}_{self.access.namespace}_{kind}"

    def jwt(self, account: str) -> str:
        return self.kubernetes.token(self.access.namespace, account, "vault")

    def login(self, kind: str, account: str) -> tuple[int, Any]:
        body = {"role": self.role(kind), "jwt": self.jwt(account)}
        return self.vault.request("POST", f"auth/{self.access.auth}/login", body, token="")

    def token(self, kind: str, account: str) -> str:
        status, answer = self.login(kind, account)
        assert status == 200, answer
        token: str = answer["auth"]["client_token"]
        return token

    def token_of(self, *kinds: str) -> str:
        """One with the policies of several roles."""
        policies = list(map(self.role, kinds))
        made = self.vault.must(
            "POST", "auth/token/create", {"policies": policies, "no_default_policy": True}
        )
        token: str = made["auth"]["client_token"]
        return token

    def transit(self, kind: str, account: str) -> Any:
        """As the framework itself does it."""
        mount = self.access.auth
        login = KubernetesLogin(lambda: self.jwt(account), role=self.role(kind), mount=mount)
        return open_transit(self.settings, login)

    @property
    def settings(self) -> VaultSettings:
        return VaultSettings(
            address=self.vault.address,
            mount=self.access.mount,
            key=self.access.key,
            login=TokenAuth(token_file=str(self.folder / "token")),
            ca_file=str(self.vault.ca_file),
        )

    def path(self, path: str) -> str:
        return f"{self.access.mount}/{path.format(self.access.key)}"

    def context(self, secret: Secret, data_key: str) -> str:
        return base64.b64encode(self.access.place(secret).context(data_key)).decode()

    def sealed(self, secret: Secret, data_key: str) -> str:
        """By root, whatever it is."""
        body = {"context": self.context(secret, data_key), "plaintext": PLAINTEXT}
        ciphertext: str = self.vault.must("POST", self.path("encrypt/{}"), body)["data"][
            "ciphertext"
        ]
        return ciphertext

    def item(self, secret: Secret, data_key: str) -> dict[str, str]:
        return {
            "context": self.context(secret, data_key),
            "ciphertext": self.sealed(secret, data_key),
        }


def new_home(vault: RealVault, kubernetes: RealKubernetes, folder: Path) -> Home:
    """Nothing of it is in the Vault yet."""
    name = f"n{secrets.token_hex(4)}"
    workloads = (
        Workload(
            name="tide", service_account="tide", instances=("tide",), reads=(FIELDS, DOCUMENT)
        ),
        Workload(name="air", service_account="air-quality", instances=("air",), reads=(OTHERS,)),
    )
    access = Namespace(
        cluster="home",
        namespace=name,
        mount=f"transit-{name}",
        key="matrix",
        auth=f"kubernetes-{name}",
        inventory=(FIELDS, DOCUMENT, OTHERS),
        workloads=workloads,
    )
    for account in ("tide", "air-quality", ENCRYPTOR, ROTATOR):
        kubernetes.account(name, account)
    kubernetes_auth(vault, kubernetes)  # for its reviewer
    home = Home(vault, kubernetes, access, folder)
    home.write(access)
    (folder / "token").write_text(vault.root_token)
    token = kubernetes.token("vault", "reviewer", kubernetes.issuer, lifetime_s=3600)
    (folder / "reviewer").write_text(token)
    return home


@pytest.fixture
def bare(each_vault: RealVault, kubernetes: RealKubernetes, tmp_path: Path) -> Home:
    """Of this test's own."""
    return new_home(each_vault, kubernetes, tmp_path)


@pytest.fixture(scope="module")
def home(
    each_vault: RealVault, kubernetes: RealKubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Home:
    """Made, and left so."""
    home = new_home(each_vault, kubernetes, tmp_path_factory.mktemp("home"))
    done = home.bootstrap()
    assert done.exit_code == 0, done
    return home


# -------------------------------------------------------------------------------- what it makes


def test_it_makes_all_and_then_has_nothing_to_do(bare: Home) -> None:
    shown = bare.bootstrap("--dry-run")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert 'path "auth/token/revoke-self" {' in shown.stdout
    assert f"{bare.access.mount}/" not in bare.vault.must("GET", "sys/mounts")
    done = bare.bootstrap()
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()][:4] == [
        f"made the kubernetes auth method, {bare.access.auth}/".split(),
        f"made auth/{bare.access.auth}/config: the API server is {bare.kubernetes.server}".split(),
        f"made the transit engine, {bare.access.mount}/".split(),
        f"made the key matrix of {bare.access.mount}, derived".split(),
    ]
    assert len(done.stdout.splitlines()) == len(shown.stdout.split("would")) - 1 == 12
    left = bare.bootstrap()
    assert (left.exit_code, left.stdout) == (0, "nothing to change\n")
    assert left.stderr.startswith(
        f"warning: auth/{bare.access.auth}/config is there, and was left as it is (whether it has"
    )
    again = bare.bare_bootstrap()
    assert (again.exit_code, again.stdout, again.stderr) == (0, "nothing to change\n", "")
    key = bare.vault.must("GET", bare.path("keys/{}"))["data"]
    assert (key["type"], key["derived"], key["exportable"]) == ("aes256-gcm96", True, False)


def test_what_was_changed_is_put_right_and_nothing_else(bare: Home) -> None:
    bare.bootstrap()
    role = f"auth/{bare.access.auth}/role/{bare.role('read_tide')}"
    bare.vault.must(
        "POST", role, {"token_ttl": 30, "token_period": 86400, "token_bound_cidrs": ["127.0.0.1"]}
    )
    bare.vault.must("PUT", f"sys/policies/acl/{bare.role('encrypt')}", {"policy": "# none"})
    shown = bare.bootstrap("--dry-run").stdout
    done = bare.bootstrap()
    assert done.stdout == shown.replace("would change", "changed")
    assert "-token_ttl = 30\n    +token_ttl = 60\n" in shown
    assert "-token_period = 86400\n    +token_period = 0\n" in shown
    changed = [line for line in done.stdout.splitlines() if line.startswith("changed")]
    assert changed == [f"changed {role}", f"changed policy {bare.role('encrypt')}"]
    assert bare.vault.must("GET", role)["data"]["token_bound_cidrs"] == ["127.0.0.1"]
    assert bare.bootstrap().stdout == "nothing to change\n"


def test_a_vault_outside_of_the_cluster_is_not_left_half_made(bare: Home) -> None:
    done = bare.bare_bootstrap()
    assert isinstance(done.exception, TransitRefused)
    said = str(done.exception)
    assert "--kubernetes-host, --kubernetes-ca-file and --kubernetes-reviewer-file" in said
    assert f"Done before: the kubernetes auth method, {bare.access.auth}/, which stays" in said
    assert f"{bare.access.mount}/" not in bare.vault.must("GET", "sys/mounts")
    assert bare.bootstrap().exit_code == 0
    assert bare.login("read_tide", "tide")[0] == 200


def test_a_workload_that_is_gone_is_named_and_left(bare: Home) -> None:
    bare.bootstrap()
    tide = [each for each in bare.access.workloads if each.name == "tide"]
    bare.write(bare.access.model_copy(update={"workloads": tuple(tide)}))
    done = bare.bare_bootstrap()
    assert done.stdout == "nothing to change\n"
    name = bare.role("read_air")
    paths = (f"sys/policies/acl/{name}", f"auth/{bare.access.auth}/role/{name}")
    assert f"warning: {' and '.join(paths)}: access.json does not have this" in done.stderr
    for path in paths:
        assert f"vault delete {path}" in done.stderr
        bare.vault.must("DELETE", path)
    # Other tests' namespaces are of the same cluster.
    others = bare.bare_bootstrap().stderr.splitlines()
    assert all(line.startswith("note: access.json does not have home/") for line in others)


def test_another_file_for_the_same_namespace_takes_nothing_away(bare: Home) -> None:
    bare.bootstrap()
    token = bare.token("read_tide", "tide")
    own = bare.item(FIELDS, "tide.token")
    (_, tide) = sorted(bare.access.workloads, key=lambda each: each.name)
    reads = (secret("fields", "fields", "redis_url"),)
    small = {"workloads": (tide.model_copy(update={"reads": reads}),), "inventory": reads}
    bare.write(bare.access.model_copy(update=small))
    done = bare.bare_bootstrap()
    assert isinstance(done.exception, ConfigError)
    assert f"{bare.role('read_tide')} would lose tide.token in fields, secrets.json in" in str(
        done.exception
    )
    assert f"role/{bare.role('read_air')}: access.json does not have this" in done.stderr
    assert bare.vault.request("POST", bare.path("decrypt/{}"), own, token=token)[0] == 200
    done = bare.bare_bootstrap("--take-away")
    assert done.exit_code == 0, done
    assert bare.vault.request("POST", bare.path("decrypt/{}"), own, token=token)[0] == 403


def test_a_key_that_is_not_derived_is_refused_before_anything_is_changed(bare: Home) -> None:
    bare.vault.must("POST", f"sys/mounts/{bare.access.mount}", {"type": "transit"})
    bare.vault.must("POST", bare.path("keys/{}"), {"derived": False})
    done = bare.bootstrap()
    assert isinstance(done.exception, TransitRefused)
    assert "not derived" in str(done.exception)
    assert f"{bare.access.auth}/" not in bare.vault.must("GET", "sys/auth")
    assert bare.vault.request("GET", f"sys/policies/acl/{bare.role('encrypt')}")[0] == 404


def test_without_the_right_to_it_nothing_is_made(bare: Home) -> None:
    (bare.folder / "token").write_text("hvs.none")
    done = bare.bootstrap()
    assert isinstance(done.exception, TransitRefused)
    assert "does not let the token in" in str(done.exception)
    assert "--token-file" in str(done.exception)


# ------------------------------------------------------------------------------- who may log in


@pytest.mark.parametrize(
    ("kind", "account"),
    [
        ("read_tide", "tide"),
        ("read_air", "air-quality"),
        ("encrypt", ENCRYPTOR),
        ("rotate", ROTATOR),
    ],
)
def test_each_logs_in_with_one_policy_for_a_minute(home: Home, kind: str, account: str) -> None:
    status, answer = home.login(kind, account)
    assert status == 200
    auth = answer["auth"]
    assert (auth["policies"], auth["lease_duration"]) == ([home.role(kind)], 60)
    assert (auth["token_type"], auth["orphan"]) == ("service", True)
    home.vault.must("POST", "auth/token/revoke-self", token=auth["client_token"])
    assert home.vault.request("GET", "auth/token/lookup-self", token=auth["client_token"])[0] == 403


def test_nobody_logs_in_as_another(home: Home) -> None:
    assert home.login("read_tide", "air-quality")[0] == 403
    assert home.login("rotate", "tide")[0] == 403
    home.kubernetes.account("elsewhere", "tide")
    jwt = home.kubernetes.token("elsewhere", "tide", "vault")
    body = {"role": home.role("read_tide"), "jwt": jwt}
    assert home.vault.request("POST", f"auth/{home.access.auth}/login", body, token="")[0] == 403


# ------------------------------------------------------------------------------------ the reader


def test_a_reader_decrypts_what_it_declares(home: Home) -> None:
    with home.transit("read_tide", "tide") as transit:
        for secret in (FIELDS, DOCUMENT):
            for data_key in secret.data_keys:
                context = home.access.place(secret).context(data_key)
                sealed = Sealed(context, home.sealed(secret, data_key))
                assert transit.decrypt(sealed) == b"value"


def test_a_field_that_was_added_later_names_the_commands(home: Home) -> None:
    context = home.access.place(OTHERS).context("air.token")
    with (
        home.transit("read_tide", "tide") as transit,
        pytest.raises(TransitRefused, match=r"matrix access.*matrix vault bootstrap --from"),
    ):
        transit.decrypt(Sealed(context, home.sealed(OTHERS, "air.token")))


class Twice(dict[str, Any]):
    """An object in which a name stands twice, as JSON can have it."""

    def __init__(self, *items: tuple[str, Any]) -> None:
        super().__init__(items)
        self._items = items

    def items(self) -> Any:
        return self._items


Wanted = Callable[[Home, dict[str, str], dict[str, str]], Mapping[str, Any]]
MORE: dict[str, Wanted] = {
    "another field": lambda _, __, other: other,
    "another Secret": lambda home, *_: home.item(ELSEWHERE, "tide.token"),
    "another layout": lambda home, *_: home.item(AS_DOCUMENT, "tide.token"),
    "no context": lambda _, own, __: {"ciphertext": own["ciphertext"]},
    "no text": lambda _, own, __: {**own, "context": None},
    "a number": lambda _, own, __: {**own, "context": 1},
    "a list": lambda _, own, other: {**own, "context": [own["context"], other["context"]]},
    "two with a comma": lambda _, own, other: {
        **other,
        "context": f"{own['context']},{other['context']}",
    },
    "a glob": lambda _, __, other: {**other, "context": "*"},
    "a batch": lambda _, __, other: {"batch_input": [other]},
    "a batch of its own": lambda _, own, __: {"batch_input": [own]},
    "a batch beside": lambda _, own, other: {**own, "batch_input": [other]},
    "an empty batch beside": lambda _, own, __: {**own, "batch_input": []},
    "a second name in upper case": lambda _, own, other: {**own, "CONTEXT": other["context"]},
    "upper case alone": lambda _, own, __: {
        "ciphertext": own["ciphertext"],
        "CONTEXT": own["context"],
    },
    "a version": lambda _, own, __: {**own, "key_version": 1},
    "associated data": lambda _, own, __: {**own, "associated_data": "eA=="},
    "a nonce": lambda _, own, __: {**own, "nonce": "eA=="},
}


PASSED_ON: dict[str, Wanted] = {
    "an empty context": lambda _, own, __: {**own, "context": ""},
    "an empty list": lambda _, own, __: {**own, "context": []},
    "a list of its own": lambda _, own, __: {**own, "context": [own["context"]]},
    "its own, twice": lambda _, own, __: {**own, "context": f"{own['context']},{own['context']}"},
    "its own for another": lambda _, own, other: {**other, "context": own["context"]},
    "its own and then another": lambda _, own, other: Twice(
        ("ciphertext", other["ciphertext"]),
        ("context", own["context"]),
        ("context", other["context"]),
    ),
    "another and then its own": lambda _, own, other: Twice(
        ("ciphertext", other["ciphertext"]),
        ("context", other["context"]),
        ("context", own["context"]),
    ),
}
"""Not every Vault's policies refuse these, but where the key is derived, none decrypts them: 1.21
takes a list, or a text with commas, for allowed if all parts of it are, and so an empty one."""


@pytest.mark.parametrize("what", MORE)
def test_a_reader_is_allowed_nothing_more(home: Home, what: str) -> None:
    status, answer = _decrypted(home, MORE[what])
    assert (status, PLAINTEXT in answer) == (403, False)


@pytest.mark.parametrize("what", PASSED_ON)
def test_a_reader_decrypts_nothing_more(home: Home, what: str) -> None:
    status, answer = _decrypted(home, PASSED_ON[what])
    assert (status in (400, 403, 500), PLAINTEXT in answer) == (True, False)


def _decrypted(home: Home, wanted: Wanted) -> tuple[int, str]:
    own, other = home.item(FIELDS, "tide.token"), home.item(OTHERS, "air.token")
    body, token = wanted(home, own, other), home.token("read_tide", "tide")
    status, answer = home.vault.request("POST", home.path("decrypt/{}"), body, token=token)
    return status, str(answer)


def test_two_policies_on_one_token_are_two_and_not_more(home: Home) -> None:
    token = home.token_of("read_tide", "read_air", "encrypt", "rotate")
    path = home.path("decrypt/{}")

    def ask(body: Mapping[str, Any]) -> int:
        return home.vault.request("POST", path, body, token=token)[0]

    own, other = home.item(FIELDS, "tide.token"), home.item(OTHERS, "air.token")
    assert [ask(own), ask(other)] == [200, 200]
    assert ask(home.item(ELSEWHERE, "tide.token")) == 403
    assert ask({"batch_input": [own]}) == 403
    assert ask({"ciphertext": own["ciphertext"]}) == 403


FORBIDDEN_TO_ALL: tuple[tuple[str, str, Mapping[str, Any] | None], ...] = (
    ("GET", "export/encryption-key/{}", None),
    ("GET", "backup/{}", None),
    ("DELETE", "keys/{}", None),
    ("POST", "keys/{}/trim", {"min_available_version": 1}),
    ("POST", "keys/{}/config", {"exportable": True}),
    ("POST", "keys/{}/config", {"allow_plaintext_backup": True}),
    ("POST", "keys/{}/config", {"deletion_allowed": True}),
    ("POST", "keys/{}/config", {"min_encryption_version": 1}),
    ("POST", "keys/{}/config", {"auto_rotate_period": "1h"}),
    ("POST", "keys/{}/config", {"min_decryption_version": 1, "exportable": True}),
    ("POST", "keys/{}", {"derived": False}),
    ("POST", "keys/other", {"derived": False}),
    ("POST", "datakey/plaintext/{}", {"context": "eA=="}),
    ("POST", "hmac/{}", {"input": "eA=="}),
    ("GET", "keys?list=true", None),
)


@pytest.mark.parametrize(
    ("kind", "account"), [("read_tide", "tide"), ("encrypt", ENCRYPTOR), ("rotate", ROTATOR)]
)
def test_nobody_touches_the_key(home: Home, kind: str, account: str) -> None:
    token = home.token(kind, account)
    for method, path, body in FORBIDDEN_TO_ALL:
        status, _ = home.vault.request(method, home.path(path), body, token=token)
        assert status == 403, (method, path, body)


def test_a_reader_only_reads(home: Home) -> None:
    token = home.token("read_tide", "tide")
    own = home.item(FIELDS, "tide.token")
    for method, path, body in (
        ("GET", "keys/{}", None),
        ("POST", "keys/{}/rotate", None),
        ("POST", "keys/{}/config", {"min_decryption_version": 1}),
        ("POST", "encrypt/{}", {"context": own["context"], "plaintext": "eA=="}),
        ("POST", "rewrap/{}", own),
    ):
        assert home.vault.request(method, home.path(path), body, token=token)[0] == 403, path


# --------------------------------------------------------------------- the encryptor, the rotator


def test_an_encryptor_seals_and_verifies(home: Home) -> None:
    with home.transit("encrypt", ENCRYPTOR) as transit:
        context = home.access.place(FIELDS).context("tide.token")
        sealed = Sealed(context, transit.encrypt(context, b"new"))
        (verified,) = transit.rewrap([sealed])
        assert isinstance(verified, str)
        both = transit.rewrap([sealed, sealed])
        assert all(isinstance(each, str) for each in both)
        assert transit.read_key().latest >= 1
        with pytest.raises(TransitRefused, match="refuses"):
            transit.decrypt(sealed)


def test_an_encryptor_does_nothing_more(home: Home) -> None:
    token = home.token("encrypt", ENCRYPTOR)
    own, other = home.item(FIELDS, "tide.token"), home.item(ELSEWHERE, "tide.token")
    new = {"plaintext": "eA==", "context": own["context"]}
    for path, body in (
        ("decrypt/{}", own),
        ("encrypt/{}", {**new, "context": other["context"]}),
        ("encrypt/{}", {"plaintext": "eA=="}),
        ("encrypt/{}", {**new, "key_version": 1}),
        ("encrypt/{}", {"batch_input": [new]}),
        ("encrypt/{}", {**new, "type": "aes256-gcm96", "convergent_encryption": True}),
        ("encrypt/made-by-accident", new),
        ("rewrap/{}", other),
        ("rewrap/{}", {**own, "key_version": 1}),
        ("rewrap/{}", {"batch_input": [own]}),
        ("keys/{}/rotate", None),
        ("keys/{}/config", {"min_decryption_version": 1}),
    ):
        status, _ = home.vault.request("POST", home.path(path), body, token=token)
        assert status == 403, (path, body)


def test_a_rotator_rotates_rewraps_and_retires(bare: Home) -> None:
    bare.bootstrap()
    items = [(FIELDS, "tide.token"), (ELSEWHERE, "tide.token"), (DOCUMENT, "secrets.json")]
    batch = [Sealed(bare.access.place(a).context(key), bare.sealed(a, key)) for a, key in items]
    with bare.transit("rotate", ROTATOR) as transit:
        transit.rotate()
        rewrapped = transit.rewrap(batch)
        assert [str(each)[:9] for each in rewrapped] == ["vault:v2:"] * 3
        transit.set_min_decryption_version(2)
        assert transit.read_key().min_decryption_version == 2
    with root(bare) as transit:
        fresh = [Sealed(old.context, str(new)) for old, new in zip(batch, rewrapped, strict=True)]
        assert [transit.decrypt(each) for each in fresh] == [b"value"] * 3


def test_a_batch_is_for_the_rotator_alone(home: Home) -> None:
    places = [(FIELDS, "tide.token"), (ELSEWHERE, "tide.token"), (DOCUMENT, "secrets.json")] * 40
    batch = {"batch_input": [home.item(*place) for place in places]}
    status, answer = home.vault.request(
        "POST", home.path("rewrap/{}"), batch, token=home.token("rotate", ROTATOR)
    )
    assert status == 200
    results = answer["data"]["batch_results"]
    assert len(results) == len(places)
    for place, result in zip(places, results, strict=True):
        body = {"ciphertext": result["ciphertext"], "context": home.context(*place)}
        decrypted = home.vault.must("POST", home.path("decrypt/{}"), body)["data"]
        assert decrypted["plaintext"] == PLAINTEXT
    own = {"batch_input": [home.item(FIELDS, "tide.token")]}
    for kind, account in (("read_tide", "tide"), ("encrypt", ENCRYPTOR)):
        token = home.token(kind, account)
        for path in ("rewrap/{}", "decrypt/{}", "encrypt/{}"):
            assert home.vault.request("POST", home.path(path), own, token=token)[0] == 403, path


def test_a_rotator_does_nothing_more(home: Home) -> None:
    token = home.token("rotate", ROTATOR)
    own = home.item(FIELDS, "tide.token")
    for path, body in (
        ("decrypt/{}", own),
        ("decrypt/{}", {"batch_input": [own]}),
        ("encrypt/{}", {"plaintext": "eA==", "context": own["context"]}),
        ("rewrap/{}", {**own, "key_version": 1}),
        ("rewrap/{}", {"batch_input": [own], "key_version": 1}),
        ("keys/{}/rotate/more", None),
    ):
        status, _ = home.vault.request("POST", home.path(path), body, token=token)
        assert status == 403, (path, body)


def test_a_rotator_rewraps_nothing_without_its_context(home: Home) -> None:
    token = home.token("rotate", ROTATOR)
    own, elsewhere = home.item(FIELDS, "tide.token"), home.item(ELSEWHERE, "tide.token")
    for item in (
        {"ciphertext": own["ciphertext"]},
        {**own, "context": ""},
        {**own, "context": elsewhere["context"]},
    ):
        status, _ = home.vault.request("POST", home.path("rewrap/{}"), item, token=token)
        assert status in (400, 500), item
        status, answer = home.vault.request(
            "POST", home.path("rewrap/{}"), {"batch_input": [item]}, token=token
        )
        assert "vault:v" not in str(answer), item


def test_these_rights_are_enough_for_the_tools(bare: Home) -> None:
    bare.bootstrap()
    place, store = bare.access.place(FIELDS), MemoryStore()
    with bare.transit("encrypt", ENCRYPTOR) as transit:
        Encryptor(transit, store, place).fields({"tide.token": b"one", "redis_url": b"two"})
    with bare.transit("rotate", ROTATOR) as transit:
        transit.rotate()
        done = rotator.rotate(transit, [rotator.Entry(place, store)])
    assert done.outcome is rotator.Outcome.DONE, done
    held = store.read()
    assert held is not None
    with bare.transit("read_tide", "tide") as transit:
        found = {
            data_key: transit.decrypt(Sealed(place.context(data_key), ciphertext))
            for data_key, ciphertext in held.data.items()
        }
    assert found == {"tide.token": b"one", "redis_url": b"two"}
    assert {text[:9] for text in held.data.values()} == {"vault:v2:"}


def test_all_roles_are_there(home: Home) -> None:
    listed = home.vault.must("GET", f"auth/{home.access.auth}/role?list=true")["data"]["keys"]
    assert set(listed) == {role.name for role in roles_of([home.access])}


def root(home: Home) -> Any:
    return open_transit(home.settings, TokenLogin(lambda: home.vault.root_token, name="root"))
