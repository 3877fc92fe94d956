"""The real servers work, alone and together, and nothing of them outlives the tests."""

from __future__ import annotations

import base64
import contextlib
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from tests.real.servers import RealKubernetes, RealVault, kubernetes_auth
from tests.waiting import until_blocking

CONTEXT = base64.b64encode(b"v1\0fields\0test\0led\0tide\0token").decode()
OTHER_CONTEXT = base64.b64encode(b"v1\0fields\0test\0led\0moon\0token").decode()
PLAINTEXT = base64.b64encode(b"high water").decode()
POLICY = f"""
path "transit/decrypt/led" {{
  capabilities = ["update"]
  required_parameters = ["context"]
  allowed_parameters = {{ "ciphertext" = [], "context" = ["{CONTEXT}"] }}
}}
path "auth/token/revoke-self" {{ capabilities = ["update"] }}
"""
ROLE = {
    "bound_service_account_names": ["tide"],
    "bound_service_account_namespaces": ["led"],
    "audience": "vault",
    "token_policies": ["tide"],
    "token_no_default_policy": True,
    "token_ttl": "60s",
}


def transit(vault: RealVault) -> None:
    vault.must("POST", "sys/mounts/transit", {"type": "transit"})
    vault.must("POST", "transit/keys/led", {"derived": True})


def encrypted(vault: RealVault, context: str = CONTEXT) -> str:
    body = {"plaintext": PLAINTEXT, "context": context}
    text: str = vault.must("POST", "transit/encrypt/led", body)["data"]["ciphertext"]
    return text


def decrypt(
    vault: RealVault, ciphertext: str, context: str = CONTEXT, *, token: str | None = None
) -> tuple[int, Any]:
    body = {"ciphertext": ciphertext, "context": context}
    return vault.request("POST", "transit/decrypt/led", body, token=token)


@pytest.mark.parametrize(("name", "version"), [("vault", "1.21.2"), ("old_vault", "1.13.1")])
def test_vault_is_the_version_that_it_is_said_to_be(
    request: pytest.FixtureRequest, name: str, version: str
) -> None:
    vault: RealVault = request.getfixturevalue(name)
    said = vault.must("GET", "sys/health", token="")
    assert (said["version"], said["sealed"]) == (version, False)


def test_vaults_certificate_passes_the_strictest_verification(each_vault: RealVault) -> None:
    context = ssl.create_default_context(cafile=each_vault.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", each_vault.port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as encrypted_connection,
    ):
        assert encrypted_connection.version() == "TLSv1.3"


def login_of_tide(vault: RealVault, kubernetes: RealKubernetes) -> None:
    """Who runs as ``tide`` in the namespace ``led`` may log in."""
    kubernetes.account("led", "tide")
    kubernetes_auth(vault, kubernetes)
    vault.must("PUT", "sys/policies/acl/tide", {"policy": POLICY})
    vault.must("POST", "auth/kubernetes/role/tide", ROLE)


def test_a_service_decrypts_what_its_policy_pins_and_nothing_else(
    private_vault: RealVault, kubernetes: RealKubernetes
) -> None:
    vault = private_vault
    transit(vault)
    own, other = encrypted(vault), encrypted(vault, OTHER_CONTEXT)
    login_of_tide(vault, kubernetes)

    login = {"role": "tide", "jwt": kubernetes.token("led", "tide", "vault")}
    token = vault.must("POST", "auth/kubernetes/login", login, token="")["auth"]["client_token"]

    status, answer = decrypt(vault, own, token=token)
    assert (status, answer["data"]["plaintext"]) == (200, PLAINTEXT)
    assert decrypt(vault, other, OTHER_CONTEXT, token=token)[0] == 403
    status, answer = decrypt(vault, other, token=token)
    assert status == 400
    assert "message authentication failed" in answer["errors"][0]
    batch = {"context": CONTEXT, "batch_input": [{"ciphertext": own, "context": CONTEXT}]}
    assert vault.request("POST", "transit/decrypt/led", batch, token=token)[0] == 403
    assert vault.request("GET", "transit/keys/led", token=token)[0] == 403

    vault.must("POST", "auth/token/revoke-self", token=token)
    assert decrypt(vault, own, token=token)[0] == 403


def test_a_login_with_another_audience_or_account_is_refused(
    private_vault: RealVault, kubernetes: RealKubernetes
) -> None:
    login_of_tide(private_vault, kubernetes)
    kubernetes.account("led", "moon")
    for account, audience, said in (
        ("tide", kubernetes.issuer, "invalid audience (aud) claim"),
        ("moon", "vault", "service account name not authorized"),
    ):
        login = {"role": "tide", "jwt": kubernetes.token("led", account, audience)}
        status, answer = private_vault.request("POST", "auth/kubernetes/login", login, token="")
        assert status >= 400
        assert said in answer["errors"][0]


def test_sealed_and_restarted_it_keeps_what_it_has(private_vault: RealVault) -> None:
    vault = private_vault
    transit(vault)
    text = encrypted(vault)

    vault.seal()
    assert decrypt(vault, text)[0] == 503
    vault.unseal()
    assert decrypt(vault, text)[0] == 200

    vault.restart()
    assert decrypt(vault, text)[0] == 503
    vault.unseal()
    assert decrypt(vault, text)[1]["data"]["plaintext"] == PLAINTEXT


def test_restored_it_knows_only_what_it_knew(private_vault: RealVault) -> None:
    vault = private_vault
    transit(vault)
    before = encrypted(vault)
    copy = vault.copy_data()
    vault.must("POST", "transit/keys/led/rotate")
    after = encrypted(vault)
    assert after.startswith("vault:v2:")

    vault.restore(copy)
    vault.unseal()
    assert decrypt(vault, before)[0] == 200
    status, answer = decrypt(vault, after)
    assert (status, answer["errors"]) == (400, ["invalid ciphertext: version is too new"])


def test_frozen_it_accepts_and_does_not_answer(private_vault: RealVault) -> None:
    private_vault.freeze()
    with socket.create_connection(("127.0.0.1", private_vault.port), timeout=0.3) as connection:
        connection.sendall(b"not a handshake")
        with pytest.raises(TimeoutError):
            connection.recv(1)
    private_vault.thaw()
    assert private_vault.request("GET", "sys/health")[0] == 200


def test_killed_it_refuses_connections(private_vault: RealVault) -> None:
    private_vault.kill()
    with pytest.raises(ConnectionRefusedError):
        private_vault.request("GET", "sys/health")


def test_kubernetes_knows_administrators_accounts_and_their_rights(
    kubernetes: RealKubernetes,
) -> None:
    assert kubernetes.request("GET", "/version")[1]["gitVersion"] == "v1.36.3"
    kubernetes.account("rights", "tide")
    token = kubernetes.token("rights", "tide", kubernetes.issuer)
    secrets = "/api/v1/namespaces/rights/secrets"
    assert kubernetes.request("GET", secrets)[0] == 200
    assert kubernetes.request("GET", secrets, token=token)[0] == 403
    for_vault = kubernetes.token("rights", "tide", "vault")
    assert kubernetes.request("GET", secrets, token=for_vault)[0] == 401


def test_kubernetes_refuses_to_replace_what_has_changed(kubernetes: RealKubernetes) -> None:
    kubernetes.account("swap", "tide")
    secrets = "/api/v1/namespaces/swap/secrets"
    first = kubernetes.create(secrets, {"metadata": {"name": "tide"}, "data": {}})
    assert kubernetes.request("PUT", f"{secrets}/tide", first | {"data": {"a": "YQ=="}})[0] == 200
    assert kubernetes.request("PUT", f"{secrets}/tide", first | {"data": {"b": "Yg=="}})[0] == 409
    merged = kubernetes.request(
        "PATCH",
        f"{secrets}/tide",
        {"data": {"c": "Yw=="}},
        content_type="application/merge-patch+json",
    )[1]
    assert merged["data"] == {"a": "YQ==", "c": "Yw=="}


def test_kubernetes_stopped_and_started_keeps_what_it_has(kubernetes: RealKubernetes) -> None:
    kubernetes.account("kept", "tide")
    path = "/api/v1/namespaces/kept/serviceaccounts/tide"
    kubernetes.stop()
    with pytest.raises(ConnectionRefusedError):
        kubernetes.request("GET", path)
    kubernetes.start()
    assert kubernetes.request("GET", path)[0] == 200


def test_the_kubeconfig_files_open_it(kubernetes: RealKubernetes) -> None:
    kubernetes.account("files", "tide")
    open_file: Callable[[str], client.ApiClient] = config.new_client_from_config
    as_whom = {kubernetes.admin: 200, kubernetes.kubeconfig("files", "tide"): 403}
    for file, expected in as_whom.items():
        with contextlib.closing(open_file(str(file))) as api:
            try:
                status = api.call_api(
                    "GET", f"{kubernetes.server}/api/v1/namespaces/files/secrets"
                ).status
            except client.ApiException as error:
                status = error.status
        assert status == expected


STARTS_ONE = """
import sys, time
from pathlib import Path
from tests.real.authority import Authority
from tests.real.servers import RealVault

binary, folder = map(Path, sys.argv[1:])
with RealVault(binary, folder, Authority(folder).leaf("vault")) as vault:
    print(vault.port, flush=True)
    time.sleep(60)
"""


def test_it_dies_with_the_process_that_started_it(vault: RealVault, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, vault.binary, tmp_path], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)):
            process.kill()
    assert process.returncode == -signal.SIGKILL
    until_blocking(lambda: not listens(port))


def listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
