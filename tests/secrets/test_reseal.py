"""What is sealed at one place, sealed at another: in memory, where every fault can be had."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import ClassVar

import pytest

from framework.errors import ConfigError, MatrixError, SecretsUnavailable
from framework.secrets.asking import Failure
from framework.secrets.child import LIFETIME_S, answer
from framework.secrets.encryptor import Overtaken, edit_annotation
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.origin import RESEALED_FROM
from framework.secrets.place import SEALED_FOR, Layout, SecretPlace
from framework.secrets.resealer import Resealed, reseal
from framework.secrets.resealing import have_resealed
from framework.secrets.source import Home, Source
from framework.secrets.store import MAX_BYTES, Stored, StoreRefused, StoreUnavailable
from framework.secrets.transit import Sealed, Transit, TransitForbidden
from framework.testing.secrets import MemoryStore, MemoryTransit

MARK = "s3cr3t-mark"
DOCUMENT = {"tide": {"token": MARK, "hosts": ["a", "b"]}, "units": "metric"}
TEXT = json.dumps(DOCUMENT).encode()
HOME = Home("", "", {"mount": "transit", "key": "matrix"})
OLD_HOME = Home("", "", {"mount": "transit", "key": "before"})


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

    def trial_store(self, home: Home) -> MemoryStore:
        held = MemoryStore(self.held.name)
        held.stored, held.before = self.held.stored, self.held.before
        return held

    def transit(self, home: Home) -> AbstractContextManager[Transit]:
        return nullcontext(self.key)

    def plain_content(self, home: Home) -> bytes:
        raise NotImplementedError

    def put(self, contents: Mapping[str, bytes], *, edit: str = "", **plain: str) -> None:
        """Seal each under its data key, and lay others beside them as they are."""
        texts = {
            data_key: self.key.encrypt(self.place.context(data_key), content)
            for data_key, content in contents.items()
        }
        edits = {edit_annotation(data_key): edit for data_key in texts if edit}
        annotations = {SEALED_FOR: self.place.title, **edits}
        self.held.stored = Stored("1", {**texts, **plain}, annotations)

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
    return reseal(old, OLD_HOME, new, HOME, dry_run=dry_run)


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
    assert done == Resealed(
        opened={"secrets.json": 1},
        left=[],
        sealed={"secrets.json": 2},
        is_earlier=False,
        warnings=(),
    )
    assert new.held.stored is not None
    annotations = new.held.stored.annotations
    assert annotations[SEALED_FOR] == "document/home/led/new"
    assert annotations[RESEALED_FROM] == "document/home/led/old with transit/keys/before, v1"


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


def test_a_dry_run_does_all_and_makes_nothing(old: MemorySource, new: MemorySource) -> None:
    calls: list[str] = []
    new.held.before = new.key.before = calls.append
    done = resealed(old, new, dry_run=True)
    assert new.held.stored is None
    assert {"encrypt", "rewrap", "create"} <= set(calls)
    assert done.sealed == {"secrets.json": None}


def test_a_dry_run_says_that_it_would_be_too_large(old: MemorySource) -> None:
    old.put({"secrets.json": json.dumps({"tide": {"a": "x" * MAX_BYTES}}).encode()})
    with pytest.raises(StoreRefused, match=f"{MAX_BYTES} are allowed"):
        resealed(old, source("new", "fields"), dry_run=True)


def test_it_says_how_much_there_is_before_each_part_of_the_work(old: MemorySource) -> None:
    done: list[str | int] = []
    new = source("new", "fields")
    old.key.before = lambda call: done.append("open")
    new.key.before = lambda call: done.append("seal")
    reseal(old, OLD_HOME, new, HOME, dry_run=False, expect=done.append)
    assert list(dict.fromkeys(done)) == [1, "open", 3, "seal"]


# --------------------------------------------------------------------------------- what it refuses


def test_a_place_that_it_was_not_sealed_for(new: MemorySource) -> None:
    old = source("old", cluster="lab")
    old.put({"secrets.json": TEXT})
    assert refusal(replace(old, cluster="home"), new).startswith(
        "secrets.json in Secret led/old cannot be decrypted: it seems to be sealed for cluster "
        "lab, and is read as cluster home: correct --from or --from-cluster. If that is not it: "
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
    old.key.before = no_calls  # it is found out before anything is decrypted
    assert refusal(old, new, Overtaken).startswith("Secret led/new exists already, ")


def test_what_is_refused_of_either_secret_is_said_at_once(
    old: MemorySource, new: MemorySource
) -> None:
    for each in (new, old):
        each.held.before = partial(refuse, f"a right on {each.name}")
    assert refusal(old, new) == "a right on Secret led/new\na right on Secret led/old"


def refuse(why: str, call: str) -> None:
    raise StoreRefused(why)


@pytest.mark.parametrize(
    ("name", "call"), [("old", "decrypt"), ("new", "encrypt"), ("new", "rewrap")]
)
def test_who_has_no_right_in_vault_is_told_to_be_another(
    old: MemorySource, new: MemorySource, name: str, call: str
) -> None:
    def forbid(this: str) -> None:
        if this == call:
            raise TransitForbidden("Vault refuses that to root", "run matrix vault bootstrap")

    {"old": old, "new": new}[name].key.before = forbid
    assert refusal(old, new) == (
        "Vault refuses that to root: log in as one who may decrypt with transit/keys/before, and "
        "encrypt, rewrap and read transit/keys/matrix (vault login, then export "
        "VAULT_TOKEN_FILE=~/.vault-token)"
    )


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


# ------------------------------------------------------------------------------------- run again


def killed(call: str) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def left(old: MemorySource, new: MemorySource) -> Stored:
    """By a run that was killed when it had made the Secret."""
    new.held.after = at_create(lambda: killed("create"))
    with pytest.raises(KeyboardInterrupt):
        resealed(old, new)
    assert new.held.stored is not None
    return new.held.stored


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_an_earlier_run_has_made_is_known_again(
    old: MemorySource, new: MemorySource, left: Stored, *, dry_run: bool
) -> None:
    done = resealed(old, new, dry_run=dry_run)
    assert done.is_earlier
    assert done.sealed == {"secrets.json": 1}
    assert new.held.stored is left


@pytest.mark.parametrize("rotated", ["old", "new"])
def test_also_after_a_rotation_of_either(
    old: MemorySource, new: MemorySource, left: Stored, rotated: str
) -> None:
    """Which keeps the edit ids, and rewraps what it knows: the old Secret."""
    old.put({"secrets.json": TEXT}, edit="first")
    new.held.stored = None
    resealed(old, new)
    {"old": old, "new": new}[rotated].key.rotate()
    if rotated == "old":
        old.put({"secrets.json": TEXT}, edit="first")
    done = resealed(old, new)
    assert done.is_earlier
    assert done.sealed == {"secrets.json": 2 if rotated == "new" else 1}
    assert new.opened() == {"secrets.json": TEXT}


def changed_since(old: MemorySource, new: MemorySource) -> None:
    old.put({"secrets.json": b"{}"})


def one_more(old: MemorySource, new: MemorySource) -> None:
    held = new.held.stored
    assert held is not None
    text = new.key.encrypt(new.place.context("more"), b"")
    new.held.stored = replace(held, data={**held.data, "more": text})


def one_more_that_does_not_open(old: MemorySource, new: MemorySource) -> None:
    held = new.held.stored
    assert held is not None
    new.held.stored = replace(held, data={**held.data, "more": held.data["secrets.json"]})


def another_text(old: MemorySource, new: MemorySource) -> None:
    assert new.held.stored is not None
    text = old.key.encrypt(b"", TEXT)
    new.held.stored = replace(new.held.stored, data={"secrets.json": text})


def not_by_reseal(old: MemorySource, new: MemorySource) -> None:
    assert new.held.stored is not None
    new.held.stored = replace(new.held.stored, annotations={SEALED_FOR: new.place.title})


@pytest.mark.parametrize(
    "happened",
    [changed_since, one_more, one_more_that_does_not_open, another_text, not_by_reseal],
)
def test_what_is_not_as_an_earlier_run_had_made_it_is_another_s(
    old: MemorySource,
    new: MemorySource,
    left: Stored,
    happened: Callable[[MemorySource, MemorySource], None],
) -> None:
    happened(old, new)
    assert refusal(old, new, Overtaken).startswith("Secret led/new exists already, ")


# ------------------------------------------------------------------------------------ how long


@pytest.mark.parametrize(
    ("fields", "patience_s", "limit_s"), [(3, 0.0, LIFETIME_S), (400, 60.0, 400), (3, 59.5, 60)]
)
def test_the_child_is_given_time_for_each_field_or_the_patience(
    monkeypatch: pytest.MonkeyPatch, fields: int, patience_s: float, limit_s: int
) -> None:
    def reseal(*_: object, expect: Callable[[int], object], **__: object) -> Resealed:
        expect(fields)
        return Resealed({}, [], {}, is_earlier=False, warnings=[])

    monkeypatch.setattr("framework.secrets.resealer.reseal", reseal)
    places = {"old": {"kind": "kubernetes"}, "new": {"kind": "kubernetes"}}
    homes = {"old_home": asdict(HOME), "new_home": asdict(HOME)}
    how = {"dry_run": False, "patience_s": patience_s}
    allowed: list[int] = []
    answer({"reseal": {**places, **homes, **how}}, allow=allowed.append)
    assert allowed == [limit_s]


def test_what_took_too_long_names_what_gives_it_more(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Failure("unavailable", "it was killed", is_late=True)
    monkeypatch.setattr("framework.secrets.resealing.ask", lambda *_, **__: late)
    any_source = KubernetesSource()
    with pytest.raises(SecretsUnavailable) as caught:
        have_resealed(any_source, HOME, any_source, HOME, dry_run=False, patience_s=90)
    assert str(caught.value) == (
        "resealing took more than 90 s, and more than 1 s for each field: see what holds up Vault "
        "or the network, or raise [secrets] patience in matrix.toml. Run it again, which is always "
        "safe: it writes over nothing"
    )
