"""What is an address of the web: what can be asked at all, whoever answers there. Opens nothing."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_NUMBERS = re.compile(r"\d+(\.\d+){3}")


def is_of_the_web(url: str) -> bool:
    """Whether it says whom to ask, and how: ``http(s)://HOST/...``."""
    with suppress(ValueError):  # of a port, or the brackets of an IPv6 address
        parts = urlsplit(url)
        has_host = _is_host(parts.hostname or "") and parts.port != 0
        # Of the text itself: urlsplit leaves out the line ends in it, and the spaces before it.
        return has_host and url.isprintable() and url.lower().startswith(("http://", "https://"))
    return False


def _is_host(name: str) -> bool:
    """:raises ValueError: it is meant to be an address of IP, and is none."""
    if ":" in name or _NUMBERS.fullmatch(name):
        ip_address(name)
        return True
    return _NAME.fullmatch(name) is not None
