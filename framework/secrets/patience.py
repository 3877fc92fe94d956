"""When what does not answer now is asked again, and for how long.

Pure but for the clock: how something is asked, and which outcomes may pass, is left to who asks.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from framework.errors import MatrixError

T = TypeVar("T")

PATIENCE_S = 8.0
"""How long one call may take with all its repetitions. A child that has a login and a decryption
to wait for still ends by itself."""
BRIEFLY_S = 1.0
"""How long one may take where the last was in vain: a hundred, in turn, still end in minutes."""
SHORTEST_S = 0.1
"""What every try is given, however little is left."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Again:
    """That an outcome may pass."""

    after_s: float = 0.0
    """The soonest that the server wants to be asked again."""
    unseen: bool = False
    """Whether it was turned away before it was looked at: then it is harmless to repeat."""


def patiently(
    once: Callable[[float], tuple[T, Again | None]],
    *,
    patience_s: float,
    repeat: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The outcome of ``once``: the first that does not say ``Again``, or the last in time.

    ``once`` is told how much time is left. ``repeat``: whether it is harmless to do it again where
    it may have been done.
    """
    until_s = clock() + patience_s
    wait_s = FIRST_WAIT_S
    while True:
        outcome, again = once(max(until_s - clock(), SHORTEST_S))
        if again is None or not (repeat or again.unseen):
            return outcome
        pause_s = max(again.after_s, wait_s * random.uniform(0.5, 1))
        if clock() + pause_s >= until_s:
            return outcome
        sleep(pause_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def given(outcome: T | MatrixError) -> T:
    """Raised here, an error carries neither a context nor a frame that held what was sent.

    So those who ask return their failures: an exception that is kept keeps the frames that it went
    through, and what they held.
    """
    if isinstance(outcome, MatrixError):
        raise outcome
    return outcome
