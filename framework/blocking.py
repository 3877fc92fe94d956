"""Calls into libraries that block, from a fetch that must end in time.

Not ``asyncio.to_thread``: its threads outlive their timeout, and the interpreter waits for them at
exit (measured: 6.0 s instead of 0.5).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from framework.errors import Unavailable
from framework.vitals import ServiceVitals

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """Runs one blocking call at a time in a daemon thread that nobody waits for at exit."""

    def __init__(self, vitals: ServiceVitals) -> None:
        self._vitals = vitals
        self._turn = asyncio.Lock()
        self._abandoned: threading.Thread | None = None

    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``fn`` returns or raises. Cancelled (by a timeout), the thread is abandoned.

        :raises Unavailable: an abandoned call has still not returned; its result is discarded.
        """
        async with self._turn:
            if self._abandoned is not None and self._abandoned.is_alive():
                self._vitals.in_vain += 1
                raise Unavailable(
                    f"{self._vitals.name}: an earlier blocking call has not returned yet"
                )
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[T] = loop.create_future()

            def settle(result: T | None, error: BaseException | None) -> None:
                self._vitals.in_vain = 0
                if answer.done():
                    return
                if isinstance(error, StopIteration):  # which no future can carry
                    error = RuntimeError("the blocking call raised StopIteration")
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set_result(result)  # type: ignore[arg-type]  # T may itself be None

            def work() -> None:
                result: T | None = None
                error: BaseException | None = None
                try:
                    result = fn(*args, **kwargs)
                except BaseException as raised:
                    error = raised
                with suppress(RuntimeError):  # the loop is closed: nobody wants the answer
                    loop.call_soon_threadsafe(settle, result, error)

            name = f"{self._vitals.name}-blocking"
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            try:
                return await answer
            except asyncio.CancelledError:
                self._abandoned = thread
                self._vitals.in_vain += 1
                raise
