"""The local default of ``Transit``: what it does with keys, and with the file that they lie in."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from traceback import TracebackException

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from framework.secrets.local.keyring import Keyring, KeyringExists, KeyVersion, LocalTransit
from framework.secrets.local.source import FileSource
from framework.secrets.source import Home
from framework.secrets.transit import Sealed, TooOld, TransitRefused, TransitUnavailable, Unreadable

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEYRING = Keyring.new(T0).rotated(T0).rotated(T0)
HOME = b"v1\0document\0local\0local\0home\0secrets.json"

KEPT = """{
  "format": "matrix keyring 1",
  "min_decryption_version": 1,
  "versions": [
    {
      "created": "2026-11-24T12:00:00+00:00",
      "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    }
  ],
  "sha256": "d6da4a58c5543353f92257a789653453c0aa2634e397161fa4e9fb0199bf9fd0"
}
"""
KEPT_CIPHERTEXT = "vault:v1:Z8xJ0sdZWhhbZAYbM7VDphfD7nrXUFCrHCz59nNos3I="


@given(st.binary(), st.binary())
def test_any_text_is_read_again_in_its_place(context: bytes, plaintext: bytes) -> None:
    assert KEYRING.decrypt(Sealed(context, KEYRING.encrypt(context, plaintext))) == plaintext


@given(st.binary(), st.binary(), st.binary())
def test_and_nowhere_else(context: bytes, other: bytes, plaintext: bytes) -> None:
    if context != other:
        sealed = Sealed(other, KEYRING.encrypt(context, plaintext))
        assert isinstance(KEYRING.decrypt(sealed), Unreadable)
        assert isinstance(KEYRING.rewrap(sealed), Unreadable)


@pytest.mark.parametrize("plaintext", [b"", b"x", b"xy"], ids=["no", "one", "two"])
def test_no_character_can_be_changed(plaintext: bytes) -> None:
    """Nor the bits of the last one that stand for nothing, of which base64 may leave up to four."""
    ciphertext = KEYRING.encrypt(HOME, plaintext)
    for place, own in enumerate(ciphertext):
        for digit in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:-_\n\0é":
            if digit != own:
                sealed = Sealed(HOME, ciphertext[:place] + digit + ciphertext[place + 1 :])
                assert isinstance(KEYRING.decrypt(sealed), Unreadable)


@given(st.binary(), st.data())
def test_nor_left_out_or_put_in(plaintext: bytes, data: st.DataObject) -> None:
    ciphertext = KEYRING.encrypt(HOME, plaintext)
    place = data.draw(st.integers(0, len(ciphertext) - 1))
    more = data.draw(st.text("vault:1A=\n", max_size=2))
    sealed = Sealed(HOME, ciphertext[:place] + more + ciphertext[place + 1 :])
    if sealed.ciphertext != ciphertext:
        assert isinstance(KEYRING.decrypt(sealed), Unreadable)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**9))
def test_a_version_is_readable_from_the_floor_to_the_latest(
    version: int, floor: int, other: int
) -> None:
    then = Keyring(KEYRING.versions[:version])
    ciphertext = then.encrypt(HOME, b"x")
    now = KEYRING.with_floor(floor)
    assert isinstance(now, Keyring)
    plaintext = now.decrypt(Sealed(HOME, ciphertext))
    assert isinstance(plaintext, TooOld) if version < floor else plaintext == b"x"
    renamed = ciphertext.replace(f"vault:v{version}:", f"vault:v{other}:")
    if other > 3:
        assert type(now.decrypt(Sealed(HOME, renamed))) is Unreadable


def test_an_empty_keyring_beside_a_fresh_ciphertext_says_that_it_was_restored() -> None:
    ciphertext = KEYRING.encrypt(HOME, b"x")
    refused = Keyring(KEYRING.versions[:2]).decrypt(Sealed(HOME, ciphertext))
    assert str(refused) == (
        "the ciphertext is of key version 3, and the key has 2: it is another key, or an older "
        "copy of it was restored"
    )


def test_what_was_sealed_once_stays_readable(tmp_path: Path) -> None:
    """The file and the ciphertext are as an earlier release wrote them."""
    path = tmp_path / "keyring.json"
    path.write_text(KEPT)
    path.chmod(0o600)
    assert LocalTransit(path).decrypt(Sealed(HOME, KEPT_CIPHERTEXT)) == b"kept"


def test_the_derivation_is_hkdf_as_published() -> None:
    """RFC 5869, test case 3: no salt, no info."""
    derived = KeyVersion(T0, b"\x0b" * 22).derived(b"")
    key = bytes.fromhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    assert derived.encrypt(bytes(12), b"x", None) == AESGCM(key).encrypt(bytes(12), b"x", None)


def test_a_new_keyring_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keyring.json"
    LocalTransit.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    LocalTransit(path).rotate()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.parent.iterdir()) == [path.parent / ".gitignore", path]


def test_one_that_exists_is_never_made_again(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    for content in (b"", b"damaged"):
        path.write_bytes(content)
        with pytest.raises(KeyringExists, match=r"there is a keyring .* already"):
            LocalTransit.create(path)
        assert path.read_bytes() == content


def test_whether_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    assert not LocalTransit(path).exists()
    path.write_bytes(b"damaged")
    assert LocalTransit(path).exists()
    assert not LocalTransit(path / "under-a-file").exists()
    with pytest.raises(TransitRefused, match="cannot be read: File name too long") as caught:
        LocalTransit(tmp_path / ("x" * 300)).exists()
    assert caught.value.__context__ is None


def test_who_is_overtaken_in_making_the_first_one_uses_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FileSource(path="a.sealed")
    home = Home(str(tmp_path), str(tmp_path / ".matrix" / "keyring"))
    create = LocalTransit.create

    def overtaken(path: Path) -> LocalTransit:
        create(path)
        return create(path)

    monkeypatch.setattr(LocalTransit, "create", overtaken)
    assert source.make_key(home, [source]) is None
    assert LocalTransit(Path(home.keyring)).read_key().latest == 1


def test_what_others_do_is_seen_at_once(tmp_path: Path) -> None:
    one = LocalTransit.create(tmp_path / "keyring.json")
    other = LocalTransit(tmp_path / "keyring.json")
    other.rotate()
    other.set_min_decryption_version(2)
    assert one.read_key() == other.read_key()
    assert Sealed(HOME, one.encrypt(HOME, b"x")).version == 2


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "keyring.json", tmp_path / "link.json"
    LocalTransit.create(real)
    link.symlink_to(real)
    LocalTransit(link).rotate()
    assert link.is_symlink()
    assert LocalTransit(real).read_key().latest == 2


EVERY_CALL: list[Callable[[LocalTransit], object]] = [
    lambda transit: transit.encrypt(HOME, b"x"),
    lambda transit: transit.decrypt(Sealed(HOME, KEYRING.encrypt(HOME, b"x"))),
    lambda transit: transit.rewrap([]),
    lambda transit: transit.read_key(),
    lambda transit: transit.rotate(),
    lambda transit: transit.set_min_decryption_version(1),
]


def refusal(path: Path) -> str:
    """What every call says; all say the same, and touch nothing."""
    before = sorted((each, each.read_bytes()) for each in path.parent.glob("*") if each.is_file())
    said = set()
    for call in EVERY_CALL:
        with pytest.raises(TransitRefused) as caught:
            call(LocalTransit(path))
        assert caught.value.__context__ is None
        said.add(str(caught.value))
    after = sorted((each, each.read_bytes()) for each in path.parent.glob("*") if each.is_file())
    assert after == before
    (one,) = said
    return one


def test_a_missing_one_is_not_made_by_reading_it(tmp_path: Path) -> None:
    for path in (tmp_path / "keyring.json", tmp_path / "nowhere" / "keyring.json"):
        assert refusal(path) == (
            f"there is no keyring {path}. `matrix encrypt` makes one; what is sealed already can "
            "be read only with the keyring that sealed it"
        )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_one_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyring.json"
    LocalTransit.create(path)
    path.chmod(mode)
    assert f"chmod 600 {path}" in refusal(path)


def test_one_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keyring.json"
    LocalTransit.create(path)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to another user (id {owner})" in refusal(path)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "keyring.json"
    path.mkdir(mode=0o700) if kind == "folder" else os.mkfifo(path, 0o600)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{}", b"null", b"1" * 5000, b"[" * 100_000, b"\xff", b'{"sha256": "x"}'],
    ids=["list", "empty", "null", "digits", "nested", "binary", "digest"],
)
def test_what_is_no_keyring_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keyring.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert "is damaged" in refusal(path)


def damages(content: bytes) -> list[bytes]:
    """Truncated at every byte but the last, a line feed; a bit flipped in each; one inserted."""
    cut = [content[:length] for length in range(len(content) - 1)]
    flipped = [
        content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
        for at in range(len(content))
    ]
    return [*cut, *flipped, content + b"x", content + content]


def test_a_damaged_one_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    transit = LocalTransit.create(path)
    transit.rotate()
    known, sound = transit.read_key(), path.read_bytes()
    sealed = Sealed(HOME, transit.encrypt(HOME, b"x"))
    for content in damages(sound):
        path.write_bytes(content)
        try:
            assert transit.read_key() == known
        except TransitRefused as refused:
            assert "is damaged" in str(refused)  # noqa: PT017 - a changed blank is no damage
            with pytest.raises(TransitRefused, match="is damaged"):
                transit.rotate()
        else:
            assert json.loads(content) == json.loads(sound)
            assert transit.decrypt(sealed) == b"x"
        assert path.read_bytes() == content


def test_no_error_carries_a_key_or_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keyring.json"
    transit = LocalTransit.create(path)
    sealed = Sealed(HOME, transit.encrypt(HOME, b"the first secret"))
    content = path.read_text()
    key = json.loads(content)["versions"][0]["key"]
    raw = repr(base64.b64decode(key))[2:-1]

    def no_room(descriptor: int) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    def said(call: Callable[[], object], kind: type[Exception] = TransitRefused) -> str:
        with pytest.raises(kind) as caught:
            call()
        trace = TracebackException.from_exception(caught.value, capture_locals=True)
        return "".join(trace.format())

    texts = [
        said(lambda: transit.decrypt(Sealed(HOME + b"x", sealed.ciphertext))),
        said(lambda: transit.decrypt(Sealed(HOME, sealed.ciphertext[:-8]))),
        said(lambda: transit.set_min_decryption_version(9)),
        said(lambda: LocalTransit.create(path)),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_room)
        texts.append(said(transit.rotate, TransitUnavailable))
    path.write_text(content.replace("matrix", "Matrix"))
    texts += [said(transit.read_key), said(transit.rotate)]
    path.write_text(content[:-20])
    texts += [said(transit.read_key), said(transit.rotate)]
    for text in texts:
        for secret in (key, raw, "the first secret"):
            assert secret not in text
    assert repr(KEYRING.versions[0].key) not in repr(KEYRING)
