"""Have the secrets of this process's instances read, by one child, within the patience one has.

The rest of the configuration, and what is valid, is left to ``loading``.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from framework.config import Config
from framework.config.sources import Document
from framework.errors import ConfigError, SecretsUnavailable
from framework.folding import fold
from framework.secrets.asking import Failure, ask
from framework.secrets.child import LIFETIME_S
from framework.secrets.prune import Tree
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source
from framework.secrets.strangers import Stranger, lines
from framework.secrets.tree import tree_of

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
LEAST_LIMIT_S = 15.0
"""What each attempt may take, however little is left of the patience: longer than a client in it
tries for by itself, or nobody would say what is wrong."""

_log = logging.getLogger("matrix.secrets")


def read_documents(
    settings: SecretsSettings, instances: Sequence[tuple[type[Config], str]]
) -> tuple[Document, ...]:
    """What each source has for these instances, each a class and a name; in their order.

    From here on this process cannot be looked into, unless ``[secrets] profilers`` says so. Without
    sources nothing is started, and nothing is changed.

    :raises ConfigError: a source refuses, and will again.
    :raises SecretsUnavailable: it did not answer within the patience.
    """
    if not settings.sources:
        return ()
    tree = tree_of(instances)
    answers = read_tree(settings, tree)
    there = {fold(section) for _, answer in answers for section in answer["values"]}
    for source, answer in answers:
        _warn(source, answer["strangers"], tree, there)
    return tuple(_document(source, answer["values"]) for source, answer in answers)


def read_tree(settings: SecretsSettings, tree: Tree) -> list[tuple[Source, Mapping[str, Any]]]:
    """What each source has of it, as the child says it: ``values`` and ``strangers``.

    :raises ConfigError: :raises SecretsUnavailable:
    """
    settings.shield()
    request = _request(settings, tree)
    outcome = until_answered(lambda limit_s: ask(request, limit_s=limit_s), settings.patience_s)
    if isinstance(outcome, ConfigError | SecretsUnavailable):
        raise outcome
    return list(zip(settings.sources, outcome, strict=True))


def wait_s(failures: int, chance: float) -> float:
    """How long to wait after so many failures in a row; ``chance`` is from 0 to 1."""
    doublings = min(failures - 1, 10)  # a float ends somewhere
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**doublings) * (0.5 + chance / 2)


def until_answered(
    attempt: Callable[[float], list[Any] | Failure],
    patience_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Any] | ConfigError | SecretsUnavailable:
    """The answers, in the order of the sources, or the error to raise: not raised here, where a
    frame may hold answers. ``attempt`` is told how many seconds it may take."""
    until_s, failures = clock() + patience_s, 0
    while True:
        left_s = until_s - clock()
        answer = attempt(min(LIFETIME_S, max(LEAST_LIMIT_S, left_s)))
        if not isinstance(answer, Failure):
            return answer
        if answer.kind == "refused":
            return ConfigError(f"the secrets cannot be read: {answer.sentence}")
        failures += 1
        pause_s = wait_s(failures, random.random())
        if clock() + pause_s > until_s:
            return SecretsUnavailable(
                f"the secrets could not be read within {patience_s:g} s: {answer.sentence}"
            )
        if failures == 1:
            _log.warning(
                "the secrets cannot be read yet: %s. Trying for %g s", answer.sentence, patience_s
            )
        sleep(pause_s)


def _request(settings: SecretsSettings, tree: Tree) -> dict[str, Any]:
    return {
        "home": asdict(settings.home),
        "tree": asdict(tree),
        "sources": [asdict(source) for source in settings.sources],
    }


def _document(source: Source, values: Mapping[str, object]) -> Document:
    return Document(
        values,
        where=source.name,
        sealed=not source.plain,
        may_fill_secrets=not source.plain or source.secrets,
        by_field=source.layout == "fields",
    )


def _warn(source: Source, found: Iterable[Stranger], tree: Tree, there: Collection[str]) -> None:
    if source.plain and source.secrets:
        _log.warning(
            "%s may supply secrets, and is not encrypted: whoever can read it has them. Seal it "
            "with matrix encrypt",
            source.name,
        )
    for line in lines(source.name, found, tree, there):
        _log.warning("%s", line)
