"""``matrix vault bootstrap``: what access.json says, said to Vault. For whoever administers Vault.

No class of a service is imported here: a file is read, and can be reviewed. What differs and what
is wanted is decided in ``vault.bootstrap`` and ``vault.policies``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import FILE, Project
from framework.secrets.access import FILE as ACCESS
from framework.secrets.access import Access, Namespace
from framework.secrets.vault.bootstrap import IN_CLUSTER, Bootstrap, Change, Cluster
from framework.secrets.vault.client import VaultClient, given
from framework.secrets.vault.login import Session, credential_of, login_of
from framework.secrets.vault.settings import VaultSettings
from framework.secrets.vault.table import read_vault
from framework.tools.options import LogLevelOption

_TOKEN = "~/.vault-token"  # noqa: S105  # where it is, not what


def bootstrap(
    source: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="What matrix access wrote.")
    ] = Path(ACCESS),
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Change nothing; show what differs, policies as HCL."),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only what is for this cluster. Default: all of FILE."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A token of whoever administers Vault. Default: the method of "
            f"[secrets.vault.login] of {FILE}, if it has one; else {_TOKEN}, as vault login "
            "leaves it.",
        ),
    ] = None,
    kubernetes_host: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The API server, as Vault reaches it, where the auth method is not configured "
            f"yet. Default: {IN_CLUSTER}, for a Vault in the cluster.",
        ),
    ] = None,
    kubernetes_ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Its CA, in PEM. Default: that of the pod that Vault runs in."
        ),
    ] = None,
    kubernetes_reviewer_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A token that may review tokens (system:auth-delegator), for a Vault outside of "
            "the cluster. Default: that of the pod that Vault runs in.",
        ),
    ] = None,
    log_level: LogLevelOption = "warning",
) -> None:
    """Let Vault have what access.json says: engine, key, login, a policy and a role for each.

    Everything is compared first, and only what differs is written; run again, it has nothing to do.
    It deletes nothing. For each namespace there are, beside a reader for each workload, an
    encryptor and a rotator: the service accounts matrix-encrypt and matrix-rotate.

    Which Vault, says [secrets.vault] of matrix.toml, or VAULT_ADDR, VAULT_CACERT, VAULT_NAMESPACE.

    \b
        vault login
        matrix vault bootstrap --from access.json --dry-run
        matrix vault bootstrap --from access.json
    """
    configure_logging(log_level)
    namespaces = _namespaces(source, cluster)
    server = Cluster(
        host=kubernetes_host or "",
        ca_pem=_certificates(kubernetes_ca_file),
        reviewer=_reviewer(kubernetes_reviewer_file),
    )
    auths = sorted({each.auth for each in namespaces})
    if server != Cluster() and len(auths) > 1:
        raise typer.BadParameter(
            f"there are several auth methods, {', '.join(auths)}, each for a cluster: say which",
            param_hint="--cluster",
        )
    settings = _settings(token_file)
    with closing(VaultClient(settings)) as vault:
        session = Session(vault, login_of(settings))
        try:
            _bootstrap(Bootstrap(session), namespaces, server, dry_run=dry_run)
        finally:
            session.end()


def _bootstrap(
    vault: Bootstrap, namespaces: list[Namespace], server: Cluster, *, dry_run: bool
) -> None:
    plan = vault.plan(namespaces, server)
    for change in plan.changes:
        if not dry_run:
            vault.make(change)
        for line in _told(change, dry_run=dry_run):
            typer.echo(line)
    if not plan.changes:
        typer.echo("nothing to change")
    for warning in plan.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _told(change: Change, *, dry_run: bool) -> Iterator[str]:
    verb = "make" if change.is_new else "change"
    if not dry_run:
        yield f"{'made' if change.is_new else 'changed':<8} {change.what}"
        return
    yield f"would {verb:<7} {change.what}"
    for line in change.difference:
        yield f"    {line}"


# ------------------------------------------------------------------------------- what it is told


def _namespaces(path: Path, cluster: str | None) -> list[Namespace]:
    access = Access.parse(_content(path, "make it with matrix access"), path)
    chosen = [each for each in access.namespaces if cluster in (None, each.cluster)]
    if chosen:
        return chosen
    there = ", ".join(sorted({each.cluster for each in access.namespaces}))
    raise ConfigError(f"{path} has nothing for the cluster {cluster}; it has {there or 'nothing'}")


def _certificates(path: Path | None) -> str:
    if path is None:
        return ""
    text = _content(path, "name the CA of the API server")
    if "-----BEGIN CERTIFICATE-----" in text:
        return text
    raise ConfigError(
        f"{path} holds no certificate: it must be PEM, with -----BEGIN CERTIFICATE-----"
    )


def _reviewer(path: Path | None) -> str:
    if path is None:
        return ""
    return given(credential_of(str(path), "a token of Kubernetes", "make one anew")())


def _content(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        problem = error.strerror
    except UnicodeDecodeError:
        problem = "it is not text in UTF-8"
    raise ConfigError(f"{path} cannot be read: {problem}. Correct its name, or {remedy}")


def _settings(token_file: Path | None) -> VaultSettings:
    """Which Vault, and as whom: of what the file says about a key, nothing is of use here."""
    project = Project.find(os.environ, Path.cwd())
    found = project.secrets.get("vault", {})
    table: dict[str, Any] = {"key": "matrix", **(found if isinstance(found, Mapping) else {})}
    login = table.get("login")
    if token_file is not None:
        table["login"] = {"method": "token", "token_file": str(Path.cwd() / token_file)}
    elif not (isinstance(login, Mapping) and "method" in login):
        table["login"] = {"method": "token", "token_file": _TOKEN}
    outcome = read_vault(project.path or Path(FILE), table, os.environ, project.state.parent)
    if isinstance(outcome, VaultSettings):
        return outcome
    raise ConfigError("\n".join(outcome))
