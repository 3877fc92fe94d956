"""What is an address of the web, and what only looks like one."""

from __future__ import annotations

import pytest

from framework.webaddress import is_of_the_web


@pytest.mark.parametrize(
    "url",
    [
        "https://tides.example",
        "HTTP://Tides.example:8080/v1?place=a b&key={key}#now",
        "http://user:password@127.0.0.1/",
        "http://[::1]:80/",
        "https://gezeiten.example/höhe",
        "https://höhe_1.example./",
        "http://1.2.3.example/",
    ],
)
def test_it_is_one(url: str) -> None:
    assert is_of_the_web(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tides.example/v1",
        "ftp://tides.example/",
        "file:///etc/passwd",
        "https:tides.example",
        "https:///v1",
        "https://:443/",
        "https://tides.example:0/",
        "https://tides.example:99999/",
        "https://tides.example:port/",
        "https://[::1/",
        "https://256.1.1.1/",
        "https://tides example/",
        "https://tides\\example/",
        "https://tides..example/",
        f"https://{'tides' * 13}.example/",
        "https://{key}.example/",
        " https://tides.example/",
        "https://tides.example/\n",
        "https://tides\t.example/",
        "https://tides\u200b.example/",
    ],
)
def test_it_is_none(url: str) -> None:
    assert not is_of_the_web(url)
