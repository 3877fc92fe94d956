"""A page that is being written, in a real Chromium: sixteen pictures, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from framework.colours import rgb
from framework.panel import led
from framework.panel.dev.workbench import Workbench
from tests.chromium import CHROMIUM, launched
from tests.real.test_browser import WIDE, Faults

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")

PAGE = """
from datetime import datetime
from framework import Canvas, DisplayBase, Feed, Values

class Tide(Values):
    height_m: float

class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.disc(10, 10, 5, "sky")
"""
DOT = (10, 10)
Save = Callable[[str], None]


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Saves the page, as it is now for a start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MATRIX_REDIS_URL", "redis://127.0.0.1:1")  # nobody is there

    def save(text: str) -> None:
        (tmp_path / "tide.py").write_text(text)

    save(PAGE)
    return save


@pytest.fixture
async def page(save: Save) -> AsyncIterator[Page]:
    """What a browser shows of it; it complains of nothing and asks nobody else."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(Workbench("tide.py", [], port=0).run(address.set_result))
    url = await asyncio.wait_for(address, 5)
    try:
        async with launched() as browser:
            one = await browser.new_page(**WIDE)
            faults = Faults(one)
            await one.goto(url)
            yield one
        assert faults.seen == []
        assert {asked.split("://")[1].split("/")[0] for asked in faults.asked} == {
            url.split("/")[2]
        }
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def shows(page: Page, colour: str, pictures: range) -> None:
    """The dot of each comes to shine in that colour; the glow adds a little."""
    bright = [255 * (value / 255) ** led.BRIGHTNESS_EXPONENT for value in rgb(colour)]
    await expect(page.locator("canvas:visible")).to_have_count(16, timeout=10_000)
    async with asyncio.timeout(10):
        for number in pictures:
            seen = [-255] * 3
            while not all(-3 <= one - due <= 40 for one, due in zip(seen, bright, strict=True)):
                await asyncio.sleep(0.01)
                seen = await page.evaluate(
                    "([n, x, y]) => window.dev.pixel(n, x, y)", [number, *DOT]
                )


async def test_sixteen_pictures_follow_what_is_saved(page: Page, save: Save) -> None:
    await shows(page, "sky", range(8))
    await expect(page.locator("h2")).to_have_text(["fresh", "late", "expired", "empty"])
    await expect(page.locator("figcaption")).to_have_text(
        ["128×64", "64×64", "64×32", "256×64"] * 4
    )
    await expect(page.locator("#feeds")).to_have_text("Tide made up from the model")
    await expect(page).to_have_title("Tide · Matrix")
    save(PAGE.replace('"sky"', '"green"'))
    await shows(page, "green", range(8))
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_what_is_wrong_stands_in_the_place_of_the_pictures(page: Page, save: Save) -> None:
    await shows(page, "sky", range(8))
    save(f"{PAGE}\n        <b>")
    await expect(page.get_by_role("alert")).to_contain_text("SyntaxError")
    await expect(page.locator("canvas:visible")).to_have_count(0)
    save(f"{PAGE}\n        1 / (canvas.width - 256)")
    await expect(page.locator("canvas:visible")).to_have_count(13)
    await expect(page.locator("figure pre:visible").first).to_contain_text("ZeroDivisionError")
    await expect(page.get_by_role("alert")).to_have_count(0)
    save(PAGE)
    await shows(page, "sky", range(8))
