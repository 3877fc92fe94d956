"""``redis_url``: what can be one, and how much of it may be shown. Opens nothing."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qs, urlsplit

from framework.errors import ConfigError

_TLS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


def place_of(url: str) -> str:
    """``host:port/db``, all of the URL that may be shown; ``ConfigError`` if it cannot be one."""
    place = None
    options: set[str] = set()
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        port, db = parts.port or 6379, parts.path.strip("/") or "0"
        if parts.scheme in ("redis", "rediss") and parts.hostname and db.isdecimal():
            place = f"{parts.hostname}:{port}/{db}"
            options = set(parse_qs(f"{parts.query}", keep_blank_values=True))
            options -= _TLS_OPTIONS if parts.scheme == "rediss" else set()
            options |= {"fragment"} if parts.fragment else set()
    if place is None:
        raise ConfigError(
            "redis_url is no Redis URL. It reads redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// "
            "for TLS; special characters in USER and PASSWORD are percent-encoded (/ is %2F)"
        )
    if options:
        raise ConfigError(
            "redis_url holds options that are not supported: after ? there can only be "
            f"{', '.join(sorted(_TLS_OPTIONS))}, with rediss://; a password's ? is %3F, its # %23"
        )
    return place
