"""Which names mean this machine."""

from __future__ import annotations

import pytest

from framework.hosts import is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "0", "::", "10.0.0.1", "192.168.1.7", "panel.example"),
        *("localhost.example.org", "127.0.0.1.example.org"),
    ],
)
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)
