"""Keep configured secrets out of what is logged."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from pydantic import BaseModel, SecretBytes, SecretStr

MASK = "**********"


def redacted(text: str, config: BaseModel) -> str:
    """``text`` with each secret that ``config`` holds masked.

    An error of somebody else's library may carry a URL with a key in it.
    """
    for secret in sorted(_secrets(config), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        if plain := value.get_secret_value():
            yield plain
            yield quote(plain, safe="")
    elif isinstance(value, SecretBytes):
        if raw := value.get_secret_value():
            yield raw.decode(errors="replace")
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets(getattr(value, field))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _secrets(item)
