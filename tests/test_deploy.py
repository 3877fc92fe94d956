"""What deploy/ says holds of the framework as it is; ``real/test_deploy.py`` has the servers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from framework.project import Project
from framework.secrets.access import Access
from framework.secrets.settings import SecretsSettings
from framework.secrets.vault.policies import Role, roles_of
from framework.testing.golden import UPDATE
from tests.readme import KUBERNETES, MODULES, ROOT, SEALED_FIELDS

DEPLOY = ROOT / "deploy"
README = (DEPLOY / "README.md").read_text()
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
TABLES = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^(?:[A-Z_]+=\S+ )?(matrix [^|\n]*)", README, re.MULTILINE)
MATRIX = Path(sys.executable).with_name("matrix")
VAULT = DEPLOY / "vault"


@pytest.mark.parametrize("table", TABLES)
def test_what_its_readme_adds_to_matrix_toml_is_taken(table: str, tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text(KUBERNETES + table)
    settings = SecretsSettings.of(Project.find({}, tmp_path), {"VAULT_ROLE": "some"})
    assert settings.vault is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_that_its_readme_gives_are_there(command: str) -> None:
    name, *options = re.findall(r"^matrix (?:vault )?[a-z]+|--[a-z-]+", command)
    words = [MATRIX, *name.split()[1:], "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert set(options) <= set(re.findall(r"--[a-z-]+", done.stdout))


def test_its_readme_has_every_file() -> None:
    rows = re.findall(r"^\| (`.*`) \|", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    paths = (*DEPLOY.glob("kubernetes/*"), *VAULT.iterdir(), DEPLOY / "Containerfile")
    files = {str(each.relative_to(DEPLOY)) for each in paths}
    assert files == {each for each in named if not each.startswith("matrix-")}


@pytest.fixture(params=["document", "fields"])
def layout(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def roles(layout: str, tmp_path: Path) -> list[Role]:
    """Those that ``matrix vault bootstrap`` makes for the README's example."""
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "matrix.toml").write_text(SEALED_FIELDS if layout == "fields" else KUBERNETES)
    subprocess.run([MATRIX, "access"], cwd=tmp_path, capture_output=True, check=True)
    return roles_of(Access.read(tmp_path / "access.json").namespaces)


def test_what_is_there_to_review_is_what_bootstrap_writes(layout: str, roles: list[Role]) -> None:
    """With MATRIX_UPDATE_GOLDEN=1 it is written instead."""
    settings = {each: json.dumps(each.settings, indent=2) + "\n" for each in roles}
    made = {VAULT / layout / f"{each.name}.hcl": each.policy for each in roles}
    made |= {VAULT / "roles" / f"{each.name}.json": settings[each] for each in roles}
    if os.environ.get(UPDATE) == "1":
        for path, text in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    there = (*(VAULT / layout).iterdir(), *(VAULT / "roles").iterdir())
    assert {path: path.read_text() for path in there} == made


def test_the_service_asks_for_a_role_that_there_is(roles: list[Role]) -> None:
    (role,) = re.findall(r"value: (matrix_\w+)", (DEPLOY / "kubernetes" / "tide.yaml").read_text())
    assert role in {each.name for each in roles}


def test_the_image_is_built_of_all_that_the_wheel_needs(tmp_path: Path) -> None:
    """And not of the whole folder, in which keys may lie."""
    source, built = tmp_path / "source", tmp_path / "built"
    source.mkdir()
    first_stage, *_ = re.split(r"^FROM .*-slim$", CONTAINERFILE, flags=re.MULTILINE)
    for names, to in re.findall(r"^COPY (.*) (\S+)$", first_stage, re.MULTILINE):
        for name in names.split():
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / to)
            else:
                shutil.copy(ROOT / name, source / to)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = built.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {"framework", "services", "pages"} < tops


@pytest.mark.parametrize(
    ("rotated", "job"), [(0, 0), (3, 0), (4, 1), (5, 1), (78, 1)], ids=lambda status: str(status)
)
def test_a_job_fails_where_a_rotation_did(rotated: int, job: int, tmp_path: Path) -> None:
    """And not where there was nothing to do."""
    matrix = tmp_path / "matrix"
    matrix.write_text(f"#!/bin/sh\nexit {rotated}\n")
    matrix.chmod(0o755)
    cron_job = yaml.safe_load((DEPLOY / "kubernetes" / "rotate.yaml").read_text())
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    done = subprocess.run(container["command"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.returncode == job
