"""The code of somebody who writes a page: importing it, its files, and what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from sysconfig import get_path
from traceback import StackSummary, TracebackException, extract_tb

import framework
from framework.errors import ConfigError, SecretsUnavailable
from framework.project import PageEntry, Project
from framework.targets import MACHINERY, PAGES, available
from framework.tools.instances import PAGE, page_entries

LINES = 24
"""So much of a traceback is shown, from its end."""
LINE = 1000
"""So much of each line, in characters."""
_NOT_THEIRS = (
    Path(framework.__file__).parent,
    *(Path(get_path(each)) for each in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def imported(target: str, project: Project) -> PageEntry:
    """What ``target`` names: ``FILE.py``, ``FILE.py:Class``, or as for ``matrix show``.

    Raises whatever its code raises, so that it can be shown.

    :raises ConfigError: there is no such page.
    """
    sys.path.append(str(Path.cwd()))  # last, as everywhere: it never hides what is installed
    file, _, name = target.partition(":")
    if file.endswith(".py"):
        return PageEntry(use=_in_file(Path(file), name))
    (entry,) = page_entries(project, [target])
    offered = [each.value for each in available(PAGES) if each.name == entry.use]
    for value in offered or [entry.use]:
        if ":" in value:  # or it is known to nobody, which is for others to say
            import_module(value.partition(":")[0])
    return entry


def _in_file(path: Path, name: str) -> str:
    """The page of that name in that file, or the only one, as ``module:Class``. It is imported as
    Python would from the folder that its package lies in."""
    if not path.is_file():
        raise ConfigError(f"there is no file {path}. Check its name, or start where it lies")
    file = path.resolve()
    folder, parts = file.parent, [file.stem]
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    sys.path.insert(0, str(folder))
    module = import_module(".".join(parts))
    if module.__file__ != str(file):
        raise ConfigError(
            f"{path} cannot be imported: Python has a {module.__name__} of its own. Rename the file"
        )
    names = [
        each.__name__
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, PAGE) and each.__module__ == module.__name__
    ]
    if name or len(names) == 1:
        return f"{module.__name__}:{name or names[0]}"
    if names:
        choices = " or ".join(f"{path}:{each}" for each in names)
        raise ConfigError(f"there are several pages in {path}. Say which: {choices}")
    raise ConfigError(f"there is no page in {path}. Write a subclass of {PAGE.__name__}")


def own_files(error: BaseException | None = None) -> list[str]:
    """Of the user's own, what was imported, or failed to be; and what could mend that."""
    named = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    if error is not None:
        named += [each.filename for each in extract_tb(error.__traceback__)]
        named.append(getattr(error, "filename", None))  # what is not valid Python never ran
    found = {each for each in named if each and _is_own(Path(each))}
    if isinstance(error, ModuleNotFoundError) and error.name:
        found.update(_places(error.name))
    return sorted(found)


def _is_own(path: Path) -> bool:
    return path.is_file() and _is_theirs(path)


def _is_theirs(path: Path) -> bool:
    return not any(path.is_relative_to(each) for each in _NOT_THEIRS)


def _places(module: str) -> Iterator[str]:
    """Where they may put it."""
    for folder in map(Path, sys.path):
        if folder.is_dir() and _is_theirs(folder):
            path = folder.joinpath(*module.split("."))
            yield from (f"{path}.py", f"{path}/__init__.py")


def told(error: BaseException, where: str) -> str:
    """What the user is to mend: a sentence of ours, or a traceback of theirs. ``where`` stands
    before what names no place by itself."""
    if isinstance(error, ConfigError | SecretsUnavailable):
        return str(error)
    trace = TracebackException.from_exception(error)
    theirs = [each for each in trace.stack if not each.filename.startswith(MACHINERY)]
    trace.stack = StackSummary.from_list(theirs)
    lines = [
        line
        for line in "".join(trace.format(chain=False)).splitlines()
        if line.strip(" ^~")  # marks below a line, which mark nothing where lines are broken
    ]
    if not theirs and getattr(error, "filename", None) is None:
        lines.insert(0, f"{where}:")
    return "\n".join(lines)


def shortened(problem: str) -> str:
    """The end of it. Secrets are masked before: half of one would not be known as such."""
    lines = problem.splitlines()[-LINES:]
    return "\n".join(line if len(line) <= LINE else f"{line[:LINE]}…" for line in lines)
