"""The README's pictures are made by the program: pages, and how one of them grows old."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from framework.config import Config, Place
from framework.panel.led import contact_sheet, picture
from framework.targets import PAGES, available
from framework.testing import Harness, assert_golden
from pages.clock import Clock, ClockConfig
from pages.moon import MoonPage
from services.moon import MoonServer

GOLDEN = Path(__file__).parent / "golden"
GALLERY = {
    "weather": "weather-day",
    "hourly": "hourly-day",
    "daily": "daily-day",
    "moon": "moon-crescent",
    "clock": "clock-24h",
    "system": "system-pi",
    "tile": "tile-price",
    "feeds": "feeds-few",
}
"""Of each page one picture that its own test holds it to."""
BERLIN = "Europe/Berlin"
EVENING = datetime(2026, 11, 14, 16, 42, tzinfo=UTC)


async def test_the_picture_is_what_the_program_draws() -> None:
    service = MoonServer(config=Place(timezone=BERLIN))
    moon, clock = (
        MoonPage(config=Config(timezone=BERLIN)),
        Clock(config=ClockConfig(timezone=BERLIN)),
    )
    async with Harness(service, moon, clock, now=EVENING) as h:
        await h.fetch()
        shown = [("Moon", h.image(MoonPage)), ("Clock", h.image(Clock))]
        update = h.published(service.values)
        assert update is not None
        share = (update.valid - EVENING) + (update.expires - update.valid) * 0.4
        await h.advance(seconds=share.total_seconds())
        shown.append(("Late: the amber line is the time it has left", h.image(MoonPage)))
        await h.advance(hours=2)
        shown.append(("Expired: grey, and it says how old it is", h.image(MoonPage)))
    sheet = contact_sheet([(caption, picture(frame, 6)) for caption, frame in shown])
    assert_golden(sheet, GOLDEN / "readme.png")


def test_the_gallery_has_every_page() -> None:
    assert {each.name for each in available(PAGES)} == set(GALLERY)
    shown = []
    for name, picture_name in GALLERY.items():
        with Image.open(GOLDEN / "pages" / f"{picture_name}-128x64.png") as image:
            shown.append((name, picture(image.convert("RGB"), 4)))
    assert_golden(contact_sheet(shown, columns=3), GOLDEN / "gallery.png")
