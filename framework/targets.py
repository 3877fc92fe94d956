"""From what ``use`` says to a class: an entry point of an installed package, or ``module:Class``.

Responsible for finding and importing it, and for saying what is wrong when that cannot be.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeVar

import pydantic

from framework.errors import ConfigError, MatrixError

SERVICES = "matrix.services"
PAGES = "matrix.pages"

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
    names = sorted({point.name for point in points})
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"{name} is not known: {hint}There are {', '.join(names) or 'none'}; "
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
            raise ConfigError(f"{target}: there is no {part} in {module_name}; {hint}")
        found = getattr(found, part)
    return found


def _import(name: str, target: str) -> ModuleType | str:
    """The module, or what went wrong: its exception may hold values, so it is not passed on."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return (
                f"{target}: there is no module {error.name}, neither installed nor in "
                f"{Path.cwd()}. Check its name, or start where it lies"
            )
        needs = f"{name} needs {error.name}, which is not installed"
        return f"{target}: {needs}. Install it{raised_at(error)}"
    except MatrixError as error:
        return f"{target}: {error}{raised_at(error)}"
    except SyntaxError as error:
        where = f" (in {error.filename}, line {error.lineno})"
        return f"{target}: {name} is not valid Python. Mend it{where}"
    except (Exception, SystemExit) as error:  # a stranger's module may do anything
        raised = f"{name} raised {type(error).__name__} while imported"
        return f"{target}: {raised}. Mend it{raised_at(error)}"


MACHINERY = ("<frozen ", str(Path(__file__).parent), str(Path(pydantic.__file__).parent))
"""What the names of files begin with that no user has to mend."""


def raised_at(error: BaseException) -> str:
    """Where it was raised: the last line that is neither ours nor of the machinery."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(MACHINERY)
    ]
    return f" (in {frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
