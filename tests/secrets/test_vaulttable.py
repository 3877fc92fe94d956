"""``[secrets.vault]``: what can be said, what the environment adds, and what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.project import Project
from framework.secrets.settings import SecretsSettings
from framework.secrets.vault.settings import (
    AppRoleAuth,
    Auth,
    KubernetesAuth,
    TokenAuth,
    TokenRequestAuth,
    VaultSettings,
)

ADDRESS = "https://vault.home:8200"
LEAST = f'[secrets.vault]\naddress = "{ADDRESS}"\nkey = "matrix"\n'
FILE, PROJECTED = "/t", "/var/run/secrets/vault/token"
ROLE = 'login = { role = "tide" }\n'


def settings(folder: Path, text: str, **environ: str) -> VaultSettings:
    (folder / "matrix.toml").write_text(text)
    found = SecretsSettings.of(Project.find({}, folder), environ)
    assert found.vault is not None
    assert found.home.vault == found.vault.sent()
    return found.vault


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(folder, text, **environ)
    assert caught.value.__context__ is None
    return [line.removeprefix(f"{folder}/matrix.toml: ") for line in str(caught.value).splitlines()]


def test_the_least_that_can_be_said(tmp_path: Path) -> None:
    found = settings(tmp_path, LEAST + ROLE)
    login = KubernetesAuth(role="tide", token_file=PROJECTED)
    assert found == VaultSettings(address=ADDRESS, key="matrix", login=login)
    assert (found.mount, found.namespace, found.ca_file, found.strict) == ("transit", "", "", True)


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (
            'method = "kubernetes"\nrole = "r"\ntoken_file = "/t"\nmount = "m"',
            KubernetesAuth(role="r", token_file=FILE, mount="m"),
        ),
        (
            'method = "token-request"\nrole = "r"\nservice_account = "a"\nnamespace = "n"',
            TokenRequestAuth(role="r", service_account="a", namespace="n"),
        ),
        (
            'method = "approle"\nrole_id = "i"\nsecret_id_file = "/t"',
            AppRoleAuth(role_id="i", secret_id_file=FILE),
        ),
        ('method = "token"\ntoken_file = "/t"', TokenAuth(token_file=FILE)),
    ],
)
def test_it_travels_as_it_is(tmp_path: Path, login: str, expected: object) -> None:
    more = 'mount = "t"\nnamespace = "team"\nca_file = "/ca.pem"\nstrict = false\n'
    found = settings(tmp_path, f"{LEAST}{more}[secrets.vault.login]\n{login}")
    assert found.login == expected
    assert VaultSettings.received(json.loads(json.dumps(found.sent()))) == found
    assert (found.mount, found.namespace, found.ca_file, found.strict) == (
        *("t", "team", "/ca.pem"),
        False,
    )


def test_vaults_own_variables_are_defaults(tmp_path: Path) -> None:
    environ = {
        "VAULT_ADDR": "https://other:8200",
        "VAULT_NAMESPACE": "team",
        "VAULT_CACERT": "/other.pem",
        "VAULT_ROLE": "moon",
        "VAULT_TOKEN": "never",
    }
    found = settings(tmp_path, '[secrets.vault]\nkey = "matrix"', **environ)
    assert (found.address, found.namespace, found.ca_file, found.login) == (
        *("https://other:8200", "team", "/other.pem"),
        KubernetesAuth(role="moon"),
    )
    said = settings(tmp_path, f'{LEAST}{ROLE}ca_file = "ca.pem"\nnamespace = ""', **environ)
    assert said == VaultSettings(
        address=ADDRESS,
        key="matrix",
        ca_file=str(tmp_path / "ca.pem"),
        login=KubernetesAuth(role="tide"),
    )


@pytest.mark.parametrize("login", ["", ROLE, 'login = { method = "token", token_file = "/t" }\n'])
def test_a_human_may_log_in_otherwise_than_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir("/")

    def read(token_file: str) -> Auth:
        environ = {"VAULT_TOKEN_FILE": token_file, "VAULT_ROLE": "tide"}
        return settings(tmp_path, LEAST + login, **environ).login

    assert read("/other") == TokenAuth(token_file=str(Path("/other")))
    assert read("~/.vault-token") == TokenAuth(token_file=str(Path("/home/me/.vault-token")))
    assert read("here") == TokenAuth(token_file=str(Path("/here")))
    assert read("") == settings(tmp_path, LEAST + login, VAULT_ROLE="tide").login


def test_where_there_is_no_pod_its_login_is_not_all_there_is(tmp_path: Path) -> None:
    missing = "secrets.vault.login.role is missing, and so is VAULT_ROLE in the environment"
    assert problems(tmp_path, LEAST) == [
        f'{missing}. It is for pods: elsewhere set method = "token-request", or log in with vault '
        "login and let VAULT_TOKEN_FILE name ~/.vault-token"
    ]
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert problems(tmp_path, LEAST, **pod) == [missing]
    asked = LEAST + 'login = { method = "token-request", service_account = "a", namespace = "n" }'
    assert problems(tmp_path, asked) == [missing]


def test_files_are_where_the_table_is_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = 'login = { method = "token", token_file = "~/.vault-token" }\nca_file = "ca.pem"'
    found = settings(tmp_path, LEAST + text)
    assert found.login == TokenAuth(token_file=str(Path("/home/me/.vault-token")))
    assert found.ca_file == str(tmp_path / "ca.pem")
    assert settings(tmp_path, LEAST + text.replace("~/", "~nobody-here/")).login == TokenAuth(
        token_file=str(tmp_path / "~nobody-here" / ".vault-token")
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'[secrets.vault]\nkey = "k"\n{ROLE}',
            "secrets.vault.address is missing, and so is VAULT_ADDR in the environment",
        ),
        (f'[secrets.vault]\naddress = "{ADDRESS}"\n{ROLE}', "secrets.vault.key is missing"),
        (LEAST + ROLE + "kye = 'x'", "nothing is called secrets.vault.kye; did you mean key?"),
        (LEAST + ROLE + "mount = ''", "secrets.vault.mount must not be empty"),
        (LEAST + ROLE + "mount = 5", "secrets.vault.mount must be text, in quotes"),
        (LEAST + ROLE + "strict = 'x'", "secrets.vault.strict must be true or false"),
        (LEAST + "login = 5", "secrets.vault.login must be a table"),
        (
            LEAST + 'login = { method = "ldap" }',
            "secrets.vault.login.method must be one of kubernetes, token-request, approle, token",
        ),
        (LEAST + "login = { role = '' }", "secrets.vault.login.role must not be empty"),
        (
            LEAST + 'login = { method = "approle", role_id = "x" }',
            "secrets.vault.login.secret_id_file is missing",
        ),
        (
            LEAST + 'login = { role = "x", tokenfile = "x" }',
            "nothing is called secrets.vault.login.tokenfile; did you mean token_file?",
        ),
        ("[secrets]\nvault = 5", "secrets.vault must be a table"),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    assert problems(tmp_path, text) == [said]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("vault:8200", "must be a URL"),
        ("", "must be a URL"),
        ("ftp://vault", "must be a URL"),
        ("https://", "must be a URL"),
        ("https://vault:port", "must be a URL"),
        ("https://[vault", "must be a URL"),
        ("https://me:word@vault", "must be no more than scheme, host, port and path"),
        ("https://vault?x=y", "must be no more than scheme, host, port and path"),
        ("http://vault", "must begin with https://: http:// is for this machine alone"),
        ("http://127.0.0.1.example.org", "must begin with https://"),
    ],
)
def test_an_address_that_cannot_be(tmp_path: Path, address: str, said: str) -> None:
    (line,) = problems(tmp_path, LEAST.replace(ADDRESS, address) + ROLE)
    assert line.startswith(f"secrets.vault.address {said}")
    assert "word" not in line


@pytest.mark.parametrize("address", ["http://localhost:8200", "http://127.0.0.2", "http://[::1]:1"])
def test_an_address_on_this_machine(tmp_path: Path, address: str) -> None:
    assert settings(tmp_path, LEAST.replace(ADDRESS, address) + ROLE).address == address


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = '[secrets]\n[[secrets.source]]\nkind = "file"\n[secrets.vault]\nkye = "x"'
    assert len(problems(tmp_path, text, VAULT_ADDR="x", VAULT_ROLE="x")) == 3


def test_what_is_built_by_hand_is_checked_too() -> None:
    good = VaultSettings(address=ADDRESS, key="k", login=KubernetesAuth(role="r"))
    assert not list(good.misfits())
    assert [name for name, _ in replace(good, key="", mount="").misfits()] == ["key", "mount"]
