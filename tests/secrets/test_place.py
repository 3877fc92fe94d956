"""What a ciphertext is bound to, and what is said where it was sealed for another place."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from framework.config import Config
from framework.errors import ConfigError
from framework.secrets import SecretManager
from framework.secrets.encryptor import Encryptor
from framework.secrets.place import SEALED_FOR, SecretPlace

NAMES = st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
PLACES = st.builds(
    SecretPlace,
    st.sampled_from(["document", "fields"]),
    cluster=NAMES,
    namespace=NAMES,
    secret=NAMES,
)


@given(PLACES)
def test_a_place_is_found_again_by_its_title(place: SecretPlace) -> None:
    assert SecretPlace.titled(place.title) == place


@given(PLACES, PLACES)
def test_two_places_have_neither_one_title_nor_one_context(
    one: SecretPlace, other: SecretPlace
) -> None:
    assert (one.title == other.title) == (one == other)
    assert (one.context("a") == other.context("a")) == (one == other)


@pytest.mark.parametrize(
    "title",
    [
        "",
        "document/home/a",
        "document/home/a/b/c",
        "documents/home/a/b",
        "document/home/a/",
        "document/home/a/b\n",
        "document/home/a/\x1b[2J",
        "document/ho me/a/b",
        f"document/home/a/{'b' * 254}",
    ],
)
def test_what_is_no_title_or_not_to_be_shown(title: str) -> None:
    assert SecretPlace.titled(title) is None


class Tide(Config):
    token: SecretStr = SecretStr("")


def test_a_sealed_file_that_was_renamed_says_so(folder: Any) -> None:
    place = SecretPlace("document", "local", "local", "secrets")
    encryptor = Encryptor(folder.transit, folder.store_of("secrets.sealed"), place)
    encryptor.document("secrets.json", b'{"tide": {"token": "t"}}')
    assert read(folder, "secrets.sealed").token.get_secret_value() == "t"
    shutil.copy("secrets.sealed", "renamed.sealed")
    with pytest.raises(ConfigError) as caught:
        read(folder, "renamed.sealed")
    assert str(caught.value).startswith(
        "the secrets cannot be read: secrets.json in renamed.sealed cannot be decrypted: it seems "
        "to be sealed for secret secrets, and is read as secret renamed: correct its "
        "[[secrets.source]], or seal it there with matrix encrypt. If that is not it: the cipher"
    )


def test_what_it_says_of_itself_is_not_trusted(folder: Any) -> None:
    folder.seal("other.sealed", {"tide": {"token": "planted"}})
    store = folder.store_of("secrets.sealed")
    title = SecretPlace("document", "local", "local", "secrets").title
    store.create(folder.store_of("other.sealed").read().data, {SEALED_FOR: title})
    with pytest.raises(ConfigError, match="cannot be decrypted: the ciphertext does not verify"):
        read(folder, "secrets.sealed")


def read(folder: Any, file: str) -> Tide:
    return SecretManager(folder.sources(f'path = "{file}"')).read(Tide, name="tide")
