"""``matrix rotate``: a new key version when it is time, and all that is sealed brought up to it.

What there is to rotate is found by ``inventory``; what is due is decided in ``secrets.plan`` and
done in ``secrets.rotator``; how it is told is ``rotation``'s. Here it is started, and a human asked
where one must be.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framework.process import configure_logging
from framework.project import Project
from framework.secrets import rotator
from framework.secrets.access import FILE as ACCESS
from framework.secrets.plan import Settings
from framework.secrets.rotator import Entry, Outcome, Result
from framework.secrets.settings import SecretsSettings
from framework.tools.inventory import opened
from framework.tools.key import Chosen, Key
from framework.tools.options import LogLevelOption
from framework.tools.rotation import Rotation

if TYPE_CHECKING:
    from framework.secrets.kubernetes.client import KubernetesClient

SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 1.5
MANY = 20
"""So many Secrets take a while: a terminal shows how far it is."""
GRAVITY = (Outcome.BLOCKED, Outcome.FAILED, Outcome.DONE, Outcome.NOTHING)
"""Which outcome counts, where there are several keys: the first of these that there is."""


def rotate(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="What matrix access wrote: all that a key in Vault seals. Default: the "
            f"{ACCESS} beside matrix.toml, or in this folder.",
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which cluster of FILE, if it has several.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which namespace of FILE. Default: the only one, or that of this pod.",
        ),
    ] = None,
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
    """Rotate the key when it is time, and rewrap what it sealed.

    The values stay what they are. Run it once a day. Twice at once, or killed midway, it does no
    harm: the next run goes on.

    What the local keyring seals is named in matrix.toml: every [[secrets.source]]. What a key in
    Vault seals is named in access.json, and so are that key and the role that rotates it: a CronJob
    needs that file, VAULT_ADDR and VAULT_CACERT, and no matrix.toml. At each Secret it leaves
    annotations that say when it was rewrapped, or what is in the way, and an Event.

    \b
        [secrets.rotate]
        min_age_hours = 20   # rotate once the newest version of the key is older
        retire = false       # true: old versions of the key are retired
        grace_hours = 24     # how old a version must be before those below it are

    With retire = true it raises min_decryption_version, as far as everything was found sealed with
    newer versions when it began. An old copy of what is sealed is then of no use any more: not to
    a thief, and not to you, unless you --recover. As long as one lies in its place, everything else
    is rewrapped, and no new version is made.

    It prints a table on a terminal; elsewhere JSON, a line for each data key and one for the run.

    \b
        matrix rotate --dry-run
        matrix rotate
        matrix rotate --from access.json

    \b
    Exit status, the same for a dry run:
        0   something was due, and was done
        1   --recover was not confirmed
        3   there was nothing to do
        4   blocked: see to what is named, another run alone changes nothing
        5   failed: run it again
        74  what became of it could not be written: see with --dry-run
        78  matrix.toml or access.json is wrong, or names nothing that is sealed
        130 interrupted (143 by SIGTERM): run it again, always safe
    """
    configure_logging(log_level)
    if yes and not recover:
        raise typer.BadParameter("it is for --recover: nothing else is asked", param_hint="--yes")
    project = Project.find(os.environ, Path.cwd())
    settings = SecretsSettings.of(project, with_vault=False)  # ``vaultkey`` reads that
    ask = recover and not (dry_run or yes)
    if ask and not sys.stdin.isatty():
        raise typer.BadParameter(
            "it asks first, and there is nobody to ask: run it on a terminal, or say --yes",
            param_hint="--recover",
        )
    settings.shield()
    chosen = Chosen(file=source, cluster=cluster, namespace=namespace)
    with opened(project, settings, chosen) as keys:
        outcomes = set()
        for key in keys:
            task = _Task(key, settings.rotation, recover=recover, is_one_of_many=len(keys) > 1)
            if ask:
                _confirm(task.run(dry_run=True))
            rotation = task.run(dry_run=dry_run)
            outcomes.add(rotation.result.outcome)
            lines = rotation.table(_width()) if sys.stdout.isatty() else rotation.json_lines()
            for line in lines:
                typer.echo(line)
    sys.exit(next(outcome for outcome in GRAVITY if outcome in outcomes).exit_code)


@dataclass(frozen=True, slots=True)
class _Task:
    """To rotate one key."""

    key: Key
    settings: Settings
    _: KW_ONLY
    recover: bool
    is_one_of_many: bool

    def run(self, *, dry_run: bool) -> Rotation:
        shown = sys.stderr.isatty() and len(self.key.inventory) > MANY
        with self.key.transit() as transit:
            result = rotator.rotate(
                transit,
                self.key.inventory,
                settings=self.settings,
                dry_run=dry_run,
                recover=self.recover,
                annotate=self.key.kubernetes is not None,
                pause=lambda: time.sleep(random.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S)),
                progress=_show if shown else lambda *_: None,
            )
        if shown:
            typer.echo("\r\x1b[K", nl=False, err=True)
        if self.key.kubernetes is not None and not dry_run:
            _tell(self.key.kubernetes, self.key.inventory, result)
        return Rotation(
            result,
            settings=self.settings,
            names=self.key.names,
            where=(self.key.cluster, self.key.namespace) if self.is_one_of_many else None,
            dry_run=dry_run,
            recover=self.recover,
        )


def _tell(kubernetes: KubernetesClient, inventory: Sequence[Entry], result: Result) -> None:
    """At the Secrets themselves."""
    # Here, because it takes a while, and is not needed on a laptop.
    from framework.secrets.kubernetes.events import events_of, post
    from framework.secrets.kubernetes.results import annotate

    # Without Vault there is no time but this machine's, which decides nothing here.
    warning = post(kubernetes, events_of(result), result.now or datetime.now(UTC))
    if warning is not None:
        typer.echo(f"warning: {warning}", err=True)
    annotate(inventory, result)


def _show(step: str, number: int, of: int) -> None:
    typer.echo(f"\r\x1b[K{step} {number} of {of}", nl=False, err=True)


def _confirm(preview: Rotation) -> None:
    """Ask, if there is anything to ask about."""
    if not preview.steps:
        return
    for line in preview.table(_width()):
        typer.echo(line, err=True)
    typer.confirm("Do that?", abort=True, err=True)


def _width() -> int:
    return shutil.get_terminal_size().columns
