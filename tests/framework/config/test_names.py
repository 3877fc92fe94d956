"""The names of instances."""

from __future__ import annotations

import pytest

from framework.config import Config
from framework.config.names import check_name, check_unique
from framework.errors import ConfigError


class Region(Config, shared=True):
    regions: tuple[str, ...] = ()


def test_a_name_is_lower_cased() -> None:
    assert check_name("Tide") == "tide"
    assert check_name("harbour-2_b") == "harbour-2_b"


@pytest.mark.parametrize(
    "name",
    ["", "2nd", "_x", "a b", "a.b", "ä", "x\n", "a__b", "a--b", "a-_b", "Units", "redis-url"],
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ConfigError, match="another name"):
        check_name(name)


def test_no_instance_is_called_as_a_field_that_its_class_shares() -> None:
    assert check_name("regions") == "regions"
    with pytest.raises(ConfigError, match="all instances share"):
        check_name("regions", Region)


def test_names_are_unique_after_folding() -> None:
    check_unique(["a", "b-c", "bc"])
    for pair in (["a", "A"], ["b-c", "b_c"], ["a", "a"]):
        with pytest.raises(ConfigError, match="name space"):
            check_unique(pair)
