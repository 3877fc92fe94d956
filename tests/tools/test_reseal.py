"""``matrix reseal`` as a user runs it, beside stand-ins of Vault and Kubernetes."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework.secrets.access import Access, Namespace, Secret, Workload
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.transit import Sealed, TransitRefused
from tests import forked
from tests.secrets.httpserver import Answer, Request
from tests.secrets.kubernetes_standin import NAMESPACE, KubernetesStandin, encoded
from tests.secrets.vault_standin import KEY, MISMATCH, VaultStandin, refused

OLD_KEY = "aes256-key"
OLD = "default/matrix-secrets:secrets.json"
MARK = "s3cr3t-mark"
DOCUMENT = json.dumps({"tide": {"token": MARK}})
SOURCE = f"""
[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "{NAMESPACE}"
"""

Reseal = Callable[..., "subprocess.CompletedProcess[str]"]


class House:
    """Where a key that is not derived has sealed a Secret, and ours is to have another."""

    def __init__(self, folder: Path, kubernetes: KubernetesStandin, vault: VaultStandin) -> None:
        self.folder = folder
        self.kubernetes = kubernetes
        self.vault = vault
        self.refused_path = ""
        """In Vault, to everybody."""
        self.old = LocalTransit.create(folder / "old" / "keyring")
        vault.intercept = self._answered
        self.toml('secret = "matrix"')

    def toml(self, *sources: str) -> None:
        (self.folder / "token").write_text(self.vault.root)
        text = f"""
            [secrets.kubernetes]
            kubeconfig = "{self.kubernetes.kubeconfig()}"
            [secrets.vault]
            address = "{self.vault.address}"
            key = "{KEY}"
            ca_file = "{self.vault.leaf.ca_file}"
            [secrets.vault.login]
            role = "of-a-pod"
            """
        text += "".join(SOURCE + each for each in sources)
        (self.folder / "matrix.toml").write_text(text)

    def put(self, text: str, name: str = "matrix-secrets", namespace: str = "default") -> None:
        self.kubernetes.objects["secrets", namespace, name] = {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": name, "uid": "1", "resourceVersion": "1"},
            "data": encoded({"secrets.json": text}),
        }

    def put_sealed(self, name: str = "matrix-secrets", namespace: str = "default") -> None:
        self.put(self.old.encrypt(b"", DOCUMENT.encode()), name, namespace)

    def put_ours(self, name: str) -> None:
        place = SecretPlace("document", "home", NAMESPACE, name)
        text = self.vault.transit.encrypt(place.context("secrets.json"), DOCUMENT.encode())
        self.put(text, name, NAMESPACE)

    def access(self, name: str) -> None:
        """Write ``access.json``: both services read it."""
        read = (Secret(secret=name, layout="document", data_keys=("secrets.json",)),)
        made = Namespace(
            cluster="home",
            namespace=NAMESPACE,
            mount="transit",
            key=KEY,
            auth="kubernetes",
            inventory=read,
            workloads=tuple(
                Workload(name=each, service_account=each, instances=(each,), reads=read)
                for each in ("tide", "moon")
            ),
        )
        (self.folder / "access.json").write_text(Access(namespaces=(made,)).text())

    def made(self, name: str = "matrix", layout: Layout = "document") -> dict[str, str]:
        """What the new Secret has, in plaintext."""
        data = self.kubernetes.secret(name)["data"]
        place = SecretPlace(layout, "home", NAMESPACE, name)
        return {
            key: self.vault.transit.decrypt(
                Sealed(place.context(key), base64.b64decode(text).decode())
            ).decode()
            for key, text in data.items()
        }

    def _answered(self, request: Request) -> Answer | None:
        """As Vault does with a key that is not derived, whatever the context is."""
        if request.path == self.refused_path:
            return refused(403, "permission denied")
        if request.path != f"transit/decrypt/{OLD_KEY}":
            return None
        try:
            plaintext = self.old.decrypt(Sealed(b"", request.body["ciphertext"]))
        except TransitRefused:
            return refused(400, MISMATCH)
        return Answer(200, {"data": {"plaintext": base64.b64encode(plaintext).decode()}})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    folders = [tmp_path / name for name in ("kubernetes", "vault")]
    for folder in folders:
        folder.mkdir()
    with KubernetesStandin(folders[0]) as kubernetes, VaultStandin(folders[1]) as vault:
        yield House(tmp_path, kubernetes, vault)


@pytest.fixture
def reseal(house: House) -> Reseal:
    """Run it; whatever it does, it shows no value and leaves none in a file."""

    def run(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environ = {name: each for name, each in os.environ.items() if "MATRIX" not in name}
        environ |= {
            "KUBECONFIG": f"{house.kubernetes.folder}/kubeconfig",
            "VAULT_ADDR": house.vault.address,
            "VAULT_CACERT": str(house.vault.leaf.ca_file),
            "VAULT_TOKEN_FILE": "token",
            "COLUMNS": "80",
            **changes,
        }
        done = forked.run("matrix", "reseal", *words, cwd=house.folder, env=environ)
        said = done.stdout + done.stderr
        assert MARK not in said
        assert "Traceback" not in said
        for path in house.folder.rglob("*"):
            assert not path.is_file() or MARK not in path.read_text()
        return done

    return run


def test_from_a_key_that_is_not_derived(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    before = dict(house.kubernetes.objects)
    done = reseal("--from", OLD, "--from-key", OLD_KEY, "--log-level", "debug")
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout
        == f"""\
opened      secrets.json (v1) in Secret default/matrix-secrets, with transit/keys/aes256-key
sealed      secrets.json (v1) in Secret led/matrix, with transit/keys/matrix
next        in this order:

1. Suspend what rotates, until it knows the new Secret:
   kubectl -n default get cronjobs
   kubectl -n led get cronjobs
   kubectl -n default patch cronjob NAME -p '{{"spec": {{"suspend": true}}}}'
   kubectl -n led patch cronjob NAME -p '{{"spec": {{"suspend": true}}}}'

2. Make the rights to the new one, beside those to the old one:
   matrix access
   matrix vault bootstrap --from access.json

3. {DEPLOY}; and the VAULT_ROLE that matrix access prints

4. Start it again, each that matrix access says reads it:
   kubectl -n led rollout restart deployment/NAME

5. See that it reads:
   kubectl -n led rollout status deployment/NAME
   kubectl -n led exec deployment/NAME -- matrix read

6. Take away the rights of whatever nothing runs as any more:
   vault list auth/kubernetes/role
   vault delete auth/kubernetes/role/matrix_home_default_NAME
   vault policy delete matrix_home_default_NAME

7. {RESUME}:
   kubectl -n led patch cronjob NAME -p '{{"spec": {{"suspend": false}}}}'

8. The same for what rotates in default, with an access.json without the old Secret. \
If nothing is left there for it:
   kubectl -n default delete cronjob NAME

9. Delete the old Secret:
   kubectl -n default delete secret matrix-secrets

10. Keep the old key until nothing else is sealed with it, and no backup holds the old \
Secret any more. Then:
   vault write transit/keys/aes256-key/config deletion_allowed=true
   vault delete transit/keys/aes256-key
"""
    )
    assert house.made() == {"secrets.json": DOCUMENT}
    now = house.kubernetes.objects
    assert {key: now[key] for key in before} == before
    writes = [each for each in house.kubernetes.asked() if not each.startswith("GET ")]
    assert writes == [f"POST /api/v1/namespaces/{NAMESPACE}/secrets"]


DEPLOY = (
    "Give the Deployments of what reads it the new Secret, in the volume (secretName) or, if it "
    "asks the API server, in its Role (resourceNames); and a ConfigMap of another name, so that "
    "pods of before keep theirs, whose matrix.toml has the new [[secrets.source]] in place of the "
    "old one"
)
RESUME = (
    "Let what rotates and encrypts have the new Secret in its Role (resourceNames), and what "
    "rotates access.json too (its ConfigMap). Then resume it"
)


def test_another_name_in_the_same_namespace(house: House, reseal: Reseal) -> None:
    house.put_ours("before")
    house.access("before")
    done = reseal("--from", f"{NAMESPACE}/before:secrets.json")
    assert done.returncode == 0, done.stderr
    _, _, steps = done.stdout.partition("in this order:\n\n")
    assert (
        steps
        == f"""\
1. Suspend what rotates, until it knows the new Secret:
   kubectl -n led get cronjobs
   kubectl -n led patch cronjob NAME -p '{{"spec": {{"suspend": true}}}}'

2. Make the rights to both: have the old [[secrets.source]] beside the new one in \
matrix.toml, here and for this step alone:
   matrix access
   matrix vault bootstrap --from access.json

3. {DEPLOY}

4. Start it again:
   kubectl -n led rollout restart deployment/moon deployment/tide

5. See that it reads:
   kubectl -n led rollout status deployment/moon
   kubectl -n led rollout status deployment/tide
   kubectl -n led exec deployment/moon -- matrix read
   kubectl -n led exec deployment/tide -- matrix read

6. Take the old [[secrets.source]] out of matrix.toml, and the rights to it away:
   matrix access
   matrix vault bootstrap --from access.json --take-away

7. {RESUME}:
   kubectl -n led patch cronjob NAME -p '{{"spec": {{"suspend": false}}}}'

8. Delete the old Secret:
   kubectl -n led delete secret before
"""
    )


def test_another_key_in_the_same_namespace(house: House, reseal: Reseal) -> None:
    """To make its rights takes those to the old key away."""
    house.put_sealed("before", NAMESPACE)
    done = reseal("--from", f"{NAMESPACE}/before:secrets.json", "--from-key", OLD_KEY)
    assert done.returncode == 0, done.stderr
    assert "if services read the old one with its own until now, say --take-away" in done.stdout
    assert "auth/" not in done.stdout
    assert "--from access.json --take-away" not in done.stdout


def test_commands_name_the_servers_that_one_would_not_reach_without(
    house: House, reseal: Reseal
) -> None:
    house.put_sealed()
    words = ("--from", OLD, "--from-key", OLD_KEY)
    other = {"KUBECONFIG": "/another", "VAULT_ADDR": "https://another", "VAULT_CACERT": "another"}
    done = reseal(*words, **other)
    assert done.returncode == 0, done.stderr
    kubectl = f"kubectl --kubeconfig {house.kubernetes.folder}/kubeconfig"
    vault = f"-address={house.vault.address} -ca-cert={house.vault.leaf.ca_file}"
    assert f"\n   {kubectl} -n default delete secret matrix-secrets\n" in done.stdout
    assert f"\n   vault policy delete {vault} matrix_home_default_NAME\n" in done.stdout
    commands = re.findall(r"^   (?:kubectl|vault) .*", done.stdout, re.MULTILINE)
    assert all(kubectl in each or vault in each for each in commands)


def test_a_dry_run_tells_and_makes_nothing(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    before = dict(house.kubernetes.objects)
    done = reseal("--from", OLD, "--from-key", OLD_KEY, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "opened      secrets.json (v1) in Secret default/matrix-secrets, with "
        "transit/keys/aes256-key",
        "would seal  secrets.json in Secret led/matrix, with transit/keys/matrix",
    ]
    assert house.kubernetes.objects == before


def test_a_dry_run_finds_what_the_real_one_would(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    words = ("--from", OLD, "--from-key", OLD_KEY, "--dry-run")
    house.kubernetes.forbidden = {("create", "secrets")}
    done = reseal(*words)
    assert done.returncode == 78
    assert '- {apiGroups: [""], resources: [secrets], verbs: [create]}' in done.stderr
    house.kubernetes.forbidden = set()
    for refused_path in (f"transit/encrypt/{KEY}", f"transit/rewrap/{KEY}"):
        house.refused_path = refused_path
        done = reseal(*words)
        assert done.returncode == 78
        assert (
            f"refuses {refused_path} to the token in {house.folder}/token: log in as one who may "
            f"decrypt with transit/keys/{OLD_KEY}, and encrypt, rewrap and read transit/keys/{KEY} "
            "(vault login"
        ) in done.stderr
        assert "bootstrap" not in done.stderr


def test_rights_that_are_missing_are_told_of_both_secrets(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    house.kubernetes.forbidden = {("get", "secrets")}
    done = reseal("--from", OLD, "--from-key", OLD_KEY)
    assert done.returncode == 78
    for rule in (
        "resourceNames: [matrix], verbs: [get, update]}",
        "resources: [secrets], verbs: [create]}",
        "resourceNames: [matrix-secrets], verbs: [get]}",
    ):
        assert rule in done.stderr


def test_a_document_becomes_fields_of_one_source_of_several(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    house.toml('secret = "matrix"', 'secret = "parts"\nlayout = "fields"')
    asked = reseal("--from", OLD, "--from-key", OLD_KEY)
    assert asked.returncode == 78
    assert asked.stderr == (
        "there are several sources: say which with --to: led/matrix, led/parts\n"
    )
    done = reseal("--from", OLD, "--from-key", OLD_KEY, "--to", "led/parts")
    assert done.returncode == 0, done.stderr
    assert house.made("parts", "fields") == {"tide.token": MARK}


def test_a_cluster_that_is_called_otherwise(house: House, reseal: Reseal) -> None:
    house.toml('secret = "parts"\nlayout = "fields"')
    place = SecretPlace("fields", "lab", NAMESPACE, "before")
    contents = {"tide.token": MARK, "moon.pin": "1"}
    texts = {
        key: house.vault.transit.encrypt(place.context(key), text.encode())
        for key, text in contents.items()
    }
    house.kubernetes.put("secrets", "before", data=encoded({**texts, "note": "plain"}))
    refusal = reseal("--from", "led/before")
    assert refusal.returncode == 78
    assert "moon.pin in Secret led/before cannot be decrypted: " in refusal.stderr
    done = reseal("--from", "led/before", "--from-cluster", "lab")
    assert done.returncode == 0, done.stderr
    assert house.made("parts", "fields") == contents
    assert "left        note in Secret led/before\n" in done.stdout
    assert f"   vault policy delete matrix_lab_{NAMESPACE}_NAME\n" in done.stdout
    assert "take-away" not in done.stdout
    assert "8. Delete the old Secret, unless note is still read:\n" in done.stdout
    assert "key" not in done.stdout.partition("8. ")[2]  # which is still needed


def test_a_run_after_one_that_was_killed_completes_it(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    words = ("--from", OLD, "--from-key", OLD_KEY)
    first = reseal(*words)
    before = house.kubernetes.secret("matrix")
    done = reseal(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == first.stdout.replace("keys/matrix\n", "keys/matrix, by an earlier run\n")
    assert house.kubernetes.secret("matrix") == before


def test_a_secret_that_is_there_is_not_written_over(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    house.kubernetes.put("secrets", "matrix", data=encoded({"another": "x"}))
    before = dict(house.kubernetes.objects)
    for more in ((), ("--dry-run",)):
        done = reseal("--from", OLD, "--from-key", OLD_KEY, *more)
        assert done.returncode == 78
        assert done.stdout == ""
        assert done.stderr == (
            "Secret led/matrix exists already, and is not written over: look at it (kubectl "
            f"--kubeconfig {house.kubernetes.folder}/kubeconfig -n led describe secret matrix). If "
            "nothing reads it, delete it and run this again; else let the [[secrets.source]] name "
            "another\n"
        )
    assert house.kubernetes.objects == before
    assert not [path for path in house.vault.paths() if "decrypt" in path]


def test_a_lost_reply_is_looked_at(house: House, reseal: Reseal) -> None:
    house.put_sealed()

    def lose(request: Request) -> Answer | None:
        if request.method != "POST":
            return None
        house.kubernetes.intercept = lambda request: None
        house.kubernetes.answer(request)
        return Answer(200, after_s=-1)

    house.kubernetes.intercept = lose
    done = reseal("--from", OLD, "--from-key", OLD_KEY)
    assert done.returncode == 0, done.stderr
    assert house.made() == {"secrets.json": DOCUMENT}


def test_a_document_that_is_not_named_is_not_taken_for_a_field(
    house: House, reseal: Reseal
) -> None:
    house.put_sealed()
    house.toml('secret = "parts"\nlayout = "fields"')
    done = reseal("--from", OLD.partition(":")[0], "--from-key", OLD_KEY)
    assert done.returncode == 78
    assert "let --from name the data key of its document" in done.stderr
    assert ("secrets", NAMESPACE, "parts") not in house.kubernetes.objects


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MARK, "secrets.json in Secret default/matrix-secrets is not sealed (vault:vN:...)"),
        ("vault:v1:c2VhbGVkIGVsc2V3aGVyZSwgdG9v", "the ciphertext does not verify"),
        ("vault:v9:c2VhbGVkIGVsc2V3aGVyZSwgdG9v", "secrets.json in Secret default/matrix-secre"),
    ],
)
def test_what_cannot_be_opened(house: House, reseal: Reseal, text: str, said: str) -> None:
    house.put(text)
    done = reseal("--from", OLD, "--from-key", OLD_KEY)
    assert done.returncode == 78
    assert said in done.stderr
    assert ("secrets", NAMESPACE, "matrix") not in house.kubernetes.objects


def test_a_new_key_that_is_not_derived_is_refused(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    house.vault.derived = False
    for more in ((), ("--dry-run",)):
        done = reseal("--from", OLD, "--from-key", OLD_KEY, *more)
        assert done.returncode == 78
        assert "is not derived" in done.stderr
    assert not [path for path in house.vault.paths() if "encrypt" in path]


def test_a_server_that_is_away(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    house.kubernetes.intercept = lambda request: Answer(503)
    done = reseal("--from", OLD, "--from-key", OLD_KEY)
    assert done.returncode == 75
    assert done.stderr.startswith("the secrets cannot be resealed now: Kubernetes at 127.0.0.1:")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "matrix-secrets"), "give NAMESPACE/SECRET:DATAKEY"),
        (("--from", "default/Matrix:x"), "secret must be a name of lower-case letters"),
        (("--from", "default/x:y", "--from-cluster", "a/b"), "cluster must be a name"),
        (("--from", "default/matrix-secrets"), "Secret led/matrix holds a document"),
        ((), "Missing option '--from'"),
    ],
)
def test_options_that_cannot_be(reseal: Reseal, words: tuple[str, ...], said: str) -> None:
    done = reseal(*words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_a_target_that_nothing_names(house: House, reseal: Reseal) -> None:
    done = reseal("--from", OLD, "--to", "led/other")
    assert done.returncode == 78
    assert done.stderr == "no sealed [[secrets.source]] is led/other; there is led/matrix\n"
    house.toml()
    done = reseal("--from", OLD)
    assert done.returncode == 78
    assert done.stderr.startswith('no [[secrets.source]] with kind = "kubernetes" is sealed: ')


def test_the_help_fits_a_terminal_of_80_columns(reseal: Reseal) -> None:
    lines = reseal("--help").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("--from-key aes256-key" in line for line in lines)
