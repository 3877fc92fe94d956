"""``matrix reseal`` as a user runs it, beside stand-ins of Vault and Kubernetes."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework.secrets.local.keyring import LocalTransit
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.transit import Sealed, TransitRefused
from tests.secrets.httpserver import Answer, Request
from tests.secrets.kubernetes_standin import NAMESPACE, KubernetesStandin, encoded
from tests.secrets.vault_standin import KEY, MISMATCH, VaultStandin, refused

MATRIX = str(Path(sys.executable).with_name("matrix"))
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

    def put(self, **data: str) -> None:
        self.kubernetes.objects["secrets", "default", "matrix-secrets"] = {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": "matrix-secrets", "uid": "1", "resourceVersion": "1"},
            "data": encoded(data),
        }

    def put_sealed(self, text: str = DOCUMENT) -> None:
        self.put(**{"secrets.json": self.old.encrypt(b"", text.encode())})

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
        """As Vault does with a key that is not derived: whatever the context is."""
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

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: each for name, each in os.environ.items() if "MATRIX" not in name}
        done = subprocess.run(
            [MATRIX, "reseal", *words],
            cwd=house.folder,
            env={**environ, "VAULT_TOKEN_FILE": "token", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
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

1. Let the services read it: give them this matrix.toml, and the right to:
   matrix access
   matrix vault bootstrap --from access.json
   {RESTART}

2. When they run, suspend what rotates the old Secret:
   kubectl -n default get cronjobs
   kubectl -n default patch cronjob NAME -p '{{"spec": {{"suspend": true}}}}'

3. Take away the rights to the old one:
   vault list auth/kubernetes/role
   vault delete auth/kubernetes/role/NAME
   vault policy delete NAME

4. Delete the old Secret:
   kubectl -n default delete secret matrix-secrets

5. Keep the old key until no backup holds the old Secret any more. Then:
   vault write transit/keys/aes256-key/config deletion_allowed=true
   vault delete transit/keys/aes256-key
"""
    )
    assert house.made() == {"secrets.json": DOCUMENT}
    now = house.kubernetes.objects
    assert {key: now[key] for key in before} == before
    writes = [each for each in house.kubernetes.asked() if not each.startswith("GET ")]
    assert writes == [f"POST /api/v1/namespaces/{NAMESPACE}/secrets"]


RESTART = (
    "kubectl -n led rollout restart deployment/NAME, for all that read it: matrix access finds out "
    "which"
)


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
    assert not [path for path in house.vault.paths() if "encrypt" in path]


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
    # Same key, same namespace: what rotates it, and the key, are still needed.
    assert re.findall(r"^\d\. [\w ]+", done.stdout, re.MULTILINE) == [
        "1. Let the services read it",
        "2. Take away the rights to the old one",
        "3. Delete the old Secret",
    ]
    assert "3. Delete the old Secret, unless note is still read:\n" in done.stdout


def test_a_secret_that_is_there_is_not_written_over(house: House, reseal: Reseal) -> None:
    house.put_sealed()
    house.kubernetes.put("secrets", "matrix", data=encoded({"another": "x"}))
    before = dict(house.kubernetes.objects)
    for more in ((), ("--dry-run",)):
        done = reseal("--from", OLD, "--from-key", OLD_KEY, *more)
        assert done.returncode == 78
        assert done.stdout == ""
        assert done.stderr.startswith("Secret led/matrix exists already, and is not written over: ")
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
    house.put(**{"secrets.json": text})
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
