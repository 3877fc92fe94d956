"""The certificates are what the tests of TLS need: strictly valid, or wrong in one way."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest

from tests.real.authority import Authority, Leaf


def verified(leaf: Leaf, ca_file: Path, host: str, *, strict: bool) -> None:
    """A handshake of a client with a server, in memory."""
    client_context = ssl.create_default_context(cafile=ca_file)
    flags = client_context.verify_flags & ~ssl.VERIFY_X509_STRICT
    client_context.verify_flags = flags | (ssl.VERIFY_X509_STRICT if strict else 0)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(leaf.certificate, leaf.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    client.do_handshake()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_it_issues_passes_the_strictest_verification(tmp_path: Path, host: str) -> None:
    authority = Authority(tmp_path)
    verified(authority.leaf("server"), authority.ca_file, host, strict=True)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("key_usage", "CA cert does not include key usage extension"),
        ("critical_constraints", "Basic Constraints of CA cert not marked critical"),
        ("key_identifier", "Missing Authority Key Identifier"),
    ],
)
def test_a_fault_that_only_strict_verification_minds(
    tmp_path: Path, fault: str, reason: str
) -> None:
    authority = Authority(
        tmp_path,
        key_usage=fault != "key_usage",
        critical_constraints=fault != "critical_constraints",
    )
    issued = authority.leaf("server", key_identifier=fault != "key_identifier")
    verified(issued, authority.ca_file, "127.0.0.1", strict=False)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        verified(issued, authority.ca_file, "127.0.0.1", strict=True)


@pytest.mark.parametrize("strict", [True, False])
class TestAFaultThatNoVerificationAllows:
    def test_no_name(self, tmp_path: Path, strict: bool) -> None:
        authority = Authority(tmp_path)
        issued = authority.leaf("127.0.0.1", hosts=())
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            verified(issued, authority.ca_file, "127.0.0.1", strict=strict)

    def test_expired(self, tmp_path: Path, strict: bool) -> None:
        authority = Authority(tmp_path)
        issued = authority.leaf("server", expired=True)
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
            verified(issued, authority.ca_file, "127.0.0.1", strict=strict)

    def test_the_wrong_authority(self, tmp_path: Path, strict: bool) -> None:
        (tmp_path / "other").mkdir()
        issued, other = Authority(tmp_path).leaf("server"), Authority(tmp_path / "other")
        with pytest.raises(ssl.SSLCertVerificationError, match=r"signature failure|unable to get"):
            verified(issued, other.ca_file, "127.0.0.1", strict=strict)
