"""A strict emulator in the place of the bindings, and where a panel process may listen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.panel.emulator import adafruit_blinka_raspberry_pi5_piomatter as piomatter
from tests.panel.emulator import rgbmatrix


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported as the bindings, in this process."""
    monkeypatch.setitem(sys.modules, "rgbmatrix", rgbmatrix)
    monkeypatch.setitem(sys.modules, "adafruit_blinka_raspberry_pi5_piomatter", piomatter)
    monkeypatch.setattr(rgbmatrix, "_watch_files", lambda: None)  # the tests' own opens count not
    monkeypatch.setattr(rgbmatrix.RGBMatrix, "opened", None)


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    """Whose socket others cannot reach."""
    tmp_path.chmod(0o700)
    return tmp_path
