"""Keep configured secrets out of what is logged.

It knows how libraries spell what they were given: in URLs, HTML, JSON, reprs and Base64, in other
case, and one within the other. What is shorter than ``SHORTEST`` bytes is left alone: it is in
every other sentence, and keeps nobody out.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from html.entities import codepoint2name
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

MASK = "**********"
SHORTEST = 4
"""Of what is masked, in bytes."""
SHORTEST_OF_A_QUERY = 8
"""Of one value in the query of a URL: there are words in it as well."""
_DEEPEST = 8
"""Backslashes for one, which was escaped three times. More would let a long row take long."""


def redacted(text: str, config: BaseModel) -> str:
    """``text`` with each secret that ``config`` holds masked, however it is spelt.

    An error of somebody else's library may carry a URL with a key in it. Of a secret that is a URL,
    the password is one as well (or the user, if there is none), and of one of the web the values in
    its query.
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
            yield from _with_its_parts(str(secret))
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets(getattr(value, field))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _secrets(item)


def _with_its_parts(secret: str) -> Iterator[bytes]:
    yield secret.encode("utf-8", "surrogatepass")
    with suppress(ValueError):
        url = urlsplit(secret)
        if own := url.password or url.username:
            yield unquote(own).encode()
        if url.scheme in ("http", "https"):
            values = (value.encode() for _, value in parse_qsl(url.query))
            yield from (value for value in values if len(value) >= SHORTEST_OF_A_QUERY)


def _spelt(secret: bytes) -> Iterator[str]:
    """Patterns of all that a library may make of it."""
    pairs = re.findall(r"(\\*)([^\\]?)", secret.decode("utf-8", "surrogateescape"))
    yield f"(?i:{''.join(_row(len(row)) + _however(one, after=row) for row, one in pairs)})"
    yield from _base64(secret)


def _row(count: int) -> str:
    """Backslashes. As a whole: each for itself, they could share a long row in more ways than can
    be tried. Those of an escape behind it are in it as well, but for one."""
    instead = "|".join(_instead("\\", most=_DEEPEST))
    return rf"(?:(?:{instead}){{{count}}}|\\{{{count},{_DEEPEST * (count + 1)}}})" if count else ""


def _however(character: str, *, after: str = "") -> str:
    """It, or what there is instead in a URL, HTML, JSON or a repr. What must be escaped is a matter
    of opinion. ``after``: the backslashes that it follows."""
    if character.isascii() and character.isalnum():
        return f"(?:{character}|{_percent(character)})"
    most = 1 if after else _DEEPEST
    own = rf"\\{{0,{most - 1}}}{re.escape(character)}"
    return f"(?:{'|'.join(_instead(character, most=most))}|{own})" if character else ""


def _instead(character: str, *, most: int) -> Iterator[str]:
    """``most``: of the backslashes that escape it."""
    code = ord(character)
    name = f"|{codepoint2name[code]}" if code in codepoint2name else ""
    yield _percent(character)
    yield rf"&(?:amp;)*(?:#0*{code}|#x0*{code:x}{name});"
    if character == " ":
        yield r"\+"
    escapes = {
        f"\\u{code:04x}",
        json.dumps(character)[1:-1],
        ascii(character)[1:-1],
        repr(_encoded(character))[2:-1],
    }
    for escape in escapes:
        if escape[-1].isalnum():
            first, *others = escape.split("\\")[1:]
            yield rf"\\{{1,{most}}}{first}" + "".join(
                rf"\\{{1,{_DEEPEST}}}{other}" for other in others
            )


def _percent(character: str) -> str:
    return "".join(f"%(?:25)*{byte:02x}" for byte in _encoded(character))


def _encoded(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


_EITHER_BASE64 = {  # of the standard, and of URLs
    each: f"(?:{of_urls}|(?i:{_however(each)}))" for each, of_urls in (("+", "-"), ("/", "_"))
}


def _base64(secret: bytes) -> Iterator[str]:
    """Wherever it begins in a longer text, as in ``user:password``: in three ways, as three bytes
    are four characters. Those at its ends it shares with what is beside it."""
    shared = r"[\w+/-]?"
    for before in range(3):
        whole = b64encode(bytes(before) + secret).decode()
        own = whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        either = "".join(_EITHER_BASE64.get(character, character) for character in own)
        yield f"{shared if before else ''}{either}{shared}"
