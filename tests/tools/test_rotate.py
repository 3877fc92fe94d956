"""``matrix rotate`` as a user runs it: what it prints, how it ends, what the files hold then."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from framework.secrets.local.filestore import FileStore
from framework.secrets.transit import version_of

NOW = "[secrets.rotate]\nmin_age_hours = 0\n"


@pytest.fixture
def folder(sealed: Any) -> Any:
    """One document and two fields, at v1."""
    sealed.toml(NOW, sealed.document, sealed.fields)
    seal(sealed)
    return sealed


def seal(folder: Any) -> None:
    folder.seal({"tide": {"token": folder.mark}})
    folder.seal_fields({"tide.token": folder.mark, "latitude": "52"})


def versions(store: FileStore) -> dict[str, int]:
    held = store.read()
    assert held is not None
    return {data_key: version_of(text) for data_key, text in held.data.items()}


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_back(folder: Any) -> None:
    """All is at v2, and v1 is retired; but the document is a copy from before."""
    folder.toml(NOW, "retire = true", folder.document, folder.fields)
    old = folder.document_store.read().data
    folder.transit.rotate()
    seal(folder)
    folder.transit.set_min_decryption_version(2)
    held = folder.document_store.read()
    folder.document_store.replace(held, old, held.annotations)


# ------------------------------------------------------------------------------------ how it ends


@pytest.mark.parametrize("words", [("matrix", "rotate"), ("recryptonator",)])
def test_done(folder: Any, words: tuple[str, ...]) -> None:
    done = folder.run(*words)
    assert (done.status, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    same = {"before": 1, "after": 2, "action": "rewrapped", "reason": ""}
    assert lines == [
        {"secret": "secrets.sealed", "data_key": "secrets.json", **same},
        {"secret": "fields.sealed", "data_key": "latitude", **same},
        {"secret": "fields.sealed", "data_key": "tide.token", **same},
        {
            "outcome": "done",
            "dry_run": False,
            "rotated": True,
            "key_version": 2,
            "min_decryption_version": 1,
            "reasons": [],
            "summary": "rotated the key to v2, rewrapped 3 data keys; "
            "min_decryption_version stays 1 (retire = false)",
        },
    ]
    assert versions(folder.document_store) == {"secrets.json": 2}
    assert versions(folder.fields_store) == {"tide.token": 2, "latitude": 2}
    assert folder.run("matrix", "read", "--field", "tide.token").status == 0


def test_nothing_to_do(folder: Any) -> None:
    folder.toml(folder.document, folder.fields)
    before = content(folder.path)
    done = folder.on_terminal("matrix", "rotate")
    assert done.status == 3
    assert done.out.splitlines() == [
        "secret          data key      version",
        "secrets.sealed  secrets.json  v1       up to date",
        "fields.sealed   latitude      v1       up to date",
        "fields.sealed   tide.token    v1       up to date",
        "",
        "nothing to do: 3 data keys at v1, and that is not more than 20 h old;",
        "min_decryption_version stays 1 (retire = false)",
    ]
    assert content(folder.path) == before


def test_blocked_by_an_old_copy_that_was_put_back(folder: Any) -> None:
    put_back(folder)
    folder.transit.rotate()
    done = folder.on_terminal("matrix", "rotate")
    assert done.status == 4
    assert done.out.splitlines() == [
        "secret          data key      version",
        "secrets.sealed  secrets.json  v1        blocked",
        "    it is sealed with key version 1 and the key allows none below 2: an old copy",
        "    was put back, and until it is seen to no new version is made. Run matrix",
        "    rotate --recover (for a key in Vault as matrix-rotate, or after vault login",
        "    with VAULT_TOKEN_FILE=~/.vault-token), or seal it again with matrix encrypt",
        "fields.sealed   latitude      v2 -> v3  rewrapped",
        "fields.sealed   tide.token    v2 -> v3  rewrapped",
        "",
        "blocked: rewrapped 2 data keys to v3; 1 blocked; min_decryption_version stays 2",
        "(until a run does all of it)",
    ]
    assert versions(folder.document_store) == {"secrets.json": 1}


def test_failed_where_nothing_can_be_written(folder: Any) -> None:
    before = content(folder.path)
    done = folder.run_in_shell("ulimit -f 0", "matrix", "rotate")
    assert done.status == 5
    last = json.loads(done.out.splitlines()[-1])
    assert last["outcome"] == "failed"
    assert last["summary"].startswith("failed: nothing was changed; ")
    assert "keyring cannot be written" in last["reasons"][0]
    assert {path: text for path, text in content(folder.path).items() if path in before} == before


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("", "no place for sealed secrets is named yet"),
        ('[[secrets.source]]\nkind = "file"\npath = "s"\nplain = true\n', "no place for sealed"),
        ("[secrets.rotate]\nmin_age = 3\n", "nothing is called secrets.rotate.min_age; did you"),
    ],
)
def test_what_cannot_be_is_78(sealed: Any, toml: str, said: str) -> None:
    sealed.toml(toml)
    done = sealed.run("matrix", "rotate")
    assert (done.status, done.out) == (78, "")
    assert said in done.err


def test_without_its_keyring_it_is_blocked(folder: Any) -> None:
    folder.transit.path.rename(folder.path / "elsewhere")
    done = folder.on_terminal("matrix", "rotate")
    assert done.status == 4
    said = " ".join(done.out.split())
    assert said.startswith(f"there is no keyring {folder.transit.path}. `matrix encrypt` makes one")
    assert said.endswith("blocked: nothing was changed")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (">&-", "standard output cannot be written: Bad file descriptor. Give it another place\n"),
        (">/dev/full", "standard output cannot be written: No space left on device. Give it"),
        ("| true", ""),  # which has ended long before there is something to be said
    ],
)
def test_what_cannot_be_told_is_74_and_was_done(folder: Any, where: str, said: str) -> None:
    """1 would say that nobody confirmed it."""
    matrix = Path(sys.executable).with_name("matrix")
    done = folder.run("sh", "-c", f"{{ {matrix} rotate; echo $? > status; }} {where}")
    assert (folder.path / "status").read_text() == "74\n"
    assert done.err.startswith(said)
    assert done.err.count("\n") == bool(said)
    assert versions(folder.document_store) == {"secrets.json": 2}


# ------------------------------------------------------------------------------------- a dry run


def test_a_dry_run_says_what_would_be_and_changes_nothing(folder: Any) -> None:
    before = content(folder.path)
    done = folder.on_terminal("matrix", "rotate", "--dry-run")
    assert done.status == 0
    assert done.out.splitlines() == [
        "secret          data key      version",
        "secrets.sealed  secrets.json  v1 -> v2  to be rewrapped",
        "fields.sealed   latitude      v1 -> v2  to be rewrapped",
        "fields.sealed   tide.token    v1 -> v2  to be rewrapped",
        "",
        "would rotate the key to v2, rewrap 3 data keys; min_decryption_version stays 1",
        "(retire = false)",
    ]
    *records, last = map(json.loads, folder.run("matrix", "rotate", "--dry-run").out.splitlines())
    assert [(each["after"], each["action"]) for each in records] == [(2, "due")] * 3
    assert (last["dry_run"], last["key_version"], last["rotated"]) == (True, 2, True)
    assert content(folder.path) == before


# --------------------------------------------------------------------------------------- recover


def test_recover_asks_and_no_is_no(folder: Any) -> None:
    put_back(folder)
    before = content(folder.path)
    done = folder.on_terminal("matrix", "rotate", "--recover", question="[y/N]", answer="n")
    assert done.status == 1
    assert "secrets.sealed  secrets.json  v1 -> v2  to be rewrapped" in done.out
    assert "would lower min_decryption_version to 1, rewrap 1 data key to v2" in done.out
    assert content(folder.path) == before


def test_recover_makes_an_old_copy_readable_again(folder: Any) -> None:
    put_back(folder)
    assert folder.run("matrix", "read", "--field", "tide.token").status == 75
    done = folder.on_terminal("matrix", "rotate", "--recover", question="[y/N]", answer="y")
    assert done.status == 0
    assert "lowered min_decryption_version to 1, rewrapped 1 data key to v2; a later" in done.out
    assert versions(folder.document_store) == {"secrets.json": 2}
    assert folder.run("matrix", "read", "--field", "tide.token").status == 0


def test_recover_without_a_terminal_wants_yes(folder: Any) -> None:
    put_back(folder)
    before = content(folder.path)
    refused = folder.run("matrix", "rotate", "--recover")
    assert refused.status == 2
    assert "--yes" in refused.err
    assert content(folder.path) == before
    assert folder.run("matrix", "rotate", "--recover", "--yes").status == 0
    assert folder.transit.read_key().min_decryption_version == 1


def test_yes_is_for_recover_alone(folder: Any) -> None:
    before = content(folder.path)
    done = folder.run("matrix", "rotate", "--yes")
    assert (done.status, done.out) == (2, "")
    assert "it is for --recover" in done.err
    assert content(folder.path) == before


def test_recover_asks_nothing_where_there_is_nothing_to_recover(folder: Any) -> None:
    done = folder.on_terminal("matrix", "rotate", "--recover")
    assert done.status == 3
    assert "[y/N]" not in done.out


# ---------------------------------------------------------------------------------- what is shown


def test_a_strangers_name_cannot_paint_on_the_terminal(folder: Any) -> None:
    held = folder.fields_store.read()
    data = {**held.data, "x\x1b[2Jy": "no ciphertext"}
    folder.fields_store.replace(held, data, held.annotations)
    done = folder.on_terminal("matrix", "rotate", "--dry-run")
    assert done.status == 4
    assert "\x1b" not in done.out
    assert r"x\x1b[2Jy" in done.out


def test_the_help_tells_every_exit_status(folder: Any) -> None:
    done = folder.run("matrix", "rotate", "--help")
    told = {line.split()[0] for line in done.out.splitlines() if line.startswith("      ")}
    assert {"0", "1", "3", "4", "5", "74", "78"} <= told
