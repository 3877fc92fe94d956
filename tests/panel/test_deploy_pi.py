"""What is installed on a Pi fits what is here."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framework.panel.driver.wire import socket_path
from framework.process import EXIT_CONFIG
from framework.project import PanelEntry, Project
from framework.tools.instances import make_instances, page_entries, service_entries

PI = Path(__file__).parents[2] / "deploy" / "pi"
SCRIPT = PI / "install.sh"
BIN = Path(sys.executable).parent
UNITS = sorted(PI.glob("*.service"))
README = (PI / "README.md").read_text()
WEATHER, SECRETS = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
(SEAL,) = re.findall(r"^sudo -u matrix .*$", README, re.MULTILINE)


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


def test_a_secret_is_kept_in_the_folder_that_is_the_users_own(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / ".matrix").mkdir(mode=0o700)
    project = written(etc, "rgbmatrix", f"\n{SECRETS}")
    before = {*etc.iterdir()}
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    sudo.chmod(0o755)
    own = SEAL.replace("/etc/matrix", str(etc)).replace("/opt/matrix/bin", str(BIN))
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", own], input="s3cr3t", env=environ, capture_output=True, text=True, check=False
    )
    assert "added       json.key" in done.stdout, done.stderr
    assert {*etc.iterdir()} == before
    assert {each.name for each in project.state.iterdir()} >= {"keyring", "secrets.sealed"}


def test_the_weather_is_as_it_is_written_there(tmp_path: Path) -> None:
    project = written(tmp_path, "rgbmatrix", f"\n{WEATHER}")
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


def test_what_runs_goes_on_as_what_is_installed_now() -> None:
    (restarted,) = re.findall(r"systemctl try-restart ([^#\n]*)", SCRIPT.read_text())
    assert sorted(restarted.split()) == [unit.stem for unit in UNITS]


def test_the_versions_are_those_that_the_tests_ran_with(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    here = f"driver=piomatter\ninstall_program {PI.parents[1]}\n"
    script = SCRIPT.read_text().replace("\nmain\n", f"\n{here}")
    environ = {**os.environ, "MATRIX_PREFIX": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    assert Path(words[words.index("--constraint") + 1]).samefile(PI.parents[1] / "constraints.txt")


def test_every_option_is_explained() -> None:
    assert [name for name in PanelEntry.model_fields if f"`{name}`" not in README] == []


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
