"""From entries to instances, and the sections of ``[config]`` that belong to none of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.project import Project
from framework.tools.instances import make_instances

TIDE = """
from framework import Config, DisplayBase, Feed, ServerBase, Values

class Tide(Values):
    height_m: float

class TideConfig(Config):
    station: str = ""

class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self):
        return Tide(height_m=1.5)

class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas, now):
        pass
"""
ENTRIES = """
[[service]]
use = "tide:TideServer"
[[service]]
use = "tide:TideServer"
name = "Harbour-2"
[[page]]
use = "tide:TidePage"
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "tide.py").write_text(TIDE)
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in os.environ:
        if name.startswith("MATRIX_"):
            monkeypatch.delenv(name)
    yield
    sys.modules.pop("tide", None)


def project(text: str) -> Project:
    Path("matrix.toml").write_text(text)
    return Project.find({}, Path.cwd())


def warnings(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    """What is said when the services of the file are made, as ``matrix serve`` does."""
    found = project(text)
    make_instances(found, found.services, [])
    assert all(record.name == "matrix" for record in caplog.records)
    return [record.getMessage() for record in caplog.records]


def test_a_section_of_nobody_is_most_likely_misspelt(caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(caplog, "[config.tdie]\n[config.Harbor-2]\n[config.tide]\n" + ENTRIES) == [
        "[config.tdie] of matrix.toml belongs to no service or page here: did you mean tide?",
        "[config.Harbor-2] of matrix.toml belongs to no service or page here: "
        "did you mean harbour-2?",
    ]


def test_a_section_that_is_like_nothing(caplog: pytest.LogCaptureFixture) -> None:
    (said,) = warnings(caplog, "[config.xyz]\n" + ENTRIES)
    assert "[config.xyz] of matrix.toml" in said
    assert "here: there are tide, harbour-2, " in said


@pytest.mark.parametrize(
    "section",
    [
        "tide",  # made
        "HARBOUR_2",  # made, as its variables are written
        "tidepage",  # another entry of the file
        "moonpage",  # installed
    ],
)
def test_a_section_of_somebody(caplog: pytest.LogCaptureFixture, section: str) -> None:
    assert warnings(caplog, f"[config]\nunits = 'metric'\n[config.{section}]\n" + ENTRIES) == []


def test_what_cannot_be_imported_here_may_be_called_like_its_parts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    entries = ENTRIES + '[[page]]\nuse = "broken:WavePage"\n'
    sections = "[config.wavepage]\n[config.broken]\n[config.wvaepage]\n"
    (said,) = warnings(caplog, sections + entries)
    assert "[config.wvaepage]" in said


def test_nothing_is_imported_to_look_while_all_sections_are_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path("other.py").write_text("open('imported', 'w').close()")
    assert warnings(caplog, "[config.tide]\n" + ENTRIES + '[[page]]\nuse = "other:Page"') == []
    assert not Path("imported").exists()


def test_pages_and_services_share_one_name_space() -> None:
    found = project(ENTRIES + 'name = "tide"')
    with pytest.raises(ConfigError, match="tide and tide are one name for two instances"):
        make_instances(found, found.services, found.pages)


@pytest.mark.parametrize("command", ["demo", "serve", "show"])
def test_every_command_says_so_before_it_fails(command: str) -> None:
    """A field that is missing is often one that stands in a misspelt section."""
    Path("matrix.toml").write_text("[config]\nunits = 'furlongs'\n[config.tdie]\n" + ENTRIES)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("matrix")), command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    warning, error = done.stderr.splitlines()
    assert warning.endswith("did you mean tide?")
    assert "units" in error
