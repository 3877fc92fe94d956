"""From ``access.json`` to what Vault is told: a role for each reader, encryptor and rotator, each
with one policy of the same name. Nothing here asks Vault: ``bootstrap`` does.

A *reader*, one for each workload, decrypts with the contexts of what it declares, and with no
other. The *encryptor* encrypts, and verifies what is stored, with the contexts of the inventory.
The *rotator* rewraps whatever it finds, for what nobody declares any more must be rewrapped too. No
role has a right that shows plaintexts (but the reader's to its own), the key, or destroys anything.

Parameters are listed wherever they could be more than is meant. So ``key_version``, which seals
with an old version, is refused; and ``batch_input``, in which it and any context could hide, to
all but the rotator. Vault 1.21 lets an empty context pass for a listed one, and to the rotator none
is required; its engine refuses that where the key is derived, as it must be for contexts to mean
anything: ``bootstrap`` makes sure of it.

What a batch gives away to the rotator: an item of it may name an older ``key_version``, as long as
``min_encryption_version`` of the key allows it, and no policy sees that. It is then sealed with
that one: whoever may write the Secret could put an older ciphertext there without any Vault.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework.errors import ConfigError
from framework.secrets.access import Namespace, Secret
from framework.secrets.vault.settings import AUDIENCE

ENCRYPTOR = "matrix-encrypt"
ROTATOR = "matrix-rotate"
"""Service accounts: whoever may be one of these is the encryptor, the rotator."""
POLICIES = "sys/policies/acl"
TOKEN_S = 60
"""How long a token lives that nobody revokes; who needs longer logs in again."""

_NAME = re.compile("matrix_([-a-z0-9.]+)_([-a-z0-9]+)_(?:encrypt|rotate|read_[-a-z0-9]+)")
_REVOKE = 'path "auth/token/revoke-self" {\n  capabilities = ["update"]\n}\n'


@dataclass(frozen=True, slots=True)
class Role:
    """Who may log in, and what they may do then."""

    name: str
    """The policy's too."""
    auth: str
    """The mount of the auth method."""
    service_account: str
    namespace: str
    policy: str
    """In HCL."""

    @property
    def path(self) -> str:
        return f"auth/{self.auth}/role/{self.name}"

    @property
    def policy_path(self) -> str:
        return f"{POLICIES}/{self.name}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """As Vault takes and shows them: all that decides who may log in, and for how long."""
        return {
            "bound_service_account_names": [self.service_account],
            "bound_service_account_namespaces": [self.namespace],
            "bound_service_account_namespace_selector": "",
            "audience": AUDIENCE,
            "alias_name_source": "serviceaccount_uid",
            "token_policies": [self.name],
            "token_ttl": TOKEN_S,
            "token_max_ttl": TOKEN_S,
            "token_explicit_max_ttl": 0,
            "token_period": 0,
            "token_num_uses": 0,
            "token_no_default_policy": True,
            "token_type": "service",
        }


def reader_name(namespace: Namespace, workload: str) -> str:
    """What the role of a workload is called: its ``VAULT_ROLE``."""
    return f"{prefix(namespace.cluster, namespace.namespace)}read_{workload}"


def encryptor_name(namespace: Namespace) -> str:
    """What the role of its encryptor is called."""
    return f"{prefix(namespace.cluster, namespace.namespace)}encrypt"


def rotator_name(namespace: Namespace) -> str:
    """What the role of its rotator is called."""
    return f"{prefix(namespace.cluster, namespace.namespace)}rotate"


def prefix(cluster: str, namespace: str) -> str:
    """What names of the roles of a namespace begin with, and no others do.

    None of their parts can have an underscore in it.
    """
    return f"matrix_{cluster}_{namespace}_"


def owner_of(name: str) -> tuple[str, str] | None:
    """Cluster and namespace of a role, by its name; None: it is not called as one of these."""
    found = _NAME.fullmatch(name)
    return (found[1], found[2]) if found else None


def roles_of(namespaces: Iterable[Namespace]) -> list[Role]:
    """All roles of some namespaces that one Vault is for.

    :raises ConfigError: two of them are one to Vault: a line for each problem.
    """
    given = list(namespaces)
    problems = list(_shared(given))
    if problems:
        raise ConfigError("\n".join(problems))
    return [role for each in given for role in _roles(each)]


def _roles(namespace: Namespace) -> Iterator[Role]:
    where = namespace.title
    for each in namespace.workloads:
        yield Role(
            reader_name(namespace, each.name),
            namespace.auth,
            each.service_account,
            namespace.namespace,
            _policy(
                f"What {each.name} in {where} may decrypt.",
                _may(namespace, "decrypt/{}", "ciphertext", pinned=each.reads),
            ),
        )
    yield Role(
        encryptor_name(namespace),
        namespace.auth,
        ENCRYPTOR,
        namespace.namespace,
        _policy(
            f"Who seals secrets of {where}, and cannot decrypt them.",
            _may(namespace, "encrypt/{}", "plaintext", pinned=namespace.inventory),
            _may(namespace, "rewrap/{}", "ciphertext", pinned=namespace.inventory),
            _path(namespace, "keys/{}", "read"),
        ),
    )
    yield Role(
        rotator_name(namespace),
        namespace.auth,
        ROTATOR,
        namespace.namespace,
        _policy(
            f"Who rotates the key of {where}, and cannot decrypt with it.",
            _path(namespace, "keys/{}", "read"),
            _path(namespace, "keys/{}/rotate", "update"),
            _path(
                namespace,
                "rewrap/{}",
                "update",
                *_allowed('"ciphertext" = []', '"context" = []', '"batch_input" = []'),
            ),
            _path(
                namespace, "keys/{}/config", "update", *_allowed('"min_decryption_version" = []')
            ),
        ),
    )


def _policy(about: str, *paths: str) -> str:
    head = f"# {about}\n# Made from access.json by matrix vault bootstrap, which will undo changes."
    return "\n".join([f"{head}\n", *paths, _REVOKE])


def _may(namespace: Namespace, path: str, what: str, *, pinned: Sequence[Secret]) -> str:
    """To send ``what`` with one of the contexts of ``pinned``.

    An empty list would mean any to Vault. None is: what is pinned has a data key at least.
    """
    contexts = [
        f'  "{base64.b64encode(namespace.place(secret).context(data_key)).decode()}",'
        f" # {data_key} in {secret.secret}"
        for secret in pinned
        for data_key in secret.data_keys
    ]
    return _path(
        namespace,
        path,
        "update",
        f'  required_parameters = ["{what}", "context"]',
        *_allowed(f'"{what}" = []', '"context" = [', *contexts, "]"),
    )


def _allowed(*parameters: str) -> list[str]:
    """These and no others; an empty list means any value."""
    return ["  allowed_parameters = {", *(f"    {each}" for each in parameters), "  }"]


def _path(namespace: Namespace, path: str, capability: str, *more: str) -> str:
    # The model of a Namespace lets no name pass that would have to be quoted.
    head = f'path "{namespace.mount}/{path.format(namespace.key)}" {{'
    return "\n".join([head, f'  capabilities = ["{capability}"]', *more, "}\n"])


def _shared(namespaces: Sequence[Namespace]) -> Iterator[str]:
    """What only one namespace, or one cluster, should have."""
    keys: dict[tuple[str, str], Namespace] = {}
    methods: dict[str, Namespace] = {}
    for each in namespaces:
        known = keys.setdefault((each.mount, each.key), each)
        if known is not each:
            yield (
                f"{known.title} and {each.title} have one key, {each.key} of {each.mount}: set "
                f"another in [secrets.vault] of one of them{_or_apart(known, each)}"
            )
        first = methods.setdefault(each.auth, each)
        if first.cluster != each.cluster:
            yield (
                f"auth/{each.auth} cannot know the service accounts of two clusters, "
                f"{first.cluster} and {each.cluster}: set mount in [secrets.vault.login] of one of "
                f"them{_or_apart(first, each)}"
            )
        for workload in each.workloads:
            if workload.service_account in (ENCRYPTOR, ROTATOR):
                yield (
                    f"{workload.name} in {each.title} cannot have the service account "
                    f"{workload.service_account}, which may do what only a tool may: give it "
                    "another"
                )


def _or_apart(one: Namespace, other: Namespace) -> str:
    return "" if one.cluster == other.cluster else ", or say --cluster, if there are two Vaults"
