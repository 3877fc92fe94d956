"""Building is done once, by one at a time, and says what is missing. Go is a stand-in here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real import build
from tests.real.conftest import required

FakeGo = Callable[..., None]

BUILDS = """
echo x >> "$COUNT"
sleep 0.3
while [ "$1" != -o ]; do shift; done
echo program > "$2"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("MATRIX_REAL_CACHE", str(cache))
    return cache


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    def make(building: str, *, version: str = "go1.99.0") -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        go = folder / "go"
        go.write_text(f'#!/bin/sh\nif [ "$1" = env ]; then echo {version}; exit; fi\n{building}')
        go.chmod(0o755)
        monkeypatch.setenv("COUNT", str(tmp_path / "count"))
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return make


def test_what_is_built_is_found_and_not_built_again(
    cache: Path, fake_go: FakeGo, tmp_path: Path
) -> None:
    fake_go(BUILDS)
    assert build.built(build.VAULT) is None
    binary = build.build(build.VAULT)
    assert build.built(build.VAULT) == binary
    assert build.build(build.VAULT) == binary
    assert (tmp_path / "count").read_text() == "x\n"
    assert build.built(build.OLD_VAULT) is None
    assert {file.name for file in cache.iterdir()} == {binary.name, "vault.lock"}


def test_of_two_builds_at_once_one_waits_for_the_other(
    cache: Path, fake_go: FakeGo, tmp_path: Path
) -> None:
    fake_go(BUILDS)
    program = "from tests.real.build import VAULT, build; print(build(VAULT))"
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(2)
    ]
    said = [process.communicate(timeout=20)[0].splitlines()[-1] for process in both]
    assert said[0] == said[1]
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_build_that_fails_shows_its_last_lines_and_leaves_nothing(
    cache: Path, fake_go: FakeGo
) -> None:
    fake_go("echo 'main.go:1: undefined: x' >&2; exit 3")
    with pytest.raises(build.BuildError, match=r"(?s)status 3.*undefined: x"):
        build.build(build.VAULT)
    assert build.built(build.VAULT) is None
    assert [file.name for file in cache.iterdir()] == ["vault.lock"]


def test_a_go_that_is_too_old_is_said_before_it_is_tried(fake_go: FakeGo) -> None:
    fake_go("exit 3", version="go1.25.9")
    with pytest.raises(build.BuildError, match=r"needs Go 1\.26\.0 or newer; this is go1\.25\.9"):
        build.build(build.KUBE_APISERVER)


def test_without_go_it_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(build.BuildError, match=r"Install Go 1\.25\.3 or newer"):
        build.build(build.VAULT)


def test_without_etcd_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert build.main() == 1
    assert "apt install etcd-server" in capsys.readouterr().err


def test_what_is_not_built_skips_a_test_unless_it_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MATRIX_REAL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="run make test-real"):
        required(build.VAULT)
    monkeypatch.setenv("MATRIX_REAL", "required")
    with pytest.raises(pytest.fail.Exception, match="run make test-real"):
        required(build.VAULT)
