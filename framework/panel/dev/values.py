"""The values that a page is drawn from while it is being written, and where each came from.

They come from a file, from the bus, or are made up, in this order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from framework.bus import Posted
from framework.errors import BusUnavailable, ConfigError
from framework.feed import Following
from framework.page import Page
from framework.panel.dev.sample import in_words, sample
from framework.redisbus import RedisBus
from framework.update import UtcTime, Values

_TIME: TypeAdapter[datetime] = TypeAdapter(UtcTime)
BUS_TIMEOUT_S = 1.0
"""A bus that does not answer in that time is none: it is not what is being worked on."""


@dataclass(frozen=True, slots=True)
class Found:
    """The values of one feed."""

    values: Values
    source: str
    """As people are told: "in tide.json"."""
    updated: datetime | None = None
    """When they were fetched, if that is known."""


async def find_values(
    page: Page[Any], files: Sequence[str], now: datetime
) -> tuple[Mapping[str, Found], datetime]:
    """Those of each feed of ``page``, by attribute; and the time that they are of.

    ``files``: each ``FILE`` or ``FEED=FILE``.

    :raises ConfigError: a file cannot be used, or no sample can be made.
    """
    found = dict(_of_file(page, each) for each in files)
    rest = {name: one for name, one in page.following.items() if name not in found}
    posted = await _snapshots(page, rest.values())
    instead: dict[str, str] = {}
    for attribute, one in rest.items():
        if one.name in posted:
            try:
                content = _json(posted[one.name].body, "on the bus")
                found[attribute] = _understood(one, content, "on the bus")
            except ConfigError as error:
                instead[attribute] = f"made up: {error}"
    at = max((each.updated for each in found.values() if each.updated), default=now)
    for attribute, one in rest.items():
        if attribute not in found:
            source = instead.get(attribute, "made up from the model")
            found[attribute] = Found(sample(one.model, at), source)
    return found, at


def feed_and_file(given: str) -> tuple[str | None, Path]:
    """The feed and the file in ``FILE`` or ``FEED=FILE``."""
    feed, equals, path = given.partition("=")
    return (feed, Path(path)) if equals and feed.isidentifier() else (None, Path(given))


def _of_file(page: Page[Any], given: str) -> tuple[str, Found]:
    feed, path = feed_and_file(given)
    where = f"in {path}"
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}. Check its name and its mode"
        ) from None
    content = _json(body, where)
    attribute = feed or _meant(page, content, path)
    if attribute not in page.following:
        raise ConfigError(f"{page.label} has no feed {attribute}. {_feeds(page)}")
    return attribute, _understood(page.following[attribute], content, where)


def _meant(page: Page[Any], content: Any, path: Path) -> str:
    """The feed that an update is of, or the only one there is."""
    kind = content.get("type") if isinstance(content, dict) and "values" in content else None
    able = [
        attribute for attribute, one in page.following.items() if kind in (None, one.model.__name__)
    ]
    if len(able) == 1:
        return able[0]
    raise ConfigError(f"say which feed {path} is for, as --values FEED={path}. {_feeds(page)}")


def _feeds(page: Page[Any]) -> str:
    return f"There are: {', '.join(page.following) or 'none'}"


def _json(body: bytes, where: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(body)
    raise ConfigError(f"what is {where} is no JSON")


def _understood(one: Following, content: Any, where: str) -> Found:
    """``content`` is an update, or values by themselves.

    :raises ConfigError: it is not valid.
    """
    updated = None
    try:
        if isinstance(content, dict) and content.keys() >= {"type", "values"}:
            updated, content = _TIME.validate_python(content.get("updated")), content["values"]
        values = one.model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        wrong = in_words(error)
    else:
        return Found(values, where, updated)
    raise ConfigError(f"what is {where} is no {one.model.__name__} ({wrong})")


async def _snapshots(page: Page[Any], followings: Iterable[Following]) -> dict[str, Posted]:
    """What the bus holds of them: nothing, if there is none that answers."""
    bus = RedisBus(page.config.redis_url.get_secret_value(), timeout_s=BUS_TIMEOUT_S)
    held = {}
    try:
        for one in followings:
            if (posted := (await bus.snapshot(one.name)).posted) is not None:
                held[one.name] = posted
    except BusUnavailable:
        pass
    finally:
        await bus.close()
    return held
