"""Golden images: a picture must be, dot by dot, what somebody once looked at and found good."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image, ImageChops

from framework.sheet import any_channel

UPDATE = "MATRIX_UPDATE_GOLDEN"
"""Set to 1, golden images are written instead of compared."""
FAILED = ".failed"
"""The folder beside a golden image in which to find what was drawn instead. Git ignores it."""
_ENLARGED = 4


def assert_golden(image: Image.Image, path: str | Path, *, update: bool | None = None) -> None:
    """Assert that ``image`` equals the PNG at ``path``, exactly.

    ``update`` writes it instead; by default if the environment says ``MATRIX_UPDATE_GOLDEN=1``.
    Look at what was written before you commit it. A golden image that is missing is a failure.

    :raises AssertionError: they differ, or there is nothing to compare with.
    """
    path = Path(path)
    drawn = image.convert("RGB")
    actual = path.parent / FAILED / f"{path.stem}.actual.png"
    diff = path.parent / FAILED / f"{path.stem}.diff.png"
    if os.environ.get(UPDATE) == "1" if update is None else update:
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.save(path)
    if not path.exists():
        _keep(drawn, actual)
        raise AssertionError(
            f"there is no golden image {path}; look at {actual}, and if it is right run the test "
            f"with {UPDATE}=1"
        )
    with Image.open(path) as opened:
        golden = opened.convert("RGB")
    if golden.size == drawn.size and golden.tobytes() == drawn.tobytes():
        actual.unlink(missing_ok=True)
        diff.unlink(missing_ok=True)
        return
    _keep(drawn, actual)
    if golden.size != drawn.size:
        raise AssertionError(
            f"the image is {drawn.width}x{drawn.height}, but {path} is "
            f"{golden.width}x{golden.height}; it is in {actual}"
        )
    differing = _differing(golden, drawn)
    _keep(_side_by_side(golden, drawn, differing), diff)
    raise AssertionError(
        f"{differing.histogram()[255]} dots differ from {path}, all within {differing.getbbox()}; "
        f"look at {diff} (golden, drawn, difference), and if what is drawn is right run the test "
        f"with {UPDATE}=1"
    )


def _differing(golden: Image.Image, drawn: Image.Image) -> Image.Image:
    """255 where the two differ, mode L."""
    return any_channel(ImageChops.difference(golden, drawn))


def _side_by_side(golden: Image.Image, drawn: Image.Image, differing: Image.Image) -> Image.Image:
    width, height = golden.size
    marked = Image.merge("RGB", [differing, *[Image.new("L", golden.size)] * 2])
    sheet = Image.new("RGB", (3 * width + 2, height), (64, 64, 64))
    for place, one in enumerate((golden, drawn, marked)):
        sheet.paste(one, (place * (width + 1), 0))
    size = sheet.width * _ENLARGED, sheet.height * _ENLARGED
    return sheet.resize(size, Image.Resampling.NEAREST)


def _keep(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    image.save(path)
