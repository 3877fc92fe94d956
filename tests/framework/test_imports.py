"""Who imports whom inside of the framework, inside of functions and for types alone too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "framework").rglob("*.py")
}


def imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in MODULES else str(node.module)


def in_order(texts: dict[str, str]) -> list[str]:
    """Each after all that it imports."""
    graph = {name: set(imported(text)) - {name} for name, text in texts.items()}
    return list(TopologicalSorter(graph).static_order())


def test_no_module_imports_what_imports_it() -> None:
    order = in_order({name: path.read_text() for name, path in MODULES.items()})
    assert order.index("framework.errors") < order.index("framework.server")


def test_a_circle_through_a_function_is_found() -> None:
    circle = {"framework.bus": "def f():\n    from framework import feed", "framework.feed": ""}
    assert in_order(circle) == ["framework.feed", "framework.bus"]
    circle["framework.feed"] = "import framework.bus"
    with pytest.raises(CycleError, match="nodes are in a cycle"):
        in_order(circle)
