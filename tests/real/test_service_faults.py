"""A service that starts while something is away or wrong, with a real Kubernetes and a real Vault:
it waits where waiting helps, and says in one sentence what is to be done where it does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from framework.secrets.encryptor import Encryptor
from framework.secrets.transit import TransitRefused
from tests.real import build
from tests.real.authority import Authority
from tests.real.conftest import required
from tests.real.production import DOCUMENT, FIELDS, Production
from tests.real.servers import RealKubernetes, RealVault
from tests.real.tide import LaterServer
from tests.real.witness import Witness
from tests.waiting import LIMIT_S, until_blocking


@pytest.fixture(scope="module")
def made(
    kubernetes: RealKubernetes, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """With a Vault of its own."""
    folder = tmp_path_factory.mktemp("production")
    with RealVault(required(build.VAULT), folder, authority.leaf("vault-with-faults")) as vault:
        vault.init()
        vault.unseal()
        production = Production(vault, kubernetes, folder)
        production.make()
        yield production


@pytest.fixture
def production(made: Production) -> Production:
    """As it was made; each test leaves both servers running."""
    made.be()
    made.configure()
    return made


# --------------------------------------------------------------------------- what waiting helps for


def test_after_a_power_cut_a_service_waits_for_vault_and_the_api_server(
    production: Production, tmp_path: Path
) -> None:
    vault, kubernetes = production.vault, production.kubernetes
    volumes = {
        "mounted_document": production.mounted(DOCUMENT, tmp_path),
        "mounted_fields": production.mounted(FIELDS, tmp_path),
        "kubeconfig": "/nowhere",
    }
    machine = production.approle()
    asking = production.configure(file="asking.toml")
    patient = production.configure(file="patient.toml", patience=60)
    production.configure(login=machine, **volumes)

    vault.restart()  # which seals it
    kubernetes.stop()
    try:
        with production.process(MATRIX_TOML=patient) as waiting:
            with (
                production.process(MATRIX_TOML=asking) as one,
                production.process() as other,
            ):
                said = one.communicate(timeout=LIMIT_S)[1], other.communicate(timeout=LIMIT_S)[1]
                assert (one.returncode, other.returncode) == (75, 75)
            assert f"Kubernetes at 127.0.0.1:{kubernetes.port} cannot be reached: Conn" in said[0]
            assert f"Vault at 127.0.0.1:{vault.port} is sealed: unseal it (vault oper" in said[1]
            for line in said:
                assert line.startswith("the secrets could not be read within 0 s: ")
                assert line.count("\n") == 1
                production.check(line)

            # What is mounted needs no API server, but Vault does to know a service account.
            vault.unseal()
            assert token_of(production) == production.values["declared: scalar"]
            production.configure(**volumes)
            status, line = production.refused()
            assert status == 75
            assert "may not ask the API server about the token" in line

            kubernetes.start()
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "ready\n"
    finally:
        vault.unseal()
        if not kubernetes.running:
            kubernetes.start()


def test_a_vault_that_is_frozen_for_a_while_is_asked_again(production: Production) -> None:
    production.configure(patience=60)
    production.vault.freeze()
    with after(5, production.vault.thaw):
        assert token_of(production) == production.values["declared: scalar"]


def test_a_vault_that_starts_later_than_the_service(production: Production) -> None:
    def start() -> None:
        production.vault.start()
        production.vault.unseal()

    production.configure(patience=60)
    production.vault.kill()
    with after(3, start):
        assert token_of(production) == production.values["declared: scalar"]


def test_a_token_that_runs_out_before_it_is_used_is_made_anew(
    production: Production, authority: Authority
) -> None:
    vault = production.vault
    role = f"auth/{production.name}/role/{production.role('read_tide')}"
    vault.must("POST", role, {"token_ttl": 2, "token_max_ttl": 2})
    try:
        with Witness(vault, authority.leaf("witness")) as witness:
            production.configure(address=witness.address)
            with witness.holding("/decrypt/") as hold, production.process() as process:
                assert hold.arrived.wait(LIMIT_S)
                until_blocking(lambda: production.ttl_s(witness.tokens[0]) is None)
                hold.released.set()
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            assert len(witness.tokens) == 3
    finally:
        vault.must("POST", role, {"token_ttl": 60, "token_max_ttl": 60})


@contextmanager
def after(seconds: float, do: Callable[[], object]) -> Iterator[None]:
    """Do it in so many seconds, meanwhile; when this is left, it has been done."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, seconds)
        done = pool.submit(do)  # by the same thread
        yield
        done.result()


def token_of(production: Production) -> str:
    return production.read().token.get_secret_value()


# ------------------------------------------------------------------------ what it does not help for

WRONG: dict[str, tuple[Callable[[Production], object], str]] = {
    "audience": (
        lambda production: production.be(audience=production.kubernetes.issuer),
        "the token of the service account is not for the audience of role",
    ),
    "account": (
        lambda production: production.be("moon"),
        "is not bound to this service account and namespace: add them to bound_service_account_",
    ),
    "role": (
        lambda production: production.configure(login=production.pod(role="read_nobody")),
        'there is no role "matrix_home_{name}_read_nobody" in auth/{name}: make it (matrix',
    ),
    "token file": (
        lambda production: (production.folder / "token").unlink(),
        "cannot be read from {folder}/token: No such file or directory; mount it as a projected vo",
    ),
    "cluster": (
        lambda production: production.configure(cluster="prod"),
        f"{DOCUMENT} cannot be decrypted: it seems to be sealed for cluster home, and is read as "
        "cluster prod: correct its [[secrets.source]]",
    ),
    "Secret": (
        lambda production: production.configure(document="other"),
        "does not let service account {name}/tide get secrets other in namespace {name}. Bind it "
        'to a Role there with the rule - {{apiGroups: [""], resources: [secrets], resourceNames: ',
    ),
    "mount": (
        lambda production: production.configure(mount="elsewhere"),
        "Vault at {vault} refuses elsewhere/decrypt/matrix to role",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_at_once(production: Production, what: str) -> None:
    spoil, expected = WRONG[what]
    production.configure(patience=60)
    spoil(production)
    status, said = production.refused()
    assert status == 78
    vault = production.vault.address.removeprefix("https://")
    assert expected.format(folder=production.folder, name=production.name, vault=vault) in said


def test_a_key_that_is_not_there(production: Production) -> None:
    role, name = production.give_right("decrypt", "lost"), production.name
    production.configure(key="lost", login=production.pod(role=role))
    status, said = production.refused()
    assert status == 78
    assert f'does not have the key "lost" of {name}: make it (matrix access' in said


def test_with_a_key_that_is_not_derived_nothing_is_sealed(production: Production) -> None:
    production.vault.must("POST", f"{production.name}/keys/loose", {"derived": False})
    place = production.place("document", "loose")
    with (
        production.transit(production.root, key="loose") as transit,
        production.store("loose") as store,
    ):
        with pytest.raises(TransitRefused, match="is not derived: what it seals could be read in"):
            Encryptor(transit, store, place).document("secrets.json", b"{}")
        assert store.read() is None


def test_a_field_that_was_added_later_names_the_commands_and_they_help(
    production: Production,
) -> None:
    sealed = production.ciphertext(production.place("fields", FIELDS), "tide.added", "new")
    production.put(FIELDS, {"tide.added": sealed})
    assert production.refused()[0] == 0  # who does not declare it, does not ask for it
    production.configure(use="LaterServer")
    status, said = production.refused(LaterServer)
    assert status == 78
    assert f"tide.added in Secret {production.name}/{FIELDS} cannot be decrypted" in said
    assert "(matrix access, then matrix vault bootstrap --from access.json)" in said
    production.give_rights()
    assert production.refused(LaterServer) == (0, "")
