"""Every claim of SECURITY.md names a test, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text()


def test_the_tests_that_it_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert named
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {node.name for node in tree.body if isinstance(node, functions)}, path


def test_every_claim_names_one() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    claims = [row for row in rows if not row.startswith("| Claim")]
    assert claims
    for row in claims:
        assert row.split("|")[2].count("::"), row
