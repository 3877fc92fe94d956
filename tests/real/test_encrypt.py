"""``matrix encrypt`` with a real Vault into a real Kubernetes: as who may encrypt and no more, and
what becomes of Secrets that others have made, write, or keep from it.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from framework.secrets.encryptor import HEADROOM, LAST_APPLIED, Encryptor, Overtaken
from framework.secrets.kubernetes.store import KubernetesStore
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.store import MAX_BYTES, Stored, StoreRefused
from framework.secrets.transit import Sealed, TransitRefused, version_of
from framework.secrets.vault.policies import ENCRYPTOR
from tests import forked
from tests.real.production import DATA_KEY, DOCUMENT, FIELDS, Production, rule
from tests.real.servers import RealKubernetes, RealVault

MATRIX = str(Path(sys.executable).with_name("matrix"))
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def made(
    vault: RealVault, kubernetes: RealKubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Production:
    production = Production(vault, kubernetes, tmp_path_factory.mktemp("production"))
    production.make()
    return production


@pytest.fixture
def encryptor(made: Production) -> Iterator[Production]:
    """Used as the account and the role that may encrypt, and do no more."""
    made.be(ENCRYPTOR)
    made.configure(
        login=made.pod(role="encrypt"),
        kubeconfig=made.kubernetes.kubeconfig(made.name, ENCRYPTOR),
    )
    yield made
    made.seal()


@pytest.fixture
def name() -> str:
    """Of a Secret of this test's own."""
    return f"s{token_hex(4)}"


@pytest.fixture
def admin(made: Production, name: str) -> Production:
    """Used as who may do everything; the source for documents is that Secret."""
    login = f'method = "token"\ntoken_file = "{made.path("admin")}"'
    made.configure(login=login, kubeconfig=made.kubernetes.admin, document=name)
    return made


def encrypt(
    production: Production, *words: str, given: object = ""
) -> subprocess.CompletedProcess[str]:
    text = given if isinstance(given, str) else json.dumps(given)
    done = forked.run(
        "matrix", "encrypt", *words, cwd=production.folder, env=production.environ, given=text
    )
    production.check(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
    return done


def opened(production: Production, name: str, data_key: str, layout: Layout = "document") -> bytes:
    """By root, for just that place."""
    text = production.stored(name).data[data_key]
    with production.transit(production.root) as transit:
        return transit.decrypt(Sealed(production.place(layout, name).context(data_key), text))


def secrets(production: Production, name: str = "") -> str:
    path = f"/api/v1/namespaces/{production.name}/secrets"
    return f"{path}/{name}" if name else path


def live(production: Production, name: str) -> Mapping[str, Any]:
    """The object, all that the API server has of it."""
    status, found = production.kubernetes.request("GET", secrets(production, name))
    assert status == 200
    table: Mapping[str, Any] = found
    return table


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def restart(encryptor: Production) -> str:
    """To the server that the kubeconfig of ``matrix.toml`` names, and to no other."""
    kubeconfig = encryptor.kubernetes.kubeconfig(encryptor.name, ENCRYPTOR)
    return f"kubectl --kubeconfig {kubeconfig} -n {encryptor.name} rollout restart"


# ---------------------------------------------------------------------- who may encrypt and no more


def test_a_document_by_who_may_not_decrypt(encryptor: Production) -> None:
    before = live(encryptor, DOCUMENT)["metadata"]
    value = encryptor.value("given anew")
    done = encrypt(encryptor, "-", "--name", DOCUMENT, given={"tide": {"token": value}})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"sealed      {DATA_KEY} in Secret {encryptor.name}/{DOCUMENT}, over what was there",
        "has         tide.token",
        f"next        {restart(encryptor)} deployment/moon deployment/tide",
    ]
    assert json.loads(opened(encryptor, DOCUMENT, DATA_KEY)) == {"tide": {"token": value}}
    after = live(encryptor, DOCUMENT)["metadata"]
    edit = f"matrix.edit/{DATA_KEY}"
    assert after["uid"] == before["uid"]
    assert after["annotations"][edit] != before["annotations"][edit]
    held = encryptor.stored(DOCUMENT).data[DATA_KEY]
    sealed = Sealed(encryptor.place("document", DOCUMENT).context(DATA_KEY), held)
    with (
        encryptor.transit(encryptor.login("encrypt", ENCRYPTOR)) as transit,
        pytest.raises(TransitRefused, match=r"refuses .*/decrypt/matrix to role"),
    ):
        transit.decrypt(sealed)


def test_fields_and_one_of_them(encryptor: Production) -> None:
    values = {"pin": encryptor.value("a new pin"), "token": encryptor.value("a new token")}
    done = encrypt(encryptor, "--set", "tide.pin", "--name", FIELDS, given=values["pin"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"sealed      in Secret {encryptor.name}/{FIELDS}",
        "overwritten tide.pin",
        f"next        {restart(encryptor)} deployment/tide",
    ]
    words = ("-", "--fields", "--source", f"Secret {encryptor.name}/{FIELDS}")
    done = encrypt(encryptor, *words, "--prune", given={"tide": values})
    assert done.stdout.splitlines()[1:] == [
        "added       tide.token",
        "overwritten tide.pin",
        "removed     moon.pin",
        f"next        {restart(encryptor)} deployment/moon deployment/tide",
    ]
    for field, value in values.items():
        assert opened(encryptor, FIELDS, f"tide.{field}", "fields") == value.encode()


def test_several_at_once_lose_nothing(encryptor: Production) -> None:
    fields = [f"tide.{field}" for field in ("pin", "token", "gauge")]
    started = [
        subprocess.Popen(
            [MATRIX, "encrypt", "--set", field, "--name", FIELDS],
            cwd=encryptor.folder,
            env=encryptor.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for field in fields
    ]
    said = [
        process.communicate(field.encode(), timeout=60)[0]
        for process, field in zip(started, fields, strict=True)
    ]
    assert [process.returncode for process in started] == [0] * len(fields), said
    for field in fields:
        assert opened(encryptor, FIELDS, field, "fields") == field.encode()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--data-key", "data key other, cannot be sealed: Vault at"),
        ("--name", "get secrets other in namespace {0}. Bind it to a Role there"),
        ("--namespace", f"get secrets {DOCUMENT} in namespace other. Bind it to a Role there"),
    ],
)
def test_another_place_is_not_its_own(encryptor: Production, option: str, sentence: str) -> None:
    """Vault holds the role to the contexts of the inventory; Kubernetes, to its Secrets."""
    encryptor.kubernetes.account("other", "nobody")
    before = live(encryptor, DOCUMENT)
    source = f"Secret {encryptor.name}/{DOCUMENT}"
    done = encrypt(encryptor, "-", "--source", source, option, "other", given={"a": 1})
    assert done.returncode == 78
    assert sentence.format(encryptor.name) in done.stderr
    assert live(encryptor, DOCUMENT) == before


# ---------------------------------------------------------------------------- what others did there


def test_it_is_created_and_replaced_and_all_else_stays(admin: Production, name: str) -> None:
    done = encrypt(admin, "-", "--name", name, given={"a": 1})
    assert done.returncode == 0, done.stderr
    made = live(admin, name)
    assert (made["type"], list(made["data"])) == ("Opaque", [DATA_KEY])
    patch: dict[str, Any] = {
        "metadata": {"labels": {"app": "matrix"}, "annotations": {"team": "weather"}},
        "data": {"ca.crt": encoded(b"in clear"), "ca.p12": encoded(b"\xff")},
    }
    admin.kubernetes.request("PATCH", secrets(admin, name), patch, content_type=MERGE)
    before = live(admin, name)
    done = encrypt(admin, "-", "--name", name, given={"a": 2})
    assert done.returncode == 0
    (warning,) = done.stderr.splitlines()
    assert " has ca.crt, ca.p12 in plaintext, which is left as it is" in warning
    after = live(admin, name)
    assert opened(admin, name, DATA_KEY) == b'{"a": 2}'
    assert {key: after["data"][key] for key in patch["data"]} == patch["data"]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert after["metadata"]["annotations"]["team"] == "weather"
    for part in ("labels", "uid", "creationTimestamp"):
        assert after["metadata"][part] == before["metadata"][part]


@pytest.mark.parametrize("server_side", [False, True])
def test_what_was_applied_in_plaintext_is_nowhere_in_the_object(
    admin: Production, name: str, *, server_side: bool
) -> None:
    """As ``kubectl apply`` does it: with a copy in an annotation, or with ``--server-side``."""
    value = admin.value(f"applied, {server_side}")
    text = json.dumps({"tide": {"token": value}})
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": admin.name},
        "stringData": {DATA_KEY: text},
    }
    path = f"{secrets(admin)}?fieldManager=kubectl-client-side-apply"
    if server_side:
        path = f"{secrets(admin, name)}?fieldManager=kubectl"
        status, _ = admin.kubernetes.request("PATCH", path, body, content_type=APPLY)
    else:
        body["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(body)}
        status, _ = admin.kubernetes.request("POST", path, body)
    assert status == 201
    assert encoded(text.encode()) in json.dumps(live(admin, name))

    done = encrypt(admin, "-", "--name", name, given=text)
    assert done.returncode == 0, done.stderr
    after = live(admin, name)
    assert after["metadata"]["managedFields"]
    for secret in (value, encoded(text.encode())):
        assert secret not in json.dumps(after)
    assert opened(admin, name, DATA_KEY) == text.encode()
    warnings = done.stderr.splitlines()
    if server_side:
        before, owner = warnings
        assert f"had {DATA_KEY} in plaintext until now" in before
        assert owner.startswith('warning: the field manager "kubectl" writes Secret')
    else:
        (applied,) = warnings
        assert "do not apply that file again" in applied


def test_who_brings_it_back_is_named(admin: Production, name: str) -> None:
    body = {"metadata": {"name": name, "labels": {"argocd.argoproj.io/instance": "matrix"}}}
    admin.kubernetes.create(secrets(admin), body)
    done = encrypt(admin, "-", "--name", name, given={"a": 1})
    assert done.returncode == 0
    assert done.stderr.startswith(f"warning: Argo CD writes Secret {admin.name}/{name} too")


class Overtaking(KubernetesStore):
    """Lets somebody else write before its first replacement."""

    def __init__(self, store: KubernetesStore, other: Any) -> None:
        self.__dict__ |= store.__dict__
        self.other = [other]

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Stored:
        if self.other:
            self.other.pop()()
        return super().replace(held, data, annotations)


def test_who_was_faster_is_not_overwritten(admin: Production, name: str) -> None:
    place = admin.place("fields", name)
    with admin.transit(admin.root) as transit, admin.store(name) as store:
        theirs = Encryptor(transit, store, place)
        theirs.fields({"a": b"1", "b": b"1"})
        ours = Encryptor(transit, Overtaking(store, lambda: theirs.fields({"b": b"2"})), place)
        ours.fields({"a": b"3"})
        ours = Encryptor(transit, Overtaking(store, lambda: theirs.fields({"a": b"4"})), place)
        with pytest.raises(Overtaken, match="data key a: changed by somebody else"):
            ours.fields({"a": b"5"})
    assert opened(admin, name, "a", "fields") == b"4"
    assert opened(admin, name, "b", "fields") == b"2"


# ------------------------------------------------------------------------------- what is in its way


def test_an_immutable_one(admin: Production, name: str) -> None:
    encrypt(admin, "-", "--name", name, given={"a": 1})
    patch = {"immutable": True}
    admin.kubernetes.request("PATCH", secrets(admin, name), patch, content_type=MERGE)
    before = live(admin, name)
    done = encrypt(admin, "-", "--name", name, given={"a": 2})
    assert done.returncode == 78
    assert done.stderr.startswith(f"Secret {admin.name}/{name} is immutable, so Kubernetes does")
    assert live(admin, name) == before


def test_a_namespace_that_is_not_there(admin: Production, name: str) -> None:
    words = ("--source", f"Secret {admin.name}/{name}", "--namespace", "nowhere")
    done = encrypt(admin, "-", *words, given={"a": 1})
    assert (done.returncode, done.stdout) == (78, "")
    assert "make it (kubectl create namespace nowhere)" in done.stderr


def test_a_namespace_that_is_being_removed(admin: Production, name: str) -> None:
    namespace = f"gone-{name}"
    admin.kubernetes.account(namespace, "nobody")
    admin.kubernetes.request("DELETE", f"/api/v1/namespaces/{namespace}")
    words = ("--source", f"Secret {admin.name}/{name}", "--namespace", namespace)
    done = encrypt(admin, "-", *words, given={"a": 1})
    assert done.returncode == 78
    assert f"namespace {namespace} is being removed: wait until it is gone" in done.stderr


def test_a_quota_that_is_used_up(admin: Production, name: str) -> None:
    namespace = f"full-{name}"
    admin.kubernetes.account(namespace, "nobody")
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    most = {"hard": {"secrets": "0"}}
    quota = admin.kubernetes.create(path, {"metadata": {"name": "few"}, "spec": most})
    # As the controller does that is not there.
    quota["status"] = {**most, "used": {"secrets": "0"}}
    status, said = admin.kubernetes.request("PUT", f"{path}/few/status", quota)
    assert status == 200, said
    words = ("--source", f"Secret {admin.name}/{name}", "--namespace", namespace)
    done = encrypt(admin, "-", *words, given={"a": 1})
    assert done.returncode == 78
    assert f"is used up: see kubectl -n {namespace} describe quota" in done.stderr


def test_rights_that_are_missing_are_named_as_a_role_has_them(admin: Production, name: str) -> None:
    """With what is pasted, it can create and replace it."""
    account = f"a-{name}"
    admin.kubernetes.account(admin.name, account)
    login = f'method = "token"\ntoken_file = "{admin.path("admin")}"'
    kubeconfig = admin.kubernetes.kubeconfig(admin.name, account)
    admin.configure(login=login, kubeconfig=kubeconfig, document=name)
    done = encrypt(admin, "-", "--name", name, given={"a": 1})
    assert done.returncode == 78
    before, _, pasted = done.stderr.partition("Bind it to a Role there with the rules\n")
    assert f"does not let service account {admin.name}/{account} get secrets {name}" in before
    rules = yaml.safe_load(pasted)
    assert rules == [{**rule("get", name), "verbs": ["get", "update"]}, rule("create")]
    admin.allow(account, *rules)
    for value in (1, 2):
        done = encrypt(admin, "-", "--name", name, given={"a": value})
        assert (done.returncode, done.stderr) == (0, "")
    assert opened(admin, name, DATA_KEY) == b'{"a": 2}'


# ----------------------------------------------------------------------------------------- its size


def test_a_full_one_can_still_be_rotated(admin: Production, name: str, vault: RealVault) -> None:
    """From v9 to v10 each data key grows by a byte; what leaves no room for it is not stored."""
    place: SecretPlace = admin.place("fields", name)
    vault.must("POST", f"{admin.name}/keys/{name}", {"derived": True})
    for _ in range(8):
        vault.must("POST", f"{admin.name}/keys/{name}/rotate")
    values = {"a": b"1", "b": b"2"}
    with admin.transit(admin.root, key=name) as transit, admin.store(name) as store:
        encryptor = Encryptor(transit, store, place)
        encryptor.fields(values)
        held = admin.stored(name)
        assert set(map(version_of, held.data.values())) == {9}
        room = MAX_BYTES - sum(len(text) + HEADROOM for text in held.data.values())
        most = {"data": {"ca.p12": encoded(b"\xff" * room)}}
        more = {"data": {"ca.p12": encoded(b"\xff" * (room + 1))}}
        admin.kubernetes.request("PATCH", secrets(admin, name), more, content_type=MERGE)
        with pytest.raises(StoreRefused, match=f"would have {MAX_BYTES + 1} bytes, with what"):
            encryptor.fields(values)
        admin.kubernetes.request("PATCH", secrets(admin, name), most, content_type=MERGE)
        encryptor.fields(values)

        transit.rotate()
        full = admin.stored(name)
        batch = [Sealed(place.context(key), text) for key, text in full.data.items()]
        fresh = dict(zip(full.data, map(str, transit.rewrap(batch)), strict=True))
        assert set(map(version_of, fresh.values())) == {10}
        stored = store.read()
        assert stored is not None
        store.replace(stored, fresh, stored.annotations)
    after = live(admin, name)["data"]
    assert len(base64.b64decode(after["ca.p12"])) == room
    assert all(
        len(base64.b64decode(after[key])) == len(text) + 1 for key, text in full.data.items()
    )
