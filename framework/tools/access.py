"""``matrix access``: from what classes declare to ``access.json``, the rights of each workload.

What that file is, and what contradicts itself in it, is decided in ``secrets.access``. Here classes
are imported, which only whoever develops them needs to do: the administrator of Vault reads a file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from framework import durable
from framework.config import Config
from framework.config.names import check_name, check_unique
from framework.errors import ConfigError
from framework.process import configure_logging
from framework.project import FILE, Project
from framework.secrets.access import FILE as ACCESS
from framework.secrets.access import Access, Namespace, Secret, Workload, data_keys_of, merged
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source
from framework.secrets.tree import tree_of
from framework.secrets.vault.policies import reader_name, roles_of
from framework.secrets.vault.settings import Auth, KubernetesAuth, TokenRequestAuth
from framework.secrets.vault.table import TOKEN_FILE
from framework.targets import PAGES, SERVICES, resolve
from framework.tools.instances import PAGE, SERVICE
from framework.tools.options import LogLevelOption
from framework.tools.wrapping import wrapped

PANEL = "panel"
"""The workload of all pages of a file: one process shows them in turn."""
_UNIMPORTANT = {"VAULT_ADDR": "https://vault.invalid", "VAULT_ROLE": "any", TOKEN_FILE: ""}
"""Where Vault is, and as whom one logs in, is said where the workload runs; perhaps not here."""
_MOUNT = KubernetesAuth(role="any").mount
_IN_VAULT = """
[[secrets.source]]
kind = "kubernetes"
cluster = "home"
namespace = "matrix"
secret = "matrix-secrets"
layout = "fields"

[secrets.vault]
key = "matrix"
"""


def access(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="MATRIX_TOML", help=f"Default: {FILE} of this folder."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where it is written.")] = Path(ACCESS),
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; exit with 1, and show why, if FILE is out of date."
        ),
    ] = False,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MATRIX_TOML=]NAME",
            help="Everything of that file (or of each) runs as one process, called NAME. Default: "
            f"each service is a process, called as it is, and all pages are one, called {PANEL}.",
        ),
    ] = None,
    service_account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[WORKLOAD=]NAME",
            help="The service account that that workload (or each) runs as. Default: one of the "
            "workload's name.",
        ),
    ] = None,
    log_level: LogLevelOption = "warning",
) -> None:
    """Write access.json: what each service and page may decrypt.

    That is what it declares. Whoever administers Vault makes policies of that file, with matrix
    vault bootstrap, and needs no class for it. Commit it, and have --check fail where somebody
    forgot to run this: a field that was added later is refused by Vault until both have run again.
    All files of one namespace go into one access.json.

    \b
        matrix access
        matrix access tides/matrix.toml hall/matrix.toml
        matrix access tides.toml hall.toml --workload hall.toml=hall
        matrix access --check
        matrix vault bootstrap --from access.json
    """
    configure_logging(log_level)
    paths = list(map(str, files or [Path(os.environ.get("MATRIX_TOML") or FILE)]))
    names = _Names.given(workload or (), "--workload", paths)
    accounts = _Names.given(service_account or (), "--service-account", None)
    found = merged([(path, _namespace(path, names.get(path), accounts)) for path in paths])
    accounts.check_used(each.name for part in found.namespaces for each in part.workloads)
    for cluster in {each.cluster for each in found.namespaces}:
        # What Vault could not tell apart is better known now.
        roles_of(each for each in found.namespaces if each.cluster == cluster)
    before = _content(out)
    if check and before != found.text():
        for line in difflib.unified_diff(
            before.splitlines(), found.text().splitlines(), str(out), "as it should be", lineterm=""
        ):
            typer.echo(line)
        typer.echo(f"{out} is out of date: run matrix access, and commit it", err=True)
        raise typer.Exit(1)
    if before != found.text():
        _write(out, found.text())
    for line in _told(found):
        typer.echo(line)
    typer.echo(f"{out} {_said(before, found.text())}")


@dataclass(frozen=True, slots=True)
class _Names:
    """What an option that may be repeated says: for one thing each, or for all."""

    option: str
    by: Mapping[str, str]
    all: str | None

    @classmethod
    def given(cls, words: Sequence[str], option: str, known: Sequence[str] | None) -> _Names:
        """``known``: what it can be for; None: that is found out later."""
        by, everywhere = {}, None
        for word in words:
            what, equals, name = word.rpartition("=")
            if not name:
                raise typer.BadParameter("a name is missing", param_hint=option)
            if equals:
                by[str(Path(what))] = name
            else:
                everywhere = name
        names = cls(option, by, everywhere)
        if known is not None:
            names.check_used(known)
        return names

    def get(self, what: str) -> str | None:
        return self.by.get(what, self.all)

    def check_used(self, known: Iterable[str]) -> None:
        there = list(known)
        for what in self.by:
            if what not in there:
                raise typer.BadParameter(
                    f"there is no {what}; there is {', '.join(there)}", param_hint=self.option
                )


@dataclass(frozen=True, slots=True)
class _Instance:
    """A service or a page, as its class and its entry have it."""

    name: str
    config_class: type[Config]
    is_page: bool
    follows: Sequence[str] = ()


# ------------------------------------------------------------------------------ what a file says


def _namespace(path: str, name: str | None, accounts: _Names) -> Namespace:
    """All of one file, in which ``name`` is the only process, if it is given."""
    if not Path(path).exists():
        raise ConfigError(
            f"there is no {path}. Start where one lies, or name it: matrix access FILE"
        )
    project = Project.find({"MATRIX_TOML": path}, Path.cwd())
    settings = SecretsSettings.of(project, {**os.environ, **_UNIMPORTANT})
    sources = [each for each in settings.sources if each.needs_vault and not each.plain]
    places = {(each.place.cluster, each.place.namespace) for each in sources}
    if not places or settings.vault is None:
        raise ConfigError(
            f"{path}: nothing there is sealed with a key in Vault, so there is nothing to be "
            f"allowed. Have for example\n{_IN_VAULT}"
        )
    if len(places) > 1:
        several = " and ".join(sorted(map("/".join, places)))
        raise ConfigError(
            f"{path}: its sources are in {several}, and one key, as in [secrets.vault], is for one "
            f"namespace of one cluster. Make a {FILE} for each"
        )
    workloads = [
        _workload(process, instances, sources, accounts.get(process) or process)
        for process, instances in _processes(path, _instances(path, project), name).items()
    ]
    ((cluster, namespace),) = places
    vault = settings.vault
    try:
        return Namespace(
            cluster=cluster,
            namespace=namespace,
            mount=vault.mount.strip("/"),
            key=vault.key,
            auth=_auth(path, vault.login).strip("/"),
            inventory=tuple(read for each in workloads for read in each.reads),
            workloads=tuple(workloads),
        )
    except ValidationError as error:
        wrong = [
            "login.mount" if each["loc"][0] == "auth" else each["loc"][0] for each in error.errors()
        ]
    raise ConfigError(
        f"{path}: {' and '.join(map(str, wrong))} of [secrets.vault] must be of letters, digits, "
        "-, _ and ."
    )


def _auth(path: str, login: Auth) -> str:
    """Where service accounts log in, which is not how a developer does."""
    if isinstance(login, KubernetesAuth | TokenRequestAuth):
        return login.mount
    typer.echo(
        f"note: {path} logs in by {login.method}, which does not say where service accounts do: "
        f"auth/{_MOUNT} is taken. If it is elsewhere, give the file that they run with",
        err=True,
    )
    return _MOUNT


def _instances(path: str, project: Project) -> list[_Instance]:
    instances = []
    for service in project.services:
        cls = resolve(service.use, SERVICES, SERVICE)
        name = check_name(service.name or cls.default_name(), cls.config_class)
        instances.append(_Instance(name, cls.config_class, is_page=False))
    for page in project.pages:
        cls = resolve(page.use, PAGES, PAGE)
        name = check_name(page.name or cls.default_name(), cls.config_class)
        follows = [
            check_name(page.feeds.get(attribute, feed.model.__name__))
            for attribute, feed in cls.feeds.items()
        ]
        instances.append(_Instance(name, cls.config_class, is_page=True, follows=follows))
    check_unique(each.name for each in instances)
    if not instances:
        raise ConfigError(
            f"{path} has no [[service]] and no [[page]], so there is nobody to be allowed anything"
        )
    return instances


def _processes(
    path: str, instances: Iterable[_Instance], name: str | None
) -> Mapping[str, Sequence[_Instance]]:
    """What runs together, by the name of the workload."""
    processes: dict[str, list[_Instance]] = {}
    for each in instances:
        process = name or (PANEL if each.is_page else each.name.replace("_", "-"))
        together = processes.setdefault(process, [])
        if not name and together and not (each.is_page and together[0].is_page):
            raise ConfigError(
                f"{path}: a service is called {PANEL}, as the process of all pages is: give the "
                f"service another name, or say --workload {path}=NAME if they run as one"
            )
        together.append(each)
    return processes


def _workload(
    name: str, instances: Sequence[_Instance], sources: Sequence[Source], account: str
) -> Workload:
    fields = data_keys_of(tree_of((each.config_class, each.name) for each in instances))
    reads = [
        Secret(
            secret=source.place.secret,
            layout=source.layout,
            data_keys=(source.data_key,) if source.layout == "document" else fields,
        )
        for source in sources
    ]
    try:
        return Workload(
            name=name,
            service_account=account,
            instances=tuple(each.name for each in instances),
            publishes=tuple(each.name for each in instances if not each.is_page),
            follows=tuple(feed for each in instances for feed in each.follows),
            reads=tuple(reads),
        )
    except ValidationError:
        pass
    raise ConfigError(
        f"{name}, run as {account}, is not what Kubernetes takes for a name (lower-case letters, "
        "digits and -): give others with --workload and --service-account"
    )


# ------------------------------------------------------------------------------ the file, the table


def _content(path: Path) -> str:
    """Empty, if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        problem = error.strerror
    except UnicodeDecodeError:
        problem = "it is not text in UTF-8"
    raise ConfigError(f"{path} cannot be read: {problem}. Name another file with --out")


def _write(path: Path, text: str) -> None:
    try:
        with durable.locked(path) as file:
            durable.write(file, text.encode(), mode=0o666)
    except OSError as error:
        problem = error.strerror
    else:
        return
    raise ConfigError(f"{path} cannot be written: {problem}. Name another file with --out")


def _told(found: Access) -> Iterator[str]:
    """Who may decrypt what, and who more than each of its classes alone."""
    for namespace in found.namespaces:
        yield f"{namespace.title}, sealed with {namespace.key} of {namespace.mount}"
        for each in namespace.workloads:
            yield f"  {each.name}"
            yield _row("runs as", each.service_account)
            yield _row("VAULT_ROLE", reader_name(namespace, each.name))
            for secret in each.reads:
                whole = ", all of it" if secret.layout == "document" else ""
                yield _row(
                    "may decrypt", f"of {secret.secret}: {', '.join(secret.data_keys)}{whole}"
                )
            if len(each.instances) > 1:
                yield _row(
                    "together",
                    f"{', '.join(each.instances)} run in one process, and what one of them may "
                    "decrypt, all may",
                )
        yield from _lent(namespace)
        yield ""


def _row(label: str, text: str) -> str:
    return wrapped(text, f"    {label:<14}")


def _lent(namespace: Namespace) -> Iterator[str]:
    """Who has the rights of others because they are one to Kubernetes."""
    accounts: dict[str, list[str]] = {}
    for each in namespace.workloads:
        accounts.setdefault(each.service_account, []).append(each.name)
    for account, names in accounts.items():
        if len(names) > 1:
            yield wrapped(
                f"{', '.join(names)} run as one service account, {account}, so each of them may "
                "log in as any other",
                "  ",
            )


def _said(before: str, after: str) -> str:
    if before == after:
        return "is up to date"
    return "is written anew" if before else "is written"
