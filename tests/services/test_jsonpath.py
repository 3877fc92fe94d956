"""Paths into JSON: what they reach, what they are refused for, and what is said of wrong ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import Unavailable
from services.jsonkind import COMPARED_KEYS
from services.jsonpath import Every, Path, Step, find, parse, written

FORECAST = {
    "current": {"temperature": 18.5, "wind.max": 7, "": 0},
    "items": [{"value": 1}, {"value": 2}, {"value": 3}],
    "prices": [[1, 100.0], [2, 101.5]],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.text(), st.integers(-999_999_999, 999_999_999), st.just(Every.ENTRY)
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", FORECAST),
        ("current.temperature", 18.5),
        ('current["wind.max"]', 7),
        ('current[""]', 0),
        ("items[0].value", 1),
        ("items[-1].value", 3),
        ("items[-3].value", 1),
        ("items[*].value", [1, 2, 3]),
        ("prices[*][1]", [100.0, 101.5]),
        ('["items"][1]["value"]', 2),
        ("$", FORECAST),
        ("$.current.temperature", 18.5),
        ('$["items"][0].value', 1),
        (" current . temperature ", 18.5),
        (" $.prices [ * ] [1] ", [100.0, 101.5]),
    ],
)
def test_a_path_leads_to_a_value(path: str, found: Any) -> None:
    assert find(FORECAST, parse(path)) == found


@pytest.mark.parametrize("key", ["$", " a", "a ", "$a"])
def test_a_key_that_looks_like_more_than_a_key_can_still_be_asked_for(key: str) -> None:
    assert find({key: {"b": 1}}, parse(f"{written((key,))}.b")) == 1


def test_a_list_may_be_all_there_is() -> None:
    assert find([[1, 2], [3]], parse("[0][-1]")) == 2


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("a..b", 2),
        ("a.", 2),
        ("a[", 2),
        ("$..a", 2),
        ("a. .b", 2),
        (" ", 1),
        ("a[x]", 2),
        ("a[0]b", 5),
        ("a[1.5]", 2),
        ("a[0:2]", 2),
        ("a]", 2),
        ("[?(@.x)]", 1),
        (r'a["\q"]', 2),
        ('a["b]', 2),
        ("a[9999999999]", 2),
    ],
)
def test_what_is_no_path_is_refused_with_the_place(path: str, at: int) -> None:
    with pytest.raises(ValueError, match=rf"^is no path from its character {at} on: one reads"):
        parse(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "current.temprature",
            "there is no current.temprature: current is an object with the keys "
            "'temperature', 'wind.max', ''",
        ),
        (
            "curent.temperature",
            "there is no curent: the whole is an object with the keys 'current', 'items', 'prices'",
        ),
        ("items[3]", "there is no items[3]: items is a list of 3"),
        ("items[-4].value", "there is no items[-4]: items is a list of 3"),
        ("items.value", "there is no items.value: items is a list of 3"),
        ("current[0]", "there is no current[0]: current is an object with the keys"),
        ("current.temperature.now", "current.temperature is a number"),
        ("items[*].price", "there is no items[*].price: items[*] is an object with the key"),
        ("current[*]", r"there is no current[*]: current is an object"),
    ],
)
def test_a_wrong_path_says_how_far_it_leads_and_what_is_there(path: str, said: str) -> None:
    with pytest.raises(Unavailable) as error:
        find(FORECAST, parse(path))
    assert said in str(error.value)


def test_of_many_keys_the_nearest_are_named() -> None:
    many = {f"key{number}": number for number in range(100)} | {"temperature": 1}
    with pytest.raises(Unavailable, match=r"keys 'temperature', 'key0', .* and others$"):
        find(many, parse("temprature"))


def test_however_large_an_object_is_the_error_stays_short_and_quick() -> None:
    huge = {f"{'x' * 5000}{number}": number for number in range(20 * COMPARED_KEYS)}
    with pytest.raises(Unavailable) as error:
        find(huge, parse("y" * 150))
    assert len(str(error.value)) < 600


@given(path=st.lists(STEPS).map(tuple))
def test_what_is_written_is_read_back(path: Path) -> None:
    assert parse(written(path)) == path


@given(text=st.text())
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = parse(text)
    except ValueError as error:
        assert str(error).startswith("is no path from its character ")  # noqa: PT017  # one or the other
    else:
        assert parse(written(path)) == path


@given(document=JSON, path=st.lists(STEPS, max_size=4).map(tuple))
def test_any_document_and_any_path_give_a_value_or_unavailable(document: Any, path: Path) -> None:
    try:
        find(document, path)
    except Unavailable as unavailable:
        str(unavailable).encode()


@given(document=JSON, data=st.data())
def test_every_place_in_a_document_has_a_path(document: Any, data: st.DataObject) -> None:
    node, path = document, list[Step]()
    while isinstance(node, dict | list) and node and data.draw(st.booleans()):
        steps: st.SearchStrategy[Any] = (
            st.sampled_from(sorted(node))
            if isinstance(node, dict)
            else st.integers(-len(node), len(node) - 1)
        )
        step = data.draw(steps)
        node, path = node[step], [*path, step]
    assert json.dumps(find(document, parse(written(tuple(path))))) == json.dumps(node)
