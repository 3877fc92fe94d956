"""``matrix reseal`` on real servers: what another tool, another namespace or a cluster's other name
has left is read by a service afterwards; and what can be seen of it meanwhile.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import forked
from tests.real.authority import Authority
from tests.real.production import COPY, DATA_KEY, DOCUMENT, FIELDS, ROOT, Production
from tests.real.servers import RealKubernetes, RealVault
from tests.real.witness import Witness
from tests.secrets.scanning import counts
from tests.waiting import LIMIT_S

LOOSE_KEY = "aes256-key"
"""The other tool's, which is not derived."""
OLD_KEY = "old-key"
"""One of ours."""
OTHER = "matrix-secrets"
"""The other tool's Secret."""
OURS = "before"


@dataclass
class House(Production):
    """One that has what there was before, in ``old`` and in itself."""

    old: str = ""
    """Another namespace."""

    def make(self) -> None:
        super().make()
        self.old = f"old-{self.name}"
        self.kubernetes.create("/api/v1/namespaces", {"metadata": {"name": self.old}})
        for key, derived in ((LOOSE_KEY, False), (OLD_KEY, True)):
            body = {"type": "aes256-gcm96", "derived": derived}
            self.vault.must("POST", f"{self.name}/keys/{key}", body)
        self.write("human", self.token())

    def token(self) -> str:
        """Of a human who may decrypt with all keys and encrypt with the new one, and no more."""
        rights = {f"decrypt/{key}": "update" for key in (LOOSE_KEY, OLD_KEY, "matrix")}
        rights |= {"encrypt/matrix": "update", "rewrap/matrix": "update", "keys/matrix": "read"}
        policy = "".join(
            f'path "{self.name}/{path}" {{ capabilities = ["{right}"] }}\n'
            for path, right in rights.items()
        )
        self.vault.must("PUT", f"sys/policies/acl/{self.name}", {"policy": policy})
        body = {"policies": [self.name], "no_default_policy": True}
        token: str = self.vault.must("POST", "auth/token/create", body)["auth"]["client_token"]
        return token

    @property
    def human(self) -> str:
        return Path(self.path("human")).read_text()

    def document(self) -> str:
        tide = {
            "token": self.values["declared: scalar"],
            "gauge": {"host": self.values["declared: of a model"]},
        }
        return json.dumps({"tide": tide, "moon": {"token": self.values["in another section"]}})

    # ----------------------------------------------------------------------- what there was before

    def seal_as_the_other_tool(self, text: str) -> None:
        """As its documentation has it: no context, and the ciphertext is all of the data key."""
        plaintext = base64.b64encode(text.encode()).decode()
        path = f"{self.name}/encrypt/{LOOSE_KEY}"
        made = self.vault.must("POST", path, {"plaintext": plaintext})
        self.create(self.old, OTHER, {DATA_KEY: made["data"]["ciphertext"]})

    def create(self, namespace: str, secret: str, data: Mapping[str, str]) -> None:
        """As ``kubectl create secret generic --from-file`` does."""
        self.remove(secret, namespace)
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        body = {"metadata": {"name": secret}, "type": "Opaque", "data": encoded}
        self.kubernetes.create(f"/api/v1/namespaces/{namespace}/secrets", body)

    def remove(self, secret: str, namespace: str = "") -> None:
        path = f"/api/v1/namespaces/{namespace or self.name}/secrets/{secret}"
        assert self.kubernetes.request("DELETE", path)[0] in (200, 404)

    def all_secrets(self) -> Any:
        """Those of both namespaces, with their versions."""
        return [
            self.kubernetes.request("GET", f"/api/v1/namespaces/{namespace}/secrets")[1]["items"]
            for namespace in (self.name, self.old)
        ]

    # -------------------------------------------------------------------------------- the command

    def environ_of_a_human(self, **changes: object) -> dict[str, str]:
        """``changes``: to ``matrix.toml``."""
        toml = self.configure(file="human.toml", kubeconfig=self.kubernetes.admin, **changes)
        known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**known, "MATRIX_TOML": toml, "VAULT_TOKEN_FILE": self.path("human")}

    def reseal(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environ = {**self.environ_of_a_human(), **environ}
        return self.run("reseal", "--log-level", "debug", *words, **environ)

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        done = forked.run("matrix", *words, cwd=self.folder, env=environ)
        self.check(done.stdout + done.stderr, self.human)
        return done


@pytest.fixture(scope="module")
def made(
    each_vault: RealVault, kubernetes: RealKubernetes, tmp_path_factory: pytest.TempPathFactory
) -> House:
    house = House(each_vault, kubernetes, tmp_path_factory.mktemp("house"))
    house.make()
    return house


@pytest.fixture
def house(made: House) -> House:
    """Both Secrets of ours are sealed; what is in the document, by the other tool too."""
    for secret in (DOCUMENT, FIELDS):
        made.remove(secret)
    made.seal()
    made.be()
    made.configure()
    made.seal_as_the_other_tool(made.document())
    return made


def of_the_other_tool(house: House, *, key: str = LOOSE_KEY) -> tuple[str, ...]:
    origin = f"{house.old}/{OTHER}:{DATA_KEY}"
    return ("--from", origin, "--from-key", key, "--to", f"{house.name}/{DOCUMENT}")


# ---------------------------------------------------------------------------- what there was before


def test_a_service_reads_what_another_tool_had_sealed(house: House) -> None:
    house.remove(DOCUMENT)
    before = house.all_secrets()
    dry = house.reseal(*of_the_other_tool(house), "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert house.all_secrets() == before
    assert house.refused()[0] == 78
    done = house.reseal(*of_the_other_tool(house))
    assert done.returncode == 0, done.stderr
    assert house.all_secrets()[1] == before[1]
    assert house.read().token.get_secret_value() == house.values["declared: scalar"]
    kept = house.stored(DOCUMENT)
    again = house.reseal(*of_the_other_tool(house))
    assert again.returncode == 0, again.stderr
    assert ", by an earlier run\n" in again.stdout
    house.seal_as_the_other_tool("{}")
    another = house.reseal(*of_the_other_tool(house))
    assert another.returncode == 78
    assert f"Secret {house.name}/{DOCUMENT} exists already" in another.stderr
    assert house.stored(DOCUMENT) == kept


def test_a_service_never_reads_with_a_key_that_is_not_derived(house: House) -> None:
    """Though Vault lets it, and though it would be the very document."""
    house.configure(
        kubeconfig=house.kubernetes.admin,
        login=f'method = "token"\ntoken_file = "{house.path("human")}"',
        key=LOOSE_KEY,
        namespace=house.old,
        document=OTHER,
    )
    status, said = house.refused()
    assert status == 78
    assert "is not derived, so what it seals could be read in any place" in said


def test_into_another_namespace(house: House) -> None:
    house.remove(DOCUMENT)
    place = house.place("document", OURS, namespace=house.old)
    with house.transit(house.root, key=OLD_KEY) as transit:
        text = transit.encrypt(place.context(DATA_KEY), house.document().encode())
    house.create(house.old, OURS, {DATA_KEY: text})
    words = ("--from", f"{house.old}/{OURS}:{DATA_KEY}", "--to", f"{house.name}/{DOCUMENT}")
    assert house.reseal(*words).returncode == 78  # with the new key
    done = house.reseal(*words, "--from-key", OLD_KEY)
    assert done.returncode == 0, done.stderr
    assert house.read().token.get_secret_value() == house.values["declared: scalar"]


def test_fields_of_a_cluster_that_is_called_otherwise_now(house: House) -> None:
    place = house.place("fields", OURS, cluster="lab")
    pins = {"tide.pin": house.values["declared: field"], "moon.pin": "0"}
    texts = {key: house.ciphertext(place, key, value) for key, value in pins.items()}
    house.create(house.name, OURS, texts)
    house.remove(FIELDS)
    words = ("--from", f"{house.name}/{OURS}", "--to", f"{house.name}/{FIELDS}")
    assert house.reseal(*words).returncode == 78
    done = house.reseal(*words, "--from-cluster", "lab")
    assert done.returncode == 0, done.stderr
    assert house.stored(FIELDS).data.keys() == pins.keys()
    assert house.read().pin.get_secret_value() == house.values["declared: field"]


def test_a_document_becomes_fields(house: House) -> None:
    house.seal_as_the_other_tool(json.dumps({"tide": {"pin": house.values["declared: field"]}}))
    house.remove(FIELDS)
    words = ("--from-key", LOOSE_KEY, "--to", f"{house.name}/{FIELDS}")
    unnamed = house.reseal("--from", f"{house.old}/{OTHER}", *words)
    assert unnamed.returncode == 78
    assert "let --from name the data key of its document" in unnamed.stderr
    done = house.reseal("--from", f"{house.old}/{OTHER}:{DATA_KEY}", *words)
    assert done.returncode == 0, done.stderr
    assert house.read().pin.get_secret_value() == house.values["declared: field"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (OLD_KEY, "cannot be decrypted: the ciphertext does not verify: "),
        ("nobody-s", "log in as one who may decrypt with "),
    ],
)
def test_with_another_key_nothing_is_made(house: House, key: str, said: str) -> None:
    house.remove(DOCUMENT)
    before = house.all_secrets()
    done = house.reseal(*of_the_other_tool(house, key=key))
    assert done.returncode == 78
    assert said in done.stderr
    assert house.all_secrets() == before


def test_with_a_new_key_that_is_not_derived_nothing_is_made(house: House) -> None:
    house.remove(DOCUMENT)
    before = house.all_secrets()
    toml = house.configure(file="loose.toml", kubeconfig=house.kubernetes.admin, key=LOOSE_KEY)
    admin = {"MATRIX_TOML": toml, "VAULT_TOKEN_FILE": house.path("admin")}
    done = house.reseal(*of_the_other_tool(house), **admin)
    assert done.returncode == 78
    assert "is not derived" in done.stderr
    assert house.all_secrets() == before


def test_a_dry_run_misses_a_right_as_the_real_one_would(house: House) -> None:
    place = house.place("document", COPY)
    house.create(house.name, COPY, {DATA_KEY: house.ciphertext(place, DATA_KEY, "{}")})
    house.remove(DOCUMENT)
    before = house.all_secrets()[0]
    kubeconfig = house.kubernetes.kubeconfig(house.name, "tide")  # who may get both, and no more
    toml = house.configure(file="tide.toml", kubeconfig=kubeconfig)
    words = ("--from", f"{house.name}/{COPY}:{DATA_KEY}", "--to", f"{house.name}/{DOCUMENT}")
    done = house.reseal(*words, "--dry-run", MATRIX_TOML=toml)
    assert done.returncode == 78
    assert "verbs: [create]}" in done.stderr
    assert house.all_secrets()[0] == before


# --------------------------------------------------------------------------- what is left to do


def test_the_steps_to_another_name_leave_nobody_without_a_right(
    each_vault: RealVault, kubernetes: RealKubernetes, tmp_path: Path
) -> None:
    house = House(each_vault, kubernetes, tmp_path)
    house.make()
    now = house.toml.read_text()
    place = f'cluster = "home"\nnamespace = "{house.name}"\nsecret = "{COPY}"\n'
    both = now + f'\n[[secrets.source]]\nkind = "kubernetes"\n{place}'
    both = both.replace(str(house.kubeconfig), str(kubernetes.admin))
    human = {**house.environ_of_a_human(), "MATRIX_TOML": house.write("both.toml", both)}
    words = ("--from", f"{house.name}/{DOCUMENT}:{DATA_KEY}", "--to", f"{house.name}/{COPY}")
    done = house.run("reseal", *words, **human)
    assert done.returncode == 0, done.stderr
    first, second = re.findall(r"^   matrix (vault bootstrap .*)", done.stdout, re.MULTILINE)
    assert house.run("access", **human).returncode == 0
    admin = {**house.environ, "VAULT_TOKEN_FILE": house.path("admin")}
    made = house.run(*first.split(), **{**human, **admin})
    assert made.returncode == 0, made.stderr
    assert_reads(house)
    house.configure(document=COPY)
    assert_reads(house)
    assert house.run("access", **house.environ).returncode == 0
    refused = house.run(*first.split(), **admin)
    assert refused.returncode == 78
    assert f"would lose {DATA_KEY} in {DOCUMENT}" in refused.stderr
    assert house.run(*second.split(), **admin).returncode == 0
    assert_reads(house)
    house.toml.write_text(now)
    assert house.refused()[0] == 78


def assert_reads(house: House) -> None:
    assert house.read().token.get_secret_value() == house.values["declared: scalar"]


# --------------------------------------------------------------------------------- what can be seen

COMMAND = """
import sys
from framework.tools.app import main

try:
    main()
finally:
    print("ended", flush=True)
    sys.stdin.read()
"""
"""It lives on until its standard input ends."""
BY_ITSELF = """
import json
from framework.secrets import child, resealing

def ask(request, limit_s):
    return child.answer(json.loads(json.dumps(request)))["documents"]

resealing.ask = ask
"""
"""Before it: the same, without a process of its own for it."""


@pytest.fixture
def witness(made: House, authority: Authority) -> Iterator[Witness]:
    with Witness(made.vault, authority.leaf("witness")) as witness:
        yield witness


@contextmanager
def resealing(house: House, witness: Witness, code: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", code, "reseal", "--log-level", "debug", *of_the_other_tool(house)],
        cwd=ROOT,
        env=house.environ_of_a_human(address=witness.address),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def in_memory(house: House, pid: int) -> dict[str, int]:
    """What of the document is."""
    known = ("declared: scalar", "declared: of a model", "in another section")
    secrets = {name: house.values[name].encode() for name in known}
    return counts(pid, {**secrets, "token": house.human.encode()})


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_command_never_holds_a_value(house: House, witness: Witness) -> None:
    house.remove(DOCUMENT)
    with (
        resealing(house, witness, COMMAND) as process,
        witness.holding(f"{house.name}/encrypt/matrix") as hold,
    ):
        assert hold.arrived.wait(LIMIT_S)
        (child,) = psutil.Process(process.pid).children()
        for each in (process.pid, child.pid):
            seen = Path(f"/proc/{each}/cmdline").read_text() + environ_of(each)
            house.check(seen, house.human)
        meanwhile = in_memory(house, process.pid)
        hold.released.set()
        assert process.stdout is not None
        shown = list(iter(process.stdout.readline, "ended\n"))
        afterwards = in_memory(house, process.pid)
        rest, errors = process.communicate("", timeout=LIMIT_S)
    assert process.returncode == 0
    house.check("".join(shown) + rest + errors, house.human)
    assert set(meanwhile.values()) == {0}
    assert set(afterwards.values()) == {0}
    assert house.read().token.get_secret_value() == house.values["declared: scalar"]


def environ_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text()
    except PermissionError:  # nobody but root may look, and so it is hidden
        return ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_scan_finds_what_one_holds_that_decrypts_by_itself(
    house: House, witness: Witness
) -> None:
    house.remove(DOCUMENT)
    with (
        resealing(house, witness, BY_ITSELF + COMMAND) as process,
        witness.holding(f"{house.name}/encrypt/matrix") as hold,
    ):
        assert hold.arrived.wait(LIMIT_S)
        assert min(in_memory(house, process.pid).values()) > 0
        hold.released.set()
