"""``matrix`` itself: every command is there, and imports nothing of the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from framework.tools.app import COMMANDS
from tests import forked

MATRIX = Path(sys.executable).with_name("matrix")
LOADED = """
import sys
from framework.tools.app import main
sys.argv = ["matrix", *sys.argv[1:], "--help"]
try:
    main()
finally:
    print(*sys.modules)
"""


def said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_its_help_names_every_command() -> None:
    _, _, listed = said(MATRIX, "--help").partition("Commands:\n")
    assert [line.split()[0] for line in listed.splitlines()] == [*COMMANDS, "vault"]


@pytest.mark.parametrize("command", [(), ("vault",)], ids=str)
def test_its_help_has_each_summary_whole(command: tuple[str, ...]) -> None:
    _, _, listed = said(MATRIX, *command, "--help").partition("Commands:\n")
    assert listed
    assert "..." not in listed


@pytest.mark.parametrize("command", [*((each,) for each in COMMANDS), ("vault", "bootstrap")])
def test_its_help_has_nothing_at_the_end_of_a_line(command: tuple[str, ...]) -> None:
    lines = forked.run("matrix", *command, "--help", cwd=Path.cwd(), env={}).stdout.splitlines()
    assert lines
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_command_imports_nothing_of_the_others() -> None:
    loaded = set(said(sys.executable, "-c", LOADED, "rotate").split())
    assert "framework.tools.rotate" in loaded
    assert loaded.isdisjoint({"framework.tools.demo", "framework.server", "framework.display"})
