"""What somebody meets who is new: help that fits, and sentences where something is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from framework.project import Project
from framework.tools.demo import PAGES, SERVICES, chosen
from tests import forked

WITHOUT = """
import sys
missing, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = "matrix"
for name in missing.split(","):
    sys.modules[name] = None
from framework.tools.main import main
main()
"""
TIDE = """
from framework import DisplayBase, Feed, ServerBase, Values

class Tide(Values):
    height_m: float

class TideServer(ServerBase[Tide]):
    '''The height of the tide,
    in the harbour.

    By the gauge.'''

    async def fetch(self):
        return Tide(height_m=1)

class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas, now):
        pass
"""
MOON = "moon: services.moon needs ephem: pip install 'matrix-framework[services]'"
OWN = "[[service]]\nuse = 'tide:TideServer'\n[[page]]\nuse = 'tide:TidePage'\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tide.py").write_text(TIDE)
    (tmp_path / "matrix.toml").write_text(OWN)
    return tmp_path


def matrix(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "TZ": "Europe/Berlin", **environ}
    return forked.run("matrix", *words, cwd=folder, env=env)


def without(missing: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As where some modules are not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --------------------------------------------------------------------------------- what is missing


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dev clock", "matrix dev needs PIL: pip install 'matrix-framework[panel]'\n"),
        ("panel", "matrix panel needs PIL: pip install 'matrix-framework[panel]'\n"),
        ("demo", "matrix demo needs PIL: pip install 'matrix-framework[demo]'\n"),
        ("show clock", "clock: pages.clock needs PIL: pip install 'matrix-framework[panel]'\n"),
        (
            "serve moon",
            "moon: services.moon needs ephem: pip install 'matrix-framework[services]'\n",
        ),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_what_brings_it(
    tmp_path: Path, words: str, said: str
) -> None:
    (tmp_path / "matrix.toml").write_text('[panel]\ndriver = "rgbmatrix"\n')
    done = without("PIL,ephem", tmp_path, *words.split())
    assert (done.returncode, done.stdout, done.stderr) == (78, "", said)


def test_the_schema_of_the_rest_is_printed(tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text("[[service]]\nuse = 'moon'\n")
    done = without("ephem", tmp_path, "schema")
    assert done.returncode == 0
    assert {"Weather", "System"} <= json.loads(done.stdout).keys()
    assert done.stderr == f"left out: {MOON}\n"
    assert without("ephem", tmp_path, "schema", "moon").returncode == 78


# ------------------------------------------------------------------------------------ matrix itself


def test_each_command_is_told_in_a_line_of_80(tmp_path: Path) -> None:
    _, _, listed = matrix(tmp_path, "--help", COLUMNS="80").stdout.partition("Commands:\n")
    assert len(listed.splitlines()) > 10
    assert [line for line in listed.splitlines() if not line.endswith(".") or "..." in line] == []


def test_which_version_it_is(tmp_path: Path) -> None:
    done = matrix(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, "matrix-framework 0.1.0\n")


# ------------------------------------------------------------------------------------------ targets


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("serve clock", "clock is a page: it goes with matrix show, and into a [[page]]\n"),
        ("show json", "json is a service: it goes with matrix serve, and into a [[service]]\n"),
        ("show tide", "tide is a service: it goes with matrix serve, and into a [[service]]\n"),
        ("serve TidePage", "TidePage is a page: it goes with matrix show, and into a [[page]]\n"),
        (
            "serve tdie",
            "tdie is not known: did you mean tide? There are airquality, json, moon, sy",
        ),
        ("dev mooon", "mooon is not known: did you mean moon? There are clock, daily, feeds, h"),
    ],
)
def test_a_target_of_another_kind_or_of_none(folder: Path, words: str, said: str) -> None:
    done = matrix(folder, *words.split())
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(said)


def test_there_is_no_file_to_say_who_may_decrypt_what(tmp_path: Path) -> None:
    done = matrix(tmp_path, "access")
    assert (done.returncode, done.stderr) == (
        78,
        "there is no matrix.toml. Start where one lies, or name it: matrix access FILE\n",
    )


# --------------------------------------------------------------------------------------------- list


def test_the_list_tells_each_in_whole_sentences_and_what_it_follows_here(folder: Path) -> None:
    text = "[[page]]\nuse = 'weather'\nname = 'in-bern'\nfeeds = { weather = 'bern' }\n"
    (folder / "matrix.toml").write_text(OWN + text)
    done = matrix(folder, "list", MATRIX_TIMEZON="x")
    assert "did you mean MATRIX_TIMEZONE?" in done.stderr
    blocks = done.stdout.split("\n\n")
    titles = [block.strip().partition("\n")[0] for block in blocks]
    assert titles == [
        "Services of matrix.toml",
        "Services that are installed",
        "Pages of matrix.toml",
        "Pages that are installed",
        "",
    ]
    assert blocks[0].startswith(
        "Services of matrix.toml\n"
        "  tide  The height of the tide, in the harbour.\n"
        "      is tide:TideServer\n"
        "      publishes Tide every 600 s\n"
    )
    assert "\n  tidepage\n      is tide:TidePage\n      follows Tide\n" in blocks[2]
    assert "      is weather\n      follows Weather of bern, AirQuality (if there " in blocks[2]
    assert "its age, and why there is nothing newer. configured by" in " ".join(blocks[3].split())


def test_the_list_fits_and_says_once_what_the_secrets_may_have(folder: Path) -> None:
    unread = "The secrets are not read here."
    assert unread not in matrix(folder, "list").stdout
    source = "[[secrets.source]]\nkind = 'file'\npath = 'secrets.sealed'\n"
    (folder / "matrix.toml").write_text("[config]\ntimezone = 'Europe/Berlin'\n" + OWN + source)
    said = matrix(folder, "list").stdout
    assert said.startswith(unread)
    assert said.count("secrets") == 1
    assert "timezone       str                    [config] timezone in matrix.toml\n" in said
    assert [line for line in said.splitlines() if len(line) > 80] == []


# --------------------------------------------------------------------------------------------- demo


def names(path: Path, text: str) -> tuple[list[str], list[str]]:
    (path / "matrix.toml").write_text(text)
    services, pages = chosen(Project.find({}, path))
    return [each.use for each in services], [each.use for each in pages]


def service(use: str, more: str = "") -> str:
    return f"[[service]]\nuse = '{use}'\n{more}\n"


def page(use: str, more: str = "") -> str:
    return f"[[page]]\nuse = '{use}'\n{more}\n"


@pytest.mark.parametrize(
    ("text", "services", "pages"),
    [
        ("", "moon weather airquality system", "moon clock weather system feeds"),
        (page("clock"), "", "clock"),
        (page("weather"), "weather airquality", "weather"),
        (page("hourly", "feeds = { weather = 'bern' }"), "", "hourly"),
        (page("hourly", "feeds = { weather = 'Moon' }"), "moon", "hourly"),
        (service("json"), "json", "clock feeds"),
        (service("weather"), "weather", "clock weather feeds"),
        (service("weather", "name = 'bern'"), "weather", "clock feeds"),
        (service("json") + page("moon"), "json", "moon"),
    ],
)
def test_what_the_file_names_none_of_goes_with_the_rest(
    tmp_path: Path, text: str, services: str, pages: str
) -> None:
    assert names(tmp_path, text) == (services.split(), pages.split())


def test_the_help_of_the_demo_names_what_there_is(tmp_path: Path) -> None:
    said = " ".join(matrix(tmp_path, "demo", "--help").stdout.split())
    for those in (SERVICES, PAGES):
        *most, last = (each.use for each in those)
        assert f"{', '.join(most)} and {last}" in said
