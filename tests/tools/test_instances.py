"""From entries to instances, and the sections of ``[config]`` that belong to none of them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.project import PageEntry, Project, ServiceEntry
from framework.tools.instances import make_instances, page_entries, service_entries
from tests import forked

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
FLEET = """
from framework import Config, DisplayBase, Feed
from tide import Tide

class Fleet(Config, shared=True):
    fleet_id: int = 0

class FleetPage(DisplayBase[Fleet]):
    def draw(self, canvas, now):
        pass

class MaybePage(DisplayBase):
    tide = Feed(Tide, required=False)

    def draw(self, canvas, now):
        pass

class Blank(DisplayBase):
    tide = Feed(Tide)

class Own(FleetPage):
    def __init__(self, *, name=None, config=None):
        super().__init__(name=name, config=config)

class Failing(FleetPage):
    def __init__(self, **options):
        1 / 0, "hunter2"
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
    for name in ("tide", "fleet"):
        sys.modules.pop(name, None)


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


def test_a_name_of_nobody_at_the_top_level_and_in_the_environment(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATRIX_TIDE_STATION", "hunter2")
    monkeypatch.setenv("MATRIX_TIED__STATION", "hunter2")
    monkeypatch.setenv("MATRIX_MOON__HOUR", "hunter2")  # of another, which is installed
    assert warnings(caplog, "[config]\ntimezon = 'hunter2'\nstation = 'hunter2'\n" + ENTRIES) == [
        "[config] timezon of matrix.toml is read by no service or page here: "
        "did you mean timezone?",
        "[config] station of matrix.toml is read by no service or page here: "
        "did you mean it in [config.tide]?",
        "environment MATRIX_TIDE_STATION is read by no service or page here: "
        "did you mean MATRIX_TIDE__STATION?",
        "environment MATRIX_TIED__STATION is read by no service or page here: "
        "did you mean MATRIX_TIDE__STATION?",
    ]


def test_what_another_entry_shares_is_no_stray(caplog: pytest.LogCaptureFixture) -> None:
    Path("fleet.py").write_text(FLEET)
    entries = ENTRIES + '[[page]]\nuse = "fleet:FleetPage"\n'
    assert warnings(caplog, "[config]\nfleet_id = 3\n" + entries) == []


# Feeds that nobody publishes.


def test_a_feed_of_nobody(caplog: pytest.LogCaptureFixture) -> None:
    found = project(ENTRIES + 'name = "east"\nfeeds = { tide = "harbor-2" }\n')
    make_instances(found, [], found.pages)
    assert [record.getMessage() for record in caplog.records] == [
        "no service here publishes harbor-2, which east follows: did you mean harbour-2?"
    ]


def test_a_service_says_so_of_what_the_file_says(caplog: pytest.LogCaptureFixture) -> None:
    page = 'name = "east"\nfeeds = { tide = "harbor-2" }\n'
    (said,) = warnings(caplog, ENTRIES + page)
    assert "no service here publishes harbor-2, which east follows" in said


def test_a_feed_that_no_entry_is_called_like(caplog: pytest.LogCaptureFixture) -> None:
    found = project('[[service]]\nuse = "moon"\n[[page]]\nuse = "tide:TidePage"\n')
    make_instances(found, [], found.pages)
    assert [record.getMessage() for record in caplog.records] == [
        "no service here publishes tide, which tidepage follows: there are moon"
    ]


@pytest.mark.parametrize(
    "text",
    [
        ENTRIES,
        ENTRIES + 'feeds = { tide = "harbour-2" }\n',
        '[[page]]\nuse = "tide:TidePage"\n',  # the services run elsewhere
        '[[service]]\nuse = "broken:Any"\n[[page]]\nuse = "tide:TidePage"\n',  # it may be the one
        '[[service]]\nuse = "moon"\n[[page]]\nuse = "fleet:MaybePage"\n',  # if there is any
    ],
)
def test_a_feed_of_somebody(caplog: pytest.LogCaptureFixture, text: str) -> None:
    Path("fleet.py").write_text(FLEET)
    found = project(text)
    make_instances(found, [], found.pages)
    assert caplog.records == []


def test_a_service_is_not_imported_to_look_for_a_feed_that_it_is_called_like() -> None:
    Path("weather.py").write_text("open('imported', 'w').close()")
    found = project('[[service]]\nuse = "weather:Tide"\n[[page]]\nuse = "tide:TidePage"\n')
    make_instances(found, [], found.pages)
    assert not Path("imported").exists()


# What is made.


def test_the_name_that_a_class_gives_is_a_target_too() -> None:
    found = project(ENTRIES + "seconds = 3\n")
    assert service_entries(found, ["tide", "HARBOUR_2"]) == list(found.services)
    assert page_entries(found, ["tidepage"]) == list(found.pages)
    assert service_entries(found, ["tide:TideServer"]) == [found.services[0]]
    assert service_entries(found, ["moon"]) == [ServiceEntry(use="moon")]


def test_two_of_one_class_are_told_apart() -> None:
    found = project(ENTRIES + '[[page]]\nuse = "tide:TidePage"\nname = "east"\n')
    made = make_instances(found, [], found.pages).pages
    assert [one.page.label for one in made] == ["Tide", "Tide east"]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("fleet:Blank", "fleet:Blank has no draw(). Write it"),
        (
            "fleet:Own",
            "Own: its __init__ must accept config=, name= and feeds= and hand them to "
            "super().__init__(), and require nothing else",
        ),
        ("fleet:Failing", "Failing: its __init__ raised ZeroDivisionError (in "),
    ],
)
def test_a_page_that_cannot_be_made_is_a_sentence(use: str, said: str) -> None:
    Path("fleet.py").write_text(FLEET)
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        make_instances(project(""), [], [PageEntry(use=use)])
    assert refused.value.__context__ is None
    assert "hunter2" not in str(refused.value)


def test_pages_and_services_share_one_name_space() -> None:
    found = project(ENTRIES + 'name = "tide"')
    with pytest.raises(ConfigError, match="tide and tide are one name for two instances"):
        make_instances(found, found.services, found.pages)


@pytest.mark.parametrize("command", ["demo", "serve", "show"])
def test_every_command_says_so_before_it_fails(command: str) -> None:
    """A field that is missing is often one that stands in a misspelt section."""
    Path("matrix.toml").write_text("[config]\nunits = 'furlongs'\n[config.tdie]\n" + ENTRIES)
    done = forked.run("matrix", command, cwd=Path.cwd(), env=os.environ)
    assert done.returncode == 78
    warning, error = done.stderr.splitlines()
    assert warning.endswith("did you mean tide?")
    assert "units" in error
