"""The picture that all canvases of one page share, and what moves in it. ``canvas`` draws on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw

Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Motion:
    """What a drawn page does by itself. Seconds count from when the page came on."""

    next_change_s: float | None = None
    """When the picture would next change: draw again then. None: it stands still."""
    ends_at_s: float | None = None
    """When all that scrolls has been shown once to its end. None: nothing scrolls."""


class Sheet:
    """The picture that all canvases of one page share."""

    def __init__(self, width: int, height: int, elapsed_s: float, strict: bool) -> None:
        self.image = Image.new("RGB", (width, height))
        self.elapsed_s = elapsed_s
        self.strict = strict
        self.motion = Motion()
        self._layers: list[Layer] = []

    def layer(self, box: Box) -> Layer:
        self._layers.append(Layer(self.image, box))
        return self._layers[-1]

    @contextmanager
    def painting(self) -> Iterator[Image.Image]:
        """The image, for one stroke; before and after it the layers agree with it."""
        self.merge()
        yield self.image
        for layer in self._layers:
            layer.pull()

    def merge(self) -> Image.Image:
        for layer in self._layers:
            layer.push()
        return self.image

    def moves(self, next_change_s: float, ends_at_s: float) -> None:
        soonest, last = self.motion.next_change_s, self.motion.ends_at_s
        self.motion = Motion(
            next_change_s if soonest is None else min(soonest, next_change_s),
            ends_at_s if last is None else max(last, ends_at_s),
        )


class Layer:
    """A region's own image for ``image_draw``: Pillow draws on whole images only.

    What was drawn there since the last look is copied to the sheet, dot by dot.
    """

    def __init__(self, sheet: Image.Image, box: Box) -> None:
        self._sheet = sheet
        self._box = box
        self._seen = sheet.crop(box)
        self._image = self._seen.copy()
        self.draw = ImageDraw.Draw(self._image)
        self.draw.fontmode = "1"

    def push(self) -> None:
        changed = ImageChops.difference(self._image, self._seen)
        if changed.getbbox():
            self._sheet.paste(self._image, self._box, any_channel(changed))
            self._seen = self._image.copy()

    def pull(self) -> None:
        self._seen = self._sheet.crop(self._box)
        self._image.paste(self._seen)


def any_channel(image: Image.Image) -> Image.Image:
    """255 where any channel is not 0."""
    red, green, blue = image.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point([0] + [255] * 255)
