"""Names in the secrets that nobody declared: which are found, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from framework.secrets.prune import Tree
from framework.secrets.strangers import lines, strangers

TREE = Tree(
    own={"tide": {"token": {}, "stationId": {}}, "harbour_2": {"token": {}}},
    shared={"latitude": {}, "redis_url": {}},
)


def said(document: dict[str, Any], *there: str) -> list[str]:
    return list(lines("s.sealed", strangers(document, TREE), TREE, there))


def test_in_a_section_every_name_is_told_and_at_the_top_level_what_is_like_one() -> None:
    document = {
        "TIDE": {"tokne": "x", "Token": "x", "latitude": 1, "hunter2!": "x", "": "x"},
        "moon": {"x": "x"},
        "latitude": {"x": "x"},
        "lattitude": "x",
        "redis-ur": ["x"],
        "hunter2": "x",
        "tidee": {"token": "x"},
        "Harbor-2": {},
        "latitude!!": "x",
    }
    assert strangers(document, TREE) == [
        *(("tide", "tokne"), ("tide", "Token"), ("tide", "latitude")),
        *(("", "lattitude"), ("", "redis-ur"), ("tidee", ""), ("Harbor-2", "")),
    ]


def test_in_texts_case_does_not_count() -> None:
    document = {"tide": {"stationid": "x", "tokne": "x"}}
    assert strangers(document, TREE, texts=True) == [("tide", "tokne")]
    assert strangers(document, TREE) == [("tide", "stationid"), ("tide", "tokne")]


@pytest.mark.parametrize("section", ["tide_2", "tidepage", "tide_north", "harbour", "moon"])
def test_what_is_most_likely_another_instance(section: str) -> None:
    assert said({section: {"token": "x"}}) == []


def test_a_section_is_not_meant_to_be_one_that_is_there() -> None:
    document: dict[str, Any] = {"tidy": {}, "tide": {}}
    assert said(document) == ["tidy in s.sealed belongs to no instance here: did you mean tide?"]
    assert said(document, "tide") == []


def test_the_names_of_sections_are_one_line() -> None:
    document = {
        "tide": {"tokne": "x", "x": "x", "y": "x"},
        "harbour_2": {"tokn": "x"},
        "lattitude": "x",
    }
    assert said(document) == [
        "lattitude in s.sealed is read by no instance here: did you mean latitude?",
        "s.sealed has tide.tokne (did you mean token?), tide.x, tide.y, harbour_2.tokn (did you "
        "mean token?), which nobody declared; tide takes token, stationId",
    ]
