"""A tile from any JSON: what is published, what is refused, and that no key is ever shown."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from framework import ConfigError, Freshness
from framework.config.loading import load
from framework.config.sources import Document, Sources
from framework.testing import Canned, Harness
from services.anyjson import MOST_POINTS, JsonConfig, JsonServer
from services.feeds import Json

T0 = datetime(2026, 11, 24, 18, tzinfo=UTC)
URL = "https://api.example.com/v1/prices"
KEY = "k3y/with&signs"
ANSWER = {"bitcoin": {"usd": 67012.35, "text": "67012.35", "up": True, "none": None}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


async def told(answer: object, **options: Any) -> tuple[Json | None, str | None]:
    """What is published, and why nothing is."""
    server = JsonServer(name="btc", config=JsonConfig(url=URL, **options))
    async with Harness(server, now=T0, http={URL: answer}) as h:
        await h.fetch()
        update = h.published(Json, "btc")
        return None if update is None else update.values, h.unavailable


async def value(answer: object, **options: Any) -> object:
    tile, why = await told(answer, **options)
    assert tile is not None, why
    return tile.value


async def refusal(answer: object, **options: Any) -> str:
    tile, why = await told(answer, **options)
    assert tile is None
    assert why is not None
    return why


async def test_a_tile_is_what_the_configuration_says() -> None:
    tile, _ = await told(
        {"price": {"now": 67012.35}, "days": [{"p": 1}, {"p": None}, {"p": "2.5"}]},
        value="price.now",
        series="days[*].p",
        label="Bitcoin",
        unit="USD",
        color="amber",
        decimals=0,
    )
    assert tile == Json(
        label="Bitcoin",
        value=67012.35,
        unit="USD",
        color="amber",
        decimals=0,
        series=(1.0, None, 2.5),
    )


async def test_the_address_is_all_it_needs() -> None:
    tile, _ = await told(b"42")
    assert tile == Json(label="btc", value=42.0, unit="", color="text", decimals=None, series=())


async def test_a_value_is_shown_as_the_source_writes_it() -> None:
    assert await value(ANSWER, value="bitcoin.usd") == 67012.35
    assert await value(ANSWER, value="bitcoin.text") == "67012.35"
    assert await value(ANSWER, value="bitcoin.up") == "yes"
    assert await value(ANSWER, value="bitcoin.none") is None
    assert await value({"state": " open\n\u0007 now\t"}, value="state") == "open now"
    assert await value({"state": "x" * 5000}, value="state") == "x" * 200
    assert await value(rb'"\ud83d half"') == "half"


async def test_with_decimals_it_must_be_a_number() -> None:
    assert await value(ANSWER, value="bitcoin.text", decimals=2) == 67012.35
    said = await refusal(ANSWER, value="bitcoin.up", decimals=2)
    assert said == "bitcoin.up is a boolean, not a number"
    said = await refusal({"state": "open"}, value="state", decimals=0)
    assert said == "state is a text, not a number"


@pytest.mark.parametrize(
    ("answer", "options", "said"),
    [
        (ANSWER, {"value": "bitcoin.eur"}, "there is no bitcoin.eur: bitcoin is an object with"),
        (
            ANSWER,
            {"value": "bitcoin"},
            "bitcoin is an object with the keys 'usd', 'text', 'up', 'none', not a number or a tex",
        ),
        ([1], {}, "the whole is a list of 1, not a number or a text"),
        (ANSWER, {"value": "bitcoin.usd", "series": "bitcoin"}, "not a list of numbers"),
        ({"a": [1, "x"]}, {"value": "a[0]", "series": "a"}, "a[1] is a text, not a number"),
        ({"a": [1, [2]]}, {"value": "a[0]", "series": "a"}, "a[1] is a list of 1, not a number"),
        ({"a": [True]}, {"value": "a[0]", "series": "a"}, "a[0] is a boolean, not a number"),
        ({"a": [1, "nan"]}, {"value": "a[0]", "series": "a"}, "a[1] is a text, not a number"),
        (b"NaN", {}, "the whole is NaN, not a number"),
        (b"1e999", {}, "the whole is a number too large to be shown"),
        (b"9" * 4000, {}, "the whole is a number too large to be shown"),
        (b"9" * 5000, {}, "answers with something that is not JSON"),
        (b"<html>", {}, "answers with something that is not JSON"),
        (b"[" * 100_000, {}, "answers with something that is not JSON"),
        (Canned(status=404), {}, "api.example.com answers with status 404"),
    ],
)
async def test_what_cannot_be_shown_is_unavailable(
    answer: object, options: dict[str, str], said: str
) -> None:
    assert said in await refusal(answer, **options)


async def test_of_a_long_series_the_end_is_kept() -> None:
    tile, _ = await told(list(range(1000)), value="[-1]", series="")
    assert tile is not None
    assert tile.series == tuple(range(1000 - MOST_POINTS, 1000))
    said = await refusal([*range(1000), "x"], value="[0]", series="")
    assert said == "[1000] is a text, not a number"


PATHS = st.sampled_from(
    ["", "a", "[0]", "[-1]", "[*]", "[*][*]", "a.b", "a[*].b", '[""]', "[*][0]"]
)


@given(
    document=JSON,
    path=PATHS,
    series=st.none() | PATHS,
    decimals=st.none() | st.integers(0, 9),
)
async def test_whatever_is_answered_it_publishes_or_is_unavailable(
    document: Any, path: str, series: str | None, decimals: int | None
) -> None:
    body = json.dumps(document).encode()
    tile, why = await told(body, value=path, series=series, decimals=decimals)
    assert (tile is None) != (why is None)
    if tile is not None:
        assert Json.model_validate_json(tile.model_dump_json()) == tile


@pytest.mark.parametrize("minutes", [1, 10, 1440])
async def test_all_that_is_due_when_goes_by_the_minutes(minutes: float) -> None:
    every = timedelta(minutes=minutes)
    server = JsonServer(config=JsonConfig(url=URL, minutes=minutes))
    async with Harness(server, now=T0, http={URL: b"1"}) as h:
        wait = await server.attempt(server.publisher(h.bus))
        assert every <= wait <= every * 1.1
        await h.fetch()
        update = h.published(Json)
        assert update is not None
        # One request in vain is no reason to call it late.
        assert update.freshness(T0 + 2 * every) is Freshness.FRESH
        assert update.freshness(T0 + 4 * every) is Freshness.LATE
        h.http.answers[URL] = Canned(status=404)
        waits = [await server.step(server.publisher(h.bus)) for _ in range(20)]
    assert every / 2 <= waits[-1] <= every


# Keys.


async def test_the_key_is_put_where_the_address_and_the_headers_want_it() -> None:
    config = JsonConfig(
        url=URL + "?key={key}&json={0}",
        key=SecretStr(KEY),
        headers={"Authorization": "Bearer {key}", "X-Other": "{key.__class__}"},
    )
    async with Harness(JsonServer(config=config), now=T0, http={URL: b"1"}) as h:
        await h.fetch()
        (request,) = h.http.requests
    assert request.url.params["key"] == KEY
    assert request.url.params["json"] == "{0}"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["X-Other"] == "{key.__class__}"


async def test_the_key_may_be_the_name_of_a_host() -> None:
    config = JsonConfig(url="https://{key}.example.com/", key=SecretStr("k3y"))
    web = {"https://k3y.example.com/": b"1"}
    async with Harness(JsonServer(config=config), now=T0, http=web) as h:
        await h.fetch()
        assert h.unavailable is None


def test_the_address_may_stand_in_matrix_toml_or_sealed_and_is_never_in_a_repr() -> None:
    sealed = f"{URL}?key={KEY}"
    for sources in (
        Sources(table={"btc": {"url": sealed}}),
        Sources(environ={"MATRIX_BTC__URL": sealed}),
        Sources(secrets=[Document({"btc": {"url": sealed}})]),
    ):
        config = load(JsonConfig, "btc", sources=sources).config
        assert config.url == sealed
        assert KEY not in repr(config)


async def test_no_failure_shows_the_address_or_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    config = JsonConfig(
        url=URL + "/{key}", key=SecretStr("k3y"), headers={"X": "{key}"}, value="a.b"
    )
    server = JsonServer(name="btc", config=config)
    answers: list[object] = [b"<html>", b"{}", Canned(status=500), Canned(status=401), b"[]"]
    async with Harness(server, now=T0) as h:
        for answer in answers:
            h.http.answers[f"{URL}/k3y"] = answer
            await server.step(server.publisher(h.bus))
    assert "api.example.com" in caplog.text
    assert "k3y" not in caplog.text
    assert "/v1/prices" not in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": URL, "key": KEY}, "key: nothing asks for it; write {key} where it belongs"),
        ({"url": URL + "?k={key}"}, "key: {key} stands in url or headers; set btc.key in the sec"),
        ({"url": URL, "headers": {"X": "{key}"}}, "key: {key} stands in url or headers"),
        *(
            ({"url": url}, "url: must be http://HOST/... or https://HOST/...")
            for url in (
                "api.example.com/v1",
                "ftp://api.example.com/v1",
                "https:///v1",
                "https:api.example.com",
                "https://api.example.com:x/v1",
                "https://api.example.com:99999/v1",
                "https://[::1/v1",
                f" {URL}",
                f"{URL}\n",
                "",
                "http://256.1.1.1/",
                "http://a b/",
                "http://x\\y/",
            )
        ),
        ({"url": "http://{key}.example/", "key": KEY}, "url: must be http://HOST/..."),
        *(
            ({"url": URL, "headers": headers}, f"headers: {said}")
            for headers, said in (
                ({"A B": "x"}, "the name of a header cannot be sent"),
                ({"": "x"}, "the name of a header cannot be sent"),
                ({"A": "x\r\nB: y"}, "the value of the header A cannot be sent"),
                ({"A": "ü"}, "the value of the header A cannot be sent"),
                ({"A": " x "}, "the value of the header A cannot be sent"),
                ({"Host": "x"}, "the header Host follows from the request itself"),
            )
        ),
        *(
            (
                {"url": URL, "headers": {"A": "Bearer {key}"}, "key": KEY + end},
                "headers, with the key: the value of the header A cannot be sent: it must be",
            )
            for end in ("\n", "ä")
        ),
        ({"url": URL, "value": "a..b"}, "value: is no path from its character 2 on"),
        ({"url": URL, "series": "a["}, "series: is no path from its character 2 on"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        JsonServer(name="btc", config=JsonConfig(**options))
    assert str(error.value).startswith(f"JsonConfig [btc] {said}")
    assert KEY not in str(error.value)
    assert error.value.__context__ is None
