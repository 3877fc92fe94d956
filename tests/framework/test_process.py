"""Signals, the exit status, and the last word."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from framework.errors import BusUnavailable, ConfigError, DefinitionError
from framework.process import Unwritable, exit_status
from framework.secrets.store import Conflict, StoreRefused, StoreUnavailable
from framework.secrets.transit import TransitRefused, TransitUnavailable
from tests.waiting import LIMIT_S

PROGRAM = """
import asyncio
from framework.process import run

async def main():
    print("up", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("down", flush=True)

run(main)
"""
BLOCKED = """
import os, signal, time
from framework.process import run

async def main():
    stop = signal.getsignal(signal.SIGINT)

    def told(*of_what):
        stop(*of_what)
        os.write(1, b"told\\n")

    signal.signal(signal.SIGINT, told)
    print("up", flush=True)
    time.sleep(60)

run(main)
"""


@contextmanager
def up(program: str) -> Iterator[subprocess.Popen[str]]:
    """One that has said that it is up; afterwards it is gone."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def raising(error: Exception) -> Coroutine[Any, Any, None]:
    async def work() -> None:
        raise error

    return work()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("it is wrong"), 78),
        (BusUnavailable("it is away"), 1),
        (StoreRefused("it is forbidden"), 78),
        (TransitRefused("it is damaged"), 78),
        (Conflict("it is changed"), 1),
        (StoreUnavailable("it is away"), 75),
        (TransitUnavailable("it is sealed"), 75),
        (Unwritable("it is full"), 74),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [ConfigError("it is deep")])]), 78),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_status(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(lambda: raising(error)) == status
    said = capsys.readouterr().err
    assert said.startswith("it is ")
    assert said.count("\n") == 1


def test_constructing_counts_too(capsys: pytest.CaptureFixture[str]) -> None:
    def construct() -> Coroutine[Any, Any, None]:
        raise ConfigError("no station")

    assert exit_status(construct) == 78
    assert capsys.readouterr().err == "no station\n"


def test_ctrl_c_while_constructing_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def construct() -> Coroutine[Any, Any, None]:
        raise KeyboardInterrupt

    assert exit_status(construct) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error", [ValueError("bug"), ExceptionGroup("both", [ConfigError("x"), ValueError("bug")])]
)
def test_a_bug_is_not_dressed_up(error: Exception) -> None:
    with pytest.raises(type(error)):
        exit_status(lambda: raising(error))


def test_what_the_work_returns_is_the_status() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    assert exit_status(work) == 3


def test_a_definition_error_is_a_type_error() -> None:
    assert issubclass(DefinitionError, TypeError)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_cleans_up_and_leaves_with_0(number: signal.Signals) -> None:
    with up(PROGRAM) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (out, err, process.returncode) == ("down\n", "", 0)


def test_told_twice_it_leaves_though_something_blocks_the_loop() -> None:
    with up(BLOCKED) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "told\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 128 + signal.SIGINT


AFTER = """
import asyncio, signal
from framework.process import exit_status

async def main():
    await asyncio.sleep(0)

exit_status(main)
signal.raise_signal(signal.SIGINT)
"""
COMMAND = """
from framework.interrupt import interruptible

with interruptible():
    import time
    import typer

    app = typer.Typer()

    @app.command()
    def work() -> None:
        try:
            print("up", flush=True)
            time.sleep(60)
        finally:
            print("down", flush=True)

    app()
"""


def test_ctrl_c_after_the_work_leaves_in_silence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 130)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_before_there_is_a_loop_a_command_ends_in_order_and_in_silence(
    number: signal.Signals,
) -> None:
    with up(COMMAND) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (out, err, process.returncode) == ("down\n", "", 128 + number)


RUN = """
import logging
from framework.process import run

async def main():
    log = logging.getLogger("matrix.tide")
    log.warning("fetching: dry\\nTraceback: here\\nand there")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("it broke\\nat sea", stack_info=True)

run(main)
"""


def test_in_a_log_for_a_machine_a_trace_stands_by_itself() -> None:
    told, raised = map(json.loads, ran("json").stderr.splitlines())
    assert (told["message"], told["trace"]) == ("fetching: dry", "Traceback: here\nand there")
    assert raised["message"] == "it broke"
    lines = raised["trace"].splitlines()
    assert lines[:2] == ["at sea", "Traceback (most recent call last):"]
    assert lines.index("ZeroDivisionError: division by zero") < lines.index(
        "Stack (most recent call last):"
    )


def test_a_form_of_log_that_there_is_not_is_one_sentence() -> None:
    done = ran("xml")
    assert (done.returncode, done.stderr) == (
        78,
        "environment MATRIX_LOG_FORMAT must be text or json\n",
    )


def ran(log_format: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN],
        env={**os.environ, "MATRIX_LOG_FORMAT": log_format},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
