"""One process that draws a page that is being written, as the server sees it.

What it says, and what it draws, is ``child``'s.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from framework.targets import MACHINERY

MODULE = "framework.panel.dev.child"
LONGEST_LINE_BYTES = 2**20
_TOO_LONG = "It was stopped at more than 1 MB of text in one piece (is its title that long?)"
Message = Mapping[str, Any]


class Run:
    """Spawned before it is needed: what takes long to import is then there."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._asks = cast(asyncio.StreamWriter, process.stdin)
        self._says = cast(asyncio.StreamReader, process.stdout)

    @classmethod
    async def spawn(cls) -> Run:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULE),
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for the server, which then ends this
        )
        return cls(process)

    async def begin(self, target: str, values: Sequence[str]) -> None:
        """Draw all of it."""
        await self._ask(json.dumps({"target": target, "values": values}))

    async def go_on(self) -> None:
        """Draw again what moves."""
        await self._ask("")

    async def messages(self) -> AsyncIterator[tuple[Message, bytes]]:
        """What it says, each with the frame that belongs to it. The last is why there is no more:
        a problem."""
        doing: Message = {"doing": "starting"}
        fault = b""
        try:
            while line := await self._says.readline():
                try:
                    message = json.loads(line)
                except ValueError:  # it is faulthandler's, and so is the rest
                    fault = line + await self._says.read()
                    break
                if "doing" in message:
                    doing = message
                yield message, await self._says.readexactly(message.get("bytes", 0))
                if message.keys() == {"problem"}:
                    return
        except asyncio.IncompleteReadError:
            pass
        except ValueError:  # readline's: that line is longer than may be
            await self.end()  # or it would wait for somebody to read on
            yield {"problem": f"{_TOO_LONG}, while {doing['doing']}"}, b""
            return
        status = await self._process.wait()
        yield {"problem": _ending(doing, fault.decode(errors="replace"), status)}, b""

    async def end(self) -> None:
        """Whatever it does, and whatever it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _ask(self, line: str) -> None:
        with suppress(ConnectionError):  # it has ended: why, it says itself
            self._asks.write(f"{line}\n".encode())
            await self._asks.drain()


def _ending(doing: Message, fault: str, status: int) -> str:
    """How it ended without being told, while it was ``doing`` something."""
    what, *lines = fault.splitlines() or [""]
    if what.startswith("Timeout"):
        how = f"It was stopped after {doing['limit_s']:g} s"
    elif what:
        how = f"Python itself broke ({what.rpartition(': ')[2]})"
    elif status < 0:
        how = f"It was ended by {signal.Signals(-status).name}"
        if status == -signal.SIGKILL:
            how += " (is there too little memory?)"
    else:
        how = f"It ended itself, with status {status}"
    frames = [line for line in lines if line.startswith("  File")]
    theirs = [
        line for line in frames if not line.strip().removeprefix('File "').startswith(MACHINERY)
    ]
    trace = ["", "Most recent call first:", *theirs] if theirs else []
    return "\n".join([f"{how}, while {doing['doing']}", *trace])
