"""Golden images: nothing passes that nobody has looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from framework.testing import assert_golden


@pytest.fixture(autouse=True)
def _no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MATRIX_UPDATE_GOLDEN", raising=False)


def picture(colour: tuple[int, int, int] = (1, 2, 3), width: int = 4) -> Image.Image:
    return Image.new("RGB", (width, 2), colour)


def test_a_missing_golden_image_fails_and_shows_what_was_drawn(tmp_path: Path) -> None:
    golden = tmp_path / "page.png"
    with pytest.raises(AssertionError, match=r"no golden image .*MATRIX_UPDATE_GOLDEN=1"):
        assert_golden(picture(), golden)
    assert not golden.exists()
    with Image.open(tmp_path / ".failed" / "page.actual.png") as actual:
        assert actual.getpixel((0, 0)) == (1, 2, 3)


def test_an_update_writes_it_and_then_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = tmp_path / "new" / "page.png"
    monkeypatch.setenv("MATRIX_UPDATE_GOLDEN", "1")
    assert_golden(picture(), golden)
    monkeypatch.delenv("MATRIX_UPDATE_GOLDEN")
    assert_golden(picture(), golden)
    with pytest.raises(AssertionError):
        assert_golden(picture((9, 9, 9)), golden)


def test_one_dot_that_differs_fails_and_is_shown(tmp_path: Path) -> None:
    golden = tmp_path / "page.png"
    assert_golden(picture(), golden, update=True)
    other = picture()
    other.putpixel((2, 1), (1, 2, 4))
    with pytest.raises(AssertionError, match=r"1 dots differ .*\(2, 1, 3, 2\)"):
        assert_golden(other, golden)
    assert (tmp_path / ".failed" / "page.diff.png").exists()
    assert (tmp_path / ".failed" / ".gitignore").read_text() == "*\n"
    assert_golden(picture(), golden)
    assert not (tmp_path / ".failed" / "page.diff.png").exists()


def test_another_size_fails(tmp_path: Path) -> None:
    golden = tmp_path / "page.png"
    assert_golden(picture(), golden, update=True)
    with pytest.raises(AssertionError, match=r"the image is 5x2, but .* is 4x2"):
        assert_golden(picture(width=5), golden)
