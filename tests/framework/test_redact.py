"""Secrets are masked wherever they stand in a configuration, and however they are spelt."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from framework.config import Config
from framework.redact import MASK, redacted


class Login(BaseModel):
    user: str
    password: SecretStr


class MailConfig(Config):
    logins: tuple[Login, ...] = ()
    by_host: dict[str, SecretStr] | None = None
    key: SecretBytes = SecretBytes(b"")
    pin: Secret[int] = Secret(0)


CONFIG = MailConfig(
    redis_url=SecretStr("redis://:pass%2Fword@host/0"),
    logins=(
        Login(user="ann", password=SecretStr("anna b/c")),
        Login(user="bo", password=SecretStr("anna b")),
    ),
    by_host={"x": SecretStr("token")},
    key=SecretBytes(b"\xff raw"),
    pin=Secret(271828),
)


def only(secret: str) -> MailConfig:
    return MailConfig(by_host={"x": SecretStr(secret)})


def test_every_secret() -> None:
    text = "redis://:pass%2Fword@host/0|anna b/c|anna%20b%2Fc|anna b|token|b'\\xff raw'|271828|ann"
    masked = [MASK] * 5 + [f"b'{MASK}'", MASK, "ann"]
    assert redacted(text, CONFIG) == "|".join(masked)


def test_of_a_url_the_password_alone() -> None:
    said = "AUTH pass/word at //:pass%2fword@host"
    assert redacted(said, CONFIG) == f"AUTH {MASK} at //:{MASK}@host"
    assert redacted("redis://[half", only("redis://[half")) == MASK


def test_what_is_short_or_empty_masks_nothing() -> None:
    assert redacted("no answer within 30 s", only("a")) == "no answer within 30 s"
    assert redacted("nothing to hide", MailConfig()) == "nothing to hide"


SECRETS = ("hunter2", "ab c/d+e=", 'quo"te\\x', "it's\\", "line\nend", "äö€ü", "100%25", "🗝️🗝️")


@pytest.mark.parametrize("secret", SECRETS)
def test_however_a_library_spells_it(secret: str) -> None:
    raw = secret.encode()
    spelt = {
        "plain": secret,
        "repr": repr(secret)[1:-1],
        "of bytes": repr(raw)[2:-1],
        "JSON": json.dumps(secret)[1:-1],
        "JSON in Unicode": json.dumps(secret, ensure_ascii=False)[1:-1],
        "quoted": quote(secret),
        "quoted whole": quote(secret, safe=""),
        "quoted in lower case": quote(secret, safe="").lower(),
        "form": quote_plus(secret),
        "query": str(httpx2.QueryParams({"k": secret})).removeprefix("k="),
        "only what must be": quote(secret, safe="!$&'()*+,;=:@/?"),
        "Base64": b64encode(raw).decode(),
        "Base64 of URLs": urlsafe_b64encode(raw).decode(),
    }
    for how, text in spelt.items():
        masked = redacted(f"<{text}>", only(secret))
        assert masked.strip("<=>") == MASK, how


@given(st.binary(max_size=7), st.text(min_size=4), st.binary(max_size=7))
@example(b"user:", "hunter2", b"")
def test_in_base64_among_others(before: bytes, secret: str, after: bytes) -> None:
    raw = secret.encode()
    for encode in (b64encode, urlsafe_b64encode):
        masked = redacted(encode(before + raw + after).decode(), only(secret))
        assert MASK in masked
        assert len(masked.replace(MASK, "")) <= (len(before) + len(after)) * 4 / 3 + 6


@given(st.text(min_size=4), st.text(), st.text())
def test_it_is_never_there_afterwards(secret: str, before: str, after: str) -> None:
    if secret not in MASK and secret not in before + MASK + after:
        assert secret not in redacted(before + secret + after, only(secret))
