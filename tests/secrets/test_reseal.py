"""What is sealed at one place, sealed at another: in memory, where every fault can be had."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from framework.errors import ConfigError, MatrixError
from framework.secrets.encryptor import Overtaken, edit_annotation
from framework.secrets.place import SEALED_FOR, Layout, SecretPlace
from framework.secrets.resealer import Resealed, reseal
from framework.secrets.source import Home, Source
from framework.secrets.store import Stored, StoreUnavailable
from framework.secrets.transit import Sealed, Transit
from framework.testing.secrets import MemoryStore, MemoryTransit

MARK = "s3cr3t-mark"
DOCUMENT = {"tide": {"token": MARK, "hosts": ["a", "b"]}, "units": "metric"}
TEXT = json.dumps(DOCUMENT).encode()
HOME = Home("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySource(Source):
    """In memory, with a key of its own."""

    secret: str
    cluster: str = "home"
    held: MemoryStore = field(default_factory=MemoryStore, compare=False)
    key: MemoryTransit = field(default_factory=MemoryTransit, compare=False)

    needs_vault: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return f"Secret led/{self.secret}"

    @property
    def place(self) -> SecretPlace:
        return SecretPlace(self.layout, self.cluster, "led", self.secret)

    def store(self, home: Home) -> MemoryStore:
        return self.held

    def transit(self, home: Home) -> AbstractContextManager[Transit]:
        return nullcontext(self.key)

    def plain_content(self, home: Home) -> bytes:
        raise NotImplementedError

    def put(self, contents: Mapping[str, bytes], **plain: str) -> None:
        """Seal each under its data key, and lay others beside them as they are."""
        texts = {
            data_key: self.key.encrypt(self.place.context(data_key), content)
            for data_key, content in contents.items()
        }
        self.held.stored = Stored("1", {**texts, **plain}, {SEALED_FOR: self.place.title})

    def opened(self) -> dict[str, bytes]:
        """What is there, by whoever reads it at its place."""
        assert self.held.stored is not None
        return {
            data_key: self.key.decrypt(Sealed(self.place.context(data_key), text))
            for data_key, text in self.held.stored.data.items()
        }


def source(secret: str, layout: Layout = "document", *, cluster: str = "home") -> MemorySource:
    held = MemoryStore(f"Secret led/{secret}")
    return MemorySource(secret=secret, layout=layout, cluster=cluster, held=held)


@pytest.fixture
def old() -> MemorySource:
    old = source("old")
    old.put({"secrets.json": TEXT})
    return old


@pytest.fixture
def new() -> MemorySource:
    return source("new")


def resealed(old: MemorySource, new: MemorySource, *, dry_run: bool = False) -> Resealed:
    return reseal(old, HOME, new, HOME, dry_run=dry_run)


def refusal(old: MemorySource, new: MemorySource, kind: type[MatrixError] = ConfigError) -> str:
    """What is said, when nothing was made and nothing was changed."""
    before = old.held.stored, new.held.stored
    with pytest.raises(kind) as caught:
        resealed(old, new)
    assert (old.held.stored, new.held.stored) == before
    assert MARK not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------ what it makes


def test_a_document_is_moved_byte_by_byte(old: MemorySource, new: MemorySource) -> None:
    new.key.rotate()
    old.held.before = no_writes
    done = resealed(old, new)
    assert new.opened() == {"secrets.json": TEXT}
    assert done == Resealed({"secrets.json": 1}, [], {"secrets.json": 2}, ())
    assert new.held.stored is not None
    assert new.held.stored.annotations[SEALED_FOR] == "document/home/led/new"


def no_writes(call: str) -> None:
    assert call == "read"


def test_a_document_becomes_fields(old: MemorySource) -> None:
    new = source("new", "fields")
    done = resealed(old, new)
    assert new.opened() == {
        "tide.token": MARK.encode(),
        "tide.hosts": b'["a", "b"]',
        "units": b"metric",
    }
    assert done.sealed == {"tide.hosts": 1, "tide.token": 1, "units": 1}


def test_fields_are_moved_one_to_one_and_what_is_not_sealed_stays() -> None:
    old, new = source("old", "fields"), source("new", "fields")
    old.put({"tide.token": MARK.encode(), "units": b"metric\r\n"}, note="plain")
    done = resealed(old, new)
    assert new.opened() == {"tide.token": MARK.encode(), "units": b"metric\r\n"}
    assert done.opened == {"tide.token": 1, "units": 1}
    assert done.left == ["note"]


def test_of_a_document_the_other_data_keys_stay(old: MemorySource, new: MemorySource) -> None:
    old.put({"secrets.json": TEXT, "other.json": b"{}"})
    assert old.held.stored is not None
    old.held.stored = replace(old.held.stored, binary={"picture": 7})
    assert resealed(old, new).left == ["other.json", "picture"]
    assert new.opened() == {"secrets.json": TEXT}


def test_a_line_break_after_a_ciphertext_is_no_part_of_it(
    old: MemorySource, new: MemorySource
) -> None:
    assert old.held.stored is not None
    text = old.held.stored.data["secrets.json"]
    old.held.stored = Stored("2", {"secrets.json": f"{text}\n"})
    resealed(old, new)
    assert new.opened() == {"secrets.json": TEXT}


def test_a_dry_run_makes_nothing(old: MemorySource, new: MemorySource) -> None:
    calls: list[str] = []
    new.held.before = new.key.before = calls.append
    done = resealed(old, new, dry_run=True)
    assert calls == ["read", "read_key"]
    assert done == Resealed({"secrets.json": 1}, [], {"secrets.json": None}, ())


# --------------------------------------------------------------------------------- what it refuses


def test_a_place_that_it_was_not_sealed_for(new: MemorySource) -> None:
    old = source("old", cluster="lab")
    old.put({"secrets.json": TEXT})
    assert refusal(replace(old, cluster="home"), new).startswith(
        "secrets.json in Secret led/old cannot be decrypted: it seems to be sealed for "
        "document/lab/led/old, and was read as document/home/led/old: correct --from or "
        "--from-cluster. If that is not it: "
    )


def test_another_key(old: MemorySource, new: MemorySource) -> None:
    said = refusal(replace(old, key=MemoryTransit()), new)
    assert said.startswith("secrets.json in Secret led/old cannot be decrypted: ")
    assert "seems" not in said


@pytest.mark.parametrize("layout", ["document", "fields"])
def test_what_is_not_sealed(layout: Layout) -> None:
    old, new = (source(name, layout) for name in ("old", "new"))
    old.put({}, **{"secrets.json": MARK})
    assert "secrets.json in Secret led/old is not sealed" in refusal(old, new)


def test_what_is_not_there(old: MemorySource, new: MemorySource) -> None:
    old.put({"other": TEXT})
    assert refusal(old, new) == (
        "Secret led/old has no data key secrets.json; it has other. Correct --from"
    )
    old.held.stored = None
    assert refusal(old, new) == "there is no Secret led/old: correct --from"


@pytest.mark.parametrize(
    ("content", "layout", "said"),
    [
        (b'{"tide": s3cr3t-mark}', "document", "is not JSON, at line 1, column 10"),
        (b'{"tide": "s3cr3t-mark\xff"}', "document", "is not text in UTF-8, at byte 21"),
        (b'["s3cr3t-mark"]', "document", "must be a mapping of names to values"),
        (b'{"tide": {"to ken": "s3cr3t-mark"}}', "fields", "cannot be sealed by fields: "),
        (b"{}", "fields", "has no field that could be sealed"),
    ],
)
def test_a_plaintext_that_could_not_be_read_there(
    old: MemorySource, content: bytes, layout: Layout, said: str
) -> None:
    old.put({"secrets.json": content})
    new = source("new", layout)
    assert f"secrets.json in Secret led/old {said}" in refusal(old, new)


def test_a_secret_that_is_there(old: MemorySource, new: MemorySource) -> None:
    new.held.stored = Stored("1", {"another": "x"})
    old.key.before = old.held.before = no_calls  # it is found out before anything is decrypted
    assert refusal(old, new, Overtaken).startswith("Secret led/new exists already, ")


def no_calls(call: str) -> None:
    raise AssertionError(call)


# ------------------------------------------------------------------------------- what comes between


def at_create(act: Callable[[], None]) -> Callable[[str], None]:
    """Do that at the first one."""
    left = [act]

    def hook(call: str) -> None:
        if call == "create" and left:
            left.pop()()

    return hook


def lose() -> None:
    raise StoreUnavailable("the connection broke off")


@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_reply_is_looked_at(old: MemorySource, new: MemorySource, *, arrived: bool) -> None:
    if arrived:
        new.held.after = at_create(lose)
    else:
        new.held.before = at_create(lose)
    assert resealed(old, new).sealed == {"secrets.json": 1}
    assert new.opened() == {"secrets.json": TEXT}


@pytest.mark.parametrize("lost", [True, False])
def test_what_somebody_else_makes_meanwhile_is_not_added_to(
    old: MemorySource, *, lost: bool
) -> None:
    new = source("new", "fields")
    others = Stored("7", {"moon.pin": "vault:v1:AAAA"}, {edit_annotation("moon.pin"): "theirs"})

    def make() -> None:
        new.held.stored = others
        if lost:
            lose()

    new.held.before = at_create(make)
    with pytest.raises(Overtaken, match="exists already"):
        resealed(old, new)
    assert new.held.stored == others


def test_a_rotation_since_it_was_made_is_no_other(old: MemorySource, new: MemorySource) -> None:
    def rotate() -> None:
        held = new.held.stored
        assert held is not None
        new.key.rotate()
        context = new.place.context("secrets.json")
        (text,) = new.key.rewrap([Sealed(context, held.data["secrets.json"])])
        assert isinstance(text, str)
        new.held.stored = Stored("8", {"secrets.json": text}, held.annotations)
        lose()

    new.held.after = at_create(rotate)
    assert resealed(old, new).sealed == {"secrets.json": 2}
    assert new.opened() == {"secrets.json": TEXT}
