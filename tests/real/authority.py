"""A certificate authority for the tests. What it issues passes the strictest verification
(``VERIFY_X509_STRICT``), unless one of the faults that clusters are known for is asked for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Leaf:
    """One issued certificate, its key, and the authority that it is verified with: PEM files."""

    certificate: Path
    key: Path
    ca_file: Path


class Authority:
    """A CA of its own: a second one is the wrong one for the first one's leaves."""

    def __init__(
        self, folder: Path, *, key_usage: bool = True, critical_constraints: bool = True
    ) -> None:
        """Make it, in ``folder``.

        :param key_usage: without, it is a CA as MicroK8s made them.
        :param critical_constraints: without, it is a CA as older OpenSSL recipes made them.
        """
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("A CA for tests")
        public = self._key.public_key()
        builder = (
            _builder(self._name, self._name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical_constraints)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if key_usage:
            builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        _write(self.ca_file, builder.sign(self._key, hashes.SHA256()))

    def leaf(
        self,
        name: str,
        *,
        hosts: Sequence[str] = ("127.0.0.1", "localhost"),
        group: str | None = None,
        key_identifier: bool = True,
        expired: bool = False,
    ) -> Leaf:
        """Issue a certificate, good for a server and for a client.

        :param name: the subject's common name, and the name of its files.
        :param hosts: addresses and names that it is for; none of them: no subjectAltName.
        :param group: the subject's organisation, which Kubernetes takes for the user's group.
        :param key_identifier: without, no authorityKeyIdentifier says which key signed it.
        :param expired: its time was over yesterday.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key()
        both = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        builder = (
            _builder(_name(name, group), self._name, public, expired=expired)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(both, critical=False)
        )
        if hosts:
            alternatives = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
            builder = builder.add_extension(alternatives, critical=False)
        if key_identifier:
            signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(signer, critical=False)

        leaf = Leaf(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.ca_file)
        _write(leaf.certificate, builder.sign(self._key, hashes.SHA256()))
        leaf.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return leaf


def _name(name: str, group: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    *,
    expired: bool = False,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _DAY)
        .not_valid_after(now - _DAY if expired else now + _DAY)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(file: Path, certificate: x509.Certificate) -> None:
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
