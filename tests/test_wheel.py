"""What is installed from the wheel into an empty environment works: nothing was left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, cwd: Path) -> str:
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MATRIX_", "PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_packages_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"framework", "services", "pages", "matrix_framework-0.1.0.dist-info"}
    for part in ("py.typed", "panel/static/index.html", "fonts/Tiny5.ttf", "fonts/Tiny5.LICENSE"):
        assert f"framework/{part}" in names
    assert not [name for name in names if name.endswith((".pyc", ".toml")) or "test_" in name]


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One where there is nothing but the wheel, its extra [services], and what these need."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    install(folder, f"{wheel}[services]")
    return folder


def install(environment: Path, what: str) -> None:
    """By the pip of this one. Compiled is only what will be imported."""
    run(
        *(sys.executable, "-m", "pip", "--python", environment / "bin" / "python"),
        *("install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt", what),
        cwd=environment,
    )


@pytest.mark.timeout(300)
def test_a_service_needs_no_pillow(environment: Path, tmp_path: Path) -> None:
    """Its tests, too, run without what only pages need."""
    program = """
import asyncio, sys
from datetime import UTC, datetime
from framework import Place
from framework.testing import Harness
from services.feeds import Moon
from services.moon import MoonServer

async def main():
    async with Harness(MoonServer(config=Place()), now=datetime(2026, 3, 1, tzinfo=UTC)) as h:
        await h.fetch()
        print(h.published(Moon).values.illumination)

asyncio.run(main())
for name in ("PIL", "starlette", "uvicorn", "redis", "hvac", "kubernetes"):
    assert name not in sys.modules, name
"""
    said = run(environment / "bin" / "python", "-c", program, cwd=tmp_path)
    assert 0 <= float(said) <= 1


@pytest.mark.timeout(300)
def test_the_demo_runs_from_an_empty_environment(
    wheel: Path, environment: Path, tmp_path: Path
) -> None:
    install(environment, f"{wheel}[demo]")
    # What needs no network.
    (tmp_path / "matrix.toml").write_text(
        "[[service]]\nuse = 'moon'\n[[page]]\nuse = 'moon'\n[[page]]\nuse = 'clock'\n"
    )
    run(environment / "bin" / "matrix", "demo", "--snapshot", "out", cwd=tmp_path)
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["clock.png", "contact-sheet.png", "moonpage.png"]
