"""What is said where a library of an extra is missing."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions, requires

import pytest

from framework.errors import ConfigError
from framework.extras import DISTRIBUTION, EXTRA_OF, needed_by


def missing(name: str, extra: str | None = None) -> None:
    with needed_by("matrix show", extra):
        raise ModuleNotFoundError(name=name)


def test_a_library_is_named_with_the_command_that_brings_it() -> None:
    said = "matrix show needs PIL: pip install 'matrix-framework[panel]'"
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}$"):
        missing("PIL.Image")
    with pytest.raises(ConfigError, match=re.escape("'matrix-framework[demo]'")):
        missing("PIL", "demo")


@pytest.mark.parametrize("name", ["pillow", "services.nowhere", "framework.PIL"])
def test_what_no_extra_has_is_for_others_to_say(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        missing(name)


def test_every_library_of_the_two_extras_is_known_and_no_other() -> None:
    extras: dict[str, set[str]] = {}
    for each in requires(DISTRIBUTION) or ():
        if found := re.fullmatch(r"([\w-]+).*; extra == ['\"](panel|services)['\"]", each):
            extras.setdefault(found[1].lower(), set()).add(found[2])
    imported = {
        name: extras[distribution.lower()]
        for name, distributions in packages_distributions().items()
        for distribution in distributions
        if distribution.lower() in extras and not name.startswith("_")
    }
    assert EXTRA_OF.keys() == imported.keys()
    assert all(extra in imported[name] for name, extra in EXTRA_OF.items())
