"""Secrets are masked wherever they stand in a configuration, and however they are spelt."""

from __future__ import annotations

import html
import json
import time
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


def test_of_a_url_without_a_password_the_user_alone() -> None:
    for url in ("redis://t%2Fken@host", "https://t%2Fken:@host/"):
        assert redacted("t/ken of host", only(url)) == f"{MASK} of host"
    assert redacted("ann at host", only("redis://ann:token@host")) == "ann at host"


def test_of_an_address_of_the_web_what_its_query_says_alone() -> None:
    url = "https://host/?key=abcd%2F1234&format=json&empty="
    assert redacted("abcd/1234 is no key, says the JSON", only(url)) == (
        f"{MASK} is no key, says the JSON"
    )
    said = "no such file: /etc/ca.pem"
    assert redacted(said, only("rediss://host?ssl_ca_certs=/etc/ca.pem")) == said


def test_in_other_case_as_in_the_name_of_a_host() -> None:
    assert redacted("secretkey.example cannot be reached", only("SecretKEY")) == (
        f"{MASK}.example cannot be reached"
    )


def test_what_is_short_or_empty_masks_nothing() -> None:
    assert redacted("no answer within 30 s", only("a")) == "no answer within 30 s"
    assert redacted("nothing to hide", MailConfig()) == "nothing to hide"


SECRETS = (
    "hunter2",
    "ab c/d+e=",
    'quo"te\\x',
    "it's\\",
    "\\\\server\\a",
    "<b>&'\"",
    "line\nend",
    "äö€ü",
    "100%25",
    "🗝️🗝️",
    "~~~???",
)


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
        "quoted twice": quote(quote(secret, safe=""), safe=""),
        "HTML": html.escape(secret),
        "HTML twice": html.escape(html.escape(secret)),
        "HTML in numbers": secret.encode("ascii", "xmlcharrefreplace").decode(),
        "JSON with slashes": json.dumps(secret)[1:-1].replace("/", r"\/"),
        "JSON for HTML": json.dumps(secret)[1:-1].replace("<", r"\u003c").replace("&", r"\u0026"),
        "JSON in JSON": json.dumps(json.dumps(secret)),
        "repr of a repr": repr(repr(secret)),
        "repr of that of bytes": repr(repr(raw)).replace("b", "", 1),
        "ASCII": ascii(secret)[1:-1],
        "quoted Base64": quote(b64encode(raw).decode(), safe=""),
        "Base64 of URLs": urlsafe_b64encode(raw).decode(),
    }
    for how, text in spelt.items():
        masked = redacted(f"<{text}>", only(secret))
        assert masked.replace("%3D", "").strip("<=>'\"\\") == MASK, how


@pytest.mark.parametrize("secret", ["hunter2", "\\" * 20 + "x", '\\"\\"\\"', "%%%%%", "&&&&&"])
@pytest.mark.parametrize("odd", ["x", "\\", "%25", "&amp;", "&#0"])
def test_no_text_takes_long(secret: str, odd: str) -> None:
    """The time for twice as much is to be twice as long, and not four times."""
    config = only(f"{odd}{secret}")
    once, twice = (min(_took_s(odd * size, config) for _ in range(3)) for size in (20_000, 40_000))
    assert twice < 3 * once + 0.05


@pytest.mark.parametrize("each", ['\\"', "\\\n", "\\é", "\\%", "\\\\", "\\\\'"])
def test_what_is_almost_there_takes_no_long(each: str) -> None:
    escaped = json.dumps(json.dumps(each * 24))
    assert _took_s(escaped * 10, only(each * 24 + "x")) < 1
    assert MASK in redacted(escaped, only(each * 24))


def _took_s(text: str, config: MailConfig) -> float:
    began_s = time.process_time()
    redacted(text, config)
    return time.process_time() - began_s


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
