"""How long a frame takes from the sink of a renderer to the LEDs of another process."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from PIL import Image

from framework.panel.driver.light import Light
from framework.panel.driver.opening import listen
from framework.panel.driver.receiver import Receiver
from framework.panel.panelsink import PanelSink


class Stamping:
    """LEDs that say on standard output when which frame was lit."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def show(self, image: Image.Image, brightness: int) -> None:
        now_s = time.monotonic()  # one clock for all processes
        print(int.from_bytes(image.tobytes()[:3]), now_s, flush=True)


class Still:
    """A remote that knows when the panel is there."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()

    def next(self) -> None: ...
    def previous(self) -> None: ...
    def pause(self, paused: bool | None = None) -> None: ...
    def pin(self, name: str | None) -> None: ...
    def resize(self, width: int, height: int) -> None: ...
    def fix(self, size: tuple[int, int] | None) -> None: ...

    def wake(self) -> None:
        self.woken.set()


async def frame_to_leds(frames: int = 1000, size: tuple[int, int] = (128, 64)) -> list[float]:
    """Seconds, for each of so many frames, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.sock"
        panel = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.panel.latency", str(path), *map(str, size)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert panel.stdout is not None
        await panel.stdout.readline()  # that it waits for a renderer
        remote, sink = Still(), PanelSink(path)
        running = asyncio.create_task(sink.run(remote, lambda: None))
        await remote.woken.wait()
        taken = []
        for number in range(1, frames + 1):
            image = Image.new("RGB", size)
            image.putpixel((0, 0), tuple(number.to_bytes(3)))
            began_s = time.monotonic()
            sink.show(image)
            lit, at_s = (await panel.stdout.readline()).split()
            assert int(lit) == number
            taken.append(float(at_s) - began_s)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        panel.kill()
        await panel.wait()
        return taken


async def main(path: str, width: str, height: str) -> None:
    """The panel process."""
    size = int(width), int(height)
    light = Light(Stamping(size), Receiver(listen(Path(path)), size))
    await light.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
