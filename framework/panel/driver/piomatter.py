"""LEDs on ``piomatter``, which drives them by the PIO of a Raspberry Pi 5.

It has no brightness and no order of colours of its own: both are made here.
"""

from __future__ import annotations

from PIL import Image

from framework.brightness import FULL
from framework.errors import ConfigError, PanelUnavailable
from framework.panel.driver import rgbmatrix
from framework.panel.driver.library import library
from framework.project import PanelEntry

LIBRARY = "adafruit_blinka_raspberry_pi5_piomatter"
REMEDY = "pip install Adafruit-Blinka-Raspberry-Pi5-Piomatter, on a Raspberry Pi 5"
OPTIONS = frozenset(
    ("rows", "cols", "chain_length", "parallel", "hardware_mapping", "led_rgb_sequence", "pwm_bits")
)
"""Of those in ``[panel]`` that ``rgbmatrix`` has."""
PINOUTS = {
    "adafruit-hat": "AdafruitMatrixBonnet",
    "adafruit-hat-pwm": "AdafruitMatrixBonnet",
    "regular": "Active3",
}
"""By ``hardware_mapping``."""
MOST_PLANES = 10


class PioMatter:
    """One for the life of the process.

    :raises ConfigError: it is not installed, or cannot do what ``panel`` says.
    :raises PanelUnavailable: the LEDs cannot be opened.
    """

    def __init__(self, panel: PanelEntry) -> None:
        _check(panel)
        piomatter = library(LIBRARY, REMEDY)
        self.size = panel.cols * panel.chain_length, panel.rows * panel.parallel
        width, height = self.size
        sequence = panel.led_rgb_sequence or "RGB"
        self._order = ["RGB".index(colour) for colour in sequence]
        lanes = 2 * panel.parallel
        try:
            geometry = piomatter.Geometry(
                width=width,
                height=height,
                n_addr_lines=(panel.rows // 2).bit_length() - 1,
                n_planes=min(panel.pwm_bits or MOST_PLANES, MOST_PLANES),
                map=_map(width, panel.rows // 2, lanes),
                n_lanes=lanes,
            )
            self._bytes = bytearray(3 * width * height)
            self._matter = piomatter.PioMatter(
                colorspace=piomatter.Colorspace.RGB888Packed,
                pinout=getattr(piomatter.Pinout, PINOUTS[panel.hardware_mapping or "adafruit-hat"]),
                framebuffer=self._bytes,
                geometry=geometry,
            )
        except Exception as error:  # whatever its C++ raises
            reason = str(error)
        else:
            return
        raise PanelUnavailable(
            f"the LEDs cannot be opened ({reason}). It needs a Raspberry Pi 5, a user who may use "
            "/dev/pio0 (root, or the group gpio), and options in [panel] that fit"
        )

    def show(self, image: Image.Image, brightness: int) -> None:
        dimmed = image.point([value * brightness // FULL for value in range(256)] * 3)
        bands = dimmed.split()
        self._bytes[:] = Image.merge("RGB", [bands[band] for band in self._order]).tobytes()
        self._matter.show()


def _check(panel: PanelEntry) -> None:
    alien = [
        name
        for name in (*rgbmatrix.OPTIONS, "rp1")
        if name not in OPTIONS and getattr(panel, name) is not None
    ]
    if alien:
        raise ConfigError(
            f"[panel] {', '.join(alien)} of matrix.toml: piomatter has none such. Take it out, or "
            'set driver = "rgbmatrix"'
        )
    if panel.hardware_mapping not in (None, *PINOUTS):
        raise ConfigError(
            f"[panel] hardware_mapping of matrix.toml: piomatter knows {', '.join(PINOUTS)}"
        )
    if panel.rows.bit_count() != 1:
        raise ConfigError(f"[panel] rows of matrix.toml: piomatter has no panels of {panel.rows}")


def _map(width: int, addresses: int, lanes: int) -> list[int]:
    """Which pixel is lit when: for each address, all along the chain, one of each lane."""
    return [
        x + width * (address + lane * addresses)
        for address in range(addresses)
        for x in range(width)
        for lane in range(lanes)
    ]
