from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.secrets.fields import content_of, data_key_of, fields_of, names_of
from framework.secrets.formats import as_field
from framework.secrets.prune import keep


def test_each_field_is_one_data_key() -> None:
    document = {
        "latitude": 52.5,
        "names": ["a", "b"],
        "My-Tide": {"token": "ü", "server": {"host": "h", "port": 1}, "on": True},
    }
    assert fields_of(document) == {
        "latitude": b"52.5",
        "names": b'["a", "b"]',
        "my_tide.token": "ü".encode(),
        "my_tide.server": b'{"host": "h", "port": 1}',
        "my_tide.on": b"true",
    }


@given(st.text())
def test_a_text_is_read_as_it_was_given(text: str) -> None:
    assert as_field(content_of(text).decode()) == text


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).filter(lambda value: isinstance(value, list | dict))
)
def test_more_than_a_scalar_is_read_as_it_was_given(value: object) -> None:
    assert keep(as_field(content_of(value).decode()), {"all": True}, texts=True) == value


@pytest.mark.parametrize("names", [("",), ("tide", ""), ("a", "b", "c"), ("ti de", "x"), ("é",)])
def test_what_cannot_be_the_name_of_a_field(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"SECTION\.FIELD"):
        data_key_of(*names)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"tide": {"token": None}}, r"tide\.token has no value"),
        ({"my-tide": {"x": 1}, "my_tide": {"x": 2}}, r"has my_tide\.x twice"),
        ({"tide": {"s3cr3t value": 1}}, "SECTION"),
        ({"s3cr3t value": 1}, "SECTION"),
    ],
)
def test_a_document_that_is_not_all_fields_is_refused(
    document: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        fields_of(document)
    assert "s3cr3t" not in str(caught.value)


def test_what_is_no_name_is_not_shown() -> None:
    document = json.loads('{"tide": {"token": 1, "s3cr3t value": 2}, "a b": 1, "units": "metric"}')
    assert names_of(document) == (["tide.token", "units"], 2)
