"""What is said of a loop that hangs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from framework.hanging import hangs_told
from framework.vitals import SLACK_S, Pulse, ServiceVitals


def test_it_is_said_once_and_where(caplog: pytest.LogCaptureFixture) -> None:
    vitals, now_s = ServiceVitals("tide", lambda: datetime.now(UTC)), 0.0
    vitals.pulse = Pulse(lambda: now_s)

    def hang(messages: int) -> None:
        until_s = time.monotonic() + 10
        while len(caplog.messages) < messages:
            assert time.monotonic() < until_s
            time.sleep(0.001)

    with hangs_told([vitals], look_s=0.001):
        now_s = SLACK_S + 7
        hang(1)
        vitals.pulse.due_within(0)
        time.sleep(0.02)  # long enough to see that it goes on
        now_s += SLACK_S + 8
        hang(2)
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("tide hangs, for 7 s, at ")
    assert caplog.messages[0].endswith("in hang")
    assert "test_hanging.py:" in caplog.messages[0]
    assert caplog.messages[1].startswith("tide hangs, for 8 s, at ")
