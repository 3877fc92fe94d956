"""What can light LEDs: the protocol, and which one ``[panel]`` means.

A driver knows pixels and brightness. How a picture is turned, and what stands in for one that is
old, is left to ``light``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PIL import Image

from framework.errors import ConfigError
from framework.panel.driver.piomatter import PioMatter
from framework.panel.driver.rgbmatrix import RgbMatrix
from framework.project import PanelEntry


class Leds(Protocol):
    """LEDs that are lit for as long as this lives."""

    @property
    def size(self) -> tuple[int, int]:
        """As they are wired; ``rotate`` is not the driver's."""
        ...

    def show(self, image: Image.Image, brightness: int) -> None:
        """Light ``image``, mode RGB, of exactly this size. Blocks until it was taken.

        ``brightness``: 1 to 100 percent.
        """
        ...


def driver_of(panel: PanelEntry) -> Callable[[PanelEntry], Leds]:
    """What opens the LEDs. It raises ``ConfigError`` if they cannot be lit so, and
    ``PanelUnavailable`` if they cannot be opened.

    :raises ConfigError: ``[panel]`` names none.
    """
    if panel.driver == "rgbmatrix":
        return RgbMatrix
    if panel.driver == "piomatter":
        return PioMatter
    raise ConfigError(
        'matrix.toml does not say what drives the LEDs: add [panel] driver = "rgbmatrix", or '
        '"piomatter" on a Pi 5'
    )
