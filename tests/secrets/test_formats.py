"""From texts to mappings: what each format means, and what is refused without quoting it."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.secrets.formats import Format, Malformed, parse

YAML = """
tide:                # a comment
  token: 'it''s'
  yes: no
  when: 2026-01-01
  at: 12:30
  old: 0123
  octal: 0o17
  hex: 0xfF
  half: .5
  none: ~
  nothing:
  on: true
  quoted: "12"
  tags: [a, 1, 2.5e3]
  key: |
    line 1
    line 2
"""


def test_yaml_has_the_types_of_json_and_the_core_schema() -> None:
    assert parse(YAML, "yaml") == {
        "tide": {
            "token": "it's",
            "yes": "no",
            "when": "2026-01-01",
            "at": "12:30",
            "old": 123,
            "octal": 15,
            "hex": 255,
            "half": 0.5,
            "none": None,
            "nothing": None,
            "on": True,
            "quoted": "12",
            "tags": ["a", 1, 2500.0],
            "key": "line 1\nline 2\n",
        }
    }


def test_toml_has_its_dates_as_text() -> None:
    text = """
    since = 2026-01-01
    [tide]
    token = "t"
    at = [{ start = 2026-01-01T12:30:00Z, daily = 12:30:00 }]
    """
    assert parse(text, "toml") == {
        "since": "2026-01-01",
        "tide": {
            "token": "t",
            "at": [{"start": "2026-01-01T12:30:00+00:00", "daily": "12:30:00"}],
        },
    }


def test_env_is_all_text_and_two_underscores_go_inside() -> None:
    text = """
    # what one exports
    export TIDE__TOKEN="a\\nb"   # with escapes
    TIDE__SERVER__HOST='$HOME "x"'
    LATITUDE=52.5 # north
    EMPTY=
    TIDE__KEY="line 1
line 2"
    """
    assert parse(text, "env") == {
        "tide": {"token": "a\nb", "server": {"host": '$HOME "x"'}, "key": "line 1\nline 2"},
        "latitude": "52.5",
        "empty": "",
    }


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse('{"a": "\\ud83c\\udf0a"}', "json") == {"a": "\U0001f30a"}


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_text_fills_one_field(end: str) -> None:
    assert parse(f"a\nb{end}", "text", field="tide.token") == {"tide": {"token": "a\nb"}}
    assert parse(f" x{end}", "text", field="latitude") == {"latitude": " x"}


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("json", '{"a": 1,\n "a": 2}', "names a key twice in one object"),
        ("json", '{"a": NaN}', "holds NaN or Infinity, which JSON does not know"),
        ("json", '{"a": 1e999}', "holds a number that is not finite, which JSON does not know"),
        ("json", '{"a":\n  x}', "is not JSON, at line 2, column 3"),
        ("json", "", "is not JSON, at line 1, column 1"),
        ("json", '["a"]', "must be a mapping of names to values"),
        ("json", '{"a": ' + "[" * 100_000, "is nested too deeply to be read"),
        ("json", '{"a": ' + "1" * 5000 + "}", "holds a number that is too long to be read"),
        ("json", '{"a": ["\\ud800"]}', "holds half of a surrogate pair (\\ud800 to \\udfff)"),
        ("json", '{"a": {"\\udfff": 1}}', "holds half of a surrogate pair"),
        ("yaml", 'a: "\\ud800"', "holds half of a surrogate pair"),
        ("yaml", "a: 1\nb: &x 2", "has an anchor or an alias, at line 2, column 4; write"),
        ("yaml", "a: *x", "has an anchor or an alias, at line 1, column 4; write"),
        ("yaml", "a: !!int '1'", "has a tag, at line 1, column 4; JSON's types are all there are"),
        ("yaml", "a: !x {}", "has a tag, at line 1, column 4"),
        ("yaml", "1: x", "has a key that is no text, at line 1, column 1; put it in quotes"),
        ("yaml", "[a]: x", "has a key that is no text, at line 1, column 1"),
        ("yaml", "a: 1\nb: 1\na: 2", "names a key twice, at line 3, column 1"),
        ("yaml", "a: 1\n---\nb: 2", "begins a second document, at line 2, column 1; there must"),
        ("yaml", "a: .inf", "holds a number that is not finite"),
        ("yaml", "a: .NaN", "holds a number that is not finite"),
        ("yaml", "a: 1e999", "holds a number that is not finite"),
        ("yaml", "a: b: c", "is not YAML, at line 1, column 5"),
        ("yaml", "a: \x01", "holds a character that YAML does not allow"),
        ("yaml", "a: " + "[" * 1000 + "]" * 1000, "is nested too deeply to be read"),
        ("yaml", "", "must be a mapping of names to values"),
        ("toml", "a = 1\nb = = 2", "is not TOML, at line 2, column 5"),
        ("toml", "a = [", "is not TOML, at end of document"),
        ("toml", "a = nan", "holds a number that is not finite"),
        ("env", "A=1\nB", "is not KEY=value, at line 2"),
        ("env", "A='x", "is not KEY=value, at line 1"),
        (
            "env",
            "A=1\nA=2",
            "names a key twice, or a value both as a whole and in parts, at line 2",
        ),
        ("env", "A=1\nA__B=2", "gives a value both as a whole and in parts, at line 2"),
        ("env", "A__B=1\nA=2", "names a key twice, or a value both as a whole and in parts"),
        ("env", "A__=1", "has a key with nothing before or after __, at line 1"),
    ],
)
def test_what_cannot_be_read(kind: Format, text: str, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text, kind)
    assert str(caught.value).startswith(said)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(categories=["L"]), max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["tide", "latitude", ""]), JSON))
def test_json_is_read_as_it_is_and_is_yaml_too(document: dict[str, Any]) -> None:
    assert parse(json.dumps(document), "json") == document
    assert parse(json.dumps(document, ensure_ascii=False), "yaml") == document


MARKER = "sEcReT7f3a"
PIECES = st.sampled_from(
    [*'{}[]:,"=#&*!|>%@`\\\n\t -?.1', f'"{MARKER}"', MARKER, f"{MARKER}:", f"'{MARKER}", "\\u", "é"]
)


@given(st.sampled_from(["json", "yaml", "toml", "env", "text"]), st.lists(PIECES).map("".join))
def test_whatever_the_text_is_no_error_holds_any_of_it(kind: Format, text: str) -> None:
    shown = ""
    try:
        parse(text, kind, field="tide.token")
    except Malformed as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert trace.stack.pop(0).name.startswith("test_")  # it holds the text itself
        shown = "".join(trace.format(chain=True)) + repr(error.__context__)
    assert MARKER not in shown
