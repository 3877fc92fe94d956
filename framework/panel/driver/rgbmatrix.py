"""LEDs on the ``rgbmatrix`` bindings of hzeller/rpi-rgb-led-matrix.

Their privileges are dropped by ``privileges``, not by them: they would become the user that they
like, without the groups that it is in.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from framework.errors import ConfigError, PanelUnavailable
from framework.panel.driver.library import library
from framework.project import PanelEntry

OPTIONS = (
    "rows",
    "cols",
    "chain_length",
    "parallel",
    "hardware_mapping",
    "gpio_slowdown",
    "led_rgb_sequence",
    "pixel_mapper_config",
    "pwm_bits",
    "pwm_lsb_nanoseconds",
    "limit_refresh_rate_hz",
    "multiplexing",
    "row_address_type",
    "panel_type",
    "disable_hardware_pulsing",
)
"""Of ``[panel]``, and by the same names of the bindings."""
MAPPINGS = {
    "regular": 3,
    "regular-pi1": 1,
    "adafruit-hat": 1,
    "adafruit-hat-pwm": 1,
    "classic": 3,
    "classic-pi1": 1,
    "compute-module": 6,
}
"""How many chains hang on each."""
DEFAULT_MAPPING = "regular"
REMEDY = "deploy/pi/install.sh builds it, or https://github.com/hzeller/rpi-rgb-led-matrix says how"


class RgbMatrix:
    """One for the life of the process: the bindings clear the LEDs when it is collected.

    :raises ConfigError: the bindings are absent, or have none of what ``panel`` says.
    :raises PanelUnavailable: the LEDs cannot be opened.
    """

    def __init__(self, panel: PanelEntry) -> None:
        _check(panel)
        rgbmatrix = library("rgbmatrix", REMEDY)
        options = rgbmatrix.RGBMatrixOptions()
        for name in OPTIONS:
            _set(options, name, getattr(panel, name))
        _set(options, *_rp1(options, panel.rp1))
        _set(options, "drop_privileges", False)
        self._matrix = _opened(rgbmatrix, options)
        # With the one that the bindings begin with there are two. More are never freed.
        self._canvas = self._matrix.CreateFrameCanvas()

    @property
    def size(self) -> tuple[int, int]:
        """As the mappers in ``pixel_mapper_config`` have made it."""
        return self._matrix.width, self._matrix.height

    def show(self, image: Image.Image, brightness: int) -> None:
        if self._matrix.brightness != brightness:
            self._matrix.brightness = brightness  # of the pixels that are set from now on
        self._canvas.SetImage(image)
        # What was visible until now: to go on drawing in the one that was swapped in would flicker.
        self._canvas = self._matrix.SwapOnVSync(self._canvas)


def _check(panel: PanelEntry) -> None:
    """What the bindings do not refuse, but end the process for."""
    mapping = (panel.hardware_mapping or DEFAULT_MAPPING).lower()
    if mapping not in MAPPINGS:
        raise ConfigError(
            f"[panel] hardware_mapping of matrix.toml: rgbmatrix knows {', '.join(MAPPINGS)}"
        )
    if panel.parallel > MAPPINGS[mapping]:
        raise ConfigError(
            f"[panel] parallel of matrix.toml must be at most {MAPPINGS[mapping]} on {mapping}. "
            "Set it, or hardware_mapping, to what is wired"
        )


def _set(options: Any, name: str, value: object) -> None:
    """
    :raises ConfigError: this version of the bindings has no such option, or no such value of it.
    """
    if value is None:
        return
    if not hasattr(options, name):  # to set it would raise on the Pi, and do nothing elsewhere
        raise ConfigError(
            f"the rgbmatrix bindings that are installed have no option {name}: take it out of "
            f"[panel] of matrix.toml, or install newer ones: {REMEDY}"
        )
    try:
        setattr(options, name, value)
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error)
    else:
        return
    raise ConfigError(
        f"[panel] {name} of matrix.toml: the rgbmatrix bindings do not take it ({reason}). Set "
        "another, or take it out"
    )


def _rp1(options: Any, wish: str | None) -> tuple[str, int | None]:
    """The option that chooses, and its value: in 2026 it changed its name, and its sense."""
    name = "rp1_rio" if hasattr(options, "rp1_rio") else "rp1_pio"
    return name, None if wish is None else int(name == f"rp1_{wish}")


def _opened(rgbmatrix: Any, options: Any) -> Any:
    try:
        return rgbmatrix.RGBMatrix(options=options)
    except Exception as error:  # the bindings raise nothing more particular
        reason = str(error)
    raise PanelUnavailable(
        f"the LEDs cannot be opened ({reason}): what the library says about it stands above. It "
        "needs a Raspberry Pi, root (sudo matrix panel), and options in [panel] that fit"
    )
