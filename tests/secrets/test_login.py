"""Logins and sessions: what is sent, what becomes of the token, and what is said of failures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from framework.errors import MatrixError
from framework.secrets.store import StoreRefused, StoreUnavailable
from framework.secrets.transit import TransitRefused, TransitUnavailable
from framework.secrets.vault.client import VaultClient
from framework.secrets.vault.login import (
    AppRoleLogin,
    KubernetesLogin,
    Login,
    Session,
    TokenLogin,
    login_of,
)
from framework.secrets.vault.settings import (
    AppRoleAuth,
    Auth,
    KubernetesAuth,
    TokenAuth,
    TokenRequestAuth,
)
from framework.secrets.vault.transit import VaultTransit, open_transit
from tests.secrets.httpserver import Answer
from tests.secrets.vault_standin import (
    JWT,
    KEY,
    ROLE,
    ROLE_ID,
    SECRET_ID,
    VaultStandin,
    refused,
)

READ = f"transit/keys/{KEY}"
REVOKE = "auth/token/revoke-self"
LOGIN = "auth/kubernetes/login"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultStandin]:
    with VaultStandin(tmp_path) as vault:
        yield vault


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a credential lies; kubelet and others write such files with and without a newline."""
    return tmp_path / "credential"


def kubernetes(jwt: str = JWT) -> KubernetesLogin:
    return KubernetesLogin(lambda: jwt, role=ROLE, mount="kubernetes")


class Clock:
    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def refusal(vault: VaultStandin, login: Login, kind: type[MatrixError] = TransitRefused) -> str:
    with open_transit(vault.settings(), login) as transit:
        with pytest.raises(kind) as caught:
            transit.read_key()
        assert caught.value.__context__ is None
        return str(caught.value)


def auths(file: Path) -> dict[str, Auth]:
    named = str(file)
    return {
        "kubernetes": KubernetesAuth(role=ROLE, token_file=named),
        "approle": AppRoleAuth(role_id=ROLE_ID, secret_id_file=named),
        "token": TokenAuth(token_file=named),
    }


@pytest.mark.parametrize("method", ["kubernetes", "approle", "token"])
def test_each_method_logs_in_with_what_is_in_its_file(
    vault: VaultStandin, file: Path, method: str
) -> None:
    right = {"kubernetes": JWT, "approle": SECRET_ID, "token": vault.root}[method]
    settings = vault.settings(login=auths(file)[method])
    login = login_of(settings)
    file.write_text("wrong\n")
    refusal(vault, login, TransitUnavailable if method == "kubernetes" else TransitRefused)
    file.write_text(f"{right}\n")  # read afresh each time
    with open_transit(settings, login) as transit:
        assert transit.read_key().latest == 1


@pytest.mark.parametrize("method", ["kubernetes", "approle", "token"])
@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe", b"x" * 20_000])
def test_a_file_without_a_credential(
    vault: VaultStandin, file: Path, method: str, content: bytes | None
) -> None:
    if content is not None:
        file.write_bytes(content)
    said = refusal(vault, login_of(vault.settings(login=auths(file)[method])))
    what, remedy = {
        "kubernetes": (
            "the token of the service account",
            'with audience "vault", or correct token_file. It is for pods: elsewhere set method',
        ),
        "approle": ("the secret id", "correct secret_id_file"),
        "token": ("the Vault token", "log in (vault login), or correct token_file"),
    }[method]
    how = f"{file} does not hold {what}" if content is not None else f"{what} cannot be read from"
    assert said.startswith(how)
    assert remedy in said
    assert not vault.requests


def test_a_token_is_requested_of_the_api_server(vault: VaultStandin) -> None:
    auth = TokenRequestAuth(role=ROLE, service_account="tide", namespace="home")
    settings = vault.settings(login=auth)
    asked: list[tuple[str, str, str]] = []

    def request(account: str, namespace: str, audience: str) -> str:
        asked.append((account, namespace, audience))
        return JWT

    with open_transit(settings, login_of(settings, request_token=request)) as transit:
        transit.read_key()
    assert asked == [("tide", "home", "vault")]
    with pytest.raises(TransitRefused, match="needs an API server to ask"):
        login_of(settings)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(StoreRefused("it may not"), TransitRefused), (StoreUnavailable("gone"), TransitUnavailable)],
)
def test_an_api_server_that_gives_no_token(
    vault: VaultStandin, error: Exception, kind: type[Exception]
) -> None:
    def request(account: str, namespace: str, audience: str) -> str:
        raise error

    auth = TokenRequestAuth(role=ROLE, service_account="tide", namespace="home")
    settings = vault.settings(login=auth)
    with (
        open_transit(settings, login_of(settings, request_token=request)) as transit,
        pytest.raises(kind, match=str(error)),
    ):
        transit.read_key()


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (400, "invalid audience (aud) claim: audience claim does not match", 'audience be "vault"'),
        (
            400,
            'invalid role name "tide"',
            'there is no role "tide" in auth/kubernetes: make it (matrix access, then matrix vault',
        ),
        (403, "service account name not authorized", "is not bound to this service account"),
        (403, "namespace not authorized", "is not bound to this service account and namespace"),
        (400, "invalid expiration time (exp) claim: token is expired", "has expired: is it a"),
        (400, "missing client token", "auth/kubernetes is not the kubernetes auth method"),
        (418, "I am a teapot", "its answer has status 418: its audit log says more"),
    ],
)
def test_a_service_account_that_is_refused(
    vault: VaultStandin, status: int, error: str, said: str
) -> None:
    vault.intercept = lambda request: refused(status, error, request.body["jwt"])
    sentence = refusal(vault, kubernetes())
    who = f'does not log in role "{ROLE}" of auth/kubernetes: '
    assert sentence.startswith(f"Vault at 127.0.0.1:{vault.port} {who}")
    assert said in sentence
    assert JWT not in sentence


def test_a_service_account_that_vault_may_not_have_asked_about(vault: VaultStandin) -> None:
    """It says the same when the API server is away for a while."""
    vault.intercept = lambda request: refused(403, "permission denied", request.body["jwt"])
    sentence = refusal(vault, kubernetes(), TransitUnavailable)
    assert "the API server does not answer Vault, or Vault's own reviewer may not ask" in sentence
    assert JWT not in sentence


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (400, "invalid role or secret ID", "secret_id_num_uses = 1 also by a login whose reply"),
        (400, "invalid secret id", "make a new one and write it to secret_id_file"),
        (403, "permission denied", "is auth/machines the approle auth method?"),
    ],
)
def test_an_approle_that_is_refused(
    vault: VaultStandin, status: int, error: str, said: str
) -> None:
    vault.intercept = lambda request: refused(status, error, request.body["secret_id"])
    login = AppRoleLogin(lambda: SECRET_ID, role_id=ROLE_ID, mount="machines")
    sentence = refusal(vault, login)
    assert said in sentence
    assert SECRET_ID not in sentence.replace("secret_id", "")


@pytest.mark.parametrize("auth", [{}, {"client_token": 5}, {"client_token": "two\nlines"}, "x"])
def test_an_answer_without_a_token(vault: VaultStandin, auth: object) -> None:
    vault.intercept = lambda request: Answer(200, {"auth": auth})
    assert "its answer has status 200" in refusal(vault, kubernetes())


def test_nobody_logs_in_before_it_is_needed(vault: VaultStandin) -> None:
    with open_transit(vault.settings(), kubernetes()) as transit:
        transit.now()
    assert vault.paths() == ["sys/health"]


def test_one_login_serves_all_calls_and_is_revoked_at_the_end(vault: VaultStandin) -> None:
    with open_transit(vault.settings(), kubernetes()) as transit:
        transit.read_key()
        transit.rotate()
        assert len(vault.tokens) == 2
    assert vault.paths() == [LOGIN, READ, f"{READ}/rotate", REVOKE]
    assert vault.tokens == {vault.root}


def test_it_is_revoked_also_where_something_broke(vault: VaultStandin) -> None:
    def read_and_break() -> None:
        with open_transit(vault.settings(), kubernetes()) as transit:
            transit.read_key()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_and_break()
    assert REVOKE in vault.paths()
    assert vault.tokens == {vault.root}


def test_a_token_that_somebody_else_made_is_not_revoked(vault: VaultStandin) -> None:
    with open_transit(vault.settings(), vault.login()) as transit:
        transit.read_key()
    assert vault.paths() == [READ]


def test_the_end_does_not_depend_on_vault(vault: VaultStandin) -> None:
    with open_transit(vault.settings(), kubernetes()) as transit:
        transit.read_key()
        vault.intercept = lambda request: refused(503, "Vault is sealed")
    assert vault.paths().count(REVOKE) == 1


@pytest.fixture
def session(vault: VaultStandin) -> Iterator[Callable[[Login, Clock], Session]]:
    with closing(VaultClient(vault.settings())) as client:
        yield lambda login, clock: Session(client, login, clock=clock)


def test_a_token_whose_time_is_over_is_not_used(
    vault: VaultStandin, session: Callable[[Login, Clock], Session]
) -> None:
    clock = Clock()
    ours = session(kubernetes(), clock)
    transit = VaultTransit(ours)
    transit.read_key()
    clock.time_s = vault.lease_s - 1
    transit.read_key()
    clock.time_s = vault.lease_s + 1
    transit.read_key()
    ours.end()
    assert vault.paths() == [LOGIN, READ, READ, REVOKE, LOGIN, READ, REVOKE]


def test_a_token_that_does_not_run_out_is_used_for_good(
    vault: VaultStandin, session: Callable[[Login, Clock], Session]
) -> None:
    vault.lease_s, clock = 0, Clock()
    transit = VaultTransit(session(kubernetes(), clock))
    for _ in range(2):
        transit.read_key()
        clock.time_s += 1e9
    assert vault.paths() == [LOGIN, READ, READ]


def test_a_token_that_was_revoked_meanwhile_is_replaced_each_time(vault: VaultStandin) -> None:
    with open_transit(vault.settings(), kubernetes()) as transit:
        for _ in range(3):
            transit.read_key()
            vault.tokens = {vault.root}
    assert vault.paths().count(LOGIN) == 3


def test_what_a_new_token_may_not_is_not_tried_again(vault: VaultStandin) -> None:
    with open_transit(vault.settings(), kubernetes()) as transit:
        transit.read_key()
        vault.intercept = lambda request: (
            refused(403, "permission denied") if request.path.startswith("transit/") else None
        )
        for _ in range(3):
            with pytest.raises(TransitRefused):
                transit.read_key()
    assert vault.paths().count(LOGIN) == 2


def test_a_right_that_a_role_lacks_is_not_said_to_be_an_old_token(vault: VaultStandin) -> None:
    """As where VAULT_ROLE is wrong: the role is named."""
    vault.intercept = lambda request: (
        refused(403, "permission denied") if request.path.startswith("transit/") else None
    )
    with (
        open_transit(vault.settings(), kubernetes()) as transit,
        pytest.raises(TransitRefused) as caught,
    ):
        transit.encrypt(b"context", b"value")
    assert str(caught.value) == (
        f'Vault at 127.0.0.1:{vault.port} refuses {READ} to role "{ROLE}" of auth/kubernetes: let '
        "its policy have read there (matrix access, then matrix vault bootstrap --from access.json)"
    )


def test_the_same_token_is_not_tried_again(vault: VaultStandin) -> None:
    login = TokenLogin(lambda: "hvs.wrong", name="it")
    with open_transit(vault.settings(), login) as transit:
        for _ in range(2):
            with pytest.raises(TransitRefused, match="to it: let its policy"):
                transit.read_key()
    assert vault.paths() == [READ, READ]


def test_nothing_shows_a_token(vault: VaultStandin) -> None:
    grant = vault.login().grant(VaultClient(vault.settings()))
    for text in (repr(grant), repr(vault.login())):
        assert vault.root not in text
        assert base64.b64encode(vault.root.encode()).decode() not in text
