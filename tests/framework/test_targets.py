"""From ``use`` to a class."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from framework import targets
from framework.errors import ConfigError
from framework.targets import available, resolve

GROUP = "matrix.tests"


class Base:
    pass


class Good(Base):
    class Inner(Base):
        pass


@pytest.fixture(autouse=True)
def _as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of our own, with a package installed elsewhere; nothing of it stays imported."""
    package = tmp_path / "installed" / "tests_of_targets-1.dist-info"
    package.mkdir(parents=True)
    package.joinpath("METADATA").write_text("Name: tests-of-targets\nVersion: 1\n")
    package.joinpath("entry_points.txt").write_text(
        f"[{GROUP}]\ntide = ours:Tide\nbroken = ours_broken:Tide\nodd = not a target\n"
    )
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "installed")])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(name: str, text: str, folder: str = "here") -> None:
    Path("..", folder, name).write_text(dedent(text))


def problem(target: str) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(target, GROUP, Base)
    assert caught.value.__context__ is None
    return str(caught.value)


def test_an_entry_point() -> None:
    write("ours.py", f"from {__name__} import Good as Tide", "installed")
    assert resolve("tide", GROUP, Base) is Good


def test_a_class_of_a_module() -> None:
    assert resolve(f"{__name__}:Good", GROUP, Base) is Good
    assert resolve(f"{__name__}:Good.Inner", GROUP, Base) is Good.Inner


def test_a_module_of_the_working_directory_comes_last() -> None:
    write("mine.py", f"from {__name__} import Base\nclass Mine(Base): pass\n")
    write("ours.py", f"from {__name__} import Good as Tide", "installed")
    write("ours.py", "raise SystemExit('the wrong one')")
    first = sys.path[0]
    for _ in range(2):
        assert resolve("mine:Mine", GROUP, Base).__name__ == "Mine"
    assert resolve("ours:Tide", GROUP, Base) is Good
    assert sys.path[0] == first
    assert sys.path.count(str(Path.cwd())) == 1


def test_a_name_that_is_not_known() -> None:
    assert problem("tied") == (
        "tied is not known: did you mean tide? There are broken, odd, tide; "
        "a class of your own is written module:Class"
    )
    with pytest.raises(ConfigError, match="is not known: there are none"):
        resolve("tide", "matrix.nobody", Base)


def test_a_name_that_two_packages_offer() -> None:
    other = Path("..", "installed", "other-1.dist-info")
    other.mkdir()
    other.joinpath("METADATA").write_text("Name: other\nVersion: 1\n")
    other.joinpath("entry_points.txt").write_text(f"[{GROUP}]\ntide = theirs:Tide\n")
    assert problem("tide").endswith("Say which: ours:Tide or theirs:Tide")


@pytest.mark.parametrize("target", [":", "a:", ":B", "a b:C", "a:B:C", "../a:B", "a..b:C", ".a:B"])
def test_what_is_no_target(target: str) -> None:
    assert problem(target) == f"{target} cannot be read: write it as module:Class"


def test_a_module_that_is_not_there() -> None:
    assert problem("nowhere.at_all:Tide") == (
        f"nowhere.at_all:Tide: there is no module nowhere, neither installed nor in {Path.cwd()}. "
        "Check its name, or start where it lies"
    )


def test_a_module_that_needs_another() -> None:
    write("needs.py", "\nimport not_installed_xyz\n")
    said = problem("needs:Tide")
    assert "needs needs not_installed_xyz, which is not installed. Install it" in said
    assert said.endswith("needs.py, line 2)")


@pytest.mark.parametrize("own", ["services/mine.py", "services.py"])
@pytest.mark.parametrize("target", ["services.mine:Tide", "services:Mine", "uses:Tide"])
def test_a_module_that_an_installed_one_hides(own: str, target: str) -> None:
    Path(own).parent.mkdir(exist_ok=True)
    write(own, "")
    write("uses.py", "import services.mine")
    hidden = f"which hides {Path.cwd() / Path(own).parts[0]}. Rename yours"
    assert problem(target).endswith(f"; services is the name of an installed module, {hidden}")


def test_a_library_of_an_extra_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    write("loads.py", "import psutil")
    needs = "loads needs psutil: pip install 'matrix-framework[services]'"
    assert problem("loads:Tide") == f"loads:Tide: {needs}"


def test_a_module_that_raises() -> None:
    write("raises.py", "def f():\n    return int('MARKER')\n\nf()\n")
    said = problem("raises:Tide")
    assert "raises raised ValueError while imported. Mend it" in said
    assert said.endswith("raises.py, line 2)")
    assert "MARKER" not in said
    write("exits.py", "raise SystemExit(0)")
    assert "exits raised SystemExit" in problem("exits:Tide")


def test_a_module_that_is_no_python() -> None:
    write("typo.py", "x = 1\nclass Tide(\n")
    said = problem("typo:Tide")
    assert "typo is not valid Python" in said
    assert said.endswith("typo.py, line 2)")


def test_a_class_that_is_refused_says_why() -> None:
    write(
        "refused.py",
        """
        from framework.config import Config
        class Tide(Config, extra="allow"):
            pass
        """,
    )
    said = problem("refused:Tide")
    assert 'says extra="allow"' in said
    assert said.endswith("refused.py, line 3)")


def test_a_class_that_is_not_there() -> None:
    assert problem(f"{__name__}:Godo").endswith(
        f"there is no Godo in {__name__}; did you mean Good?"
    )
    assert problem(f"{__name__}:Good.x").endswith("check the name")


@pytest.mark.parametrize("name", ["Base", "GROUP", "Path", "problem"])
def test_what_is_no_subclass(name: str) -> None:
    assert "is not a subclass of Base" in problem(f"{__name__}:{name}")


def test_what_is_available_is_listed_and_a_broken_one_breaks_only_itself() -> None:
    write("ours.py", f"from {__name__} import Good as Tide", "installed")
    write("ours_broken.py", "1 / 0", "installed")
    listed = {each.name: each for each in available(GROUP)}
    assert list(listed) == ["broken", "odd", "tide"]
    assert listed["tide"].value == "ours:Tide"
    assert listed["tide"].load() is Good
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        listed["broken"].load()
    with pytest.raises(ConfigError, match="cannot be read"):
        listed["odd"].load()


def test_the_groups_of_this_package() -> None:
    assert "moon" in {each.name for each in available(targets.SERVICES)}
    assert {"clock", "moon"} <= {each.name for each in available(targets.PAGES)}
