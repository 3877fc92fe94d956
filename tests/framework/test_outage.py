"""Said once when it fails, once when it works again."""

from __future__ import annotations

import logging

import pytest

from framework.outage import Outage


def test_a_week_of_failures_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("matrix.tide"), "fetching")
    with caplog.at_level(logging.INFO):
        outage.recovered()
        for _ in range(60_000):
            outage.failed("the gauge is dry")
        outage.recovered()
        outage.recovered()
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("WARNING", "fetching: the gauge is dry"),
        ("WARNING", "fetching: works again after 60000 failures"),
    ]
