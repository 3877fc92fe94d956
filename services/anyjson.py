"""A tile from any JSON of the web: an address, a path into its answer, and a label; no Python.

    [[service]]
    use = "json"
    name = "btc"

    [config.btc]
    url = "https://api.example.com/v1/prices?ids=bitcoin&key={key}"
    value = "bitcoin.usd"
    label = "Bitcoin"

    [[page]]
    use = "tile"
    name = "btcpage"
    feeds = { tile = "btc" }

One alone needs no names: its section is ``[config.json]``, and the page follows it by itself.
Paths are read and followed by ``jsonpath``; what travels is ``services.feeds.Json``, and how it is
drawn is left to the page.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr

from framework import Config, ConfigError, ServerBase, Unavailable
from framework.oneline import one_line
from framework.webaddress import is_of_the_web
from framework.webheaders import problem_with
from services.feeds import Json, ValueColour
from services.jsonkind import described
from services.jsonpath import Path, find, named, parse

LONGEST_TEXT = 200
MOST_POINTS = 512
"""As many as the widest panel has columns."""
KEY = "{key}"
"""Where the key stands in ``url`` and ``headers``."""


class JsonConfig(Config):
    # Plain, so that it may stand in matrix.toml; it is in no repr, because one that is sealed as a
    # whole holds a key as well.
    url: str = Field(repr=False)
    """What to ask. ``{key}`` in it, and in ``headers``, becomes ``key``."""
    key: SecretStr | None = None
    headers: dict[str, str] = Field(default={}, repr=False)
    value: str = Field(default="", max_length=200)
    """The path to what is shown; empty: the whole answer is."""
    series: str | None = Field(default=None, max_length=200)
    """The path to a list of numbers: a line below the value. Of a long one, its end."""
    label: str = Field(default="", max_length=40)
    """Empty: the name of the instance."""
    unit: str = Field(default="", max_length=12)
    color: ValueColour = "text"
    decimals: int | None = Field(default=None, ge=0, le=9)
    """None: as the source writes it. With a number here, what is no number is an error."""
    minutes: float = Field(default=10, ge=1, le=1440)
    """From one request to the next, and at most a tenth more."""


class JsonServer(ServerBase[Json, JsonConfig]):
    """One value, and if you like a series, out of whatever JSON is at an address."""

    def __init__(self, *, name: str | None = None, config: JsonConfig | None = None) -> None:
        super().__init__(name=name, config=config)
        self._value = self._path("value", self.config.value)
        series = self.config.series
        self._series = None if series is None else self._path("series", series)
        wanted = any(KEY in text for text in (self.config.url, *self.config.headers.values()))
        if wanted != (self.config.key is not None):
            raise self._wrong(
                "key",
                f"{KEY} stands in url or headers; set {self.name}.key in the secrets"
                if wanted
                else f"nothing asks for it; write {KEY} where it belongs, in url or in headers",
            )
        if not is_of_the_web(self._url()):
            raise self._wrong("url", "must be http://HOST/... or https://HOST/...")
        for name, text in self._headers().items():
            if problem := problem_with(name, text):
                is_whole = KEY not in self.config.headers[name]
                raise self._wrong("headers" if is_whole else "headers, with the key", problem)

    def every(self) -> timedelta:
        return timedelta(minutes=self.config.minutes)

    async def fetch(self) -> Json:
        config = self.config
        reply = await self.http.get(self._url(), headers=self._headers())
        document = reply.json()
        return Json(
            label=config.label or self.name,
            value=self._shown(find(document, self._value)),
            unit=config.unit,
            color=config.color,
            decimals=config.decimals,
            series=self._points(document),
        )

    def _url(self) -> str:
        return self.config.url.replace(KEY, quote(self._key(), safe=""))

    def _headers(self) -> dict[str, str]:
        key = self._key()
        return {name: text.replace(KEY, key) for name, text in self.config.headers.items()}

    def _key(self) -> str:
        return self.config.key.get_secret_value() if self.config.key else ""

    def _shown(self, found: Any) -> float | str | None:
        if found is None:
            return None
        if self.config.decimals is None:
            if isinstance(found, bool):
                return "yes" if found else "no"
            if isinstance(found, str):
                return one_line(found, longest=LONGEST_TEXT)
            if isinstance(found, dict | list):
                raise _not("a number or a text", found, self._value)
        return number(found, self._value)

    def _points(self, document: Any) -> tuple[float | None, ...]:
        if self._series is None:
            return ()
        found = find(document, self._series)
        if not isinstance(found, list):
            raise _not("a list of numbers", found, self._series)
        return tuple(
            None if point is None else number(point, (*self._series, at))
            for at, point in enumerate(found[-MOST_POINTS:], start=max(0, len(found) - MOST_POINTS))
        )

    def _path(self, field: str, text: str) -> Path:
        try:
            return parse(text)
        except ValueError as error:
            problem = str(error)
        raise self._wrong(field, problem)

    def _wrong(self, field: str, problem: str) -> ConfigError:
        return ConfigError(f"JsonConfig [{self.name}] {field}: {problem}")


def number(found: Any, path: Path) -> float:
    """A number, or a text that is one.

    :raises Unavailable: it is none, or too large for a float.
    """
    value = math.nan
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        try:
            value = float(found)
        except ValueError:
            pass
        except OverflowError:  # an int of hundreds of digits; as a float it is read as infinite
            value = math.inf
    if math.isnan(value):
        raise _not("a number", found, path)
    if math.isinf(value):
        raise Unavailable(f"{named(path)} is a number too large to be shown")
    return value


def _not(wanted: str, found: Any, path: Path) -> Unavailable:
    return Unavailable(f"{named(path)} is {described(found)}, not {wanted}")


if __name__ == "__main__":
    JsonServer.run()
