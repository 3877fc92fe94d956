"""What the README tells a newcomer to paste."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TEXT = (ROOT / "README.md").read_text()

MODULES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", _TEXT, re.DOTALL))
"""By the name of the file that each goes into."""
PROJECT, TILE, SECRETS, KUBERNETES = re.findall(r"```toml\n(.*?)```", _TEXT, re.DOTALL)
"""Of one ``matrix.toml``: all of it but what the next two add; and another, whole."""
SEALED_FIELDS = KUBERNETES.replace("[secrets.vault]", 'layout = "fields"\n\n[secrets.vault]')
PAGES = re.findall(r"^\| `(\w+)` \| (.*) \| (.*?) ?\|$", _TEXT, re.MULTILINE)
"""The table: name, what it shows, and who publishes that."""
(TO_SEAL,) = re.findall(r"```json\n(.*?)```", _TEXT, re.DOTALL)
_, SEAL, DEPLOY, FIELDS = re.findall(r"```sh\n(.*?)```", _TEXT, re.DOTALL)
