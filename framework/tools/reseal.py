"""``matrix reseal``: what is sealed at one place, or with another key, into a Secret of its own.

Which places and keys, is decided here. What is left to be done by a human, says ``resealed``; the
rest is ``secrets.resealing``'s.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import Project
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.resealing import have_resealed
from framework.secrets.settings import SecretsSettings
from framework.tools.options import LogLevelOption
from framework.tools.resealed import Told
from framework.tools.sealed import printable

_PLACE = re.compile(r"([^/:]+)/([^/:]+)(?::([^/:]+))?")


def reseal(
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="NAMESPACE/SECRET[:DATAKEY]",
            help="What is sealed now. A data key with a document, or without :DATAKEY all sealed "
            "fields.",
        ),
    ],
    from_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="The key that sealed it. Default: key of [secrets.vault]."
        ),
    ] = None,
    from_mount: Annotated[
        str | None,
        typer.Option(
            metavar="MOUNT", help="The Transit engine of KEY. Default: mount of [secrets.vault]."
        ),
    ] = None,
    from_cluster: Annotated[
        str | None,
        typer.Option(
            metavar="CLUSTER",
            help="The cluster that it was sealed for. Default: cluster of the source it goes to.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE/SECRET",
            help="Where to: the [[secrets.source]] with that Secret, where there are several.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Try all of it, and make nothing."),
    ] = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Seal into a new Secret what another place or key has sealed.

    A ciphertext opens nowhere but at the place that it was sealed for, so one that is to lie
    elsewhere is sealed anew. A human runs this, who may decrypt there and encrypt here: in a
    process of its own, which hands back names alone. The old Secret stays as it is, and no Secret
    that is there is written over. What is left to do is printed, as commands; run again, it prints
    them again.

    Where to, says a sealed [[secrets.source]] of matrix.toml. A document may become sealed fields
    on the way: what decides is layout there.

    From a tool that has a key that is not derived, and so cannot be used on:

    \b
        vault login
        export VAULT_TOKEN_FILE=~/.vault-token
        matrix reseal --from default/matrix-secrets:secrets.json \\
            --from-key aes256-key --dry-run

    Into another namespace, whose [secrets.vault] has another key:

    \b
        matrix reseal --from old/matrix:secrets.json --from-key old-key

    A cluster that is called otherwise from now on; all sealed fields:

    \b
        matrix reseal --from led/matrix --from-cluster lab --to led/matrix-home

    \b
    Exit status:
        0   it is sealed, now or by an earlier run, or with --dry-run it could be
        2   options that do not go together, or none
        75  Vault or Kubernetes does not answer now: run it again, always safe
        78  it cannot be decrypted, another such Secret exists already, or
            matrix.toml or a right is missing or wrong
        130 interrupted (143 by SIGTERM): run it again, always safe
    """
    configure_logging(log_level)
    settings = SecretsSettings.of(Project.find(os.environ, Path.cwd()))
    new = _target(settings, to)
    old = _origin(from_, from_cluster or new.cluster)
    if old.layout == "fields" and new.layout == "document":
        raise typer.BadParameter(
            f"{new.name} holds a document: say :DATAKEY, or which source with --to",
            param_hint="--from",
        )
    given = {"key": from_key, "mount": from_mount}
    changed = {name: value for name, value in given.items() if value is not None}
    old_home = replace(settings.home, vault={**(settings.home.vault or {}), **changed})
    done = have_resealed(
        old, old_home, new, settings.home, dry_run=dry_run, patience_s=settings.patience_s
    )
    resealed = Told(done, old, old_home, new, settings.home)
    for line in (*resealed.what(), *(() if dry_run else resealed.next())):
        typer.echo(printable(line))
    for warning in done.warnings:
        typer.echo(printable(f"warning: {warning}"), err=True)


def _target(settings: SecretsSettings, named: str | None) -> KubernetesSource:
    """:raises ConfigError: there is none, or which one is meant is not clear."""
    there = {
        f"{each.namespace}/{each.secret}": each
        for each in settings.sources
        if isinstance(each, KubernetesSource) and not each.plain
    }
    if not there:
        raise ConfigError(
            'no [[secrets.source]] with kind = "kubernetes" is sealed: put one into matrix.toml, '
            "for the Secret that is to be made"
        )
    if named is None and len(there) == 1:
        named = next(iter(there))
    if named in there:
        return there[named]
    listed = ", ".join(there)
    if named is None:
        raise ConfigError(f"there are several sources: say which with --to: {listed}")
    raise ConfigError(f"no sealed [[secrets.source]] is {named}; there is {listed}")


def _origin(place: str, cluster: str) -> KubernetesSource:
    found = _PLACE.fullmatch(place)
    if found is None:
        raise typer.BadParameter(
            "give NAMESPACE/SECRET:DATAKEY, or NAMESPACE/SECRET for sealed fields",
            param_hint="--from",
        )
    namespace, secret, data_key = found.groups()
    old = KubernetesSource(namespace=namespace, secret=secret, cluster=cluster, layout="fields")
    if data_key is not None:
        old = replace(old, layout="document", data_key=data_key)
    for name, what in old.misfits(()):
        hint = "--from-cluster" if name == "cluster" else "--from"
        raise typer.BadParameter(f"{name} {what}", param_hint=hint)
    return old
