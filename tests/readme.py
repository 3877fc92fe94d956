"""What the README tells a newcomer to paste."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
_REFERENCE = (ROOT / "framework" / "README.md").read_text()

MODULES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", README, re.DOTALL))
"""By the name of the file that each goes into."""
(PYTEST_INI,) = re.findall(r"```ini\n(.*?)```", README, re.DOTALL)
PROJECT, TILE, CITIES, SECRETS, KUBERNETES = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
"""All of a ``matrix.toml``, but for SECRETS, which goes with PROJECT."""
SEALED_FIELDS = KUBERNETES.replace("[secrets.vault]", 'layout = "fields"\n\n[secrets.vault]')
METRICS = set(re.findall(r"`(matrix_\w+)`", README))
(TO_SEAL,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
_, _, SEAL, DEPLOY, FIELDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def table(first: str) -> list[list[str]]:
    """The cells of its rows, without the head that begins with ``first``, here or in full."""
    head = rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n"
    (rows,) = re.findall(rf"{head}((?:\|.*\n)+)", README + _REFERENCE, re.MULTILINE)
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows.splitlines()]


def quoted(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall("`([^`]+)`", text)
