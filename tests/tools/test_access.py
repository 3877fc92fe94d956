"""``matrix access`` and ``matrix vault bootstrap`` as a user runs them. What a real Vault makes of
the second is tested in ``tests/real``.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import forked

TIDE = """
from datetime import datetime

from pydantic import SecretStr

from framework import Canvas, Config, DisplayBase, Feed, Place, ServerBase, Values


class Tide(Values):
    height_m: float


class TideConfig(Place):
    token: SecretStr


class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self) -> Tide:
        return Tide(height_m=1.5)


class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None: ...


class DoorConfig(Config):
    code: SecretStr


class DoorPage(DisplayBase[DoorConfig]):
    def draw(self, canvas: Canvas, now: datetime) -> None: ...
"""
SEALED = """
[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "matrix"
secret = "matrix-secrets"
layout = "fields"

[secrets.vault]
key = "matrix"
"""
DOCUMENT = SEALED.replace('layout = "fields"\n', "").replace("matrix-secrets", "whole")
SERVICE = '[[service]]\nuse = "tide:TideServer"\nname = "tide_north"\n'
PAGES = """
[[page]]
use = "tide:TidePage"
feeds = { tide = "tide_north" }

[[page]]
use = "tide:DoorPage"
name = "door"
"""


@dataclass(frozen=True)
class Folder:
    path: Path

    def toml(self, *parts: str, name: str = "matrix.toml") -> None:
        (self.path / name).write_text("\n".join(parts))

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MATRIX_")}
        environ = {**kept, "HOME": str(self.path), **more}
        done = forked.run("matrix", *words, cwd=self.path, env=environ)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    @property
    def written(self) -> Any:
        """The one namespace of access.json."""
        (namespace,) = json.loads((self.path / "access.json").read_text())["namespaces"]
        return namespace


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "tide.py").write_text(TIDE)
    return Folder(tmp_path)


def data_keys(workload: Any) -> list[str]:
    (read,) = workload["reads"]
    found: list[str] = read["data_keys"]
    return found


# ---------------------------------------------------------------------------------- matrix access


def test_what_is_written_and_said(folder: Folder) -> None:
    folder.toml(SERVICE, PAGES, SEALED)
    done = folder.run("access")
    assert (done.returncode, done.stderr) == (0, "")
    panel, north = folder.written["workloads"]
    assert (north["name"], north["service_account"]) == ("tide-north", "tide-north")
    assert (north["instances"], north["publishes"]) == (["tide_north"], ["tide_north"])
    assert {"tide_north.token", "tide_north.latitude", "latitude"} < set(data_keys(north))
    assert "door.code" not in data_keys(north)
    assert (panel["name"], panel["instances"]) == ("panel", ["door", "tidepage"])
    assert (panel["publishes"], panel["follows"]) == ([], ["tide_north"])
    assert "door.code" in data_keys(panel)
    assert "tide_north.token" not in data_keys(panel)
    (held,) = folder.written["inventory"]
    assert held["data_keys"] == sorted({*data_keys(north), *data_keys(panel)})
    assert "VAULT_ROLE    matrix_home_matrix_read_tide-north" in done.stdout
    said = " ".join(done.stdout.split())
    assert "door, tidepage run in one process, and what one of them may decrypt" in said
    assert f"may decrypt of matrix-secrets: {', '.join(data_keys(panel))} together" in said
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.endswith("access.json is written\n")
    assert folder.run("access").stdout.endswith("access.json is up to date\n")


def test_of_a_document_it_is_the_whole(folder: Folder) -> None:
    folder.toml(SERVICE, DOCUMENT)
    done = folder.run("access")
    assert "may decrypt   of whole: secrets.json, all of it" in done.stdout
    assert data_keys(folder.written["workloads"][0]) == ["secrets.json"]


def test_several_files_and_names_of_their_own(folder: Folder) -> None:
    folder.toml(SERVICE, SEALED, name="tides.toml")
    folder.toml(PAGES, SEALED, name="hall.toml")
    workload = ("--workload", "hall.toml=hall")
    account = ("--service-account", "hall=pi", "--service-account", "matrix")
    done = folder.run("access", "tides.toml", "./hall.toml", *workload, *account)
    assert done.returncode == 0, done.stderr
    names = {each["name"]: each["service_account"] for each in folder.written["workloads"]}
    assert names == {"hall": "pi", "tide-north": "matrix"}


def test_all_in_one_process(folder: Folder) -> None:
    folder.toml(SERVICE, PAGES, SEALED)
    done = folder.run("access", "--workload", "all", "--out", "all.json")
    assert "door, tide_north, tidepage run in one process" in done.stdout
    (workload,) = json.loads((folder.path / "all.json").read_text())["namespaces"][0]["workloads"]
    assert {"door.code", "tide_north.token"} < set(data_keys(workload))


def test_one_account_for_two_is_said(folder: Folder) -> None:
    folder.toml(SERVICE, PAGES, SEALED)
    done = folder.run("access", "--service-account", "matrix")
    assert "panel, tide-north run as one service account, matrix, so each of them" in done.stdout


def test_the_file_that_the_environment_names_is_called_as_one_likes(folder: Folder) -> None:
    folder.toml(SERVICE, SEALED, name="tt.toml")
    done = folder.run("access", "--workload", "./tt.toml=all", MATRIX_TOML="./tt.toml")
    assert done.returncode == 0, done.stderr
    assert folder.written["workloads"][0]["name"] == "all"


@pytest.mark.parametrize(
    "login", ['method = "token"', 'method = "approle"\nrole_id = "x"\nsecret_id_file = "x"']
)
def test_a_login_that_is_no_service_account_s_is_noted(folder: Folder, login: str) -> None:
    more = 'token_file = "x"' if "token" in login else ""
    folder.toml(SERVICE, SEALED, f"[secrets.vault.login]\n{login}\n{more}")
    done = folder.run("access")
    assert done.returncode == 0
    method = login.split('"')[1]
    assert f"note: matrix.toml logs in by {method}, which does not say where" in done.stderr
    assert "auth/kubernetes is taken" in done.stderr
    assert folder.written["auth"] == "kubernetes"


def test_a_check_shows_what_is_not_as_it_should_be(folder: Folder) -> None:
    folder.toml(SERVICE, SEALED)
    missing = folder.run("access", "--check")
    assert missing.returncode == 1
    assert not (folder.path / "access.json").exists()
    folder.run("access")
    assert folder.run("access", "--check").returncode == 0
    (folder.path / "tide.py").write_text(TIDE.replace("    token:", "    level: int\n    token:"))
    before = (folder.path / "access.json").read_bytes()
    late = folder.run("access", "--check")
    assert late.returncode == 1
    added = [line.split()[1] for line in late.stdout.splitlines() if line.startswith("+ ")]
    assert added == ['"tide_north.level",'] * 2
    assert late.stderr == "access.json is out of date: run matrix access, and commit it\n"
    assert (folder.path / "access.json").read_bytes() == before


def test_where_vault_is_and_as_whom_one_logs_in_makes_no_difference(folder: Folder) -> None:
    folder.toml(SERVICE, SEALED)
    folder.run("access")
    folder.toml(SERVICE, SEALED, 'address = "https://vault:8200"\nlogin.role = "x"\n')
    environ = {"VAULT_ADDR": "nonsense", "VAULT_TOKEN_FILE": "mine"}
    done = folder.run("access", "--check", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    folder.toml(SERVICE, SEALED, 'login.mount = "k8s-home"\n')
    assert folder.run("access", "--check").returncode == 1


@pytest.mark.parametrize(
    ("parts", "words", "said"),
    [
        ((SERVICE,), (), "nothing there is sealed with a key in Vault"),
        ((SEALED,), (), "has no [[service]] and no [[page]]"),
        (
            (SERVICE, SEALED, DOCUMENT.partition("[secrets.vault]")[0].replace("home", "away")),
            (),
            "its sources are in away/matrix and home/matrix, and one key",
        ),
        ((SERVICE, SEALED.replace('"matrix"\n', '"a b"\n', 2)), (), "must be a name of lower-case"),
        ((SERVICE, SEALED.replace('key = "matrix"', 'key = "a*"')), (), "key of [secrets.vault]"),
        (
            (SERVICE, SEALED),
            ("--service-account", "matrix-rotate"),
            "tide-north in home/matrix cannot have the service account matrix-rotate",
        ),
        (
            (SERVICE.replace("tide_north", "panel"), PAGES, SEALED),
            (),
            "a service is called panel, as the process of all pages is",
        ),
        ((SERVICE, SEALED), ("--workload", "Tide"), "Tide, run as Tide, is not what Kubernetes"),
        ((SERVICE, SEALED), ("--workload", "x.toml=a"), "there is no x.toml; there is matrix.toml"),
        ((SERVICE, SEALED), ("--service-account", "a=b"), "there is no a; there is tide-north"),
        ((SERVICE, SEALED), ("other.toml",), "there is no other.toml"),
        ((SERVICE, SEALED), ("--out", "no/where.json"), "no/where.json cannot be written"),
    ],
)
def test_what_cannot_be(
    folder: Folder, parts: tuple[str, ...], words: tuple[str, ...], said: str
) -> None:
    folder.toml(*parts)
    done = folder.run("access", *words)
    assert done.returncode in (2, 78)
    assert said in " ".join(done.stderr.split())
    assert not (folder.path / "access.json").exists()


# ------------------------------------------------------------------------- matrix vault bootstrap


@pytest.fixture
def known(folder: Folder) -> Folder:
    """With an access.json, and no classes any more: they are not needed."""
    folder.toml(SERVICE, SEALED)
    assert folder.run("access").returncode == 0
    (folder.path / "tide.py").unlink()
    (folder.path / "matrix.toml").unlink()
    return folder


def test_who_has_not_logged_in_is_told_to(known: Folder) -> None:
    done = known.run("vault", "bootstrap", VAULT_ADDR="http://127.0.0.1:9")
    assert done.returncode == 78
    assert f"cannot be read from {known.path}/.vault-token" in done.stderr
    assert "log in (vault login)" in done.stderr


def test_a_vault_that_is_not_there(known: Folder) -> None:
    (known.path / "mine").write_text("hvs.mine\n")
    words = ("vault", "bootstrap", "--token-file", "mine", "--dry-run")
    done = known.run(*words, VAULT_ADDR="http://127.0.0.1:9")
    assert done.returncode == 75
    assert "Vault at 127.0.0.1:9 cannot be reached: Connection refused" in done.stderr
    assert "hvs.mine" not in done.stderr + done.stdout
    done = known.run(*words)
    assert done.returncode == 78
    assert "VAULT_ADDR in the environment" in done.stderr


def test_what_it_is_given_must_be_what_it_is(known: Folder) -> None:
    (known.path / "ca.pem").write_text("no certificate")
    for words, said in (
        (("--from", "other.json"), "Make it (matrix access)"),
        (("--cluster", "away"), "has nothing for the cluster away; it has home"),
        (("--kubernetes-ca-file", "ca.pem"), "ca.pem holds no certificate"),
        (("--kubernetes-reviewer-file", "jwt"), "make one anew"),
    ):
        done = known.run("vault", "bootstrap", *words, VAULT_ADDR="http://127.0.0.1:9")
        assert done.returncode == 78
        assert said in done.stderr


@pytest.mark.parametrize(
    "url", ["http://api:6443", "api:6443", "https://", "", "https://me:it@api"]
)
def test_the_api_server_is_asked_by_tls_alone(known: Folder, url: str) -> None:
    words = ("vault", "bootstrap", "--kubernetes-host", url)
    done = known.run(*words, VAULT_ADDR="http://127.0.0.1:9")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "Invalid value for --kubernetes-host: it must be a URL that begins with https" in said
