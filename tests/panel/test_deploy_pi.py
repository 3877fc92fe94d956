"""What is installed on a Pi fits what is here."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from framework.panel.driver.wire import socket_path
from framework.process import EXIT_CONFIG
from framework.project import PanelEntry, Project
from framework.tools.instances import make_instances, page_entries, service_entries

PI = Path(__file__).parents[2] / "deploy" / "pi"
SCRIPT = PI / "install.sh"
UNITS = sorted(PI.glob("*.service"))


def service(unit: Path) -> configparser.SectionProxy:
    read = configparser.ConfigParser(strict=False)
    read.read(unit)
    return read["Service"]


def written(folder: Path, driver: str, more: str = "") -> Project:
    """What the script writes, and somebody adds to."""
    found = re.search(r"<< END\n(.*?)\nEND\n", SCRIPT.read_text(), re.DOTALL)
    assert found is not None
    (folder / "matrix.toml").write_text(found[1].replace("$driver", driver) + more)
    return Project.find({}, folder)


def test_the_script_is_clean() -> None:
    subprocess.run(["sh", "-n", SCRIPT], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SCRIPT], check=True)


@pytest.mark.parametrize("driver", ["rgbmatrix", "piomatter"])
def test_what_it_writes_is_what_the_units_need(tmp_path: Path, driver: str) -> None:
    project = written(tmp_path, driver)
    assert project.panel.driver == driver
    assert f"matrix {project.panel.user}; do" in SCRIPT.read_text()
    unit = service(PI / "matrix-panel.service")
    folder = socket_path(project).parent
    assert folder == Path("/run") / unit["RuntimeDirectory"]
    assert int(unit["RuntimeDirectoryMode"], 8) & 0o007 == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_hangs_is_started_again_and_what_is_configured_wrong_is_not(unit: Path) -> None:
    said = service(unit)
    assert (said["Restart"], said["WatchdogSec"], said["WatchdogSignal"]) == (
        "always",
        "60",
        "SIGKILL",
    )
    assert said["RestartPreventExitStatus"] == str(EXIT_CONFIG)


def test_pages_may_write_their_state_and_nothing_else(tmp_path: Path) -> None:
    said = service(PI / "matrix-show.service")
    state = Path("/etc/matrix") / written(tmp_path, "rgbmatrix").state.name
    assert said["ProtectSystem"] == "strict"
    assert said["ReadWritePaths"] == f"-{state}"
    assert f"install -d -m 0700 -o {said['User']} -g matrix {state}\n" in SCRIPT.read_text()


def test_the_weather_is_as_it_is_written_there(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", (PI / "README.md").read_text(), re.DOTALL)
    assert found is not None
    project = written(tmp_path, "rgbmatrix", f"\n{found[1]}")
    made = make_instances(project, service_entries(project, []), page_entries(project, []))
    assert [one.name for one in made.services] == ["weather"]
    assert [one.page.name for one in made.pages] == ["clock", "weatherpage"]


def test_what_is_configured_stays_and_the_units_know_where_the_program_is(tmp_path: Path) -> None:
    """On another root, where nothing is anybody else's."""
    units = tmp_path / "etc/systemd/system"
    for folder in (units, tmp_path / "etc/modprobe.d"):
        folder.mkdir(parents=True)
    here = f"""
        install() {{ for folder; do :; done; mkdir -p "$folder"; }}
        chgrp() {{ :; }}
        here={PI} driver=rgbmatrix
        configure
    """
    script = SCRIPT.read_text().replace("/etc/", f"{tmp_path}/etc/").replace("\nmain\n", here)
    toml = tmp_path / "etc/matrix/matrix.toml"
    for prefix in ("/opt/matrix", "/elsewhere"):
        subprocess.run(
            ["sh", "-c", script],
            check=True,
            umask=0o022,
            env={**os.environ, "MATRIX_PREFIX": prefix},
        )
        started = [service(units / unit.name)["ExecStart"] for unit in UNITS]
        assert started == [
            f"{prefix}/bin/matrix {unit.stem.removeprefix('matrix-')}" for unit in UNITS
        ]
        assert {(units / unit.name).stat().st_mode & 0o777 for unit in UNITS} == {0o644}
        with toml.open("a") as file:
            file.write("# mine\n")
    assert toml.read_text().count("# mine") == 2
    assert toml.stat().st_mode & 0o777 == 0o640


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
