"""The token that other machines show the panel with: made once, kept in the state folder.

A page gets it with the address that is printed, and keeps it as a cookie. Whoever has it sees the
panel and may press its buttons, no more. It travels as it is: where the network is not one's own,
a proxy with TLS belongs in front.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from framework import durable
from framework.errors import ConfigError
from framework.project import make_state

FILE = "web-token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,128}")


def token_of(state: Path) -> str:
    """The one of that state folder, made if need be. To have another, remove the file.

    :raises ConfigError: what is in the file is none, or it cannot be read or made.
    """
    path = make_state(state) / FILE
    try:
        with durable.locked(path):
            if not path.exists():
                durable.write(path, f"{secrets.token_urlsafe(24)}\n".encode(), mode=0o600)
        token = durable.read(path)[0].decode("ascii", "replace").strip()
    except OSError as error:
        problem = error.strerror
    else:
        if _TOKEN.fullmatch(token):
            return token
        problem = "it holds no token"
    raise ConfigError(f"{path} cannot be used: {problem}. Remove it, and another is made")


def shown(token: str, port: int, *, cookie: str, authorization: str) -> bool:
    """Whether a request with these headers shows it to the panel at ``port``: in a cookie, or as
    ``Bearer``."""
    scheme, _, bearer = authorization.partition(" ")
    given = [bearer.strip()] if scheme.lower() == "bearer" else []
    return is_one_of(token, [*given, *_cookies(cookie, port)])


def is_one_of(token: str, given: Iterable[str]) -> bool:
    """In a time that does not tell how much of it is right."""
    return any(hmac.compare_digest(token.encode(), each.encode()) for each in given)


def cookie_of(token: str, port: int, *, over_tls: bool) -> str:
    """The header that has a browser keep it for the panel at ``port``: out of scripts, to be sent
    from another site only by who clicks a link there, and, if it came ``over_tls``, never without.
    """
    plain, secure = _names(port)
    kept = f"{token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
    return f"{secure}={kept}; Secure" if over_tls else f"{plain}={kept}"


def _names(port: int) -> tuple[str, str]:
    """Without TLS and with it: the one could not take the place of the other. A browser keeps
    cookies by host, whatever the port, and there may be several panels on one."""
    name = f"matrix-panel-{port}"
    return name, f"__Host-{name}"


def _cookies(header: str, port: int) -> list[str]:
    """By hand: ``SimpleCookie`` gives up all of them for one, of whatever else there is on the
    host, that it cannot read."""
    pairs = (each.strip().partition("=") for each in header.split(";"))
    return [value for name, _, value in pairs if name in _names(port)]
