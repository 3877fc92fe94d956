"""The ``data`` of a Kubernetes Secret: bytes by data key, in base64 on the wire. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any


def encoded(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}


def decoded(data: Any) -> dict[str, bytes] | None:
    """None: it is not as Kubernetes has it."""
    try:
        return {key: base64.b64decode(value, validate=True) for key, value in (data or {}).items()}
    except (AttributeError, TypeError, ValueError):
        return None


def size(data: Mapping[str, str]) -> int:
    """How many bytes Kubernetes counts."""
    return sum(len(value) // 4 * 3 - value.count("=") for value in data.values())


def texts_of(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Those that are texts in UTF-8: ciphertexts are."""
    texts = {}
    for key, content in contents.items():
        try:
            texts[key] = content.decode()
        except UnicodeDecodeError:
            continue
    return texts
