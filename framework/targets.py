"""From what ``use`` says to a class: an entry point of an installed package, or ``module:Class``.

Responsible for finding and importing it, and for saying what is wrong when that cannot be.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeVar

import pydantic

from framework.errors import ConfigError, MatrixError
from framework.extras import lacking

SERVICES = "matrix.services"
PAGES = "matrix.pages"
_WHERE: Mapping[str, str] = {
    SERVICES: "is a service: it goes with matrix serve, and into a [[service]]",
    PAGES: "is a page: it goes with matrix show, and into a [[page]]",
}

T = TypeVar("T")


class Available(NamedTuple):
    """One entry point."""

    name: str
    value: str
    """``module:Class``."""
    load: Callable[[], object]
    """Imports it; raises ``ConfigError``."""


def available(group: str) -> list[Available]:
    """Every entry point of ``group``, by name; nothing is imported until it is loaded."""

    def offer(point: EntryPoint) -> Available:
        return Available(point.name, point.value, lambda: _load(point.value, point.name))

    return sorted(map(offer, _points(group)), key=lambda each: each[:2])


def resolve(target: str, group: str, base: type[T]) -> type[T]:
    """The subclass of ``base`` that ``target`` names, in ``group`` or as ``module:Class``.

    For ``module:Class`` the working directory is searched too, last: a folder there never hides an
    installed package.
    """
    if ":" in target:
        value = target
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)
    else:
        value = _value_of(target, group)
    found = _load(value, target)
    if isinstance(found, type) and issubclass(found, base) and found is not base:
        if missing := sorted(getattr(found, "__abstractmethods__", ())):
            raise ConfigError(f"{target} has no {' and no '.join(missing)}(). Write it")
        return found
    raise ConfigError(
        f"{target} is not a subclass of {base.__name__}. Name one that is, as module:Class"
    )


def _points(group: str) -> set[EntryPoint]:
    return set(entry_points(group=group))  # an editable package may be listed twice


def _value_of(name: str, group: str) -> str:
    """The ``module:Class`` behind an entry point."""
    points = _points(group)
    values = sorted({point.value for point in points if point.name == name})
    if len(values) == 1:
        return values[0]
    if values:
        raise ConfigError(
            f"{name} is offered by several packages. Say which: {' or '.join(values)}"
        )
    for other in _WHERE.keys() - {group}:
        if any(point.name == name for point in _points(other)):
            raise ConfigError(misplaced(name, other))
    raise ConfigError(unknown(name, {point.name for point in points}))


def misplaced(name: str, group: str) -> str:
    """What is said where ``name`` is of ``group``, and another is wanted."""
    return f"{name} {_WHERE[group]}"


def unknown(name: str, known: Collection[str]) -> str:
    """What is said of a name that is none of those ``known``."""
    near = get_close_matches(name, known, 1)
    there = f"did you mean {near[0]}? There are" if near else "there are"
    return (
        f"{name} is not known: {there} {', '.join(sorted(known)) or 'none'}; "
        "a class of your own is written module:Class"
    )


def _load(value: str, target: str) -> object:
    """What stands at ``module:Class``. ``target`` is what the user wrote."""
    module_name, _, attribute = (part.strip() for part in value.partition(":"))
    if not all(part.isidentifier() for part in f"{module_name}.{attribute}".split(".")):
        raise ConfigError(f"{target} cannot be read: write it as module:Class")
    module = _import(module_name, target)
    if isinstance(module, str):
        raise ConfigError(module)
    found: object = module
    for part in attribute.split("."):
        names = [name for name in vars(found) if not name.startswith("_")]
        if not hasattr(found, part):
            near = get_close_matches(part, names, 1)
            hint = f"did you mean {near[0]}?" if near else "check the name"
            hint = _hidden(module_name) or hint
            raise ConfigError(f"{target}: there is no {part} in {module_name}; {hint}")
        found = getattr(found, part)
    return found


def _import(name: str, target: str) -> ModuleType | str:
    """The module, or what went wrong: its exception may hold values, so it is not passed on."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if hidden := _hidden(missing):
            return f"{target}: there is no module {missing}; {hidden}"
        if missing and f"{name}.".startswith(f"{missing}."):
            return (
                f"{target}: there is no module {missing}, neither installed nor in "
                f"{Path.cwd()}. Check its name, or start where it lies"
            )
        if problem := lacking(name, error):
            return f"{target}: {problem}"
        needs = f"{name} needs {missing}, which is not installed"
        return f"{target}: {needs}. Install it{raised_at(error)}"
    except MatrixError as error:
        return f"{target}: {error}{raised_at(error)}"
    except SyntaxError as error:
        where = f" (in {error.filename}, line {error.lineno})"
        return f"{target}: {name} is not valid Python. Mend it{where}"
    except (Exception, SystemExit) as error:  # a stranger's module may do anything
        raised = f"{name} raised {type(error).__name__} while imported"
        return f"{target}: {raised}. Mend it{raised_at(error)}"


def _hidden(module: str) -> str:
    """What is said if one of that name lies here, and Python has another; else nothing."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    for here in (Path.cwd() / top, Path.cwd() / f"{top}.py"):
        if file and here.exists() and here.resolve() not in Path(file, "_").resolve().parents:
            return f"{top} is the name of an installed module, which hides {here}. Rename yours"
    return ""


MACHINERY = (
    "<frozen ",
    *(str(Path(each).parent) for each in (__file__, importlib.__file__, pydantic.__file__)),
)
"""What the names of files begin with that no user has to mend."""


def raised_at(error: BaseException) -> str:
    """Where it was raised: the last line that is neither ours nor of the machinery."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(MACHINERY)
    ]
    return f" (in {frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
