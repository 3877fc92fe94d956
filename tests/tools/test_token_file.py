"""``VAULT_TOKEN_FILE``: whoever runs a command logs in with their own token, whatever pods do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import forked

TOML = """
[[service]]
use = "moon"

[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "led"
secret = "matrix-secrets"
mounted = "volume"

[secrets.vault]
address = "http://127.0.0.1:9"
key = "led"
login = { role = "reader", mount = "here" }
"""


def matrix(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin", **environ}
    return forked.run("matrix", *words, cwd=folder, env=environ)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With something to decrypt, and an access.json, made by somebody who has the variable."""
    (tmp_path / "matrix.toml").write_text(TOML)
    (tmp_path / "volume" / "..1").mkdir(parents=True)
    (tmp_path / "volume" / "..1" / "secrets.json").write_text("vault:v1:QUJD")
    (tmp_path / "volume" / "..data").symlink_to("..1")
    made = matrix(tmp_path, "access", VAULT_TOKEN_FILE="/other")  # noqa: S106  # where it is
    assert made.returncode == 0, made.stderr
    return tmp_path


def test_it_does_not_change_how_pods_log_in(folder: Path) -> None:
    access: Any = json.loads((folder / "access.json").read_text())
    assert [each["auth"] for each in access["namespaces"]] == ["here"]


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("vault", "bootstrap"), "mine"),
        (("vault", "bootstrap", "--token-file", "other"), "other"),
        (("read", "moon"), "mine"),
    ],
)
def test_it_is_what_is_logged_in_with(folder: Path, words: tuple[str, ...], file: str) -> None:
    done = matrix(folder, *words, VAULT_TOKEN_FILE="mine")  # noqa: S106  # where it is
    assert done.returncode != 0
    assert f"the Vault token cannot be read from {folder}/{file}" in done.stderr
