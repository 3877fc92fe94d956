"""What the README tells a newcomer to paste."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TEXT = (ROOT / "README.md").read_text()

MODULES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", _TEXT, re.DOTALL))
"""By the name of the file that each goes into."""
PROJECT, SECRETS, KUBERNETES = re.findall(r"```toml\n(.*?)```", _TEXT, re.DOTALL)
"""Of one ``matrix.toml``: without secrets, with a sealed file, or with Vault instead."""
(TO_SEAL,) = re.findall(r"```json\n(.*?)```", _TEXT, re.DOTALL)
_, SEAL, DEPLOY, FIELDS = re.findall(r"```sh\n(.*?)```", _TEXT, re.DOTALL)
