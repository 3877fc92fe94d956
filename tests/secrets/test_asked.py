"""Fields by their names alone: which source counts, and what is not decrypted."""

from __future__ import annotations

from typing import Any

import pytest

from framework.errors import ConfigError
from framework.project import Project
from framework.secrets.asked import Found, read_asked
from framework.secrets.settings import SecretsSettings

ONE = 'path = "one.sealed"'
TWO = 'path = "two.sealed"'
FIELDS = 'path = "fields.sealed"\nlayout = "fields"'
PLAIN = 'path = "plain.json"\nplain = true'


def asked(project: Project, *data_keys: str) -> list[Found]:
    return read_asked(SecretsSettings.of(project), data_keys)


def one(project: Project, data_key: str) -> Found:
    (found,) = asked(project, data_key)
    return found


def test_what_is_sealed_counts_most_and_then_what_comes_later(folder: Any) -> None:
    folder.seal("one.sealed", {"tide": {"token": "first"}, "latitude": 1})
    folder.seal("two.sealed", {"tide": {"token": "second"}})
    folder.write("plain.json", '{"tide": {"token": "plain", "station": "x"}, "latitude": 2}')
    project = folder.sources(ONE, TWO, PLAIN)
    assert asked(project, "tide.token", "latitude", "tide.station") == [
        Found("tide.token", "tide.token in two.sealed", "second"),
        Found("latitude", "latitude in one.sealed", 1),
        Found("tide.station", "tide.station in plain.json, which is not encrypted", "x"),
    ]


@pytest.mark.parametrize(
    ("data_key", "value"),
    [
        ("harbour_2.token", "t"),  # however the section is written
        ("harbour_2.server", {"host": "h"}),
        ("harbour_2.off", None),
        ("tags", ["a"]),
    ],
)
def test_it_is_there(folder: Any, data_key: str, value: object) -> None:
    section = {"token": "t", "server": {"host": "h"}, "off": None}
    folder.seal("one.sealed", {"Harbour-2": section, "tags": ["a"]})
    found = one(folder.sources(ONE), data_key)
    assert (found.where, found.value) == (f"{data_key} in one.sealed", value)


@pytest.mark.parametrize(
    ("data_key", "near"),
    [
        ("tide.tokn", "tide.token"),
        ("tide.zzz", None),
        ("tide", None),  # a section is no field
        ("moon.token", None),
        ("token", None),
        ("flat.token", None),
    ],
)
def test_it_is_nowhere(folder: Any, data_key: str, near: str | None) -> None:
    folder.seal("one.sealed", {"tide": {"token": "t"}, "flat": "no section"})
    assert one(folder.sources(ONE), data_key) == Found(data_key, None, near=near)


def test_of_sealed_fields_no_other_is_decrypted(folder: Any) -> None:
    folder.seal_fields("fields.sealed", {"tide.token": "t", "latitude": "52"})
    held = folder.store_of("fields.sealed").read()
    folder.store("fields.sealed", {**held.data, "tide.other": "no ciphertext"})
    project = folder.sources(FIELDS)
    assert [found.value for found in asked(project, "tide.token", "latitude")] == ["t", "52"]
    with pytest.raises(ConfigError, match=r"tide\.other in fields\.sealed is not sealed"):
        asked(project, "tide.other")


def test_a_found_value_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(Found("tide.token", "somewhere", "hunter2"))
