"""What is on the LEDs: the newest frame, or what says that there is none, or that it is old.

The renderer judges how old data are; when the renderer itself is gone nobody does. So a frame that
was left behind is marked like a late page at first, and like an expired one later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from PIL import Image

from framework.ages import age_words
from framework.brightness import FULL
from framework.canvas import Canvas
from framework.colours import rgb
from framework.panel import marks
from framework.panel.driver.leds import Leds
from framework.panel.driver.receiver import Receiver, Renderer

LATE_S = 10.0
"""Without a sign of life for so long, a frame has a mark in its corner. Starting takes less."""
EXPIRED_S = 60.0
"""And for so long, it is grey and says how old it is."""
_MARK = 3
_LOOK_S = 1.0
"""How often the age of a frame is looked at."""
_TURNS = {
    90: Image.Transpose.ROTATE_270,  # Pillow turns the other way
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is, or is to be, on the LEDs."""

    frame: Image.Image | None
    """As the renderer made it; None: there was none yet."""
    brightness: int
    age: str | None
    """In words, if it is expired."""
    late: bool = False


class Light:
    """Keeps the LEDs lit, in the one thread that may be kept waiting by them."""

    def __init__(
        self,
        leds: Leds,
        receiver: Receiver,
        *,
        rotate: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leds = leds
        self._receiver = receiver
        self._rotate = rotate
        self._clock = clock
        self._size = seen_size(leds.size, rotate)
        self._shown: Picture | None = None

    async def run(self) -> NoReturn:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receiver.run())
            while True:
                self._receiver.news.clear()
                self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._receiver.news.wait()
        raise AssertionError("it runs until it is cancelled")

    def look(self) -> None:
        """Show what is to be shown now, if that is something else."""
        wish = picture(self._receiver.newest(), self._clock())
        shown = self._shown
        if shown is not None and wish == shown and wish.frame is shown.frame:
            return
        self._shown = wish
        image = turned(drawn(wish, self._size), self._rotate)
        if wish.brightness == 0:  # which to the bindings is 1
            image = Image.new("RGB", image.size)
        self._leds.show(image, max(wish.brightness, 1))


def seen_size(size: tuple[int, int], rotate: int) -> tuple[int, int]:
    """What pages draw for, on LEDs that are wired as ``size``."""
    return (size[1], size[0]) if rotate in (90, 270) else size


def turned(image: Image.Image, rotate: int) -> Image.Image:
    """As it must be lit to be seen like ``image``."""
    return image.transpose(_TURNS[rotate]) if rotate else image


def picture(renderer: Renderer | None, now_s: float) -> Picture:
    """What is to be on the LEDs."""
    if renderer is None:
        return Picture(None, FULL, None)
    silent_s = now_s - renderer.heard_s
    age = age_words(timedelta(seconds=silent_s)) if silent_s >= EXPIRED_S else None
    return Picture(renderer.frame, renderer.brightness, age, late=silent_s >= LATE_S)


def drawn(picture: Picture, size: tuple[int, int]) -> Image.Image:
    """The picture as an image of this size: a smaller frame in its middle, a larger one cut."""
    if picture.frame is None:
        return waiting(size)
    image = Image.new("RGB", size)
    width, height = picture.frame.size
    image.paste(picture.frame, ((size[0] - width) // 2, (size[1] - height) // 2))
    if picture.age is not None:
        marks.expired(image, "frame", picture.age)
    elif picture.late:
        right, bottom = size
        image.paste(0, (right - _MARK - 1, bottom - _MARK - 1, right, bottom))
        image.paste(rgb("late"), (right - _MARK, bottom - _MARK, right, bottom))
    return image


def waiting(size: tuple[int, int]) -> Image.Image:
    """What stands there until the first renderer has come."""
    canvas = Canvas.blank(*size)
    canvas.inset().text(
        "Waiting for renderer", "dim", role="caption", align="center", alt=("No renderer",)
    )
    return canvas.image_of_page


def prepare(size: tuple[int, int]) -> None:
    """Draw once what may be due later, when its font cannot be read any more."""
    drawn(Picture(Image.new("RGB", size), FULL, age="0123456789 s min h d"), size)
