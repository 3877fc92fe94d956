"""A key in Vault, as ``access.json`` has it: the inventory, where the key is, and who rotates it.

``matrix.toml`` may say how Vault is reached and how one logs in, where ``VAULT_ADDR`` and a pod's
own service account are not enough. What it names and ``access.json`` does not, is in the way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from framework.errors import ConfigError
from framework.project import FILE, Project
from framework.secrets.access import Access, Namespace, Secret
from framework.secrets.kubernetes.client import KubernetesClient
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.kubernetes.store import KubernetesStore, request_token
from framework.secrets.place import SecretPlace
from framework.secrets.rotator import Entry
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source
from framework.secrets.vault.login import login_of
from framework.secrets.vault.policies import ROTATOR, rotator_name
from framework.secrets.vault.settings import VaultSettings
from framework.secrets.vault.table import read_vault
from framework.secrets.vault.transit import open_transit
from framework.tools.key import Chosen, Key


@contextmanager
def vault_key(
    project: Project,
    settings: SecretsSettings,
    chosen: Chosen,
    path: Path,
    sources: Sequence[Source],
) -> Iterator[Key]:
    """The one that is chosen in ``path``. ``sources``: what matrix.toml has in Vault.

    :raises ConfigError: the file, or what is said about Vault or Kubernetes, cannot be.
    """
    access = Access.read(path)
    with closing(KubernetesClient(KubernetesSettings.received(settings.home.kubernetes))) as client:
        namespace = _chosen(access, path, chosen, here=client.namespace)
        vault = _vault(project, namespace)

        def token_of(account: str, namespace: str, audience: str) -> str:
            return request_token(client, account=account, namespace=namespace, audience=audience)

        yield Key(
            cluster=namespace.cluster,
            namespace=namespace.namespace,
            inventory=[*_listed(namespace, client), *_unlisted(access, path, client, sources)],
            transit=partial(open_transit, vault, login_of(vault, request_token=token_of)),
            names={},
            kubernetes=client,
        )


def _chosen(access: Access, path: Path, chosen: Chosen, *, here: str) -> Namespace:
    """``here``: the namespace that one is in."""
    fitting = [
        each
        for each in access.namespaces
        if chosen.cluster in (None, each.cluster) and chosen.namespace in (None, each.namespace)
    ]
    if len(fitting) > 1:
        fitting = [each for each in fitting if each.namespace == here] or fitting
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(each.title for each in fitting or access.namespaces)
    if fitting:
        raise ConfigError(f"{path} has several keys: say --cluster and --namespace, of {there}")
    wanted = "/".join((chosen.cluster or "(any)", chosen.namespace or "(any)"))
    raise ConfigError(f"{path} has nothing for {wanted}; it has {there}")


def _listed(namespace: Namespace, client: KubernetesClient) -> Iterator[Entry]:
    for secret in namespace.inventory:
        place = namespace.place(secret)
        yield Entry(
            place,
            _store(place, client),
            secret.data_keys,
            elsewhere=frozenset(_of_another_layout(namespace, secret)),
        )


def _of_another_layout(namespace: Namespace, secret: Secret) -> Iterator[str]:
    for each in namespace.inventory:
        if each.secret == secret.secret and each.layout != secret.layout:
            yield from each.data_keys


def _unlisted(
    access: Access, path: Path, client: KubernetesClient, sources: Sequence[Source]
) -> Iterator[Entry]:
    listed = {each.place(secret) for each in access.namespaces for secret in each.inventory}
    for source in sources:
        if source.place not in listed:
            why = f'{path} does not have it with layout = "{source.layout}": run matrix access'
            yield Entry(source.place, _store(source.place, client), unlisted=why)


def _store(place: SecretPlace, client: KubernetesClient) -> KubernetesStore:
    return KubernetesStore(
        client, namespace=place.namespace, name=place.secret, verbs=("get", "update")
    )


def _vault(project: Project, namespace: Namespace) -> VaultSettings:
    table: dict[str, Any] = dict(project.secrets.get("vault", {}))
    table |= {"mount": namespace.mount, "key": namespace.key}
    login = table.get("login", {})
    method = login.get("method", "kubernetes") if isinstance(login, dict) else None
    if method in ("kubernetes", "token-request"):
        login = {**login, "mount": namespace.auth, "role": rotator_name(namespace)}
    if method == "token-request":
        login |= {"service_account": ROTATOR, "namespace": namespace.namespace}
    outcome = read_vault(
        project.path or Path(FILE), {**table, "login": login}, os.environ, project.state.parent
    )
    if isinstance(outcome, VaultSettings):
        return outcome
    raise ConfigError("\n".join(outcome))
