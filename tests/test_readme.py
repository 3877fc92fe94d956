"""What the README tells a newcomer to paste works as pasted."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from urllib.request import urlopen

import pytest

from framework.canvas import Align, Canvas, Fit, Overflow, Role, Valign
from framework.colours import COLOURS
from framework.config import Config
from framework.display import DisplayBase
from framework.health import open_health
from framework.icons import NAMES
from framework.page import Page
from framework.server import ServerBase
from framework.targets import PAGES, SERVICES, available, resolve
from framework.vitals import PanelVitals, ServiceVitals
from services.anyjson import JsonConfig
from services.feeds import ValueColour
from tests.readme import (
    METRICS,
    MODULES,
    PROJECT,
    PYTEST_INI,
    README,
    ROOT,
    SEAL,
    SEALED_FIELDS,
    SECRETS,
    TILE,
    quoted,
    table,
)
from tests.secrets.httpserver import Answer, Request, Standin

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("[!.]*/**/*.md")])


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    for name, block in MODULES.items():
        (tmp_path / name).write_text(block)
    (tmp_path / "pytest.ini").write_text(PYTEST_INI)
    return tmp_path


class Prices(Standin):
    def _answer(self, request: Request) -> Answer:
        return Answer(200, {"bitcoin": {"usd": 67012}})


def run(
    folder: Path, *words: str, program: str = sys.executable, given: str = ""
) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MATRIX_")}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    return subprocess.run(
        [program, *words],
        cwd=folder,
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_tests_pass(pasted: Path) -> None:
    done = run(pasted, program="pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "Warning" not in done.stdout + done.stderr


def test_the_file_runs_service_and_page(pasted: Path) -> None:
    (pasted / "matrix.toml").write_text(PROJECT)
    matrix = str(Path(sys.executable).with_name("matrix"))
    done = run(pasted, matrix, "demo", "--snapshot", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in (pasted / "out").iterdir()}
    assert made == {"moonpage.png", "tidepage.png", "contact-sheet.png"}


def test_a_tile_needs_no_python(pasted: Path) -> None:
    matrix = str(Path(sys.executable).with_name("matrix"))
    with Prices(None) as web:
        (pasted / "matrix.toml").write_text(TILE.replace("https://prices.example", web.address))
        done = run(pasted, matrix, "demo", "--snapshot", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each.path for each in web.requests] == ["/v1"]
    assert (pasted / "out" / "tilepage.png").exists()


def test_the_table_has_every_page_with_what_it_shows_and_who_publishes_that() -> None:
    page: type[Any] = DisplayBase
    service: type[Any] = ServerBase
    publishers = {
        resolve(each.name, SERVICES, service).values.__name__: each.name
        for each in available(SERVICES)
    }
    found = {}
    for each in available(PAGES):
        models = [feed.model.__name__ for feed in resolve(each.name, PAGES, page).feeds.values()]
        found[each.name] = (set(models), {publishers[model] for model in models})
    assert found == {
        quoted(name)[0]: (set(quoted(shown)), set(quoted(by))) for name, shown, by in table("page")
    }


def first_cells(head: str) -> set[str]:
    return {name for row in table(head) for name in quoted(row[0])}


def spelt(cls: type[Any], name: str) -> str:
    """A method with its parameters, as the README writes them."""
    member = inspect.getattr_static(cls, name, None)
    if not inspect.isfunction(member):
        return name
    _, *parameters = inspect.signature(member).parameters.values()
    written: dict[object, str] = {
        inspect.Parameter.KEYWORD_ONLY: "{}=",
        inspect.Parameter.VAR_POSITIONAL: "*{}",
    }
    names = [written.get(each.kind, "{}").format(each.name) for each in parameters]
    return f"{name}({', '.join(names)})"


@pytest.mark.parametrize(("cls", "head"), [(ServerBase, "of a service"), (Page, "of a page")])
def test_the_tables_have_every_attribute_that_a_class_may_set(cls: type[Any], head: str) -> None:
    attributes = {name for name, hint in cls.__annotations__.items() if "ClassVar" in hint}
    from_parameters = {"values", "config_class", "feeds"}
    written = {name for name in first_cells(head) if name.isidentifier()}
    assert written == attributes - from_parameters


def test_the_table_has_what_a_service_may_override() -> None:
    methods = {name for name in first_cells("of a service") if not name.isidentifier()}
    assert methods == {spelt(ServerBase, name) for name in ("every", "observed", "next_update")}


def test_the_table_has_all_of_a_canvas() -> None:
    names = {name for name in dir(Canvas.blank(1, 1)) if not name.startswith("_")}
    for_the_framework = {"blank", "image_of_page", "motion"}
    assert first_cells("of a canvas") == {spelt(Canvas, name) for name in names - for_the_framework}


def test_the_table_has_every_name_that_a_canvas_knows() -> None:
    assert {quoted(name)[0]: tuple(quoted(names)) for name, names in table("argument")} == {
        "color": tuple(COLOURS),
        "role": get_args(Role),
        "align": get_args(Align),
        "valign": get_args(Valign),
        "overflow": get_args(Overflow),
        "fit": get_args(Fit),
        "name": NAMES,
    }


def test_the_table_has_every_field_of_a_json_service() -> None:
    head = "of `[config.json]`"
    assert first_cells(head) == JsonConfig.model_fields.keys() - Config.model_fields.keys()
    (colours,) = [quoted(what) for name, what in table(head) if name == "`color`"]
    assert tuple(colours) == get_args(ValueColour)


def test_it_names_every_metric() -> None:
    vitals = [ServiceVitals("tide", lambda: datetime.now(UTC)), PanelVitals()]
    with open_health("127.0.0.1", 0, vitals) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        said = urlopen(url, timeout=10).read().decode()
    assert set(re.findall(r"^# HELP (\w+)", said, re.MULTILINE)) == METRICS


def test_it_credits_whom_the_web_page_credits() -> None:
    service: type[Any] = ServerBase
    told = {resolve(each.name, SERVICES, service).values.credit for each in available(SERVICES)}
    named = {
        name.removesuffix(".com")
        for credit in told - {""}
        for name in re.sub(r".* by | \(.*", "", credit).split(" and ")
    }
    assert named
    assert named <= set(re.findall(r"\[([^]]+)\]\(https://", README))


def anchors(file: Path) -> set[str]:
    """Where a link into it may lead."""
    heads = re.findall("^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_its_links_lead_somewhere(file: Path) -> None:
    text = re.sub("```.*?```", "", file.read_text(), flags=re.DOTALL)
    for path, anchor in re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", text):
        target = file.parent / path if path else file
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), anchor


def test_a_secret_is_kept(pasted: Path) -> None:
    (pasted / "matrix.toml").write_text(PROJECT + SECRETS)
    done = run(pasted, "-ec", SEAL, program="sh", given="redis://:s3cr3t@127.0.0.1:1/0")
    assert done.returncode == 3, done.stdout + done.stderr  # what rotate says: nothing to do yet
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "added redis_url" in said
    assert "added tide.mean_m" in said
    assert "mean_m float tide.mean_m in secrets.sealed set" in said
    assert "redis_url SecretStr redis_url in secrets.sealed set" in said
    assert "nothing to do" in done.stdout
    assert "s3cr3t" not in done.stdout + done.stderr
    left = [path for path in pasted.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert not [path for path in left if "s3cr3t" in path.read_text()]


def test_what_holds_on_kubernetes_is_written_down(pasted: Path) -> None:
    (pasted / "matrix.toml").write_text(SEALED_FIELDS)
    matrix = str(Path(sys.executable).with_name("matrix"))
    done = run(pasted, matrix, "access")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tide.mean_m" in (pasted / "access.json").read_text()
    assert run(pasted, matrix, "access", "--check").returncode == 0


def test_what_is_pasted_is_strictly_typed_and_formatted(pasted: Path) -> None:
    strict = run(pasted, "-m", "mypy", "--strict", *MODULES)
    assert strict.returncode == 0, strict.stdout
    ruff = run(pasted, "-m", "ruff", "format", "--line-length", "100", "--check", *MODULES)
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


@pytest.mark.parametrize(
    ("name", "at_most"),
    [
        ("tide.py", 15),
        ("buoy.py", 10),
        ("tide_page.py", 15),
        ("test_tide.py", 10),
        ("test_buoy.py", 10),
    ],
)
def test_the_examples_stay_short(name: str, at_most: int) -> None:
    imports = ("from ", "import ")
    lines = [line for line in MODULES[name].splitlines() if line and not line.startswith(imports)]
    assert len(lines) <= at_most
