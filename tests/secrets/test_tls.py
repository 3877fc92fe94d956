"""TLS of our own: what is trusted on every Python alike, and what is said of what is not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.secrets.tls import Problem, client_context, tls_problem
from tests.real.authority import Authority, Leaf


@contextlib.contextmanager
def serving(leaf: Leaf) -> Iterator[int]:
    """A server that shakes hands and closes; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def problem(leaf: Leaf, ca_file: Path, *, strict: bool = True) -> Problem | None:
    """What is wrong with a connection to 127.0.0.1, if it cannot be."""
    context = client_context(str(ca_file), strict=strict, settings="[table]")
    with serving(leaf) as port:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                context.wrap_socket(connection, server_hostname="127.0.0.1").close()
        except ssl.SSLError as error:
            wrapped = ConnectionError(error)  # as libraries wrap it
            found = tls_problem(wrapped, host="vault", ca_file="ca.pem", settings="[table]")
            assert found is not None
            named = tls_problem(error, host="vault", ca_file=str(ca_file), settings="[table]")
            assert named is not None
            return Problem(named.sentence.replace(str(ca_file), "ca.pem"), named.lasting)
    return None


STRICT = "set strict = false in [table], or"


@pytest.mark.parametrize(
    ("authority", "leaf", "said"),
    [
        ({}, {}, None),
        (
            {"key_usage": False},
            {},
            f"the CA in ca.pem has no keyUsage, as MicroK8s makes it: {STRICT} make a new CA",
        ),
        (
            {"critical_constraints": False},
            {},
            f"the CA in ca.pem has basicConstraints that are not critical: {STRICT} make a new CA",
        ),
        (
            {},
            {"key_identifier": False},
            "the certificate of vault has no authorityKeyIdentifier: "
            f"{STRICT} have it made anew with one",
        ),
    ],
    ids=["compliant", "MicroK8s", "old OpenSSL", "no key identifier"],
)
def test_what_only_the_strict_check_finds(
    tmp_path: Path, authority: dict[str, bool], leaf: dict[str, bool], said: str | None
) -> None:
    ca = Authority(tmp_path, **authority)
    made = ca.leaf("vault", **leaf)  # type: ignore[arg-type]  # every fault is a bool
    expected = None if said is None else Problem(said, lasting=True)
    assert problem(made, ca.ca_file) == expected
    assert problem(made, ca.ca_file, strict=False) is None


@pytest.mark.parametrize("strict", [True, False])
def test_what_no_setting_lets_pass(tmp_path: Path, strict: bool) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    ca, other = map(Authority, folders)

    def said(leaf: Leaf, ca_file: Path = ca.ca_file) -> str:
        found = problem(leaf, ca_file, strict=strict)
        assert found is not None
        assert found.lasting
        return found.sentence

    assert said(ca.leaf("expired", expired=True)) == (
        "the certificate of vault has expired: have it made anew"
    )
    no_name = "the certificate of vault is not made for that name: use a name that its"
    assert said(ca.leaf("nameless", hosts=())).startswith(no_name)
    assert said(ca.leaf("127.0.0.1", hosts=())).startswith(no_name)
    assert said(ca.leaf("elsewhere", hosts=["elsewhere"])).startswith(no_name)
    assert said(ca.leaf("good"), other.ca_file) == (
        "the certificate of vault is not signed by a CA in ca.pem: set ca_file in [table] to the "
        "CA that signed it"
    )


def test_a_certificate_may_be_trusted_itself(tmp_path: Path) -> None:
    """As Python 3.13 does by default: what is in the file is trusted, also if it is no root."""
    leaf = Authority(tmp_path).leaf("vault")
    assert problem(leaf, leaf.certificate) is None


def test_it_is_the_same_on_every_python(tmp_path: Path) -> None:
    ca_file = str(Authority(tmp_path).ca_file)
    context = client_context(ca_file, settings="[table]")
    loose = client_context(ca_file, strict=False, settings="[table]")
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ~ssl.VERIFY_X509_STRICT == loose.verify_flags
    for each in (context, loose):
        assert each.verify_mode is ssl.CERT_REQUIRED
        assert each.check_hostname
        assert each.minimum_version is ssl.TLSVersion.TLSv1_2
        assert each.cert_store_stats()["x509_ca"] == 1


def test_the_keys_of_a_connection_are_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    ca = Authority(tmp_path)
    assert problem(ca.leaf("vault"), ca.ca_file) is None
    assert not (tmp_path / "keys").exists()


def test_a_ca_that_cannot_be_used(tmp_path: Path) -> None:
    def said(ca_file: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            client_context(str(ca_file), settings="[table]")
        assert caught.value.__context__ is None
        return str(caught.value).replace(str(tmp_path), "")

    (tmp_path / "empty").touch()
    assert said(tmp_path / "none") == (
        "the CA file /none cannot be read: No such file or directory. Set ca_file in [table] to "
        "one that can"
    )
    other = said(tmp_path / "empty")
    assert other.startswith("/empty holds no certificate: it must be PEM")
    assert other.endswith("or set ca_file in [table] to another")


def test_a_server_that_speaks_no_tls(tmp_path: Path) -> None:
    context = client_context(str(Authority(tmp_path).ca_file), settings="[table]")
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ssl.SSLError) as caught:
            context.wrap_socket(near, server_hostname="vault")
    found = tls_problem(caught.value, host="vault", ca_file="", settings="[table]")
    assert found is not None
    assert found.sentence == "vault does not speak TLS there: is the port right, and is it https?"


def test_what_is_no_problem_of_tls() -> None:
    for error in (ConnectionResetError(), ssl.SSLEOFError(8, "EOF"), ValueError(ValueError())):
        assert tls_problem(error, host="vault", ca_file="", settings="[table]") is None
