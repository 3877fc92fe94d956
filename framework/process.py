"""What a process owns and a library must not touch: signals, logging, output, the exit status.

Only ``run()`` and the commands come here.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NoReturn, TextIO, cast

from framework.errors import ConfigError, MatrixError, PanelUnavailable, SecretsUnavailable
from framework.interrupt import EXIT_INTERRUPTED

LOG_FORMAT = "MATRIX_LOG_FORMAT"
SWITCH_S = 0.001
"""How long a thread may keep the event loop waiting. Python's own 5 ms are a third of a frame."""
EXIT_FAILED = 1
EXIT_UNWRITABLE = 74
"""EX_IOERR of sysexits.h: what there was to say did not come through."""
EXIT_UNAVAILABLE = 75
"""EX_TEMPFAIL of sysexits.h: starting again later may help."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""


_last_deeds: list[Callable[[], None]] = []


@contextmanager
def surely(deed: Callable[[], None]) -> Iterator[None]:
    """At the end of the block, or before the process leaves at once, ``deed`` is done."""
    _last_deeds.append(deed)
    try:
        yield
    finally:
        deed()
        _last_deeds.remove(deed)


class Unwritable(MatrixError):
    """Standard output took no more; empty: whoever read it wants no more, as ``head`` does."""


@contextmanager
def guarded_output() -> Iterator[None]:
    """Within, ``Unwritable`` is raised where standard output does not take what is printed.

    A stream that was closed before the start is there again: it gives and takes nothing.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    stream = sys.stdout
    guarded = _Guarded(stream)
    sys.stdout = cast(TextIO, guarded)
    try:
        yield
    finally:
        sys.stdout = stream
        if guarded.failed:  # and so would, when Python ends, what is still held back
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Guarded:
    """A stream whose failures are ours."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._judged():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._judged():
            self._stream.flush()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = "" if error.errno == errno.EPIPE else error.strerror
        else:
            return
        self.failed = True
        raise Unwritable(why and f"standard output cannot be written: {why}. Give it another place")


def configure_logging(level: str = "info") -> None:
    """One line a record, on standard error: for humans, or what ``MATRIX_LOG_FORMAT`` says.

    :raises ConfigError: it says something else than text or json.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonLines()
        if logs_json()
        else logging.Formatter(
            "%(asctime)s %(levelname)-7s %(name)s  %(message)s", datefmt="%H:%M:%S"
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])


def logs_json() -> bool:
    """Whether logs are for a machine.

    :raises ConfigError: ``MATRIX_LOG_FORMAT`` is neither text nor json.
    """
    form = os.environ.get(LOG_FORMAT) or "text"
    if form not in ("text", "json"):
        raise ConfigError(f"environment {LOG_FORMAT} must be text or json")
    return form == "json"


class _JsonLines(logging.Formatter):
    """An object a line."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        said["message"], _, trace = super().format(record).partition("\n")
        if trace:
            said["trace"] = trace
        return json.dumps(said, ensure_ascii=False)


def run(main: Callable[[], Coroutine[Any, Any, int | None]]) -> NoReturn:
    """Call ``main``, run what it returns until it ends, SIGTERM or Ctrl-C; then exit.

    Told twice, it leaves at once. 0: it ended or was told to stop. 75: the secrets, or the LEDs,
    are unavailable for now. 78: the configuration is wrong. 1: anything else of ours that cannot
    be. Each of those is one sentence on standard error, without a traceback. 130, in silence:
    Ctrl-C while constructing.
    """

    def start() -> Coroutine[Any, Any, int | None]:
        configure_logging()
        return main()

    sys.exit(exit_status(start))


def exit_status(main: Callable[[], Coroutine[Any, Any, int | None]]) -> int:
    """``run`` without logging and without leaving. What ``main``'s coroutine returns counts."""
    sys.setswitchinterval(SWITCH_S)
    try:
        return asyncio.run(_until_told_to_stop(main())) or 0
    except MatrixError as error:
        return last_word(error)
    except ExceptionGroup as group:
        ours = _first_of_ours(group)
        if ours is None:
            raise
        return last_word(ours)
    except KeyboardInterrupt:  # before there was a loop
        return EXIT_INTERRUPTED


def last_word(error: MatrixError) -> int:
    """Say it on standard error; the exit status that goes with it."""
    if str(error) and sys.stderr is not None:
        with suppress(OSError):
            if os.environ.get(LOG_FORMAT) == "json":
                logging.getLogger("matrix").error("%s", error)
            else:
                print(error, file=sys.stderr)  # noqa: T201  # this is what the process has to say
    if isinstance(error, Unwritable):
        return EXIT_UNWRITABLE
    if isinstance(error, SecretsUnavailable | PanelUnavailable):
        return EXIT_UNAVAILABLE
    if isinstance(error, ConfigError):
        return EXIT_CONFIG
    # Here, because a service without secrets has no use for them, and who has dropped root may not
    # read them.
    from framework.secrets.store import Conflict, StoreRefused, StoreUnavailable
    from framework.secrets.transit import TransitRefused, TransitUnavailable

    if isinstance(error, StoreUnavailable | TransitUnavailable):
        return EXIT_UNAVAILABLE
    if isinstance(error, Conflict):  # somebody is to look before it is tried again
        return EXIT_FAILED
    if isinstance(error, StoreRefused | TransitRefused):
        return EXIT_CONFIG
    return EXIT_FAILED


def _first_of_ours(group: ExceptionGroup[Exception]) -> MatrixError | None:
    """If nothing but ours was raised in a group of tasks, the first of them."""
    ours, others = group.split(MatrixError)
    if ours is None or others is not None:
        return None
    first: BaseException = ours
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, MatrixError) else None


async def _until_told_to_stop(work: Coroutine[Any, Any, int | None]) -> int | None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    told = False

    def stop(number: int, frame: object) -> None:
        nonlocal told
        if told:  # The loop did not get to it: something blocks it, a fetch() perhaps.
            try:
                for deed in reversed(_last_deeds):
                    deed()
            finally:
                os._exit(128 + number)
        told = True
        loop.call_soon_threadsafe(task.cancel)

    # Plain handlers: the loop's own would wait for whatever blocks it.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    try:
        with suppress(asyncio.CancelledError):
            return await task
        return None
    finally:
        told = True  # What is left to do needs no loop: told from now on, it leaves at once.
