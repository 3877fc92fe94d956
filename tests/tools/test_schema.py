"""``matrix schema``, and logs that a machine reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests import forked

TIDE = """
from framework import Config, ServerBase, Values

class Tide(Values):
    height_m: float

class TideServer(ServerBase[Tide, Config]):
    async def fetch(self) -> Tide:
        return Tide(height_m=1)

if __name__ == "__main__":
    TideServer.run()
"""


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "tide.py").write_text(TIDE)
    return forked.run("matrix", *words, cwd=folder, env={"PATH": "/usr/bin:/bin", **environ})


def test_the_schema_of_what_is_published(tmp_path: Path) -> None:
    done = run(tmp_path, "schema", "tide:TideServer")
    assert (done.returncode, done.stderr) == (0, "")
    (tide,) = json.loads(done.stdout).values()
    assert set(tide["required"]) == {"type", "updated", "valid", "expires", "values"}
    assert tide["properties"]["updated"] == {
        "title": "Updated",
        "type": "string",
        "format": "date-time",
    }
    assert tide["$defs"]["Tide"]["properties"]["height_m"]["type"] == "number"


def test_by_default_it_has_all(tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text('[[service]]\nuse = "tide:TideServer"\n')
    assert {"Tide", "Moon"} <= json.loads(run(tmp_path, "schema").stdout).keys()


def test_what_cannot_be_loaded_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "harbour.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "matrix.toml").write_text(
        '[[service]]\nuse = "harbour:TideServer"\n[[service]]\nuse = "tide:TideServer"\n'
    )
    done = run(tmp_path, "schema")
    assert done.returncode == 0
    assert {"Tide", "Moon"} <= json.loads(done.stdout).keys()
    (line,) = done.stderr.splitlines()
    assert line.startswith("left out: harbour:TideServer: harbour needs nothing_of_that_name")
    asked = run(tmp_path, "schema", "harbour:TideServer")
    assert (asked.returncode, asked.stdout) == (78, "")
    assert asked.stderr == line.removeprefix("left out: ") + "\n"


def test_two_that_mean_different_things_by_one_type_are_not_mixed_up(tmp_path: Path) -> None:
    (tmp_path / "harbour.py").write_text(TIDE.replace("height_m", "depth_m"))
    both = ["tide:TideServer", "harbour:TideServer"]
    done = run(tmp_path, "schema", *both, both[0])
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "tide:TideServer and harbour:TideServer publish different things, both of type Tide. Ask "
        "for one at a time: matrix schema harbour:TideServer\n"
    )
    assert run(tmp_path, "schema", both[0], both[0], "moon").returncode == 0


def test_every_line_of_a_log_for_a_machine_is_json(tmp_path: Path) -> None:
    """What cannot be is one of them, as the last word of a process."""
    (tmp_path / "matrix.toml").write_text(
        "[config]\nredis_url = 'x'\n[config.tide]\nredis_url = 5\n"
    )
    done = run(tmp_path, "serve", "tide:TideServer", MATRIX_LOG_FORMAT="json")
    assert done.returncode == 78
    *_, last = map(json.loads, done.stderr.splitlines())
    assert (last["level"], last["logger"]) == ("error", "matrix")
    assert "redis_url" in last["message"]
    assert last["time"].endswith("Z")


def test_another_form_of_log_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "tide:TideServer", MATRIX_LOG_FORMAT="xml")
    assert (done.returncode, done.stderr) == (
        78,
        "environment MATRIX_LOG_FORMAT must be text or json\n",
    )
