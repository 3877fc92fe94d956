"""Run every bench and print its figures. Only a figure that is missing is a failure, and not one
that this machine lacks the servers for."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from tests.bench import browser, latency, memory, panel, quiet, real, rotate, secrets, start
from tests.bench.figures import Figure, NotMeasured

BENCHES: dict[str, Callable[[], Coroutine[Any, Any, list[Figure]]]] = {
    "from publish to frame": latency.publish_to_frame,
    "from publish to the screen": browser.publish_to_dot,
    "to the panel process": panel.leds,
    "what a browser is sent of a page that has changed": panel.preview,
    "a still page that nobody watches": quiet.still,
    "a still page on LEDs and in a browser": panel.still,
    "a clock that changes each second": quiet.ticking,
    "text that scrolls at 60 frames a second, while five services publish": panel.scrolling,
    "frame after frame, as fast as they can be drawn": memory.frames,
    "matrix show clock": panel.first,
    "python -m services.moon": start.moon,
    "python -m services.anyjson, which asks the web and answers for its health": memory.service,
    "the secrets, from starting the child to handed over": secrets.handing_over,
    "python -m services.moon, with secrets": secrets.starting,
    "the secrets, from a real Vault and a real API server": real.reading,
    "a rotation, on a real Vault and a real API server": rotate.rotating,
}


def main() -> int:
    failed = missing = 0
    for title, bench in BENCHES.items():
        print(f"\n{title}", flush=True)
        try:
            figures = asyncio.run(bench())
        except NotMeasured as reason:
            print(f"  not measured: {reason}")
            missing += 1
        except Exception:
            traceback.print_exc()
            print("  NO FIGURE")
            failed += 1
        else:
            for figure in figures:
                print(figure, flush=True)
    print(f"\n{len(BENCHES) - failed - missing} of {len(BENCHES)} benches gave their figures")
    return 1 if failed else 0


sys.exit(main())
