"""TLS as every connection of the secrets has it: one context, equally strict on every Python, and
what is wrong with a certificate in one sentence.

Python itself is strict (RFC 5280) only since 3.13, and says neither which certificate it refuses
nor what to do about it. Where TLS leads to, and what is sent, is left to who connects.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from framework.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def client_context(ca_file: str, *, strict: bool = True, settings: str) -> ssl.SSLContext:
    """For connections to a server whose certificate one of these CAs has signed, and to no other.

    ``ca_file`` names a PEM file; empty: the CAs are those of the system. ``strict = False`` is for
    a CA that RFC 5280 would not have so, and changes nothing else: chain, dates and the host's name
    are checked all the same. ``settings``: the table where both stand.

    :raises ConfigError: the file cannot be read, or holds no certificate.
    """
    # ssl.create_default_context would write the session keys to where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if not strict:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    refusal = _trust(context, ca_file, settings)
    if refusal is not None:
        raise refusal
    return context


def _trust(context: ssl.SSLContext, ca_file: str, settings: str) -> ConfigError | None:
    if not ca_file:
        context.load_default_certs()
        return None
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        return ConfigError(
            f"{ca_file} holds no certificate: it must be PEM, with -----BEGIN CERTIFICATE-----, or "
            f"set ca_file in {settings} to another"
        )
    except OSError as error:
        return ConfigError(
            f"the CA file {ca_file} cannot be read: {error.strerror}. Set ca_file in {settings} to "
            "one that can"
        )
    return None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no connection."""

    sentence: str
    lasting: bool
    """Whether to try again is pointless until somebody has changed something."""


def tls_problem(error: BaseException, *, host: str, ca_file: str, settings: str) -> Problem | None:
    """What is wrong, if ``error``, or what is inside it, is one of TLS.

    ``settings`` is the table where ``strict`` and ``ca_file`` stand: ``[secrets.vault]``.
    """
    for each in inside(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return _distrusted(each, _Names(host, ca_file, settings))
        if isinstance(each, ssl.SSLError):
            # One that Python itself makes has none.
            return _unspoken(getattr(each, "reason", None) or "", host)
    return None


def inside(error: BaseException) -> Iterator[BaseException]:
    """It, and all that it wraps, in whatever way its library wraps."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            inner = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
            waiting += [one for one in inner if isinstance(one, BaseException)]


def _unspoken(reason: str, host: str) -> Problem | None:
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
        what = "does not speak TLS there: is the port right, and is it https?"
    elif reason in ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"):
        what = "speaks no TLS from 1.2 on: update it"
    elif reason.startswith(("TLSV1_ALERT", "TLSV13_ALERT", "SSLV3_ALERT")):
        what = f"refuses the TLS connection ({reason})"
    else:  # cut off, reset: like any connection that breaks
        return None
    return Problem(f"{host} {what}", lasting=True)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a sentence calls things."""

    host: str
    ca_file: str
    settings: str

    @property
    def leaf(self) -> str:
        return f"the certificate of {self.host}"

    @property
    def trusted(self) -> str:
        return f"a CA in {self.ca_file}" if self.ca_file else "a CA of the system"

    def ca(self, is_at_fault: Callable[[Certificate], bool]) -> str:
        """The CA that is at fault: one of the file, or one that the server sends."""
        if self.in_file(is_at_fault):
            return f"the CA in {self.ca_file}"
        return f"a CA that signed {self.leaf}"

    def in_file(self, is_at_fault: Callable[[Certificate], bool]) -> bool:
        return any(is_at_fault(each) for each in _certificates(self.ca_file))

    def loosened(self, what: str, remedy: str) -> Problem:
        """It may be let pass."""
        return Problem(f"{what}: set strict = false in {self.settings}, or {remedy}", True)


# X509_V_ERR_... of OpenSSL 3, openssl/x509_vfy.h; the ssl module gives them no names.
_NOT_YET, _EXPIRED = 9, 10
_WRONG_CA = (2, 7, 18, 19, 20, 21, 30)
_NOT_A_CA = (24, 79)
_OTHER_HOST = (62, 64)
_NO_AKI, _NO_SKI, _LOOSE_CONSTRAINTS, _NO_KEY_USAGE = 85, 86, 89, 92
_STRICT = range(80, 94)
"""What only the strict check finds."""

_SUBJECT_KEY_IDENTIFIER, _KEY_USAGE, _BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.19"


def _distrusted(error: ssl.SSLCertVerificationError, names: _Names) -> Problem:
    code, leaf = error.verify_code, names.leaf
    if code == _NOT_YET:
        sentence = f"{leaf}, or its CA, is not valid yet: is the clock of this machine right?"
        return Problem(sentence, lasting=False)
    if code in _STRICT:
        return _too_strict(code, error.verify_message, names)
    if code == _EXPIRED:
        at_fault = f"the CA in {names.ca_file}" if names.in_file(_is_expired) else leaf
        sentence = f"{at_fault} has expired: have it made anew"
    elif code in _WRONG_CA:
        sentence = (
            f"{leaf} is not signed by {names.trusted}: set ca_file in {names.settings} to "
            "the CA that signed it"
        )
    elif code in _NOT_A_CA:
        sentence = (
            f"what signed {leaf} is no CA (basicConstraints CA:TRUE): have it signed by a CA, and "
            f"set ca_file in {names.settings} to that"
        )
    elif code in _OTHER_HOST:
        sentence = (
            f"{leaf} is not made for that name: use a name that its subjectAltName lists, or have "
            f"it made anew with {names.host} there"
        )
    else:
        sentence = f"{leaf} is not trusted: {error.verify_message}"
    return Problem(sentence, lasting=True)


def _too_strict(code: int, message: str, names: _Names) -> Problem:
    if code == _NO_KEY_USAGE:
        ca = names.ca(lambda each: _KEY_USAGE not in _extensions(each))
        return names.loosened(f"{ca} has no keyUsage, as MicroK8s makes it", "make a new CA")
    if code == _LOOSE_CONSTRAINTS:
        ca = names.ca(lambda each: not _extensions(each).get(_BASIC_CONSTRAINTS, False))
        return names.loosened(f"{ca} has basicConstraints that are not critical", "make a new CA")
    if code == _NO_SKI:
        ca = names.ca(lambda each: _SUBJECT_KEY_IDENTIFIER not in _extensions(each))
        return names.loosened(f"{ca} has no subjectKeyIdentifier", "make a new CA")
    if code == _NO_AKI:
        what = f"{names.leaf} has no authorityKeyIdentifier"
        return names.loosened(what, "have it made anew with one")
    return names.loosened(
        f"{names.leaf}, or its CA, is not as RFC 5280 has it ({message})", "have it made anew"
    )


def _certificates(ca_file: str) -> list[Certificate]:
    """Those of the file; none where it cannot tell."""
    from cryptography import x509  # only where something is wrong

    try:
        return x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
    except (OSError, ValueError):
        return []


def _is_expired(certificate: Certificate) -> bool:
    return certificate.not_valid_after_utc < datetime.now(UTC)


def _extensions(certificate: Certificate) -> dict[str, bool]:
    """By number, which are there, and whether they are critical."""
    try:
        return {each.oid.dotted_string: each.critical for each in certificate.extensions}
    except ValueError:
        return {}
