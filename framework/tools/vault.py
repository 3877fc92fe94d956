"""``matrix vault bootstrap``: what access.json says, said to Vault. For whoever administers Vault.

No class of a service is imported here: a file is read, and can be reviewed. What differs and what
is wanted is decided in ``vault.bootstrap`` and ``vault.policies``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import FILE, Project
from framework.secrets.access import FILE as ACCESS
from framework.secrets.access import Access, Namespace
from framework.secrets.patience import given
from framework.secrets.vault.bootstrap import IN_CLUSTER, Bootstrap, Change, Cluster
from framework.secrets.vault.client import VaultClient
from framework.secrets.vault.login import Session, credential_of, login_of
from framework.secrets.vault.settings import VaultSettings
from framework.secrets.vault.table import TOKEN_FILE, read_vault
from framework.tools.options import LogLevelOption

_HTTPS = re.compile(r"https://[^\s/?#@]+(/[^\s?#]*)?")
_TOKEN = "~/.vault-token"  # noqa: S105  # where it is, not what


def bootstrap(
    source: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="What matrix access wrote.")
    ] = Path(ACCESS),
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Change nothing; show what differs, policies as HCL."),
    ] = False,
    take_away: Annotated[
        bool,
        typer.Option(
            "--take-away",
            help="Let policies and roles lose what FILE does not have any more. Without it, such a "
            "run is refused, and changes nothing.",
        ),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only what is for this cluster. Default: all of FILE."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"A token of whoever administers Vault. Default: {TOKEN_FILE}; else the method of "
            f"[secrets.vault.login] of {FILE}, if it has one; else {_TOKEN}, as vault login "
            "leaves it.",
        ),
    ] = None,
    kubernetes_host: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The API server, as Vault reaches it. This and the next two are for an auth "
            "method that is not configured yet: one that is, is left as it is. Default: "
            f"{IN_CLUSTER}, for a Vault in the cluster.",
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
    """Make in Vault what access.json says: policies and roles.

    First what these need: the auth method, the Transit engine and its key; then, for each
    namespace, a reader for each workload, an encryptor and a rotator, who are the service accounts
    matrix-encrypt and matrix-rotate. Everything is compared first, and only what differs is
    written; run again, it has nothing to do. It deletes nothing, and takes nothing away unless told
    to.

    Which Vault, says [secrets.vault] of matrix.toml, or VAULT_ADDR, VAULT_CACERT, VAULT_NAMESPACE.
    The first time, one that does not run in the cluster must be told how to ask its API server
    about service accounts, as in the last example.

    \b
        vault login
        matrix vault bootstrap --dry-run
        matrix vault bootstrap
        matrix vault bootstrap --kubernetes-host https://api.home:6443 \\
            --kubernetes-ca-file ca.pem --kubernetes-reviewer-file reviewer.jwt
    """
    configure_logging(log_level)
    namespaces = _namespaces(source, cluster)
    server = Cluster(
        host=_host(kubernetes_host),
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
    with closing(VaultClient(settings)) as client:
        session = Session(client, login_of(settings))
        try:
            vault = Bootstrap(session)
            plan = vault.plan(namespaces, server)
            refusal = "" if take_away else _refusal(plan.changes)
            if dry_run or not refusal:
                _make(plan.changes, None if dry_run else vault)
            cautions = [each.caution for each in plan.changes if dry_run and each.caution]
            if plan.others:
                typer.echo(f"note: {source} does not have {', '.join(plan.others)}", err=True)
            for warning in (*cautions, *plan.warnings):
                typer.echo(f"warning: {warning}", err=True)
        finally:
            session.end()
    if refusal:
        raise ConfigError(refusal)


def _make(changes: Sequence[Change], vault: Bootstrap | None) -> None:
    """None: only show it."""
    for change in changes:
        if vault is None:
            done = "would make" if change.is_new else "would change"
        else:
            vault.make(change)
            done = "made" if change.is_new else "changed"
        typer.echo(f"{done} {change.what}")
        if vault is None or not change.is_new:  # of what is new, the dry run has shown all
            for line in change.difference:
                typer.echo(f"    {line}")
    if not changes:
        typer.echo("nothing to change")


def _refusal(changes: Sequence[Change]) -> str:
    """What would be lost, if anything would."""
    lost = [
        f"{change.what} would lose {', '.join(change.lost)}" for change in changes if change.lost
    ]
    if not lost:
        return ""
    return "\n".join(
        [
            *lost,
            "Is there another access.json for this namespace? All matrix.toml of a namespace go "
            "into one: matrix access a.toml b.toml. If it is to be lost, say --take-away: without "
            "that, nothing is changed",
        ]
    )


# ------------------------------------------------------------------------------- what it is told


def _namespaces(path: Path, cluster: str | None) -> list[Namespace]:
    access = Access.read(path)
    chosen = [each for each in access.namespaces if cluster in (None, each.cluster)]
    if chosen:
        return chosen
    there = ", ".join(sorted({each.cluster for each in access.namespaces}))
    raise ConfigError(f"{path} has nothing for the cluster {cluster}; it has {there or 'nothing'}")


def _host(url: str | None) -> str:
    if url is not None and not _HTTPS.fullmatch(url):
        raise typer.BadParameter(
            "it must be a URL that begins with https://, as in https://api.home:6443",
            param_hint="--kubernetes-host",
        )
    return url or ""


def _certificates(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problem = f"cannot be read: {error.strerror}. Name the CA of the API server"
    else:
        if "-----BEGIN CERTIFICATE-----" in text:
            return text
        problem = "holds no certificate: it must be PEM, with -----BEGIN CERTIFICATE-----"
    raise ConfigError(f"{path} {problem}")


def _reviewer(path: Path | None) -> str:
    if path is None:
        return ""
    return given(credential_of(str(path), "a token of Kubernetes", "make one anew")())


def _settings(token_file: Path | None) -> VaultSettings:
    """Which Vault, and as whom: of what the file says about a key, nothing is of use here."""
    project = Project.find(os.environ, Path.cwd())
    found = project.secrets.get("vault", {})
    table: dict[str, Any] = {"key": "matrix", **(found if isinstance(found, Mapping) else {})}
    login = table.get("login")
    if not (isinstance(login, Mapping) and "method" in login):
        table["login"] = {"method": "token", "token_file": _TOKEN}
    environ = {**os.environ, **({} if token_file is None else {TOKEN_FILE: str(token_file)})}
    outcome = read_vault(project.path or Path(FILE), table, environ, project.state.parent)
    if isinstance(outcome, VaultSettings):
        return outcome
    raise ConfigError("\n".join(outcome))
