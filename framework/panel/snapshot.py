"""Every page once, as pictures in a folder: what the panel would show, without a panel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from framework.bus import Bus, Posted
from framework.errors import ConfigError
from framework.feed import Followings
from framework.page import Page
from framework.panel.led import contact_sheet, picture
from framework.panel.stage import Frame, Stage

SETTLED_S = 3.0
"""How long after it came on a page is drawn: what is said in the first seconds is gone by then."""


async def snapshot(
    pages: Sequence[Page[Any]],
    bus: Bus,
    folder: Path,
    *,
    width: int,
    height: int,
    timeout_s: float,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Wait until each page has drawn from live data; write one PNG a page and a contact sheet.

    Returns why for each page that had not after ``timeout_s``, by its name; it is written as it is.

    :raises ConfigError: ``folder`` cannot be made, or not be written to.
    """
    await _in_folder(folder, partial(folder.mkdir, parents=True, exist_ok=True))
    stages = {page.name: Stage(page) for page in pages}
    waiting = dict(stages)
    changed = asyncio.Event()
    changed.set()
    followings = Followings.of(pages)

    def deliver(name: str, posted: Posted) -> bool:
        is_taken = followings.take(name, posted)
        if is_taken:
            changed.set()
        return is_taken

    def draw(stage: Stage) -> Frame:
        return stage.frame(bus.time, width, height, SETTLED_S)

    for page in pages:
        page.on(bus.time, followings)
    following = asyncio.ensure_future(
        bus.follow(followings.names, deliver, lambda _: None, followings.fail)
    )
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while waiting:
                    await changed.wait()
                    changed.clear()
                    for name, stage in list(waiting.items()):
                        if draw(stage).state in ("fresh", "late"):
                            del waiting[name]
                            say(f"{stage.page.label}: drawn from live data")
        # At the end, because a page may tell of what the others follow.
        made = {name: draw(stage).image for name, stage in stages.items()}
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    await _in_folder(folder, partial(_write, pages, made, folder))
    return {name: _why(stage) for name, stage in waiting.items()}


def _why(stage: Stage) -> str:
    """Why there is no good picture of it."""
    reasons = [one.failing for one in stage.page.missing() if one.failing]
    return stage.status().problem or ": ".join(["no data", *reasons[:1]])


async def _in_folder(folder: Path, do: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(do)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise ConfigError(f"Cannot write pictures to {folder}: {reason}. Name another folder")


def _write(pages: Sequence[Page[Any]], made: dict[str, Image.Image], folder: Path) -> None:
    pictures = [(page.label, picture(made[page.name])) for page in pages]
    for page, (_, image) in zip(pages, pictures, strict=True):
        image.save(folder / f"{page.name}.png")
    contact_sheet(pictures).save(folder / "contact-sheet.png")
