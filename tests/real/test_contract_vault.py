"""The contract of ``Transit`` on real Vaults, and what policies make of it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest

from framework.secrets.transit import (
    Sealed,
    Transit,
    TransitRefused,
    TransitUnavailable,
    Unreadable,
)
from framework.secrets.vault.client import VaultClient
from framework.secrets.vault.login import AppRoleLogin, Session, TokenLogin
from framework.secrets.vault.settings import TokenAuth, VaultSettings
from framework.secrets.vault.transit import VaultTransit, open_transit
from tests.real.servers import RealVault
from tests.secrets.test_transit_contract import *  # noqa: F403  # each is a test here too
from tests.secrets.test_transit_contract import AWAY, HOME


def settings(vault: RealVault, key: str) -> VaultSettings:
    login = TokenAuth(token_file=str(vault.ca_file))
    return VaultSettings(address=vault.address, key=key, login=login, ca_file=str(vault.ca_file))


def root(vault: RealVault) -> TokenLogin:
    return TokenLogin(lambda: vault.root_token, name="root")


def new_key(vault: RealVault) -> str:
    if "transit/" not in vault.must("GET", "sys/mounts"):
        vault.must("POST", "sys/mounts/transit", {"type": "transit"})
    key = f"key-{secrets.token_hex(4)}"
    vault.must("POST", f"transit/keys/{key}", {"derived": True})
    return key


@pytest.fixture
def key(each_vault: RealVault) -> str:
    """A derived key of this test's own."""
    return new_key(each_vault)


@pytest.fixture
def transit(each_vault: RealVault, key: str) -> Iterator[Transit]:
    with open_transit(settings(each_vault, key), root(each_vault)) as transit:
        yield transit


def approle(vault: RealVault, policy: str, *, ttl_s: int = 60) -> AppRoleLogin:
    """A login whose tokens have this policy alone."""
    if "approle/" not in vault.must("GET", "sys/auth"):
        vault.must("POST", "sys/auth/approle", {"type": "approle"})
    name = f"role-{secrets.token_hex(4)}"
    revoke = 'path "auth/token/revoke-self" { capabilities = ["update"] }'
    vault.must("PUT", f"sys/policies/acl/{name}", {"policy": f"{policy}\n{revoke}"})
    role = f"auth/approle/role/{name}"
    vault.must(
        "POST",
        role,
        {"token_policies": [name], "token_ttl": ttl_s, "token_no_default_policy": True},
    )
    role_id = vault.must("GET", f"{role}/role-id")["data"]["role_id"]
    secret_id = vault.must("POST", f"{role}/secret-id")["data"]["secret_id"]
    return AppRoleLogin(lambda: secret_id, role_id=role_id, mount="approle")


def pinned(path: str, what: str, *contexts: bytes) -> str:
    listed = ", ".join(f'"{base64.b64encode(each).decode()}"' for each in contexts)
    return f"""
        path "transit/{path}" {{
            capabilities = ["update"]
            required_parameters = ["context"]
            allowed_parameters = {{ "{what}" = [], "context" = [{listed}] }}
        }}"""


def test_a_reader_decrypts_what_its_policy_pins_and_no_more(
    each_vault: RealVault, key: str, transit: Transit
) -> None:
    home = Sealed(HOME, transit.encrypt(HOME, b"x"))
    away = Sealed(AWAY, transit.encrypt(AWAY, b"y"))
    reader = approle(each_vault, pinned(f"decrypt/{key}", "ciphertext", HOME))
    with open_transit(settings(each_vault, key), reader) as reading:
        assert reading.decrypt(home) == b"x"
        with pytest.raises(TransitRefused, match="let its policy have update there"):
            reading.decrypt(away)
        with pytest.raises(Unreadable):
            reading.decrypt(Sealed(HOME, away.ciphertext))


def test_an_encryptor_cannot_decrypt_and_rewraps_what_its_policy_pins(
    each_vault: RealVault, key: str
) -> None:
    policy = (
        pinned(f"encrypt/{key}", "plaintext", HOME, AWAY)
        + pinned(f"rewrap/{key}", "ciphertext", HOME, AWAY)
        + f'path "transit/keys/{key}" {{ capabilities = ["read"] }}'
    )
    with open_transit(settings(each_vault, key), approle(each_vault, policy)) as transit:
        sealed = [Sealed(each, transit.encrypt(each, b"x")) for each in (HOME, AWAY)]
        again = transit.rewrap([*sealed, Sealed(AWAY, sealed[0].ciphertext)])
        assert [type(each) for each in again] == [str, str, Unreadable]
        with pytest.raises(TransitRefused, match=f"transit/decrypt/{key}"):
            transit.decrypt(sealed[0])


def test_a_rotator_cannot_decrypt_and_sets_nothing_but_the_floor(
    each_vault: RealVault, key: str, transit: Transit
) -> None:
    old = Sealed(HOME, transit.encrypt(HOME, b"x"))
    policy = f"""
        path "transit/keys/{key}" {{ capabilities = ["read"] }}
        path "transit/keys/{key}/rotate" {{ capabilities = ["update"] }}
        path "transit/rewrap/{key}" {{ capabilities = ["update"] }}
        path "transit/keys/{key}/config" {{
            capabilities = ["update"]
            allowed_parameters = {{ "min_decryption_version" = [] }}
        }}"""
    with open_transit(settings(each_vault, key), approle(each_vault, policy)) as rotating:
        rotating.rotate()
        (new, _, other) = rotating.rewrap([old, old, Sealed(AWAY, old.ciphertext)])
        rotating.set_min_decryption_version(2)
        with pytest.raises(TransitRefused, match=f"transit/decrypt/{key}"):
            rotating.decrypt(old)
    assert isinstance(new, str)
    assert isinstance(other, Unreadable)
    assert transit.decrypt(Sealed(HOME, new)) == b"x"


def test_a_key_that_is_not_derived_is_refused(each_vault: RealVault, key: str) -> None:
    plain = f"{key}-plain"
    each_vault.must("POST", f"transit/keys/{plain}", {})
    with open_transit(settings(each_vault, plain), root(each_vault)) as transit:
        with pytest.raises(TransitRefused, match="not derived"):
            transit.encrypt(HOME, b"x")
        with pytest.raises(TransitRefused, match="not derived"):
            transit.rewrap([Sealed(HOME, "vault:v1:AAAA")])


def test_a_key_or_an_engine_that_is_not_there(each_vault: RealVault, key: str) -> None:
    sealed = Sealed(HOME, "vault:v1:" + base64.b64encode(bytes(40)).decode())
    with open_transit(settings(each_vault, "nowhere"), root(each_vault)) as transit:
        for call in (transit.read_key, lambda: transit.decrypt(sealed)):
            with pytest.raises(TransitRefused, match='does not have the key "nowhere"'):
                call()


def test_a_token_that_is_gone_is_replaced_and_the_last_one_revoked(
    each_vault: RealVault, key: str
) -> None:
    def is_known(token: str) -> bool:
        return each_vault.request("POST", "auth/token/lookup", {"token": token})[0] == 200

    login = approle(each_vault, f'path "transit/keys/{key}" {{ capabilities = ["read"] }}')
    tokens = []
    with closing(VaultClient(settings(each_vault, key))) as client:
        session = Session(client, login)
        for _ in range(3):
            VaultTransit(session).read_key()
            tokens.append(client.token)
            assert is_known(client.token)
            if len(tokens) < 3:
                each_vault.must("POST", "auth/token/revoke", {"token": client.token})
        session.end()
    assert len(set(tokens)) == 3
    assert not any(map(is_known, tokens))


@pytest.mark.parametrize("what", ["secret id", "role id", "mount"])
def test_an_approle_that_is_not_known(each_vault: RealVault, key: str, what: str) -> None:
    approle(each_vault, "")
    login = {
        "secret id": AppRoleLogin(lambda: "no", role_id="no", mount="approle"),
        "role id": AppRoleLogin(lambda: "no", role_id="no", mount="approle"),
        "mount": AppRoleLogin(lambda: "no", role_id="no", mount="nowhere"),
    }[what]
    said = (
        "is auth/nowhere the approle auth method" if what == "mount" else "secret id are not known"
    )
    with (
        open_transit(settings(each_vault, key), login) as transit,
        pytest.raises(TransitRefused, match=said),
    ):
        transit.read_key()


def test_what_is_too_long_for_it_is_not_asked_again(vault: RealVault) -> None:
    """Vault 1.21 says so with status 500, after which it would be tried again otherwise."""
    key = new_key(vault)
    with (
        open_transit(settings(vault, key), root(vault), patience_s=120) as transit,
        pytest.raises(TransitRefused, match="takes no request as large as this"),
    ):
        transit.encrypt(HOME, bytes(800_000))


def test_one_that_is_sealed_frozen_or_gone_is_asked_again(private_vault: RealVault) -> None:
    key = new_key(private_vault)
    with open_transit(settings(private_vault, key), root(private_vault), patience_s=1) as transit:
        sealed = Sealed(HOME, transit.encrypt(HOME, b"x"))
        private_vault.freeze()
        with pytest.raises(TransitUnavailable, match="does not answer in time"):
            transit.decrypt(sealed)
        private_vault.thaw()
        private_vault.seal()
        with pytest.raises(TransitUnavailable, match="is sealed: unseal it"):
            transit.decrypt(sealed)
        with pytest.raises(TransitUnavailable, match="is sealed: unseal it"):
            transit.now()
        private_vault.kill()
        with pytest.raises(TransitUnavailable, match="cannot be reached: "):
            transit.decrypt(sealed)
        private_vault.start()
        private_vault.unseal()
        assert transit.decrypt(sealed) == b"x"


def test_one_that_was_restored_does_not_have_the_version(private_vault: RealVault) -> None:
    key = new_key(private_vault)
    with open_transit(settings(private_vault, key), root(private_vault)) as transit:
        copy = private_vault.copy_data()
        transit.rotate()
        sealed = Sealed(HOME, transit.encrypt(HOME, b"x"))
        private_vault.restore(copy)
        private_vault.unseal()
        assert transit.read_key().latest == 1
        with pytest.raises(Unreadable, match="an older copy of Vault was restored"):
            transit.decrypt(sealed)
        assert isinstance(transit.rewrap([sealed])[0], Unreadable)
