"""``piomatter`` without a Raspberry Pi 5: what its C++ checks is checked, and the LEDs are kept."""

from __future__ import annotations

from enum import Enum

from PIL import Image


class Colorspace(Enum):
    RGB888Packed = 0
    RGB888 = 1
    RGB565 = 2


class Pinout(Enum):
    AdafruitMatrixBonnet = 2
    AdafruitMatrixBonnetBGR = 3
    Active3 = 6
    Active3BGR = 7


class Geometry:
    def __init__(
        self,
        width: int,
        height: int,
        n_addr_lines: int,
        map: list[int],  # noqa: A002  # the library's name
        n_planes: int = 10,
        n_temporal_planes: int = 0,
        n_lanes: int = 2,
    ) -> None:
        if any(not 0 <= place < width * height for place in map):
            raise IndexError("Map element out of range")
        if len(map) != width * height or width * height % (n_lanes << n_addr_lines):
            raise RuntimeError("matrix size does not match")
        if not 1 <= n_planes <= 10:
            raise ValueError("n_planes out of range")
        self.width, self.height, self.n_lanes, self.map = width, height, n_lanes, map


class PioMatter:
    opened: PioMatter | None = None

    def __init__(
        self, colorspace: Colorspace, pinout: Pinout, framebuffer: bytearray, geometry: Geometry
    ) -> None:
        lanes = 6 if pinout in (Pinout.Active3, Pinout.Active3BGR) else 2
        if geometry.n_lanes > lanes:
            raise RuntimeError(f"Geometry lane count {geometry.n_lanes} exceeds the pinout")
        assert colorspace is Colorspace.RGB888Packed
        if len(framebuffer) != 3 * geometry.width * geometry.height:
            raise RuntimeError("Framebuffer size must be other")
        self._framebuffer = memoryview(framebuffer)  # as in C++, it may not move any more
        self.geometry = geometry
        PioMatter.opened = self
        self.show()

    def show(self) -> None:
        size = (self.geometry.width, self.geometry.height)
        self.image = Image.frombytes("RGB", size, bytes(self._framebuffer))
