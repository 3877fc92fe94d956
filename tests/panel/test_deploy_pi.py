"""What is installed on a Pi fits what is here."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from framework.panel.driver.wire import socket_path
from framework.project import PanelEntry, Project

PI = Path(__file__).parents[2] / "deploy" / "pi"
SCRIPT = PI / "install.sh"
UNITS = sorted(PI.glob("*.service"))


def test_the_script_is_clean() -> None:
    subprocess.run(["sh", "-n", SCRIPT], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SCRIPT], check=True)


@pytest.mark.parametrize("driver", ["rgbmatrix", "piomatter"])
def test_what_it_writes_is_what_the_units_need(tmp_path: Path, driver: str) -> None:
    found = re.search(r"<< END\n(.*?)\nEND\n", SCRIPT.read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / "matrix.toml").write_text(found[1].replace("$driver", driver))
    project = Project.find({}, tmp_path)
    assert project.panel.driver == driver
    assert f"matrix {project.panel.user}; do" in SCRIPT.read_text()
    unit = configparser.ConfigParser(strict=False)
    unit.read(PI / "matrix-panel.service")
    folder = socket_path(project).parent
    assert folder == Path("/run") / unit["Service"]["RuntimeDirectory"]
    assert int(unit["Service"]["RuntimeDirectoryMode"], 8) & 0o007 == 0


def test_every_option_is_explained() -> None:
    text = (PI / "README.md").read_text()
    assert [name for name in PanelEntry.model_fields if f"`{name}`" not in text] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_units_are_understood(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:
        text = each.read_text().replace("/opt/matrix/bin/matrix", shutil.which("true") or "")
        (tmp_path / each.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, text=True
    )
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []
