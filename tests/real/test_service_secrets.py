"""A service whose secrets are in a real Kubernetes, sealed with a real Vault: what can be seen of
them, in its memory and around it, and whose ciphertexts it takes.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from framework.secrets.transit import Sealed, Unreadable
from tests.real.authority import Authority
from tests.real.production import COPY, DATA_KEY, DOCUMENT, FIELDS, ROOT, Production
from tests.real.servers import RealKubernetes, RealVault
from tests.real.witness import Witness
from tests.secrets.scanning import counts, living
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def made(
    vault: RealVault, kubernetes: RealKubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Production:
    production = Production(vault, kubernetes, tmp_path_factory.mktemp("production"))
    production.make()
    return production


@pytest.fixture
def production(made: Production) -> Iterator[Production]:
    """As it was made; what a test puts into the Secrets is undone."""
    before = {name: made.stored(name).data for name in (DOCUMENT, FIELDS)}
    made.be()
    made.configure()
    yield made
    for name, data in before.items():
        if made.stored(name).data != data:
            made.put(name, data)


@pytest.fixture
def witness(vault: RealVault, authority: Authority) -> Iterator[Witness]:
    with Witness(vault, authority.leaf("witness")) as witness:
        yield witness


# ------------------------------------------------------------------------------------- its memory

EMBEDDED = """
from tests.real.tide import TideServer
service = TideServer()
"""
NAIVE = """
import base64, gc, json, sys
from pathlib import Path
import hvac
from kubernetes import client, config
from framework.secrets.hardening import harden
from tests.real.tide import TideConfig, TideServer

harden()
address, ca_file, token_file, kubeconfig, role, name, context = sys.argv[1:]
config.load_kube_config(kubeconfig)
secret = client.CoreV1Api().read_namespaced_secret("whole", name)
ciphertext = base64.b64decode(secret.data["secrets.json"]).decode()
vault = hvac.Client(url=address, verify=ca_file)
jwt = Path(token_file).read_text()
vault.auth.kubernetes.login(role=role, jwt=jwt, mount_point=name)
answer = vault.secrets.transit.decrypt_data(
    name="matrix", ciphertext=ciphertext, context=context, mount_point=name
)
plaintext = base64.b64decode(answer["data"]["plaintext"])
document = json.loads(plaintext)
declared = {name: document["tide"][name] for name in ("token", "gauge")}
service = TideServer(config=TideConfig(pin="x", **declared))
vault.auth.token.revoke_self()
vault.logout()
del secret, ciphertext, vault, jwt, answer, plaintext, document, declared
gc.collect()
"""


def credentials(production: Production, witness: Witness) -> dict[str, bytes]:
    """What it is that may read, in whole and in its least part."""
    kubeconfig = json.loads(production.kubeconfig.read_text())
    found = {"token of the API server": kubeconfig["users"][0]["user"]["token"]}
    for number, token in enumerate(witness.tokens):
        found[f"token {number} of Vault"] = token
    found["JWT"] = production.jwt
    found["signature of the JWT"] = found["JWT"].rpartition(".")[2]
    return {name: text.encode() for name, text in found.items()}


def test_a_living_service_holds_what_it_declares_and_nothing_else(
    production: Production, witness: Witness
) -> None:
    production.configure(address=witness.address, profilers="false")
    values = {name: value.encode() for name, value in production.values.items()}
    with living(EMBEDDED, cwd=ROOT, env=production.environ) as pid:
        others = credentials(production, witness)
        assert len(others) == 5
        found = counts(pid, values | others)
    declared = {name for name in values if name.startswith("declared")}
    assert {name for name, count in found.items() if count} == declared


def test_the_scan_finds_what_a_service_has_left_that_reads_with_the_clients(
    production: Production, witness: Witness
) -> None:
    place = production.place("document", DOCUMENT)
    arguments = [
        *(witness.address, str(production.vault.ca_file), production.path("token")),
        *(str(production.kubeconfig), production.role("read_tide"), production.name),
        base64.b64encode(place.context(DATA_KEY)).decode(),
    ]
    values = {name: value.encode() for name, value in production.values.items()}
    environ = {"HOME": str(production.folder), **production.environ}
    with living(NAIVE, *arguments, cwd=ROOT, env=environ) as pid:
        found = counts(pid, values | credentials(production, witness))
    assert found["in the section"] > 0
    assert found["in another section"] > 0
    assert found["token of the API server"] > 0
    assert found["token 0 of Vault"] > 0
    assert found["signature of the JWT"] > 0


# ------------------------------------------------------------------- what it asks of Vault, as whom


def test_it_has_decrypted_what_it_declares_and_nothing_else(
    production: Production, witness: Witness
) -> None:
    production.configure(address=witness.address)
    production.read()
    document = production.place("document", DOCUMENT).context(DATA_KEY)
    field = production.place("fields", FIELDS).context("tide.pin")
    # Without a context it must not open: the key would not be derived.
    assert list(map(base64.b64decode, witness.sent("context"))) == [document, b"", field, b""]
    assert production.stored(FIELDS).data.keys() == {"tide.pin", "moon.pin"}


def test_its_tokens_are_gone_when_it_has_read(production: Production, witness: Witness) -> None:
    production.configure(address=witness.address)
    production.read()
    assert len(witness.tokens) == 2  # one for each source
    assert all(ttl is None for ttl in map(production.ttl_s, witness.tokens))


def test_its_token_is_gone_when_it_was_refused(production: Production, witness: Witness) -> None:
    production.configure(address=witness.address, cluster="prod")
    assert production.refused()[0] == 78
    assert [production.ttl_s(token) for token in witness.tokens] == [None]


def test_a_child_killed_late_leaves_a_token_for_a_minute_and_another_child_reads(
    production: Production, witness: Witness
) -> None:
    production.configure(address=witness.address, patience=20)
    with witness.holding("/decrypt/") as hold, production.process() as process:
        assert hold.arrived.wait(LIMIT_S)
        (child,) = psutil.Process(process.pid).children()
        (token,) = witness.tokens
        child.kill()
        left_s = production.ttl_s(token)
        assert left_s is not None
        assert 0 < left_s <= 60
        hold.released.set()
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert [production.ttl_s(each) for each in witness.tokens[1:]] == [None, None]


# --------------------------------------------------------------- what can be seen from the outside


def test_neither_arguments_nor_environment_show_anything(
    production: Production, witness: Witness
) -> None:
    production.configure(address=witness.address)
    with witness.holding("/decrypt/") as hold, production.process() as process:
        assert hold.arrived.wait(LIMIT_S)
        (child,) = psutil.Process(process.pid).children()
        arguments = Path(f"/proc/{child.pid}/cmdline").read_text().split("\0")
        assert arguments[1:4] == ["-I", "-m", "framework.secrets.child"]
        assert environ_of(child.pid) == ""
        seen = environ_of(process.pid) + Path(f"/proc/{process.pid}/cmdline").read_text()
        production.check(seen, *witness.tokens)


def environ_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text()
    except PermissionError:  # nobody but root may look, and so it is hidden
        return ""


TALKATIVE = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
sys.executable = sys.argv[1]
from framework.process import run
from tests.real.tide import TideServer, live
run(lambda: live(TideServer()))
"""
AUDITED = """
import json, logging, os, runpy, sys
from pathlib import Path

here = Path(__file__).parent
sys.dont_write_bytecode = True
logging.basicConfig(level=logging.DEBUG, filename=here / "child.log")
seen = []

def look(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append(["open", str(arguments[0])])
    elif event == "shutil.rmtree":
        seen.extend(["removed", each.read_text()] for each in Path(arguments[0]).iterdir())
    elif event == "os.putenv" or event.startswith(("subprocess.", "os.exec", "os.posix_spawn")):
        seen.append([event, repr(arguments)])

def record(status):
    found = [seen, dict(os.environ), Path("/proc/self/cmdline").read_text()]
    leave_logging()
    (here / "audit.json").write_text(json.dumps(found))
    leave(status)

leave_logging = logging.shutdown
leave, os._exit = os._exit, record
sys.argv[:] = [sys.argv[0], sys.argv[-1]]
sys.addaudithook(look)
runpy.run_module("framework.secrets.child", run_name="__main__", alter_sys=True)
"""
IN_A_POD = "kubernetes"
FROM_A_LAPTOP = "token-request"


@pytest.mark.parametrize("method", [IN_A_POD, FROM_A_LAPTOP])
def test_no_log_and_no_file_has_a_value_or_a_credential(
    production: Production, witness: Witness, tmp_path: Path, method: str
) -> None:
    login = production.pod()
    if method == FROM_A_LAPTOP:
        login = (
            f'method = "{method}"\nmount = "{production.name}"\n'
            f'role = "{production.role("read_tide")}"\n'
            f'service_account = "tide"\nnamespace = "{production.name}"'
        )
    production.configure(address=witness.address, login=login, profilers="false")
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{AUDITED}")
    script.chmod(0o700)
    with production.process("-c", TALKATIVE, str(script)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        _, errors = process.communicate("", timeout=LIMIT_S)
    log, audit = (tmp_path / "child.log").read_text(), (tmp_path / "audit.json").read_text()
    assert "DEBUG:" in errors
    assert '"POST /v1/' in log  # urllib3's own, at DEBUG
    jwts = witness.sent("jwt")
    assert witness.tokens
    assert jwts
    known = [each.decode() for each in credentials(production, witness).values()]
    for text in (errors, log, audit):
        production.check(text, *witness.tokens, *jwts, *known)
    events = json.loads(audit)[0]
    assert {event for event, _ in events} == {"open", "removed"}
    # What it wrote was the CA, which OpenSSL reads from nowhere but a file; and that is gone.
    opened = {what for event, what in events if event == "open"}
    removed = [what for event, what in events if event == "removed"]
    assert len(removed) == len(opened)
    assert all(each.startswith("-----BEGIN CERTIFICATE-----\n") for each in removed)


# ----------------------------------------------------------------------- whose ciphertexts it takes


@pytest.mark.parametrize(
    ("changed", "layout", "secret", "data_key"),
    [
        ({}, "fields", "another", "tide.pin"),
        ({"namespace": "another"}, "fields", FIELDS, "tide.pin"),
        ({"cluster": "another"}, "fields", FIELDS, "tide.pin"),
        ({}, "fields", FIELDS, "moon.pin"),
        ({}, "document", FIELDS, "tide.pin"),
    ],
    ids=["Secret", "namespace", "cluster", "data key", "layout"],
)
def test_what_was_sealed_for_another_place_with_the_same_key_is_refused(
    production: Production, changed: dict[str, str], layout: str, secret: str, data_key: str
) -> None:
    place = production.place(layout, secret, **changed)
    production.put(FIELDS, {"tide.pin": production.ciphertext(place, data_key, "planted")})
    status, said = production.refused()
    assert status == 78
    assert f"tide.pin in Secret {production.name}/{FIELDS} cannot be decrypted" in said
    assert "it was sealed for another place or with another key" in said


def test_a_copied_secret_is_refused_and_it_is_said_what_it_is(production: Production) -> None:
    original = production.stored(DOCUMENT)
    production.put(COPY, original.data, original.annotations)
    production.configure(document=COPY)
    status, said = production.refused()
    assert status == 78
    assert f"it seems to be sealed for secret {DOCUMENT}, and is read as secret {COPY}" in said
    # Not for want of a right alone: nobody can read it there.
    sealed = Sealed(production.place("document", COPY).context(DATA_KEY), original.data[DATA_KEY])
    with production.transit(production.root) as transit, pytest.raises(Unreadable):
        transit.decrypt(sealed)


@pytest.mark.parametrize(
    ("secret", "data_key", "text"),
    [(FIELDS, "tide.pin", "planted"), (DOCUMENT, DATA_KEY, '{"tide": {"token": "planted"}}')],
)
def test_planted_plaintext_is_refused(
    production: Production, secret: str, data_key: str, text: str
) -> None:
    production.put(secret, {data_key: text})
    status, said = production.refused()
    assert status == 78
    assert f"{data_key} in Secret {production.name}/{secret} is not sealed (vault:vN:...)" in said
    assert "planted" not in said


# ------------------------------------------------------------------------------------- mounted


def test_mounted_as_kubelet_does_it_the_api_server_is_not_asked(
    production: Production, tmp_path: Path
) -> None:
    production.configure(
        kubeconfig="/nowhere",
        mounted_document=production.mounted(DOCUMENT, tmp_path),
        mounted_fields=production.mounted(FIELDS, tmp_path),
    )
    config = production.read()
    assert config.token.get_secret_value() == production.values["declared: scalar"]
    assert config.pin.get_secret_value() == production.values["declared: field"]
