"""What the README tells a newcomer to paste works as pasted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from framework.display import DisplayBase
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, available, resolve
from tests import readme
from tests.readme import MODULES, PROJECT, SEAL, SEALED_FIELDS, SECRETS, TILE
from tests.secrets.httpserver import Answer, Request, Standin


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    for name, block in MODULES.items():
        (tmp_path / name).write_text(block)
    return tmp_path


class Prices(Standin):
    def _answer(self, request: Request) -> Answer:
        return Answer(200, {"bitcoin": {"usd": 67012}})


def run(
    folder: Path, *words: str, program: str = sys.executable, given: str = ""
) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MATRIX_")}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    return subprocess.run(
        [program, *words],
        cwd=folder,
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_tests_pass(pasted: Path) -> None:
    done = run(pasted, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_file_runs_service_and_page(pasted: Path) -> None:
    (pasted / "matrix.toml").write_text(PROJECT)
    matrix = str(Path(sys.executable).with_name("matrix"))
    done = run(pasted, matrix, "demo", "--snapshot", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in (pasted / "out").iterdir()}
    assert made == {"moonpage.png", "tidepage.png", "contact-sheet.png"}


def test_a_tile_needs_no_python(pasted: Path) -> None:
    matrix = str(Path(sys.executable).with_name("matrix"))
    with Prices(None) as web:
        (pasted / "matrix.toml").write_text(TILE.replace("https://prices.example", web.address))
        done = run(pasted, matrix, "demo", "--snapshot", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each.path for each in web.requests] == ["/v1"]
    assert (pasted / "out" / "tilepage.png").exists()


def test_the_table_has_every_page_with_what_it_shows_and_who_publishes_that() -> None:
    page: type[Any] = DisplayBase
    service: type[Any] = ServerBase
    publishers = {
        resolve(each.name, SERVICES, service).values.__name__: each.name
        for each in available(SERVICES)
    }
    found = {}
    for each in available(PAGES):
        models = [feed.model.__name__ for feed in resolve(each.name, PAGES, page).feeds.values()]
        found[each.name] = (set(models), {publishers[model] for model in models})
    named = re.compile("`(\\w+)`")
    assert found == {
        name: (set(named.findall(shown)), set(named.findall(by)))
        for name, shown, by in readme.PAGES
    }


def test_a_secret_is_kept(pasted: Path) -> None:
    (pasted / "matrix.toml").write_text(PROJECT + SECRETS)
    done = run(pasted, "-ec", SEAL, program="sh", given="redis://:s3cr3t@127.0.0.1:1/0")
    assert done.returncode == 3, done.stdout + done.stderr  # what rotate says: nothing to do yet
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "added redis_url" in said
    assert "added tide.mean_m" in said
    assert "mean_m float tide.mean_m in secrets.sealed set" in said
    assert "redis_url SecretStr redis_url in secrets.sealed set" in said
    assert "nothing to do" in done.stdout
    assert "s3cr3t" not in done.stdout + done.stderr
    left = [path for path in pasted.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert not [path for path in left if "s3cr3t" in path.read_text()]


def test_what_holds_on_kubernetes_is_written_down(pasted: Path) -> None:
    (pasted / "matrix.toml").write_text(SEALED_FIELDS)
    matrix = str(Path(sys.executable).with_name("matrix"))
    done = run(pasted, matrix, "access")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tide.mean_m" in (pasted / "access.json").read_text()
    assert run(pasted, matrix, "access", "--check").returncode == 0


def test_what_is_pasted_is_strictly_typed_and_formatted(pasted: Path) -> None:
    strict = run(pasted, "-m", "mypy", "--strict", *MODULES)
    assert strict.returncode == 0, strict.stdout
    ruff = run(pasted, "-m", "ruff", "format", "--line-length", "100", "--check", *MODULES)
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


@pytest.mark.parametrize(
    ("name", "at_most"),
    [
        ("tide.py", 15),
        ("buoy.py", 10),
        ("tide_page.py", 15),
        ("test_tide.py", 10),
        ("test_buoy.py", 10),
    ],
)
def test_the_examples_stay_short(name: str, at_most: int) -> None:
    imports = ("from ", "import ")
    lines = [line for line in MODULES[name].splitlines() if line and not line.startswith(imports)]
    assert len(lines) <= at_most
