"""``Encryptor``: what it writes, and that nobody's newer value is lost to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.secrets.encryptor import (
    ATTEMPTS_UNANSWERED,
    EDIT_PREFIX,
    HEADROOM,
    LAST_APPLIED,
    SEALED_BYTES,
    Change,
    Encryptor,
    Overtaken,
    edit_annotation,
)
from framework.secrets.place import SEALED_FOR, SecretPlace
from framework.secrets.rotator import Entry, rotate
from framework.secrets.store import MAX_BYTES, Conflict, Stored, StoreRefused, StoreUnavailable
from framework.secrets.transit import Sealed, TransitRefused, TransitUnavailable, version_of
from framework.testing.secrets import MemoryStore, MemoryTransit

HOME = SecretPlace("document", "prod", "home", "matrix-secrets")
PARTS = SecretPlace("fields", "prod", "home", "matrix-parts")
Hook = Callable[[str], None]


def no_decrypt(call: str) -> None:
    assert call != "decrypt", "an encryptor has no right to decrypt"


@pytest.fixture
def transit() -> MemoryTransit:
    transit = MemoryTransit()
    transit.before = no_decrypt
    return transit


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("Secret home/matrix-parts")


@pytest.fixture
def parts(transit: MemoryTransit, store: MemoryStore) -> Encryptor:
    return Encryptor(transit, store, PARTS)


@pytest.fixture
def other(transit: MemoryTransit, store: MemoryStore) -> Encryptor:
    """Somebody else's, of the same Secret."""
    return Encryptor(transit, store, PARTS)


def held(store: MemoryStore) -> Stored:
    assert store.stored is not None
    return store.stored


def opened(transit: MemoryTransit, store: MemoryStore) -> dict[str, bytes]:
    keyring = transit.keyring
    found = {}
    for key, text in held(store).data.items():
        value = keyring.decrypt(Sealed(PARTS.context(key), text))
        assert isinstance(value, bytes)
        found[key] = value
    return found


def at_first(call: str, act: Callable[[], object]) -> Hook:
    """A hook that does this at the first call of that name."""
    pending = [act]

    def hook(name: str) -> None:
        if name == call and pending:
            pending.pop()()

    return hook


def lose() -> None:
    raise StoreUnavailable("no answer")


def deny() -> None:
    raise TransitRefused("permission denied")


# What it writes


def test_a_document_is_created_and_overwritten(transit: MemoryTransit, store: MemoryStore) -> None:
    encryptor = Encryptor(transit, store, HOME)
    assert encryptor.document("secrets.json", b"{}") == Change(("secrets.json",), (), ())
    edit = held(store).annotations["matrix.edit/secrets.json"]
    assert encryptor.document("secrets.json", b"[]") == Change((), ("secrets.json",), ())
    text = held(store).data["secrets.json"]
    assert transit.keyring.decrypt(Sealed(HOME.context("secrets.json"), text)) == b"[]"
    annotations = held(store).annotations
    assert annotations["matrix.edit/secrets.json"] != edit
    assert annotations[SEALED_FOR] == "document/prod/home/matrix-secrets"


def test_fields_are_written_at_once_and_the_others_stay(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    parts.fields({"latitude": b"1", "tide.token": b"2"})
    before = held(store)
    change = parts.fields({"tide.token": b"3", "moon.token": b"4"})
    assert change == Change(("moon.token",), ("tide.token",), ())
    assert opened(transit, store) == {"latitude": b"1", "tide.token": b"3", "moon.token": b"4"}
    assert int(held(store).version) == int(before.version) + 1
    assert held(store).data["latitude"] == before.data["latitude"]
    changed = {name for name in held(store).annotations if name.startswith(EDIT_PREFIX)}
    assert changed == {edit_annotation(key) for key in held(store).data}
    assert (
        held(store).annotations["matrix.edit/latitude"]
        == (before.annotations["matrix.edit/latitude"])
    )


def test_prune_removes_what_is_not_in_the_new_set(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    parts.fields({"latitude": b"1", "tide.token": b"2"})
    change = parts.fields({"tide.token": b"3"}, prune=True)
    assert change == Change((), ("tide.token",), ("latitude",))
    assert opened(transit, store) == {"tide.token": b"3"}
    assert "matrix.edit/latitude" not in held(store).annotations


def test_annotations_of_others_stay_but_the_copy_of_plaintext_goes(
    store: MemoryStore, parts: Encryptor
) -> None:
    store.stored = Stored("1", {}, {"team": "weather", LAST_APPLIED: '{"token": "in clear"}'})
    change = parts.fields({"latitude": b"1"})
    assert held(store).annotations["team"] == "weather"
    assert LAST_APPLIED not in held(store).annotations
    assert len(change.warnings) == 1
    assert "backups of the cluster still hold it" in change.warnings[0]
    assert "in clear" not in change.warnings[0]


def test_what_is_still_in_plaintext_is_named_and_stays(
    store: MemoryStore, parts: Encryptor
) -> None:
    store.stored = Stored("1", {"ca.crt": "in clear"}, binary={"ca.p12": 9})
    (warning,) = parts.fields({"latitude": b"1"}).warnings
    assert warning.startswith("Secret home/matrix-parts has ca.crt in plaintext, which is left")
    assert held(store).data["ca.crt"] == "in clear"
    assert "in clear" not in warning


@pytest.mark.parametrize("prune", [False, True])
def test_what_was_in_plaintext_before_is_named(
    store: MemoryStore, parts: Encryptor, *, prune: bool
) -> None:
    """Made by hand, without the copy that ``kubectl apply`` leaves."""
    store.stored = Stored("1", {"latitude": "in clear", "tide.token": "in clear too"})
    before, *after = parts.fields({"latitude": b"1"}, prune=prune).warnings
    names = "latitude, tide.token" if prune else "latitude"
    assert f" had {names} in plaintext until now" in before
    assert ["has tide.token in plaintext" in each for each in after] == ([] if prune else [True])
    assert "in clear" not in before
    assert not any(" had " in each for each in parts.fields({"latitude": b"2"}).warnings)


def test_who_else_writes_is_said(store: MemoryStore, parts: Encryptor) -> None:
    store.stored = Stored("1", {}, {}, "Argo CD")
    (warning,) = parts.fields({"latitude": b"1"}).warnings
    assert warning.startswith("Argo CD writes Secret home/matrix-parts too")


def test_who_loses_what_is_written_to_us_is_said_too(store: MemoryStore, parts: Encryptor) -> None:
    """As the manager of a field does, which Kubernetes takes from who applied it."""
    store.stored = Stored("1", {}, {}, "Flux")
    store.before = at_first(
        "replace", lambda: setattr(store, "stored", replace(held(store), owner=None))
    )
    (warning,) = parts.fields({"latitude": b"1"}).warnings
    assert warning.startswith("Flux writes Secret home/matrix-parts too")


def test_what_was_sealed_for_the_other_layout_is_removed_and_nothing_else(
    transit: MemoryTransit, store: MemoryStore
) -> None:
    whole = SecretPlace("document", PARTS.cluster, PARTS.namespace, PARTS.secret)
    Encryptor(transit, store, whole).document("secrets.json", b"{}")
    store.stored = replace(held(store), data={**held(store).data, "note": "by hand"})
    change = Encryptor(transit, store, PARTS).fields({"latitude": b"1", "tide.token": b"2"})
    assert (change.added, change.removed) == (("latitude", "tide.token"), ("secrets.json",))
    plain, other = change.warnings
    assert "has note in plaintext" in plain
    assert 'cannot be read with layout = "fields"' in other
    assert set(held(store).data) == {"latitude", "tide.token", "note"}
    assert edit_annotation("secrets.json") not in held(store).annotations
    assert Encryptor(transit, store, PARTS).fields({"latitude": b"3"}).removed == ()
    change = Encryptor(transit, store, whole).document("secrets.json", b"{}")
    assert (change.added, change.removed) == (("secrets.json",), ("latitude", "tide.token"))
    assert set(held(store).data) == {"secrets.json", "note"}


@pytest.mark.parametrize("title", ["", "fields/prod/away/else", "nonsense/prod/home/matrix-parts"])
def test_what_is_not_known_to_be_of_the_other_layout_stays(
    store: MemoryStore, parts: Encryptor, title: str
) -> None:
    parts.fields({"latitude": b"1"})
    store.stored = replace(held(store), annotations={SEALED_FOR: title})
    assert parts.fields({"tide.token": b"2"}) == Change(("tide.token",), (), ())


def test_a_layout_that_is_not_the_places_is_refused(
    transit: MemoryTransit, store: MemoryStore
) -> None:
    with pytest.raises(ValueError, match="'fields'"):
        Encryptor(transit, store, PARTS).document("secrets.json", b"")
    with pytest.raises(ValueError, match="'document'"):
        Encryptor(transit, store, HOME).fields({"latitude": b"1"})
    assert store.stored is None


def test_a_secret_that_could_not_be_rotated_any_more_is_refused(
    store: MemoryStore, parts: Encryptor
) -> None:
    parts.fields({"latitude": b"1"})
    other = "x" * (MAX_BYTES - len(held(store).data["latitude"]) - 2 * HEADROOM)
    store.stored = replace(held(store), data={**held(store).data, "other": other})
    parts.fields({"latitude": b"2"})
    store.stored = replace(held(store), data={**held(store).data, "other": other + "x"})
    before = store.stored
    with pytest.raises(StoreRefused, match=f"{MAX_BYTES} are allowed"):
        parts.fields({"latitude": b"3"})
    assert store.stored is before


def test_what_is_no_text_takes_room_too(store: MemoryStore, parts: Encryptor) -> None:
    parts.fields({"latitude": b"1"})
    room = MAX_BYTES - len(held(store).data["latitude"]) - HEADROOM
    store.stored = replace(held(store), binary={"ca.p12": room})
    parts.fields({"latitude": b"2"})
    store.stored = replace(held(store), binary={"ca.p12": room + 1})
    with pytest.raises(StoreRefused, match=f"would have {MAX_BYTES + 1} bytes"):
        parts.fields({"latitude": b"3"})


def test_what_is_too_large_is_not_even_sent(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    """Up to the last byte: what is just not too large is as large as it was taken to be."""
    most = (MAX_BYTES - HEADROOM - len("vault:v1:")) // 4 * 3 - SEALED_BYTES
    called: list[str] = []
    transit.before = called.append
    with pytest.raises(StoreRefused, match=f"would have {MAX_BYTES + 1} bytes, .* two sources"):
        parts.fields({"latitude": bytes(most + 1)})
    assert "encrypt" not in called
    parts.fields({"latitude": bytes(most)})
    assert len(held(store).data["latitude"]) + HEADROOM == MAX_BYTES - 3


# Names of annotations

KUBERNETES_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
data_keys = st.text("abXY09._-", min_size=1, max_size=253)


@given(st.lists(data_keys, min_size=2, max_size=8, unique=True))
def test_every_data_key_has_an_annotation_of_its_own_that_kubernetes_takes(keys: list[str]) -> None:
    names = [edit_annotation(key) for key in keys]
    names += [edit_annotation(name.removeprefix(EDIT_PREFIX)) for name in names if "sha256" in name]
    assert len(set(names)) == len(names)
    for name in names:
        prefix, _, rest = name.partition("/")
        assert prefix == "matrix.edit"
        assert KUBERNETES_NAME.fullmatch(rest)


def test_a_usual_data_key_can_be_read_in_its_annotation() -> None:
    assert edit_annotation("tide.token") == "matrix.edit/tide.token"


# Others at the same time


def test_another_encryptor_in_between_is_not_overwritten(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    parts.fields({"latitude": b"1", "tide.token": b"2"})
    store.before = at_first("replace", lambda: other.fields({"tide.token": b"newer"}))
    with pytest.raises(Overtaken) as caught:
        parts.fields({"tide.token": b"mine", "latitude": b"mine"})
    assert str(caught.value) == (
        "Secret home/matrix-parts, data key tide.token: changed by somebody else, look and run "
        "again"
    )
    assert caught.value.__context__ is None
    assert opened(transit, store) == {"latitude": b"1", "tide.token": b"newer"}


def test_another_data_key_in_between_is_kept(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    parts.fields({"latitude": b"1"})
    store.before = at_first("replace", lambda: other.fields({"tide.token": b"theirs"}))
    parts.fields({"latitude": b"mine"})
    assert opened(transit, store) == {"latitude": b"mine", "tide.token": b"theirs"}


def test_prune_does_not_remove_what_it_has_not_seen(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    parts.fields({"latitude": b"1", "moon.token": b"2"})
    store.before = at_first("replace", lambda: other.fields({"tide.token": b"theirs"}))
    assert parts.fields({"latitude": b"mine"}, prune=True).removed == ("moon.token",)
    assert opened(transit, store) == {"latitude": b"mine", "tide.token": b"theirs"}


def test_prune_does_not_remove_what_was_changed_since_it_was_seen(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    parts.fields({"latitude": b"1", "tide.token": b"2"})
    store.before = at_first("replace", lambda: other.fields({"tide.token": b"theirs"}))
    with pytest.raises(Overtaken, match=r"data key tide\.token"):
        parts.fields({"latitude": b"mine"}, prune=True)
    assert opened(transit, store) == {"latitude": b"1", "tide.token": b"theirs"}


def test_another_who_creates_the_secret_first_is_not_overwritten(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    store.before = at_first("create", lambda: other.fields({"latitude": b"theirs"}))
    with pytest.raises(Overtaken):
        parts.fields({"latitude": b"mine"})
    assert opened(transit, store) == {"latitude": b"theirs"}


def test_a_secret_that_vanishes_meanwhile_is_not_made_anew(
    store: MemoryStore, parts: Encryptor
) -> None:
    for field in ("latitude", "new.one"):
        parts.fields({"latitude": b"1"})
        store.before = at_first("replace", lambda: setattr(store, "stored", None))
        with pytest.raises(Overtaken, match=r"matrix-parts: removed by somebody else, look and"):
            parts.fields({field: b"2"})
        assert store.stored is None


def test_a_secret_that_was_made_anew_meanwhile_is_not_changed(
    store: MemoryStore, parts: Encryptor
) -> None:
    """Under the same name, so whoever made it did not know of this change."""
    theirs = Stored("7", {}, uid="theirs")
    store.stored = Stored("1", {"tide.token": "vault:v1:AAAA"}, uid="first")
    store.before = at_first("replace", lambda: setattr(store, "stored", theirs))
    with pytest.raises(Overtaken, match="removed and made anew by somebody else"):
        parts.fields({"latitude": b"1"})
    assert store.stored is theirs


def test_a_write_that_went_round_the_contract_counts_as_a_change(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    """No edit id, as after ``kubectl apply``: then the ciphertext is all there is to go by."""
    theirs = transit.encrypt(PARTS.context("latitude"), b"theirs")
    store.stored = Stored("1", {"latitude": "vault:v1:AAAA"})
    store.before = at_first(
        "replace", lambda: setattr(store, "stored", Stored("2", {"latitude": theirs}))
    )
    with pytest.raises(Overtaken):
        parts.fields({"latitude": b"mine"})
    assert opened(transit, store) == {"latitude": b"theirs"}


def test_a_rotation_in_between_is_no_change(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    parts.fields({"latitude": b"1"})

    def rotation() -> None:
        transit.rotate()
        rotate(transit, [Entry(PARTS, store)])

    store.before = at_first("replace", rotation)
    assert parts.fields({"latitude": b"2"}) == Change((), ("latitude",), ())
    assert opened(transit, store) == {"latitude": b"2"}
    assert version_of(held(store).data["latitude"]) == 2


def test_rotations_all_the_time_end_in_an_error(store: MemoryStore, parts: Encryptor) -> None:
    parts.fields({"latitude": b"1"})
    before = held(store)

    def conflict(call: str) -> None:
        if call == "replace":
            raise Conflict("somebody was faster")

    store.before = conflict
    with pytest.raises(Conflict, match="written by others all the time"):
        parts.fields({"latitude": b"2"})
    assert store.stored is before


# A rotation that passes by


def test_a_version_that_is_behind_when_it_is_there_is_rewrapped(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    store.after = at_first("create", transit.rotate)
    assert parts.fields({"latitude": b"1"}).warnings == ()
    assert version_of(held(store).data["latitude"]) == 2
    assert opened(transit, store) == {"latitude": b"1"}


def test_what_somebody_else_has_stored_since_is_not_touched(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    """Ours is stored; then the key is rotated; then another value is stored over ours."""
    replaced: list[str] = []

    def overtake(call: str) -> None:
        if call == "replace" and not replaced:
            replaced.append(call)
            other.fields({"latitude": b"theirs"})

    store.after = at_first("create", transit.rotate)
    store.before = overtake
    parts.fields({"latitude": b"mine"})
    assert opened(transit, store) == {"latitude": b"theirs"}


def test_a_version_that_is_retired_when_it_is_there_is_no_success(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    """By a rotation that does not know of it."""

    def retire() -> None:
        transit.rotate()
        transit.set_min_decryption_version(2)

    store.after = at_first("create", retire)
    with pytest.raises(TransitRefused, match=r"is changed, and nobody can .* rotate --recover"):
        parts.fields({"latitude": b"1"})
    assert version_of(held(store).data["latitude"]) == 1
    parts.fields({"latitude": b"2"})
    assert opened(transit, store) == {"latitude": b"2"}


def test_a_transit_that_is_away_afterwards_is_a_warning(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    def away(call: str) -> None:
        if store.stored is not None:
            raise TransitUnavailable("sealed")

    transit.before = away
    (warning,) = parts.fields({"latitude": b"1"}).warnings
    assert "until the next rotation" in warning
    assert opened(transit, store) == {"latitude": b"1"}


def test_a_transit_that_was_restored_meanwhile_is_said(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    young = transit.keyring
    transit.rotate()
    store.after = at_first("create", lambda: setattr(transit, "keyring", young))
    with pytest.raises(TransitRefused, match="it is stored, and the Transit, restored"):
        parts.fields({"latitude": b"1"})


# Lost replies


@pytest.mark.parametrize("hook", ["before", "after"])
@pytest.mark.parametrize("existing", [False, True])
def test_a_lost_reply_is_looked_at(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, *, hook: str, existing: bool
) -> None:
    if existing:
        parts.fields({"latitude": b"1", "tide.token": b"2"})
    setattr(store, hook, at_first("replace" if existing else "create", lose))
    parts.fields({"latitude": b"mine"}, prune=True)
    assert opened(transit, store) == {"latitude": b"mine"}


def test_a_lost_reply_and_somebody_else_since_is_not_overwritten(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor, other: Encryptor
) -> None:
    parts.fields({"latitude": b"1"})

    def overtake(call: str) -> None:
        if call == "replace":
            store.after = lambda call: None
            other.fields({"latitude": b"theirs"})
            lose()

    store.after = overtake
    with pytest.raises(Overtaken):
        parts.fields({"latitude": b"mine"})
    assert opened(transit, store) == {"latitude": b"theirs"}


def test_a_lost_reply_and_a_store_that_stays_away_says_that_it_does_not_know(
    store: MemoryStore, parts: Encryptor
) -> None:
    parts.fields({"latitude": b"1"})

    def away(call: str) -> None:
        if call == "replace":
            store.before = lambda call: lose()
            lose()

    store.after = away
    with pytest.raises(StoreUnavailable, match=r"not known whether .* safe to") as caught:
        parts.fields({"latitude": b"2"})
    assert caught.value.__context__ is None


def test_a_store_that_does_not_take_it_is_not_waited_for_all_the_time(
    store: MemoryStore, parts: Encryptor
) -> None:
    """As a file that another process holds: each time, it has been waited for."""
    writes: list[str] = []

    def busy(call: str) -> None:
        if call == "create":
            writes.append(call)
            lose()

    store.before = busy
    with pytest.raises(StoreUnavailable, match=r"not known whether .*: no answer\. It is safe"):
        parts.fields({"latitude": b"1"})
    assert len(writes) == ATTEMPTS_UNANSWERED


def test_a_conflict_and_a_store_that_stays_away_leaves_no_doubt(
    store: MemoryStore, parts: Encryptor
) -> None:
    parts.fields({"latitude": b"1"})

    def away(call: str) -> None:
        if call == "replace":
            store.before = lambda call: lose()
            raise Conflict("somebody was faster")

    store.before = away
    with pytest.raises(StoreUnavailable, match=r"^no answer$"):
        parts.fields({"latitude": b"2"})


def test_a_request_that_was_thought_lost_is_not_forgotten_after_a_conflict(
    store: MemoryStore, parts: Encryptor
) -> None:
    """It may be the request that made the conflict: then something was stored."""
    parts.fields({"latitude": b"1"})
    writes: list[str] = []

    def away(call: str) -> None:
        if call == "replace":
            writes.append(call)
            if len(writes) == 1:
                lose()
            store.before = lambda call: lose()
            raise Conflict("somebody was faster")

    store.before = away
    with pytest.raises(StoreUnavailable, match="not known whether"):
        parts.fields({"latitude": b"2"})


def test_a_transit_that_is_away_after_a_lost_reply_leaves_the_doubt(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    """The request may arrive yet."""
    parts.fields({"latitude": b"1"})

    def away(call: str) -> None:
        if call == "encrypt":
            raise TransitUnavailable("sealed")

    def lose_and_seal() -> None:
        transit.before = away
        lose()

    store.before = at_first("replace", lose_and_seal)
    with pytest.raises(StoreUnavailable, match=r"not known whether .* then: sealed") as caught:
        parts.fields({"latitude": b"2"})
    assert caught.value.__context__ is None


def test_a_transit_that_cannot_open_what_it_has_sealed_is_not_believed(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    young = transit.keyring
    transit.rotate()
    transit.after = at_first("encrypt", lambda: setattr(transit, "keyring", young))
    with pytest.raises(TransitRefused, match=r"is not stored: .*data key latitude") as caught:
        parts.fields({"latitude": b"my value"})
    assert "my value" not in str(caught.value)
    assert store.stored is None


def test_a_key_that_may_not_be_read_is_found_out_before_anything_is_written(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    transit.before = at_first("read_key", deny)
    with pytest.raises(TransitRefused, match="permission denied"):
        parts.fields({"latitude": b"1"})
    assert store.stored is None


def test_a_field_that_may_not_be_sealed_is_named(
    transit: MemoryTransit, store: MemoryStore, parts: Encryptor
) -> None:
    transit.before = at_first("encrypt", deny)
    with pytest.raises(TransitRefused, match=r"data key latitude, .* permission denied") as caught:
        parts.fields({"latitude": b"1"})
    assert caught.value.__context__ is None
    assert store.stored is None
