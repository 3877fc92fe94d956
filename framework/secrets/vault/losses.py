"""What a policy or a role that is in Vault would lose if it were written anew.

Responsible for telling less from more, nothing else: whether that is meant, somebody has to say.
Policies are compared line by line, as ``policies`` writes them: of one that was written by hand,
rather too much is taken for lost than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_WHO = (
    "bound_service_account_names",
    "bound_service_account_namespaces",
    "bound_service_account_namespace_selector",
    "token_policies",
)
"""The settings of a role that say who may log in, and what they may do then."""
_LIMITS = ("allowed_parameters", "required_parameters", "denied_parameters")
"""What stands in a policy and takes away: to lose one of these is to gain."""
_PATH = re.compile(r'path\s+"([^"]*)"\s*')


def lost_by_policy(before: str, after: str) -> list[str]:
    """What ``before`` allows and ``after`` does not: a context by what is written beside it."""
    kept = _blocks(after)
    lost: list[str] = []
    for path, lines in _blocks(before).items():
        lost += _lost(path, lines, kept[path]) if path in kept else [path]
    return list(dict.fromkeys(lost))


def lost_by_role(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Who may not log in any more, and which policies those who may have no more."""
    return [
        f"{name} {each}"
        for name in _WHO
        for each in _entries(before.get(name))
        if each not in _entries(after.get(name))
    ]


def _lost(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for line, shown in before.items():
        if line not in after and not line.startswith(_LIMITS):
            yield shown if shown != line else f"{line} of {path}"
    for line in after:
        if line not in before and line.startswith(_LIMITS):
            yield f"{path} without {line.partition('=')[0].strip()}"


def _blocks(policy: str) -> dict[str, dict[str, str]]:
    """By path, the lines that say something, each with what is written beside it, or itself."""
    blocks: dict[str, dict[str, str]] = {}
    block: dict[str, str] = {}
    for text in policy.splitlines():
        line, _, beside = (part.strip() for part in text.partition("#"))
        head = _PATH.match(line)
        if head:
            block = blocks.setdefault(head[1], {})
            line = line[head.end() :].removeprefix("{").removesuffix("}").strip()
        if line.strip("{[]},"):
            block[line] = beside or line
    return blocks


def _entries(value: object) -> list[object]:
    """Of a list, or of what may be one text or none."""
    if isinstance(value, list):
        return value
    return [value] if value else []
