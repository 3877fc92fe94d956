"""Read fields of the secrets by their names, without a class that declares them: for tools.

What the environment or ``matrix.toml`` say, and what a class would make of it, is left to
``loading``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from framework.folding import fold
from framework.secrets.prune import Node, Tree
from framework.secrets.reading import read_tree
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source


@dataclass(frozen=True, slots=True)
class Found:
    """One field that was asked for."""

    name: str
    """Its data key: ``tide.token``, ``latitude``."""
    where: str | None
    """None: nowhere."""
    value: Any = field(default=None, repr=False)
    near: str | None = None
    """What is there instead, and called much alike."""


def read_asked(settings: SecretsSettings, data_keys: Sequence[str]) -> list[Found]:
    """Each of ``data_keys``, from the source that counts most among those that have it.

    :raises ConfigError: a source refuses, and will again.
    :raises SecretsUnavailable: it did not answer within the patience.
    """
    answers = read_tree(settings, _tree(data_keys))
    answers.reverse()  # what comes later counts more,
    answers.sort(key=lambda each: each[0].plain)  # and what is sealed more than all that is not
    return [_found(data_key, answers) for data_key in data_keys]


def _tree(data_keys: Iterable[str]) -> Tree:
    """Whatever is there under these names, and no other."""
    own: dict[str, dict[str, Node]] = {}
    shared: dict[str, Node] = {}
    for data_key in data_keys:
        section, point, name = data_key.rpartition(".")
        (own.setdefault(section, {}) if point else shared)[name] = {"all": True}
    return Tree(own, shared)


def _found(data_key: str, answers: Sequence[tuple[Source, Mapping[str, Any]]]) -> Found:
    for source, answer in answers:
        for value in _values(data_key, answer["values"]):
            note = ", which is not encrypted" if source.plain else ""
            return Found(data_key, f"{data_key} in {source.name}{note}", value)
    section, _, name = data_key.rpartition(".")
    beside = [
        each for _, answer in answers for where, each in answer["strangers"] if where == section
    ]
    near = get_close_matches(name, beside, 1)
    return Found(data_key, None, near=".".join(filter(None, (section, *near))) if near else None)


def _values(data_key: str, document: Mapping[str, Any]) -> Iterator[Any]:
    """The value, if there is one; more, if the section is there in several spellings."""
    section, point, name = data_key.rpartition(".")
    for key, value in document.items():
        is_section = isinstance(value, Mapping)  # as every mapping at the top level is
        if point and is_section and fold(key) == section and name in value:
            yield value[name]
        if not point and not is_section and key == name:
            yield value
