"""``kind = "kubernetes"``: a Secret or a ConfigMap, asked for or mounted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal
from weakref import finalize

from framework.secrets.place import SecretPlace
from framework.secrets.source import Home, Source

if TYPE_CHECKING:
    from framework.secrets.kubernetes.client import KubernetesClient
    from framework.secrets.kubernetes.mounted import MountedStore
    from framework.secrets.store import Store
    from framework.secrets.transit import Transit

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAMES = {
    "secret": (_SUBDOMAIN, 253, "of lower-case letters, digits, - and ."),
    "configmap": (_SUBDOMAIN, 253, "of lower-case letters, digits, - and ."),
    "cluster": (_SUBDOMAIN, 253, "of lower-case letters, digits, - and ."),
    "namespace": (_LABEL, 63, "of lower-case letters, digits and -"),
    "data_key": (r"(?!\.\.?$|\.\.)[-._a-zA-Z0-9]+", 253, "of letters, digits, -, _ and ."),
}
"""As Kubernetes has them: pattern, length, and that in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSource(Source):
    """A Secret with ciphertexts, whose key is Vault's, or a plain Secret or ConfigMap."""

    secret: str = ""
    configmap: str = ""
    namespace: str = ""
    """Empty, for a plain one: that of the pod, or of the kubeconfig."""
    cluster: str = ""
    """What one calls it: ciphertexts are bound to that, and to the namespace."""
    mounted: str = ""
    """The folder where it is mounted; empty: the API server is asked."""
    kind: Literal["kubernetes"] = "kubernetes"

    needs_vault: ClassVar[bool] = True

    @property
    def name(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self._object} {where}{self.secret or self.configmap}"

    @property
    def place(self) -> SecretPlace:
        return SecretPlace(self.layout, self.cluster, self.namespace, self.secret)

    def store(self, home: Home) -> Store:
        return self._mounted(home) if self.mounted else self._asked(home, "get")

    def writable_store(self, home: Home, *, creates: bool = False) -> Store:
        return self._asked(home, "get", "update", *(("create",) if creates else ()))

    def trial_store(self, home: Home) -> Store:
        return self._asked(home, "get", "update", "create", dry_run=True)

    @contextmanager
    def transit(self, home: Home) -> Iterator[Transit]:
        from framework.secrets.vault.login import login_of
        from framework.secrets.vault.settings import VaultSettings
        from framework.secrets.vault.transit import open_transit

        def token_of(account: str, namespace: str, audience: str) -> str:
            from framework.secrets.kubernetes.store import request_token

            with closing(self._client(home)) as client:
                return request_token(
                    client, account=account, namespace=namespace, audience=audience
                )

        settings = VaultSettings.received(home.vault or {})
        with open_transit(settings, login_of(settings, request_token=token_of)) as transit:
            yield transit

    def plain_content(self, home: Home) -> bytes | Mapping[str, bytes]:
        from framework.secrets.store import StoreRefused

        contents = self._contents(home)
        if self.layout == "fields":
            return contents
        if self.data_key in contents:
            return contents[self.data_key]
        raise StoreRefused(
            f"{self.name} has no data key {self.data_key}; it has "
            f"{', '.join(sorted(contents)) or 'none'}. Set data_key of its [[secrets.source]], or "
            'layout = "fields"'
        )

    def misfits(self, given: Collection[str]) -> Iterator[tuple[str, str]]:
        # Plain fields are as good as sealed ones here: one data key for each.
        yield from Source.misfits(self, set(given) - {"layout"} if self.plain else given)
        if bool(self.secret) == bool(self.configmap):
            yield "secret", "or configmap must be given: one of them"
        elif self.configmap and not self.plain:
            yield "configmap", "is never sealed: say plain = true, or name a secret"
        if self.plain and self.cluster:
            yield "cluster", "is what ciphertexts are bound to, and plain = true says it has none"
        for name in () if self.plain else ("cluster", "namespace"):
            if not getattr(self, name):
                yield name, "is missing: ciphertexts are bound to it"
        for name, (pattern, length, words) in _NAMES.items():
            value = getattr(self, name)
            if value and not (re.fullmatch(pattern, value) and len(value) <= length):
                yield name, f"must be a name {words}, at most {length} long"

    @property
    def _object(self) -> str:
        return "ConfigMap" if self.configmap else "Secret"

    def _contents(self, home: Home) -> Mapping[str, bytes]:
        if self.mounted:
            return self._mounted(home).contents()
        from framework.secrets.kubernetes.store import plain_contents

        with closing(self._client(home)) as client:
            return plain_contents(
                client,
                self._object,
                namespace=self.namespace,
                name=self.secret or self.configmap,
            )

    def _asked(self, home: Home, *verbs: str, dry_run: bool = False) -> Store:
        from framework.secrets.kubernetes.store import KubernetesStore

        client = self._client(home, dry_run=dry_run)
        store = KubernetesStore(client, namespace=self.namespace, name=self.secret, verbs=verbs)
        finalize(store, client.close)  # nobody is to close a Store: most have nothing to be closed
        return store

    def _mounted(self, home: Home) -> MountedStore:
        from framework.secrets.kubernetes.mounted import MountedStore

        return MountedStore(Path(home.folder, self.mounted), name=self.name)

    def _client(self, home: Home, *, dry_run: bool = False) -> KubernetesClient:
        from framework.secrets.kubernetes.client import KubernetesClient
        from framework.secrets.kubernetes.dryrun import DryRunClient
        from framework.secrets.kubernetes.settings import KubernetesSettings

        kind = DryRunClient if dry_run else KubernetesClient
        return kind(KubernetesSettings.received(home.kubernetes))
