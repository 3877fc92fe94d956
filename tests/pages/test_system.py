"""The page of the computer: what it shows of one that tells all, and of one that tells nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framework.canvas import Canvas
from framework.colours import rgb
from framework.config import Config
from framework.testing import assert_golden
from framework.testing.clock import FakeClock
from framework.update import Update
from pages.system import SystemPage
from services.feeds import System

GOLDEN = Path(__file__).parent.parent / "golden" / "pages"
NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)
SIZES = [(128, 64), (64, 32), (256, 64), (64, 64), (192, 128)]
PI = System(
    load=0.42,
    memory=0.61,
    disk=0.83,
    temperature_c=51.6,
    uptime_s=timedelta(days=12).total_seconds(),
    received_bytes_s=1_234_567,
    sent_bytes_s=82_300,
)
CONTAINER = PI.model_copy(
    update={"load": 2.5, "disk": 0.97, "temperature_c": None, "received_bytes_s": None}
)
NOTHING = System.model_validate(dict.fromkeys(System.model_fields))
COMPUTERS = {"pi": PI, "container": CONTAINER, "nothing": NOTHING}
SHARES = st.none() | st.floats(0, 1)
AMOUNTS = st.none() | st.floats(0, 1e13)


def drawn(system: System, width: int = 128, height: int = 64) -> Image.Image:
    page = SystemPage(config=Config())
    page.on(FakeClock(NOW))
    page.following["system"].update = Update(
        type="System",
        updated=NOW,
        valid=NOW + timedelta(seconds=30),
        expires=NOW + timedelta(minutes=1),
        values=system,
    )
    canvas = Canvas.blank(width, height, strict=True)
    page.draw(canvas, NOW)
    return canvas.image_of_page


def dots(image: Image.Image, color: str) -> int:
    return next((count for count, each in image.getcolors(10_000) or [] if each == rgb(color)), 0)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("computer", COMPUTERS)
def test_it_looks_as_it_should(computer: str, width: int, height: int) -> None:
    image = drawn(COMPUTERS[computer], width, height)
    assert_golden(image, GOLDEN / f"system-{computer}-{width}x{height}.png")


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(16, 260), st.integers(16, 130)),
    system=st.builds(
        System,
        load=st.none() | st.floats(0, 1e4),
        memory=SHARES,
        disk=SHARES,
        temperature_c=st.none() | st.floats(-40, 125),
        uptime_s=AMOUNTS,
        received_bytes_s=AMOUNTS,
        sent_bytes_s=AMOUNTS,
    ),
)
def test_it_fits_every_panel_and_keeps_off_the_last_row(
    size: tuple[int, int], system: System
) -> None:
    box = drawn(system, *size).getbbox()
    assert box is not None
    assert box[3] <= size[1] - 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_most_dots_stay_dark(width: int, height: int) -> None:
    image = drawn(PI, width, height).convert("L")
    assert image.histogram()[0] >= 0.65 * width * height


def test_bars_go_below_a_number_that_would_leave_them_no_width() -> None:
    assert dots(drawn(PI, 70, 48), "sky") > dots(drawn(PI, 96, 48), "sky")


def test_the_fuller_the_longer_is_the_bar() -> None:
    low, high = (drawn(PI.model_copy(update={"memory": share})) for share in (0.1, 0.7))
    assert dots(low, "sky") < dots(high, "sky")


@pytest.mark.parametrize(
    ("share", "color"), [(0.79, "sky"), (0.8, "amber"), (0.94, "amber"), (0.95, "red")]
)
def test_a_bar_that_is_nearly_full_has_another_colour(share: float, color: str) -> None:
    calm = {"load": 0.0, "memory": 0.0, "disk": share}
    image = drawn(PI.model_copy(update=calm))
    assert dots(image, color) > 100
    assert all(not dots(image, other) for other in {"sky", "amber", "red"} - {color})
