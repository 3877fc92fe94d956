"""``matrix.toml`` and the state folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.config.sources import Sources
from framework.errors import ConfigError
from framework.project import PageEntry, PanelEntry, Project, ServiceEntry

FULL = """
[config]
timezone = "Europe/Berlin"
[config.tide]
station = "x"

[[secrets.source]]
file = "sealed.toml"

[[service]]
use = "tide"

[[service]]
use = "weather:Weather"
name = "Harbour-2"

[[page]]
use = "tide"
feeds = { tide = "Harbour-2" }
seconds = 12

[panel]
width = 64
height = 32
"""


def project(folder: Path, text: str) -> Project:
    (folder / "matrix.toml").write_text(text, encoding="utf-8")
    return Project.find({}, folder)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project(folder, text)
    assert caught.value.__context__ is None
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


# ---------------------------------------------------------------------------------------- the file


def test_all_that_can_be_said(tmp_path: Path) -> None:
    found = project(tmp_path, FULL)
    assert found.path == tmp_path / "matrix.toml"
    assert found.state == tmp_path / ".matrix"
    assert found.config == {"timezone": "Europe/Berlin", "tide": {"station": "x"}}
    assert found.secrets == {"source": [{"file": "sealed.toml"}]}
    assert found.services == (
        ServiceEntry(use="tide"),
        ServiceEntry(use="weather:Weather", name="harbour-2"),
    )
    assert found.pages == (PageEntry(use="tide", feeds={"tide": "harbour-2"}, seconds=12),)
    assert found.panel == PanelEntry(width=64, height=32)


def test_one_process_of_several_takes_another_port(tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text("[health]\nport = 9000\n")
    ports = [
        Project.find({"MATRIX_HEALTH_PORT": port}, tmp_path).health.port for port in ("", "9001")
    ]
    assert ports == [9000, 9001]
    for port in ("0", "65536", "-1", "x", "٣"):
        with pytest.raises(ConfigError, match="MATRIX_HEALTH_PORT must be a port"):
            Project.find({"MATRIX_HEALTH_PORT": port}, tmp_path)


def test_without_a_file(tmp_path: Path) -> None:
    found = Project.find({}, tmp_path)
    assert (found.path, found.state) == (None, tmp_path / ".matrix")
    assert (found.services, found.pages, found.config) == ((), (), {})
    assert (found.panel.width, found.panel.height) == (128, 64)


@pytest.mark.parametrize(
    ("table", "size"),
    [
        ("rows = 32\ncols = 64\nchain_length = 3\nparallel = 2", (192, 64)),
        ("rotate = 90", (64, 128)),
        ("chain_length = 64", (512, 64)),  # of 4096: no page draws that
        ("chain_length = 4\nwidth = 128\nheight = 128", (128, 128)),
    ],
)
def test_a_panel_is_as_large_as_it_is_put_together(
    tmp_path: Path, table: str, size: tuple[int, int]
) -> None:
    found = project(tmp_path, f"[panel]\n{table}\n").panel
    assert (found.width, found.height) == size


def test_the_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "home.toml").write_text("[panel]\nwidth = 32\n")
    (tmp_path / "matrix.toml").write_text("[panel]\nwidth = 16\n")
    for named in ("else/home.toml", str(tmp_path / "else" / "home.toml")):
        found = Project.find({"MATRIX_TOML": named}, tmp_path)
        assert (found.panel.width, found.state) == (32, tmp_path / "else" / ".matrix")
    assert Project.find({"MATRIX_TOML": ""}, tmp_path).panel.width == 16


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    for named in ("nowhere.toml", "."):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            Project.find({"MATRIX_TOML": named, "MATRIX_TIDE__TOKEN": "MARKER"}, tmp_path)
        assert "MATRIX_TOML" in str(caught.value)
        assert caught.value.__traceback__ is not None
        frame = caught.value.__traceback__.tb_next
        assert frame is not None
        assert "MARKER" not in repr(frame.tb_frame.f_locals)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[service]]\nusse = 'x'", "matrix.toml: service 1.use is missing"),
        (
            "[[service]]\nusse = 'x'",
            "matrix.toml: nothing is called service 1.usse; did you mean use?",
        ),
        ("[pannel]", "matrix.toml: nothing is called pannel; did you mean panel?"),
        ("[panel]\nwidht = 1", "matrix.toml: nothing is called panel.widht; did you mean width?"),
        ("[panel]\nrows = 1", "matrix.toml: panel.rows must be at least 4"),
        ("[panel]\nrotate = 45", "matrix.toml: panel.rotate must be 0, 90, 180 or 270"),
        ("[panel]\ndriver = 'x'", "matrix.toml: panel.driver must be 'rgbmatrix' or 'piomatter'"),
        ("[panel]\nwidth = 513", "matrix.toml: panel.width must be at most 512"),
        ("[panel]\nheight = 0", "matrix.toml: panel.height must be at least 1"),
        ("[panel]\nheight = '64'", "matrix.toml: panel.height must be a whole number"),
        ("[panel]\nheight = true", "matrix.toml: panel.height must be a whole number"),
        ("panel = 5", "matrix.toml: panel must be a table"),
        ("config = 5", "matrix.toml: config must be a table"),
        ("[page]\nuse = 'x'", "matrix.toml: page must be written as [[page]]"),
        ("page = ['x']", "matrix.toml: page 1 must be a table"),
        ("[[page]]\nuse = ''", "matrix.toml: page 1.use must not be empty"),
        ("[[page]]\nuse = 7", "matrix.toml: page 1.use must be text, in quotes"),
        (
            "[[page]]\nuse = 'x'\nseconds = 0",
            "matrix.toml: page 1.seconds must be more than 0.0",
        ),
        (
            "[[page]]\nuse = 'x'\nseconds = inf",
            "matrix.toml: page 1.seconds must be a finite number",
        ),
        (
            "[[page]]\nuse = 'x'\nseconds = '5'",
            "matrix.toml: page 1.seconds must be a number",
        ),
        (
            "[[page]]\nuse = 'x'\nfeeds = ['a']",
            "matrix.toml: page 1.feeds must be a table",
        ),
        (
            "[[page]]\nuse = 'x'\nfeeds = { a = 1 }",
            "matrix.toml: page 1.feeds.a must be text, in quotes",
        ),
        (
            "\n[panel]\nwidth 5",
            "matrix.toml, line 3, column 7: Expected '=' after a key in a key/value pair. "
            "Text needs quotes, a table needs [brackets], a list of tables [[double ones]]",
        ),
        (
            "a = " + "[" * 5000,
            "matrix.toml holds a number or a nesting that is too large to be read. Make it smaller",
        ),
        (
            "a = " + "1" * 5000,
            "matrix.toml holds a number or a nesting that is too large to be read. Make it smaller",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(tmp_path, text)


def test_all_problems_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "[panel]\nwidth = 0\nheight = 0\n[[page]]\n")) == 3


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_bytes(b"# \xff")
    with pytest.raises(ConfigError, match=r"not text in UTF-8, at byte 2\. Save"):
        Project.find({}, tmp_path)


MARKER = "sEcReT"
PIECES = st.sampled_from(
    [
        *(
            "[config]\n",
            "[panel]\n",
            "[[page]]\n",
            "[[service]]\n",
            "[config.tide]\n",
            "{",
            "}",
            "[",
        ),
        *(
            "token = ",
            "use = ",
            "width = ",
            "feeds = ",
            "a.b = ",
            ",",
            "]",
            "\n",
            "\\",
            "\0",
            "1e9",
        ),
        *(f'"{MARKER}"', f"'{MARKER}", f'"""{MARKER}\n', f"1{MARKER}\n", f'"\\{MARKER}"'),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_stands_there_no_value_is_shown(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    shown: object
    try:
        shown = project(tmp_path_factory.getbasetemp(), text)
    except ConfigError as error:
        shown = (str(error), error.__context__)
    assert MARKER not in repr(shown)


# --------------------------------------------------------------------------------------- the state


def test_the_state_folder_is_private(tmp_path: Path) -> None:
    found = Project.find({}, tmp_path)
    for _ in range(2):
        assert found.make_state() == tmp_path / ".matrix"
        assert found.state.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_others_can_look_into_is_refused(tmp_path: Path) -> None:
    found = Project.find({}, tmp_path)
    found.make_state().chmod(0o750)
    with pytest.raises(ConfigError, match="chmod 700"):
        found.make_state()


def test_a_state_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Project.find({}, tmp_path)
    found.make_state()
    monkeypatch.setattr(os, "geteuid", lambda: found.state.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        found.make_state()


def test_a_state_folder_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    found = Project.find({}, tmp_path)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    found.state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="must be a folder"):
        found.make_state()
    found.state.unlink()
    found.state.write_text("")
    with pytest.raises(ConfigError, match="must be a folder"):
        found.make_state()


# ------------------------------------------------------------------------------------ the embedded


def write_bus(found: Project, mode: int = 0o600) -> Path:
    bus = found.make_state() / "bus"
    bus.touch(mode=0o600)
    bus.write_text("redis://:p@127.0.0.1:1/0\n")
    bus.chmod(mode)
    return bus


def test_the_server_of_the_folder(tmp_path: Path) -> None:
    found = Project.find({}, tmp_path)
    assert found.bus_url() is None
    bus = write_bus(found)
    assert found.bus_url() == "redis://:p@127.0.0.1:1/0"
    bus.write_text("")
    assert found.bus_url() is None


def test_an_address_that_others_can_read_or_write_is_not_followed(tmp_path: Path) -> None:
    found = Project.find({}, tmp_path)
    bus = write_bus(found, 0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        found.bus_url()
    bus.unlink()
    os.mkfifo(bus, mode=0o600)
    with pytest.raises(ConfigError, match="must be a file"):
        found.bus_url()
    bus.unlink()
    bus.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be read"):
        found.bus_url()


def test_what_the_machine_and_the_folder_give(tmp_path: Path) -> None:
    found = project(tmp_path, FULL)
    write_bus(found)
    sources = Sources.of_machine(found, {"TZ": "Asia/Tokyo"})
    assert sources.table == found.config
    assert sources.table_path == "matrix.toml"
    assert sources.machine_timezone == "Asia/Tokyo"
    assert sources.machine_redis_url == "redis://:p@127.0.0.1:1/0"
