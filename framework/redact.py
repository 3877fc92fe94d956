"""Keep configured secrets out of what is logged.

It knows how libraries spell what they were given: in URLs, JSON, reprs and Base64. What is shorter
than ``SHORTEST`` bytes is left alone: it is in every other sentence, and keeps nobody out.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

MASK = "**********"
SHORTEST = 4
"""Of what is masked, in bytes."""


def redacted(text: str, config: BaseModel) -> str:
    """``text`` with each secret that ``config`` holds masked, however it is spelt.

    An error of somebody else's library may carry a URL with a key in it. Of a secret that is a URL,
    the password is one as well.
    """
    secrets = {secret for secret in _secrets(config) if len(secret) >= SHORTEST}
    # The longest first: of two that begin alike, the shorter one would show the other's end.
    longest_first = sorted(secrets, key=len, reverse=True)
    spelt = "|".join(pattern for secret in longest_first for pattern in _spelt(secret))
    return re.sub(spelt, MASK, text) if spelt else text


def _secrets(value: object) -> Iterator[bytes]:
    if isinstance(value, Secret | SecretStr | SecretBytes):
        secret: object = value.get_secret_value()
        if isinstance(secret, bytes):
            yield secret
        else:
            yield from _with_password(str(secret))
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets(getattr(value, field))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _secrets(item)


def _with_password(secret: str) -> Iterator[bytes]:
    yield secret.encode("utf-8", "surrogatepass")
    with suppress(ValueError):
        if password := urlsplit(secret).password:
            yield unquote(password).encode()


def _spelt(secret: bytes) -> Iterator[str]:
    """Patterns of all that a library may make of it."""
    plain = secret.decode("utf-8", "replace")
    escaped = {
        json.dumps(plain)[1:-1],
        json.dumps(plain, ensure_ascii=False)[1:-1],
        repr(plain)[1:-1],
        repr(secret)[2:-1],
    }
    # Escaped it may begin as it does plain, and would show its end.
    yield from map(re.escape, escaped - {plain})
    yield "".join(map(_percent, plain))
    yield from _base64(secret)


def _percent(character: str) -> str:
    """It, or what a URL has instead. What must be quoted is a matter of opinion."""
    quoted = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    space = r"|\+" if character == " " else ""
    return f"(?:(?i:{quoted})|{re.escape(character)}{space})"


def _base64(secret: bytes) -> Iterator[str]:
    """Wherever it begins in a longer text, as in ``user:password``: in three ways, as three bytes
    are four characters. Those at its ends it shares with what is beside it."""
    shared = r"[\w+/-]?"
    for before in range(3):
        whole = b64encode(bytes(before) + secret).decode()
        own = whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        either = own.replace("+", "[+-]").replace("/", "[/_]")  # the standard, and that of URLs
        yield f"{shared if before else ''}{either}{shared}"
