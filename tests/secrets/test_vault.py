"""``VaultTransit`` on a bad day: what is tried again, what is refused, and what is never said."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from framework.errors import ConfigError, MatrixError
from framework.secrets.transit import (
    BATCH_ITEMS,
    Sealed,
    Transit,
    TransitRefused,
    TransitUnavailable,
    Unreadable,
)
from framework.secrets.vault.transit import BATCH_BYTES, VaultTransit, open_transit
from tests.real.authority import Authority
from tests.secrets.httpserver import Answer, Request
from tests.secrets.vault_standin import (
    FAMILIES,
    KEY,
    MISMATCH,
    VaultStandin,
    refused,
    token_of,
)
from tests.waiting import LIMIT_S

HOME = b"v1\0document\0home\0home\0matrix-secrets\0secrets.json"
AWAY = b"v1\0document\0home\0home\0other\0secrets.json"
VALUE = b"a value that nobody may see"
FOREIGN = Sealed(HOME, "vault:v1:" + base64.b64encode(bytes(60)).decode())
"""It does not verify."""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultStandin]:
    with VaultStandin(tmp_path) as vault:
        yield vault


@contextlib.contextmanager
def opened(vault: VaultStandin, patience_s: float = 5, **changed: Any) -> Iterator[VaultTransit]:
    with open_transit(vault.settings(**changed), vault.login(), patience_s=patience_s) as transit:
        yield transit


def sealed_by(vault: VaultStandin, context: bytes = HOME) -> Sealed:
    return Sealed(context, vault.transit.encrypt(context, VALUE))


def calls(transit: Transit, sealed: Sealed) -> Mapping[str, Callable[[], object]]:
    """All calls, by name."""
    return {
        "encrypt": lambda: transit.encrypt(HOME, VALUE),
        "decrypt": lambda: transit.decrypt(sealed),
        "rewrap": lambda: transit.rewrap([sealed, sealed]),
        "read_key": transit.read_key,
        "rotate": transit.rotate,
        "set_min_decryption_version": lambda: transit.set_min_decryption_version(1),
        "now": transit.now,
    }


CALLS = (
    "encrypt",
    "decrypt",
    "rewrap",
    "read_key",
    "rotate",
    "set_min_decryption_version",
    "now",
)
PASSING = {
    "sealed": refused(503, "Vault is sealed"),
    "standby": refused(412, "required index state not present"),
    "too many": Answer(429, {"errors": []}, {"Retry-After": "0"}),
    "broken": refused(500, "internal error"),
    "no backend": Answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
    "cut": Answer(0, after_s=-1),
}


def once(answer: Answer, when: Callable[[Request], bool] = lambda request: True) -> Any:
    """Intercepts the first request for which ``when`` holds, and no more."""
    answers = [answer]
    return lambda request: answers.pop() if answers and when(request) else None


@pytest.mark.parametrize("moment", PASSING)
@pytest.mark.parametrize("call", [each for each in CALLS if each != "rotate"])
def test_what_passes_is_waited_for(vault: VaultStandin, call: str, moment: str) -> None:
    sealed = sealed_by(vault)
    with opened(vault, patience_s=5) as transit:
        vault.intercept = once(PASSING[moment])
        calls(transit, sealed)[call]()


@pytest.mark.parametrize("moment", PASSING)
def test_a_rotation_is_asked_for_once(vault: VaultStandin, moment: str) -> None:
    with opened(vault, patience_s=5) as transit:
        vault.intercept = once(PASSING[moment])
        with pytest.raises(TransitUnavailable):
            transit.rotate()
    assert vault.paths().count(f"transit/keys/{KEY}/rotate") == 1
    assert vault.transit.read_key().latest == 1


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("sealed", "is sealed: unseal it"),
        ("broken", "answers with status 500: try again; if it stays so, its log, or vault status"),
        ("cut", "cannot be reached: "),
    ],
)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.usefixtures("asked_once")
def test_what_does_not_pass_is_said(vault: VaultStandin, call: str, moment: str, said: str) -> None:
    vault.intercept = lambda request: PASSING[moment]
    with opened(vault) as transit, pytest.raises(TransitUnavailable) as caught:
        calls(transit, FOREIGN)[call]()
    assert str(caught.value).startswith(f"Vault at 127.0.0.1:{vault.port} {said}")


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_waited_for_longer_than_the_patience(vault: VaultStandin, call: str) -> None:
    vault.intercept = lambda request: Answer(200, {}, after_s=60)
    start_s = time.monotonic()
    with (
        opened(vault, patience_s=0.3) as transit,
        pytest.raises(TransitUnavailable, match="answer in time"),
    ):
        calls(transit, FOREIGN)[call]()
    assert time.monotonic() - start_s < LIMIT_S


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_reply_that_dribbles_is_not_waited_for(vault: VaultStandin, part: str) -> None:
    """Though a byte comes each time within the limit."""
    vault.intercept = lambda request: Answer(200, {}, dribble=part)
    start_s = time.monotonic()
    with (
        opened(vault, patience_s=0.3) as transit,
        pytest.raises(TransitUnavailable, match="answer in time"),
    ):
        transit.now()
    assert time.monotonic() - start_s < LIMIT_S


def test_what_is_left_of_a_reply_has_what_is_left_of_its_time(vault: VaultStandin) -> None:
    vault.intercept = lambda request: Answer(200, {}, dribble="body", dribble_s=2.7)
    start_s = time.monotonic()
    with opened(vault, patience_s=3) as transit, pytest.raises(TransitUnavailable):
        transit.now()
    assert time.monotonic() - start_s < 5  # the second byte would come after 5.4


def test_a_limit_is_of_one_reply_and_not_of_its_connection(vault: VaultStandin) -> None:
    vault.intercept = lambda request: Answer(200, {"server_time_utc": 1}, after_s=1)
    with opened(vault, patience_s=1.9) as transit:
        for _ in range(2):
            assert transit.now().timestamp() == 1


@pytest.mark.parametrize("namespace", ["", "team"])
def test_the_namespace_is_named_but_where_there_is_only_the_root_one(
    vault: VaultStandin, namespace: str
) -> None:
    """Vault answers sys/health nowhere else."""
    with opened(vault, namespace=namespace) as transit:
        transit.read_key()
        transit.now()
    named = [each.headers.get("X-Vault-Namespace", "") for each in vault.requests]
    assert vault.paths() == [f"transit/keys/{KEY}", "sys/health"]
    assert named == [namespace, ""]


@pytest.mark.usefixtures("asked_once")
def test_one_that_is_not_there(vault: VaultStandin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    nobody = f"https://127.0.0.1:{port}"
    with opened(vault, address=nobody) as transit, pytest.raises(TransitUnavailable) as caught:
        transit.read_key()
    assert str(caught.value) == (
        f"Vault at 127.0.0.1:{port} cannot be reached: Connection refused; see whether it is up "
        "(vault status), and whether address in [secrets.vault], or VAULT_ADDR, is right"
    )


def test_what_is_too_long_for_it_is_said_at_once(vault: VaultStandin) -> None:
    vault.intercept = lambda request: refused(500, "JSON string value exceeds allowed length")
    with opened(vault, patience_s=3) as transit, pytest.raises(TransitRefused) as caught:
        transit.read_key()
    assert "takes no request as large as this: split" in str(caught.value)
    assert len(vault.requests) == 1


def test_batches_are_bounded_in_items_and_in_bytes(vault: VaultStandin) -> None:
    small = sealed_by(vault)
    large = Sealed(HOME, vault.transit.encrypt(HOME, bytes(BATCH_BYTES // 4)))
    huge = Sealed(AWAY, vault.transit.encrypt(AWAY, bytes(BATCH_BYTES)))
    batch = [*([small] * (2 * BATCH_ITEMS + 1)), large, large, large, huge, small]
    with opened(vault, patience_s=5) as transit:
        results = transit.rewrap(batch)
    for sealed, result in zip(batch, results, strict=True):
        assert isinstance(result, str)
        plain = vault.transit.decrypt(Sealed(sealed.context, result))
        assert plain == vault.transit.decrypt(sealed)
    sent = [each for each in vault.requests if each.path.startswith("transit/rewrap")]
    assert [len(each.body.get("batch_input", [0])) for each in sent] == [200, 200, 3, 1, 1, 1]
    assert all(_json_strings(each.body) <= 1000 for each in sent)  # more is refused by OpenBao
    assert all(int(each.headers["Content-Length"]) < 2 * BATCH_BYTES for each in sent)


def _json_strings(value: object) -> int:
    """Names and texts in it."""
    if isinstance(value, dict):
        return len(value) + sum(map(_json_strings, value.values()))
    return sum(map(_json_strings, value)) if isinstance(value, list) else isinstance(value, str)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_that_does_not_verify_does_not_fail_the_others(tmp_path: Path, family: str) -> None:
    with VaultStandin(tmp_path, family=family) as vault:
        good = sealed_by(vault)
        with opened(vault) as transit:
            results = transit.rewrap([good, Sealed(AWAY, good.ciphertext), good, FOREIGN])
    assert [type(each) for each in results] == [str, Unreadable, str, Unreadable]
    paths = [path for path in vault.paths() if "rewrap" in path]
    assert len(paths) == (5 if family == "1.8" else 1)


def test_a_mismatch_is_not_tried_again(tmp_path: Path) -> None:
    with (
        VaultStandin(tmp_path, family="1.8") as vault,
        opened(vault, patience_s=5) as transit,
        pytest.raises(Unreadable),
    ):
        transit.decrypt(FOREIGN)
    assert len(vault.requests) == 1


def test_where_the_policy_pins_contexts_they_go_one_by_one(vault: VaultStandin) -> None:
    vault.intercept = lambda request: (
        refused(403, "permission denied") if "batch_input" in request.body else None
    )
    sealed = sealed_by(vault)
    with opened(vault) as transit:
        for _ in range(2):
            assert all(isinstance(each, str) for each in transit.rewrap([sealed] * 3))
    assert sum("batch_input" in request.body for request in vault.requests) == 1


def test_what_is_no_ciphertext_stays_here(vault: VaultStandin) -> None:
    with opened(vault) as transit:
        with pytest.raises(Unreadable):
            transit.decrypt(Sealed(HOME, VALUE.decode()))
        assert isinstance(transit.rewrap([Sealed(HOME, VALUE.decode())])[0], Unreadable)
    assert not vault.requests


NONSENSE: Mapping[str, Any] = {
    "no JSON": b"<html>Welcome</html>",
    "no object": [1],
    "nothing in it": {},
    "no data": {"data": None, "auth": None},
    "texts for tables": {"data": "x", "batch_results": "y"},
    "no ciphertext": {"data": {"ciphertext": VALUE.decode(), "plaintext": "%"}},
    "wrong types": {"data": {"ciphertext": 5, "plaintext": 5, "batch_results": 5, "derived": True}},
    "too few": {"data": {"batch_results": [{"ciphertext": FOREIGN.ciphertext}]}},
    "too many": {"data": {"batch_results": [{"ciphertext": FOREIGN.ciphertext}] * 3}},
    "key without versions": {"data": {"derived": True, "keys": {}, "min_decryption_version": 1}},
    "asymmetric key": {
        "data": {"derived": True, "keys": {"1": {"name": "ed25519"}}, "min_decryption_version": 1}
    },
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("call", ["encrypt", "decrypt", "rewrap", "read_key", "now"])
def test_an_answer_that_vault_does_not_give_is_refused(
    vault: VaultStandin, call: str, body: Any
) -> None:
    sealed = sealed_by(vault)
    with opened(vault) as transit:
        if call in ("encrypt", "rewrap"):
            transit.read_key()
        vault.intercept = lambda request: Answer(200, body)
        with pytest.raises(TransitRefused) as caught:
            calls(transit, sealed)[call]()
    assert "with something that Vault does not say" in str(caught.value)
    assert VALUE.decode() not in str(caught.value)


@pytest.mark.parametrize("item", [None, {}, {"ciphertext": 5}, {"ciphertext": "x"}, "x"])
def test_an_item_that_vault_does_not_give_is_refused(vault: VaultStandin, item: Any) -> None:
    sealed = sealed_by(vault)
    with opened(vault) as transit:
        transit.read_key()
        good = {"ciphertext": sealed.ciphertext}
        vault.intercept = lambda request: Answer(200, {"data": {"batch_results": [item, good]}})
        wrong, right = transit.rewrap([sealed, sealed])
    assert isinstance(wrong, TransitRefused)
    assert right == sealed.ciphertext


@pytest.mark.parametrize("call", CALLS)
def test_a_token_goes_nowhere_else(vault: VaultStandin, tmp_path: Path, call: str) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with VaultStandin(folder) as other:
        away = {"Location": f"{other.address}/v1/x?user=me"}
        vault.intercept = lambda request: Answer(307, None, away)
        with opened(vault) as transit, pytest.raises(TransitRefused) as caught:
            calls(transit, FOREIGN)[call]()
    assert not other.requests
    assert "sends its callers on to https://127.0.0.1: set address" in str(caught.value)


@pytest.mark.parametrize("call", ["encrypt", "rewrap", "read_key"])
def test_a_key_that_is_not_derived_is_refused(vault: VaultStandin, call: str) -> None:
    vault.derived = False
    with opened(vault) as transit, pytest.raises(TransitRefused, match="is not derived: what it"):
        calls(transit, sealed_by(vault))[call]()
    assert vault.paths() == [f"transit/keys/{KEY}"]


def test_a_reader_needs_no_right_to_read_the_key(vault: VaultStandin) -> None:
    sealed = sealed_by(vault)
    vault.intercept = lambda request: (
        None if request.path == f"transit/decrypt/{KEY}" else refused(403, "permission denied")
    )
    with opened(vault) as transit:
        assert transit.decrypt(sealed) == VALUE


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("key", "nowhere", 'not have the key "nowhere" of transit: make it (matrix access, then'),
        ("mount", "elsewhere", "or it alone, vault write elsewhere/keys/matrix derived=true)"),
    ],
)
def test_a_key_that_is_not_there(vault: VaultStandin, name: str, value: str, said: str) -> None:
    with open_transit(vault.settings(**{name: value}), vault.login()) as transit:
        with pytest.raises(TransitRefused) as caught:
            transit.read_key()
        assert said in str(caught.value)


def test_a_right_that_is_lacking_is_named(vault: VaultStandin) -> None:
    vault.intercept = lambda request: refused(403, "permission denied")
    with opened(vault) as transit:
        with pytest.raises(TransitRefused) as caught:
            transit.decrypt(FOREIGN)
        assert str(caught.value).endswith(
            f"refuses transit/decrypt/{KEY} to root: let its policy have update there, with "
            "this context (matrix access, then matrix vault bootstrap --from access.json). If it "
            "has, the token has run out: log in again (vault login)"
        )
        with pytest.raises(TransitRefused, match="let its policy have read there"):
            transit.read_key()


@pytest.mark.parametrize("address", ["http://vault.home:8200", "http://10.0.0.1", "vault:8200"])
def test_it_is_asked_in_clear_on_this_machine_alone(vault: VaultStandin, address: str) -> None:
    with (
        pytest.raises(ConfigError, match=r"\[secrets.vault\] address must be"),
        opened(vault, address=address),
    ):
        pytest.fail("it was opened")


@pytest.mark.usefixtures("asked_once")
def test_on_this_machine_it_may_be_asked_in_clear(vault: VaultStandin) -> None:
    closed = f"http://localhost:{vault.port}"  # TLS is spoken there, and that is said
    with opened(vault, address=closed) as transit, pytest.raises(TransitUnavailable):
        transit.now()


def test_a_server_that_is_not_trusted_is_told_nothing(vault: VaultStandin, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = str(Authority(folder).ca_file)
    with opened(vault, ca_file=other) as transit, pytest.raises(TransitRefused) as caught:
        transit.read_key()
    assert str(caught.value) == (
        f"Vault at 127.0.0.1:{vault.port} cannot be asked: the certificate of 127.0.0.1 is not "
        f"signed by a CA in {other}: set ca_file in [secrets.vault] to the CA that signed it"
    )
    assert not vault.requests


def test_the_environment_changes_nothing(vault: VaultStandin, tmp_path: Path) -> None:
    """Neither who is asked, nor whom one trusts, nor who one is, nor what is written down."""
    code = """
import sys
from framework.secrets.vault.login import TokenLogin
from framework.secrets.vault.transit import open_transit
from framework.secrets.vault.settings import TokenAuth, VaultSettings
address, ca_file, token = sys.argv[1:]
settings = VaultSettings(
    address=address, key="matrix", ca_file=ca_file, login=TokenAuth(token_file="/x")
)
try:
    with open_transit(settings, TokenLogin(lambda: token, name="it")) as transit:
        transit.now()
        print(transit.read_key().latest)
except Exception as error:
    print(error)
"""
    folder = tmp_path / "other"
    folder.mkdir()
    other = Authority(folder)
    mine, theirs = str(vault.leaf.ca_file), str(other.ca_file)

    def run(ca_file: str, trusted: str) -> str:
        environment = {
            **os.environ,
            "VAULT_ADDR": "https://127.0.0.1:1",
            "VAULT_TOKEN": "another",
            "VAULT_CACERT": trusted,
            "VAULT_CLIENT_CERT": "/nowhere",
            "VAULT_CLIENT_KEY": "/nowhere",
            "REQUESTS_CA_BUNDLE": trusted,
            "SSL_CERT_FILE": trusted,
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "ALL_PROXY": "http://127.0.0.1:1",
            "SSLKEYLOGFILE": str(tmp_path / "keys"),
        }
        command = [sys.executable, "-c", code, vault.address, ca_file, vault.root]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert run(mine, theirs) == "1\n"
    assert {token_of(request) for request in vault.requests} <= {"", vault.root}
    assert "is not signed by a CA in" in run(theirs, mine)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 418, 500, 503])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.usefixtures("asked_once")
def test_no_error_repeats_what_was_sent(vault: VaultStandin, call: str, status: int) -> None:
    """Also of a server, or a proxy before it, that does."""
    sealed = sealed_by(vault)

    def echo(request: Request) -> Answer:
        everything = [str(request.body), str(request.headers), VALUE.decode(), MISMATCH]
        return refused(status, *(everything if status != 503 else everything[:-1]))

    hidden = [HOME, VALUE, vault.root.encode(), sealed.ciphertext.encode()]
    hidden += [base64.b64encode(each) for each in hidden]
    with opened(vault) as transit:
        if call in ("encrypt", "rewrap"):
            transit.read_key()
        vault.intercept = echo
        outcome = _outcome(calls(transit, sealed)[call])
    assert isinstance(outcome, list)
    for error in outcome:
        assert isinstance(error, MatrixError)
        assert error.__cause__ is None
        assert error.__context__ is None
        for each in hidden:
            assert each.decode(errors="replace") not in f"{error} {error!r}"


def _outcome(call: Callable[[], object]) -> object:
    """What it returns, or a list of what it raises."""
    try:
        return call()
    except MatrixError as error:
        return [error]
