"""The embedded SecretManager: ciphertext is fetched and decrypted in a process of its own, and only
what a class declares ever reaches the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.secrets.manager import SecretManager

__all__ = ["SecretManager"]


def __getattr__(name: str) -> object:
    # The process that decrypts imports this package too, and must not import pydantic.
    if name != "SecretManager":
        raise AttributeError(f"module 'framework.secrets' has no attribute {name!r}")
    from framework.secrets.manager import SecretManager

    return SecretManager
