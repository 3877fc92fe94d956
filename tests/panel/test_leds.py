"""The drivers, on a strict emulator of what they drive."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from PIL import Image

from framework.errors import ConfigError, PanelUnavailable
from framework.panel.driver.leds import Leds, driver_of
from framework.project import PanelEntry
from tests.panel.emulator import adafruit_blinka_raspberry_pi5_piomatter as piomatter
from tests.panel.emulator import rgbmatrix

pytestmark = pytest.mark.usefixtures("emulator")


def open_leds(panel: PanelEntry) -> Leds:
    return driver_of(panel)(panel)


def noise(size: tuple[int, int], seed: int = 1) -> Image.Image:
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(3 * size[0] * size[1]))


def matrix() -> rgbmatrix.RGBMatrix:
    assert rgbmatrix.RGBMatrix.opened is not None
    return rgbmatrix.RGBMatrix.opened


def visible(driver: str) -> Image.Image:
    if driver == "rgbmatrix":
        return matrix().front.image
    assert piomatter.PioMatter.opened is not None
    return piomatter.PioMatter.opened.image


@pytest.fixture(params=["rgbmatrix", "piomatter"])
def leds(request: pytest.FixtureRequest) -> tuple[str, Leds]:
    driver: Any = request.param
    return driver, open_leds(PanelEntry(driver=driver, rows=16, cols=32, chain_length=2))


# ------------------------------------------------------------------------ what every driver does


def test_it_is_as_large_as_it_is_wired(leds: tuple[str, Leds]) -> None:
    assert leds[1].size == (64, 16)


def test_each_frame_is_seen_as_it_is(leds: tuple[str, Leds]) -> None:
    driver, lit = leds
    for seed in range(10):
        lit.show(noise(lit.size, seed), 100)
        assert visible(driver) == noise(lit.size, seed)


def test_a_change_of_brightness_dims_the_whole_frame(leds: tuple[str, Leds]) -> None:
    driver, lit = leds
    white = Image.new("RGB", lit.size, (255, 200, 10))
    for brightness, seen in ((100, (255, 200, 10)), (50, (127, 100, 5)), (1, (2, 2, 0))):
        lit.show(white, brightness)
        assert visible(driver).getcolors() == [(64 * 16, seen)]


# -------------------------------------------------------------------------------- rgbmatrix's own


def test_options_go_to_the_bindings_by_their_names() -> None:
    panel = PanelEntry(
        driver="rgbmatrix",
        rows=32,
        cols=64,
        parallel=2,
        hardware_mapping="Regular",
        gpio_slowdown=3,
        led_rgb_sequence="BGR",
        pwm_bits=7,
        limit_refresh_rate_hz=120,
        rp1="pio",
    )
    assert open_leds(panel).size == (128, 64)
    given = matrix().options
    names = ("hardware_mapping", "gpio_slowdown", "led_rgb_sequence", "pwm_bits", "rp1_pio")
    assert [getattr(given, name) for name in names] == ["Regular", 3, "BGR", 7, 1]
    assert (given.limit_refresh_rate_hz, given.drop_privileges) == (120, 0)


@pytest.mark.parametrize(
    ("mappers", "size"),
    [
        ("Rotate:90", (64, 256)),
        ("Rotate:180", (256, 64)),
        ("U-mapper", (128, 128)),
        ("V-mapper:Z", (64, 256)),
        ("u-mapper;Mirror:H", (128, 128)),
        ("V-mapper;Rotate:270", (256, 64)),
    ],
)
def test_the_size_is_what_the_mappers_make_of_it(mappers: str, size: tuple[int, int]) -> None:
    panel = PanelEntry(driver="rgbmatrix", chain_length=4, pixel_mapper_config=mappers)
    assert open_leds(panel).size == size


@pytest.mark.parametrize(("wish", "value"), [("rio", 1), ("pio", 0), (None, 0)])
def test_older_bindings_call_it_by_its_opposite(
    wish: Any, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Older(rgbmatrix.RGBMatrixOptions):
        __slots__ = ("rp1_rio",)

        def __init__(self) -> None:
            super().__init__()
            self.rp1_rio = 0

    monkeypatch.setattr(rgbmatrix, "RGBMatrixOptions", Older)
    open_leds(PanelEntry(driver="rgbmatrix", rp1=wish))
    given: Any = matrix().options
    assert (given.rp1_rio, given.rp1_pio) == (value, 0)


def test_an_option_that_these_bindings_do_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(rgbmatrix.RGBMatrixOptions):
        @property
        def panel_type(self) -> str:
            raise AttributeError

    monkeypatch.setattr(rgbmatrix, "RGBMatrixOptions", Newer)
    monkeypatch.setattr(rgbmatrix, "_TEXTS", ())
    with pytest.raises(ConfigError, match=r"have no option panel_type: take it out of \[panel\]"):
        open_leds(PanelEntry(driver="rgbmatrix", panel_type="FM6126A"))


@pytest.mark.parametrize("options", [{"rows": 128}, {"multiplexing": 200}, {"cols": 8}])
def test_what_the_bindings_refuse(options: dict[str, Any]) -> None:
    said = "cannot be opened \\(RGBMatrix creation failed\\)"
    with pytest.raises(PanelUnavailable, match=said) as caught:
        open_leds(PanelEntry(driver="rgbmatrix", **options))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit_refresh_rate_hz": 1 << 31}, "refresh_rate_hz .* do not take it .* too large"),
        ({"hardware_mapping": "adafruit"}, "hardware_mapping .* rgbmatrix knows regular, "),
        ({"parallel": 4}, "parallel .* must be at most 3 on regular"),
        ({"parallel": 2, "hardware_mapping": "adafruit-hat"}, "must be at most 1 on adafruit-hat"),
    ],
)
def test_what_they_would_raise_or_end_the_process_for(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^\[panel\] .*{said}") as caught:
        open_leds(PanelEntry(driver="rgbmatrix", **options))
    assert caught.value.__context__ is None


# -------------------------------------------------------------------------------- piomatter's own


def test_the_order_of_the_colours_is_ours() -> None:
    lit = open_leds(PanelEntry(driver="piomatter", led_rgb_sequence="GBR"))
    lit.show(Image.new("RGB", lit.size, (1, 2, 3)), 100)
    assert visible("piomatter").getpixel((0, 0)) == (2, 3, 1)


def test_every_dot_has_its_place_though_there_are_three_chains() -> None:
    panel = PanelEntry(driver="piomatter", rows=32, parallel=3, hardware_mapping="regular")
    assert open_leds(panel).size == (128, 96)
    assert piomatter.PioMatter.opened is not None
    order = piomatter.PioMatter.opened.geometry.map
    assert sorted(order) == list(range(128 * 96))
    assert order[:7] == [128 * 16 * lane for lane in range(6)] + [1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpio_slowdown": 2}, r"\[panel\] gpio_slowdown .* piomatter has none such"),
        ({"rp1": "pio"}, r"\[panel\] rp1 .* piomatter has none such"),
        ({"hardware_mapping": "compute-module"}, "piomatter knows adafruit-hat"),
        ({"rows": 48}, "piomatter has no panels of 48"),
    ],
)
def test_what_piomatter_cannot_do(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_leds(PanelEntry(driver="piomatter", **options))


def test_what_piomatter_refuses() -> None:
    with pytest.raises(PanelUnavailable, match=r"cannot be opened .*exceeds the pinout"):
        open_leds(PanelEntry(driver="piomatter", parallel=3))


# -------------------------------------------------------------------------------------- no LEDs


@pytest.mark.parametrize("driver", ["rgbmatrix", "piomatter"])
def test_a_library_that_is_not_there(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"piomatter": "adafruit_blinka_raspberry_pi5_piomatter"}.get(driver, driver)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"{name} cannot be imported") as caught:
        open_leds(PanelEntry(driver=driver))
    assert caught.value.__context__ is None


def test_no_driver() -> None:
    with pytest.raises(ConfigError, match=r'add \[panel\] driver = "rgbmatrix"'):
        open_leds(PanelEntry())


# ------------------------------------------------------------------------------------ the emulator


def opened(**others: Any) -> rgbmatrix.RGBMatrix:
    options = rgbmatrix.RGBMatrixOptions()
    for name, value in {"drop_privileges": 0, **others}.items():
        setattr(options, name, value)
    return rgbmatrix.RGBMatrix(options=options)


def test_the_emulator_refuses_what_would_be_wrong_on_the_leds() -> None:
    anything: Any = (real := opened())
    other = real.CreateFrameCanvas()
    mistakes: list[tuple[type[BaseException], Any]] = [
        (AssertionError, lambda: real.CreateFrameCanvas()),
        (AssertionError, lambda: real.front.SetImage(noise((32, 32)))),
        (AssertionError, lambda: real.SwapOnVSync(real.front)),
        (AssertionError, lambda: setattr(real, "brightness", 0)),
        (Exception, lambda: other.SetImage(Image.new("RGBA", (32, 32)))),
        (AttributeError, lambda: anything.SetImage(noise((32, 32)))),
        (AttributeError, lambda: setattr(real.options, "slowdown_gpio", 1)),
        (TypeError, lambda: setattr(real.options, "rows", "32")),
        (OverflowError, lambda: setattr(real.options, "rows", 256)),
        (OverflowError, lambda: setattr(real.options, "limit_refresh_rate_hz", 1 << 31)),
        (Exception, lambda: opened(pwm_bits=12)),
        (Exception, lambda: opened(multiplexing=23)),
        (Exception, lambda: opened(row_address_type=6)),
        (AssertionError, lambda: opened(hardware_mapping="adafruit")),
        (AssertionError, lambda: opened(hardware_mapping="adafruit-hat", parallel=2)),
        (AssertionError, lambda: opened(pixel_mapper_config="W-mapper")),
        (AssertionError, lambda: opened(pixel_mapper_config="U-mapper", chain_length=3)),
        (AssertionError, lambda: opened(pixel_mapper_config="Rotate:45")),
        (AssertionError, lambda: opened(pixel_mapper_config="Mirror:X")),
        (TypeError, lambda: type(anything)(32, 1, 1)),
        (TypeError, lambda: rgbmatrix.FrameCanvas(None, real)),
        (AssertionError, lambda: rgbmatrix.RGBMatrix(options=rgbmatrix.RGBMatrixOptions())),
    ]
    for error, mistake in mistakes:
        with pytest.raises(error):
            mistake()


def test_the_emulator_gives_back_what_was_visible() -> None:
    real = opened()
    first, second = real.front, real.CreateFrameCanvas()
    assert real.SwapOnVSync(second) is first
    assert real.SwapOnVSync(first) is second
