"""What is asked again, how soon, and when it is given up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from framework.errors import MatrixError
from framework.secrets.kubernetes import client as asking
from framework.secrets.patience import BRIEFLY_S, SHORTEST_S, Again, given, patiently
from tests.secrets.httpserver import Answer
from tests.secrets.kubernetes_standin import KubernetesStandin


class Time:
    """Passes only while somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.now_s += wait_s


@pytest.fixture
def time() -> Time:
    return Time()


def ask(
    time: Time,
    outcomes: Iterable[tuple[str, Again | None]],
    *,
    patience_s: float = 10,
    repeat: bool = True,
) -> tuple[str, list[float]]:
    """What comes of it, and how much time each try was told to have."""
    coming: Iterator[tuple[str, Again | None]] = iter(outcomes)
    told: list[float] = []

    def once(left_s: float) -> tuple[str, Again | None]:
        told.append(left_s)
        return next(coming)

    outcome = patiently(
        once, patience_s=patience_s, repeat=repeat, clock=lambda: time.now_s, sleep=time.sleep
    )
    return outcome, told


def endless(again: Again) -> Iterator[tuple[str, Again | None]]:
    while True:
        yield "no", again


def test_what_is_final_is_not_asked_again(time: Time) -> None:
    assert ask(time, [("yes", None)]) == ("yes", [10])
    assert time.waits == []


def test_what_passes_is_waited_for_a_little_longer_each_time(time: Time) -> None:
    outcome, told = ask(time, [*[("no", Again())] * 5, ("yes", None)])
    assert outcome == "yes"
    assert told == [pytest.approx(10 - sum(time.waits[:n])) for n in range(6)]
    for wait_s, most_s in zip(time.waits, (0.1, 0.2, 0.4, 0.8, 1), strict=True):
        assert most_s / 2 <= wait_s <= most_s


def test_what_does_not_pass_is_given_up_in_time(time: Time) -> None:
    outcome, told = ask(time, endless(Again()), patience_s=5)
    assert outcome == "no"
    assert 4 < sum(time.waits) < 5
    assert len(told) == len(time.waits) + 1


def test_a_server_says_how_long_to_wait(time: Time) -> None:
    assert ask(time, [("no", Again(7)), ("yes", None)])[0] == "yes"
    assert time.waits == [7]
    assert ask(time, endless(Again(3600))) == ("no", [10])
    assert time.waits == [7]


def test_what_may_have_been_done_is_not_done_twice(time: Time) -> None:
    assert ask(time, [("no", Again())], repeat=False) == ("no", [10])
    unseen = [("no", Again(unseen=True)), ("no", Again()), ("yes", None)]
    assert ask(time, unseen, repeat=False)[0] == "no"
    assert len(time.waits) == 1


def test_every_try_has_some_time(time: Time) -> None:
    assert ask(time, endless(Again()), patience_s=0) == ("no", [SHORTEST_S])


def test_a_failure_is_raised_where_nothing_hangs_on_it() -> None:
    assert given(0) == 0
    failure = MatrixError("no")
    with pytest.raises(MatrixError) as caught:
        given(failure)
    assert caught.value is failure
    assert caught.value.__context__ is None


def test_an_api_server_that_was_waited_for_in_vain_is_asked_briefly_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a hundred Secrets would take a quarter of an hour to fail. Who writes in vain still has
    all the patience to look what became of it."""
    limits: list[float] = []

    def noted(once: Any, *, patience_s: float, repeat: bool) -> Any:
        limits.append(patience_s)
        return patiently(once, patience_s=0, repeat=repeat)

    monkeypatch.setattr(asking, "patiently", noted)
    away, there = Answer(503, {}), Answer(200, {})
    with KubernetesStandin(tmp_path) as standin, closing(standin.client(patience_s=8)) as client:
        for answer, repeat in (
            (away, False),
            (away, True),
            (away, True),
            (there, True),
            (there, True),
            (away, False),
        ):
            standin.intercept = partial(lambda answer, request: answer, answer)
            client.ask("GET" if repeat else "PUT", "/api", repeat=repeat)
    assert limits == [8, 8, BRIEFLY_S, BRIEFLY_S, 8, BRIEFLY_S]
