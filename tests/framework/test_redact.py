"""Secrets are masked wherever they stand in a configuration."""

from __future__ import annotations

from pydantic import BaseModel, SecretBytes, SecretStr

from framework.config import Config
from framework.redact import MASK, redacted


class Login(BaseModel):
    user: str
    password: SecretStr


class MailConfig(Config):
    logins: tuple[Login, ...] = ()
    by_host: dict[str, SecretStr] | None = None
    key: SecretBytes = SecretBytes(b"")


CONFIG = MailConfig(
    redis_url=SecretStr("redis://:pw@host/0"),
    logins=(
        Login(user="ann", password=SecretStr("a b/c")),
        Login(user="bo", password=SecretStr("a b")),
    ),
    by_host={"x": SecretStr("tok")},
    key=SecretBytes(b"raw"),
)


def test_every_secret_and_its_quoted_form() -> None:
    text = "redis://:pw@host/0 a b/c a%20b%2Fc a b tok raw ann"
    assert redacted(text, CONFIG) == " ".join([MASK] * 6 + ["ann"])


def test_empty_secrets_mask_nothing() -> None:
    assert redacted("nothing to hide", MailConfig()) == "nothing to hide"
