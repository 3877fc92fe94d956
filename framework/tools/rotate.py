"""``matrix rotate``: a new key version when it is time, and all that is sealed brought up to it.

What is due is decided in ``secrets.plan`` and done in ``secrets.rotator``; how it is told is
``rotation``'s. Here it is started, and a human asked where one must be.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from framework.errors import MatrixError
from framework.process import configure_logging
from framework.project import Project
from framework.secrets import rotator
from framework.secrets.rotator import Entry, Outcome
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Home, Source
from framework.tools.options import LogLevelOption
from framework.tools.rotation import Rotation
from framework.tools.sealed import sealed_sources

SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 1.5
GRAVITY = (Outcome.BLOCKED, Outcome.FAILED, Outcome.DONE, Outcome.NOTHING)
"""Which outcome counts, where there are several keys: the first of these that there is."""


def rotate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="After an old copy was put back: lower min_decryption_version to the oldest "
            "version that is in use, then rewrap. Asks first.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --recover: do not ask, for scripts.")
    ] = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Make a new version of the key when it is time, and rewrap what an older one sealed.

    It covers every sealed [[secrets.source]] of matrix.toml; the values stay what they are. Run it
    once a day. Twice at once, or killed midway, it does no harm: the next run goes on.

    \b
        [secrets.rotate]
        min_age_hours = 20   # rotate once the newest version of the key is older
        retire = false       # true: old versions of the key are retired
        grace_hours = 24     # how old a version must be before those below it are

    With retire = true it raises min_decryption_version, as far as everything was found sealed with
    newer versions when it began. An old copy of what is sealed is then of no use any more: not to
    a thief, and not to you, unless you --recover.

    It prints a table on a terminal; elsewhere JSON, a line for each data key and one for the run.

    \b
        matrix rotate --dry-run
        matrix rotate

    \b
    Exit status, the same for a dry run:
        0   something was due, and was done
        1   --recover was not confirmed
        3   there was nothing to do
        4   blocked: see to what is named, another run alone changes nothing
        5   failed: run it again
        74  what became of it could not be written: see with --dry-run
        78  matrix.toml is wrong, or names nothing that is sealed
    """
    configure_logging(log_level)
    if yes and not recover:
        raise typer.BadParameter("it is for --recover: nothing else is asked", param_hint="--yes")
    settings = SecretsSettings.of(Project.find(os.environ, Path.cwd()))
    keys = keys_of(sealed_sources(settings), settings.home)
    ask = recover and not (dry_run or yes)
    if ask and not sys.stdin.isatty():
        raise typer.BadParameter(
            "it asks first, and there is nobody to ask: run it on a terminal, or say --yes",
            param_hint="--recover",
        )
    settings.shield()
    outcomes = set()
    for key in keys:
        if ask:
            _confirm(_run(key, settings, dry_run=True, recover=True))
        rotation = _run(key, settings, dry_run=dry_run, recover=recover)
        outcomes.add(rotation.result.outcome)
        lines = rotation.table(_width()) if sys.stdout.isatty() else rotation.json_lines()
        for line in lines:
            typer.echo(line)
    sys.exit(next(outcome for outcome in GRAVITY if outcome in outcomes).exit_code)


@dataclass(frozen=True, slots=True)
class Key:
    """One Transit key, and all that it seals."""

    source: Source
    """One that is sealed with it."""
    inventory: Sequence[Entry]
    names: Mapping[str, str]
    """What matrix.toml calls a Secret, by what its Store calls it."""


def keys_of(sources: Sequence[Source], home: Home) -> list[Key]:
    """There is one for each cluster and namespace."""
    groups: dict[tuple[str, str], list[Source]] = {}
    for source in dict.fromkeys(sources):
        groups.setdefault((source.place.cluster, source.place.namespace), []).append(source)
    return [_key(group, home) for group in groups.values()]


def _key(sources: Sequence[Source], home: Home) -> Key:
    entries, names = [], {}
    for source in sources:
        store = source.writable_store(home)
        data_keys = (source.data_key,) if source.layout == "document" else ()
        entries.append(Entry(source.place, store, data_keys))
        names[store.name] = source.name
    return Key(sources[0], entries, names)


def _run(key: Key, settings: SecretsSettings, *, dry_run: bool, recover: bool) -> Rotation:
    with key.source.transit(settings.home) as transit:
        result = rotator.rotate(
            transit,
            key.inventory,
            settings=settings.rotation,
            dry_run=dry_run,
            recover=recover,
            pause=lambda: time.sleep(random.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S)),
        )
        try:
            known = transit.read_key()
        except MatrixError:  # the result says why
            known = None
    return Rotation(
        result,
        known,
        settings=settings.rotation,
        names=key.names,
        dry_run=dry_run,
        recover=recover,
    )


def _confirm(preview: Rotation) -> None:
    """Ask, if there is anything to ask about."""
    if not preview.steps:
        return
    for line in preview.table(_width()):
        typer.echo(line, err=True)
    typer.confirm("Do that?", abort=True, err=True)


def _width() -> int:
    return shutil.get_terminal_size().columns
