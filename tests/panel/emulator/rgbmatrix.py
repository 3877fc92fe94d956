"""The ``rgbmatrix`` bindings without a Raspberry Pi: strict, where the real ones are or should be.

A mistake that real LEDs show as a flicker, as too much memory after a week or not at all, and that
the real bindings refuse only on the Pi, is an error here. ``EMULATED_PANEL`` names a file that
holds what is visible, for a test of another process.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

REFRESH_HZ = 200
MOST_CANVASES = 2

MAPPINGS = {
    "regular": 3,
    "regular-pi1": 1,
    "adafruit-hat": 1,
    "adafruit-hat-pwm": 1,
    "classic": 3,
    "classic-pi1": 1,
}
"""How many chains hang on each, as they are built for all but the Compute Module."""

_BYTES = (
    *("rows", "chain_length", "parallel", "pwm_bits", "pwm_dither_bits", "scan_mode"),
    *("multiplexing", "row_address_type", "gpio_slowdown", "daemon", "drop_privileges"),
)
_NUMBERS = ("cols", "pwm_lsb_nanoseconds", "limit_refresh_rate_hz")
_TEXTS = ("hardware_mapping", "led_rgb_sequence", "pixel_mapper_config", "panel_type")
_FLAGS = ("disable_hardware_pulsing", "show_refresh_rate", "inverse_colors")
_DEFAULTS = {
    "rows": 32,
    "cols": 32,
    "chain_length": 1,
    "parallel": 1,
    "pwm_bits": 11,
    "pwm_lsb_nanoseconds": 130,
    "gpio_slowdown": 1,
    "hardware_mapping": "regular",
    "led_rgb_sequence": "RGB",
    "drop_privileges": 1,
}
_RANGES = {
    "rows": range(8, 65, 2),
    "cols": range(16, 1 << 31),
    "chain_length": range(1, 256),
    "parallel": range(1, 4),
    "pwm_bits": range(1, 12),
    "pwm_lsb_nanoseconds": range(50, 3001),
    "pwm_dither_bits": range(3),
    "scan_mode": range(2),
    "multiplexing": range(23),
    "row_address_type": range(6),
    "gpio_slowdown": range(61),
}
"""What ``RGBMatrix`` takes."""


class RGBMatrixOptions:
    """No attribute but these, as in C."""

    __slots__ = (*_BYTES, *_NUMBERS, *_TEXTS, *_FLAGS, "_brightness", "rp1_pio")
    rows: int
    cols: int
    chain_length: int
    parallel: int
    drop_privileges: int
    limit_refresh_rate_hz: int
    hardware_mapping: str
    led_rgb_sequence: str | None
    pixel_mapper_config: str | None

    def __init__(self) -> None:
        self._brightness = 100
        for name in (*_BYTES, *_NUMBERS, *_TEXTS, *_FLAGS, "rp1_pio"):
            setattr(self, name, _DEFAULTS.get(name, None if name in _TEXTS else 0))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _TEXTS and not isinstance(value, str | None):
            raise TypeError(f"{name} must be [str, None], not {type(value).__name__}")
        if name in (*_BYTES, *_NUMBERS) and not isinstance(value, int):
            raise TypeError(f"{name}: an integer is required")
        if name in _BYTES and not 0 <= value <= 255:
            raise OverflowError(f"{name}: value too large to convert to uint8_t")
        if name in _NUMBERS and not -(1 << 31) <= value < 1 << 31:
            raise OverflowError(f"{name}: value too large to convert to int")
        super().__setattr__(name, value)


class FrameCanvas:
    """One of the two; what is visible may not be drawn into."""

    def __init__(self, key: object, matrix: RGBMatrix) -> None:
        if key is not _KEY:
            raise TypeError("Use RGBMatrix.CreateFrameCanvas() to create FrameCanvas")
        self._matrix = matrix
        self.width, self.height = matrix.width, matrix.height
        self.brightness = matrix.brightness
        self.image = Image.new("RGB", (self.width, self.height))
        """As lit: with the brightness that held when each pixel was set."""

    def SetImage(  # noqa: N802  # the bindings' name
        self, image: Image.Image, offset_x: int = 0, offset_y: int = 0, unsafe: bool = True
    ) -> None:
        self._check()
        if image.mode != "RGB":
            raise Exception("Currently, only RGB mode is supported for SetImage()")
        lit = image.point([value * self.brightness // 100 for value in range(256)] * 3)
        self.image.paste(lit, (offset_x, offset_y))

    def Clear(self) -> None:  # noqa: N802  # the bindings' name
        self._check()
        self.image.paste(0, (0, 0, self.width, self.height))

    def _check(self) -> None:
        assert self is not self._matrix.front, "draws into what is visible: that flickers"


class RGBMatrix:
    """Opened once a process; only ``options=`` counts, and nothing is drawn into it directly."""

    opened: RGBMatrix | None = None

    def __init__(self, *, options: RGBMatrixOptions) -> None:
        if any(getattr(options, name) not in known for name, known in _RANGES.items()):
            raise Exception("RGBMatrix creation failed")
        chains = MAPPINGS.get(options.hardware_mapping.lower(), 0)
        assert chains, "there is no such hardware mapping: that ends the process"
        assert options.parallel <= chains, "there are fewer chains on it: that ends the process"
        assert not options.drop_privileges, "would become the user daemon"
        self.width, self.height = _mapped(options)
        self.options = options
        self.swaps = 0
        self._brightness = options._brightness
        self._canvases = [FrameCanvas(_KEY, self)]
        self.front = self._canvases[0]
        self._file = None
        if name := os.environ.get("EMULATED_PANEL"):
            self._file = Path(name).open("wb", buffering=0)  # noqa: SIM115  # for its life
        RGBMatrix.opened = self
        _watch_files()

    @property
    def brightness(self) -> int:
        return self._brightness

    @brightness.setter
    def brightness(self, value: int) -> None:
        assert 1 <= value <= 100, "the bindings make 1 of 0: it never turns dark"
        self._brightness = value
        for canvas in self._canvases:
            canvas.brightness = value

    def CreateFrameCanvas(self) -> FrameCanvas:  # noqa: N802  # the bindings' name
        assert len(self._canvases) < MOST_CANVASES, "canvases are never freed"
        self._canvases.append(FrameCanvas(_KEY, self))
        return self._canvases[-1]

    def SwapOnVSync(  # noqa: N802  # the bindings' name
        self, canvas: FrameCanvas, framerate_fraction: int = 1
    ) -> FrameCanvas:
        assert canvas is not self.front, "is visible already"
        period_s = framerate_fraction / REFRESH_HZ
        time.sleep(period_s - time.monotonic() % period_s)
        previous, self.front = self.front, canvas
        self.swaps += 1
        if self._file is not None:
            os.pwrite(self._file.fileno(), canvas.image.tobytes(), 0)
        return previous


def _mapped(options: RGBMatrixOptions) -> tuple[int, int]:
    """The size that the mappers make of it, one after another."""
    chain, parallel = options.chain_length, options.parallel
    width, height = options.cols * chain, options.rows * parallel
    for mapper in filter(None, (options.pixel_mapper_config or "").split(";")):
        name, _, parameter = mapper.partition(":")
        match name.lower():
            case "rotate":
                assert int(parameter or 0) % 90 == 0, "that says so and turns nothing"
                if int(parameter or 0) % 180:
                    width, height = height, width
            case "mirror":
                assert parameter.upper() in ("", "H", "V"), "that says so and mirrors nothing"
            case "u-mapper":
                assert chain % 2 == 0, "that says so and folds nothing"
                width, height = width // 64 * 32, height * 2
            case "v-mapper":
                width, height = width * parallel // chain, height * chain // parallel
            case _:
                raise AssertionError(f"{mapper}: that says so and maps nothing")
    return width, height


def _watch_files() -> None:
    """From when root has been dropped, whoever opens or imports something is told so."""
    began_as = os.geteuid()
    if began_as != 0:
        return

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "import") and os.geteuid() != began_as:
            raise PermissionError(f"{event} {arguments[0]!r} after the privileges were dropped")

    sys.addaudithook(watch)


_KEY = object()
