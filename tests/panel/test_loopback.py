"""Who is let in, and on which port they are awaited."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.panel import loopback


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", None),
        ("LOCALHOST:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("127.4.5.6", "http://127.4.5.6"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("localhost:9000", "http://localhost:9000"),
    ],
)
def test_a_page_of_ours_is_let_in(host: str, origin: str | None) -> None:
    assert loopback.admitted(host, origin)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("", None),
        ("evil.example", None),
        ("evil.example:8080", "http://evil.example:8080"),
        ("localhost.evil.example", None),
        ("localhost@evil.example", None),
        ("127.0.0.1.evil.example", None),
        ("192.168.1.7:8080", None),
        ("0.0.0.0:8080", None),
        ("[::1", None),
        ("localhost:8080", "http://evil.example"),
        ("localhost:8080", "http://localhost:3000"),
        ("localhost:8080", "http://localhost"),
        ("localhost:8080", "http://127.0.0.1:8080"),
        ("localhost:8080", "https://localhost:8080"),
        ("localhost:8080", "null"),
        ("localhost:8080", ""),
    ],
)
def test_others_are_not(host: str, origin: str | None) -> None:
    assert not loopback.admitted(host, origin)


@given(st.text(), st.none() | st.text())
def test_any_header_has_an_answer(host: str, origin: str | None) -> None:
    loopback.admitted(host, origin)


def test_the_next_free_port_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(loopback, "USUAL_PORT", port)
        with loopback.listen("127.0.0.1", None) as found:
            assert port < found.getsockname()[1] <= port + loopback.OTHER_PORTS


def test_a_port_that_was_asked_for_is_not_exchanged_for_another() -> None:
    with loopback.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"^port {port} .*choose another, or leave it out"
        ) as told:
            loopback.listen("127.0.0.1", port)
        assert str(told.value).count("taken") == 1


@pytest.mark.parametrize(
    "host", ["nonsense.invalid", "192.0.2.7", "fe80::1", "0.0.0.0:8080", "a" * 300]
)
def test_what_is_no_address_of_this_machine_is_no_matter_of_ports(host: str) -> None:
    with pytest.raises(ConfigError) as told:
        loopback.listen(host, None)
    sentence = str(told.value)
    assert sentence.startswith(f"{host} is no address of this machine: name one that is, without")
    assert "(" not in sentence


def test_a_port_for_the_administrator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, errno.EACCES)
    with pytest.raises(ConfigError, match=r"^port 80 on 127\.0\.0\.1 is not for this user"):
        loopback.listen("127.0.0.1", 80)


def test_no_port_at_all_says_which_were_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, errno.EADDRINUSE)
    with pytest.raises(
        ConfigError, match=r"^ports 8080 to 8100 on 127\.0\.0\.1 are all taken: name"
    ):
        loopback.listen("127.0.0.1", None)


def refused(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Whatever is asked for."""

    def refuse(*_: object, **__: object) -> socket.socket:
        raise OSError(number, f"{os.strerror(number)} (while attempting to bind on address ...)")

    monkeypatch.setattr(socket, "create_server", refuse)


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_address_of_six_is_written_in_brackets() -> None:
    try:
        listening = loopback.listen("::1", 0)
    except ConfigError:
        pytest.skip("this machine has no IPv6 loopback")
    with listening:
        assert loopback.urls(listening) == [f"http://[::1]:{listening.getsockname()[1]}/"]


def test_all_addresses_are_found_by_name_and_by_the_one_that_others_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "pi")
    monkeypatch.setattr(loopback, "_ELSEWHERE", {socket.AF_INET: "127.0.0.7"})
    with loopback.listen("0.0.0.0", 0) as listening:  # noqa: S104  # as other machines reach it
        port = listening.getsockname()[1]
        assert loopback.urls(listening) == [f"http://pi:{port}/", f"http://127.0.0.1:{port}/"]
        monkeypatch.setattr(loopback, "_ELSEWHERE", {socket.AF_INET: "255.255.255.255"})
        assert loopback.urls(listening) == [f"http://pi:{port}/"]  # there is no way to that
