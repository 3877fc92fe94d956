"""What a browser makes of frames: in Python what ``static/panel.js`` does."""

from __future__ import annotations

import zlib

from PIL import Image, ImageChops

from framework.panel.encoding import HEADER


class Dots:
    """The panel as a page shows it."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (1, 1))
        self.sequence: int | None = None
        """Of the frame that is shown; None: none yet."""
        self.came_whole = False
        """Whether that frame did."""

    def draw(self, message: bytes) -> None:
        width, height, sequence, base = HEADER.unpack_from(message)
        rgb = zlib.decompress(message[HEADER.size :])
        image = Image.frombytes("RGB", (width, height), rgb)
        self.came_whole = base == sequence
        if not self.came_whole:
            assert (base, image.size) == (self.sequence, self.image.size)
            image = ImageChops.add_modulo(self.image, image)
        self.image, self.sequence = image, sequence
