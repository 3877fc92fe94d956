"""The contract of ``Transit``, kept by every implementation."""

from __future__ import annotations

import base64

import pytest

from framework.secrets.transit import Sealed, TooOld, Transit, TransitRefused, Unreadable

HOME = b"v1\0document\0local\0local\0home\0secrets.json"
AWAY = b"v1\0document\0local\0local\0away\0secrets.json"


@pytest.mark.parametrize(
    "plaintext",
    [b"x", b'{"tide": {"token": "\xc3\xa9"}}', bytes(range(256)), b"long" * 50_000],
    ids=["short", "text", "bytes", "long"],
)
def test_what_is_encrypted_can_be_decrypted(transit: Transit, plaintext: bytes) -> None:
    sealed = Sealed(HOME, transit.encrypt(HOME, plaintext))
    assert sealed.version == 1
    assert transit.decrypt(sealed) == plaintext


def test_no_ciphertext_comes_twice(transit: Transit) -> None:
    assert transit.encrypt(HOME, b"x") != transit.encrypt(HOME, b"x")


def test_another_context_is_unreadable(transit: Transit) -> None:
    ciphertext = transit.encrypt(HOME, b"x")
    for context in (AWAY, HOME + b"\0", HOME[:-1], b"v"):
        with pytest.raises(Unreadable):
            transit.decrypt(Sealed(context, ciphertext))


def test_a_changed_body_is_unreadable(transit: Transit) -> None:
    prefix, _, text = transit.encrypt(HOME, b"x").rpartition(":")
    body = bytearray(base64.b64decode(text))
    for place in (0, 11, 12, len(body) - 1):  # the nonce's ends, the text, the tag
        body[place] ^= 1
        with pytest.raises(Unreadable):
            transit.decrypt(Sealed(HOME, f"{prefix}:{base64.b64encode(body).decode()}"))
        body[place] ^= 1


@pytest.mark.parametrize(
    "stored", ["", "plain", "vault:v1:", "vault:v0:AAAA", "vault:v1:AAAA", "vault:v1:====", "s:v1:"]
)
def test_what_is_no_ciphertext_is_unreadable(transit: Transit, stored: str) -> None:
    with pytest.raises(Unreadable):
        transit.decrypt(Sealed(HOME, stored))


def test_a_version_that_does_not_exist_is_unreadable(transit: Transit) -> None:
    ciphertext = transit.encrypt(HOME, b"x").replace("vault:v1:", "vault:v2:")
    with pytest.raises(Unreadable):
        transit.decrypt(Sealed(HOME, ciphertext))


def test_the_version_that_a_ciphertext_names_is_the_one_that_decrypts_it(transit: Transit) -> None:
    transit.rotate()
    ciphertext = transit.encrypt(HOME, b"x").replace("vault:v2:", "vault:v1:")
    with pytest.raises(Unreadable):
        transit.decrypt(Sealed(HOME, ciphertext))


def test_a_rotation_adds_one_version_and_retires_none(transit: Transit) -> None:
    before = transit.read_key()
    old = Sealed(HOME, transit.encrypt(HOME, b"x"))
    transit.rotate()
    after = transit.read_key()
    assert list(before.versions) == [1]
    assert sorted(after.versions) == [1, 2]
    assert after.latest == 2
    assert after.versions[1] == before.versions[1]
    assert after.min_decryption_version == before.min_decryption_version == 1
    assert transit.decrypt(old) == b"x"
    assert Sealed(HOME, transit.encrypt(HOME, b"y")).version == 2


def test_versions_are_dated_by_its_own_clock(transit: Transit) -> None:
    start = transit.now()
    transit.rotate()
    versions = transit.read_key().versions
    assert versions[1] <= versions[2] <= transit.now()
    assert start.utcoffset() is not None
    # Vault's versions are dated to the second, or finer.
    assert (versions[2] - start).total_seconds() > -1


def test_rewrap_keeps_the_text_and_brings_the_latest_version(transit: Transit) -> None:
    batch = [Sealed(HOME, transit.encrypt(HOME, b"x")), Sealed(AWAY, transit.encrypt(AWAY, b"y"))]
    transit.rotate()
    for context, plaintext, ciphertext in zip(
        (HOME, AWAY), (b"x", b"y"), transit.rewrap(batch), strict=True
    ):
        assert isinstance(ciphertext, str)
        sealed = Sealed(context, ciphertext)
        assert sealed.version == 2
        assert transit.decrypt(sealed) == plaintext


def test_rewrap_says_which_were_refused_and_does_the_others(transit: Transit) -> None:
    old = Sealed(HOME, transit.encrypt(HOME, b"old"))
    transit.rotate()
    transit.set_min_decryption_version(2)
    good = Sealed(HOME, transit.encrypt(HOME, b"x"))
    moved = Sealed(AWAY, good.ciphertext)
    results = transit.rewrap([moved, good, old, Sealed(HOME, "plain"), good])
    assert [type(result) for result in results] == [Unreadable, str, TooOld, Unreadable, str]
    assert transit.rewrap([]) == []


def test_below_the_floor_is_too_old_until_it_is_lowered(transit: Transit) -> None:
    old = Sealed(HOME, transit.encrypt(HOME, b"x"))
    transit.rotate()
    new = Sealed(HOME, transit.encrypt(HOME, b"x"))
    transit.set_min_decryption_version(2)
    assert transit.read_key().min_decryption_version == 2
    with pytest.raises(TooOld):
        transit.decrypt(old)
    assert transit.decrypt(new) == b"x"
    transit.set_min_decryption_version(1)
    assert transit.decrypt(old) == b"x"


@pytest.mark.parametrize("version", [-1, 0, 3])
def test_the_floor_is_a_version_that_exists(transit: Transit, version: int) -> None:
    transit.rotate()
    before = transit.read_key()
    with pytest.raises(TransitRefused):
        transit.set_min_decryption_version(version)
    assert transit.read_key() == before
