"""What is an address of the web: what can be asked at all, whoever answers there. Opens nothing."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit


def is_of_the_web(url: str) -> bool:
    """Whether it says whom to ask, and how: ``http(s)://HOST/...``."""
    with suppress(ValueError):  # of a port, or the brackets of an IPv6 address
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
        # Of the text itself: urlsplit leaves out the line ends in it, and the spaces before it.
        return has_host and url.isprintable() and url.lower().startswith(("http://", "https://"))
    return False
