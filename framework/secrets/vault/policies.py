"""From ``access.json`` to what Vault is told: a role for each reader, encryptor and rotator, each
with one policy of the same name. Nothing here asks Vault: ``bootstrap`` does.

A *reader*, one for each workload, decrypts with the contexts of what it declares, and with no
other. The *encryptor* encrypts, and verifies what is stored, with the contexts of the inventory.
The *rotator* rewraps whatever it finds, for what nobody declares any more must be rewrapped too. No
role has a right that shows plaintexts (but the reader's to its own), the key, or destroys anything.

Parameters are listed wherever they could be more than is meant. So ``key_version``, which seals
with an old version, is refused; and ``batch_input``, in which it and any context could hide. Vault
1.21 lets an empty context pass for a listed one, and its engine refuses that where the key is
derived, as it must be for contexts to mean anything: ``bootstrap`` makes sure of it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework.errors import ConfigError
from framework.secrets.access import Namespace, Secret
from framework.secrets.vault.settings import AUDIENCE

ENCRYPTOR = "matrix-encrypt"
ROTATOR = "matrix-rotate"
"""Service accounts: whoever may be one of these is the encryptor, the rotator."""
TOKEN_S = 60
"""How long a token lives that nobody revokes; who needs longer logs in again."""

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
    return f"{prefix(namespace)}read-{workload}"


def prefix(namespace: Namespace) -> str:
    """What names of the roles of a namespace begin with."""
    return f"matrix-{namespace.cluster}-{namespace.namespace}-"


def roles_of(namespaces: Iterable[Namespace]) -> list[Role]:
    """All roles of some namespaces that one Vault is for.

    :raises ConfigError: two of them are one to Vault: a line for each problem.
    """
    given = list(namespaces)
    roles = [role for each in given for role in _roles(each)]
    problems = [*_shared(given), *_mistakable(roles)]
    if problems:
        raise ConfigError("\n".join(problems))
    return roles


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
        prefix(namespace) + "encrypt",
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
        prefix(namespace) + "rotate",
        namespace.auth,
        ROTATOR,
        namespace.namespace,
        _policy(
            f"Who rotates the key of {where}, and cannot decrypt with it.",
            _path(namespace, "keys/{}", "read"),
            _path(namespace, "keys/{}/rotate", "update"),
            _may(namespace, "rewrap/{}", "ciphertext", pinned=None),
            _path(
                namespace,
                "keys/{}/config",
                "update",
                "  allowed_parameters = {",
                '    "min_decryption_version" = []',
                "  }",
            ),
        ),
    )


def _policy(about: str, *paths: str) -> str:
    head = f"# {about}\n# Made from access.json by matrix vault bootstrap, which will undo changes."
    return "\n".join([f"{head}\n", *paths, _REVOKE])


def _may(namespace: Namespace, path: str, what: str, *, pinned: Sequence[Secret] | None) -> str:
    """To send ``what`` with one of the contexts of ``pinned``; None: with any.

    An empty list would mean any to Vault too. None is: what is pinned has a data key at least.
    """
    contexts = [
        f'      "{base64.b64encode(namespace.place(secret).context(data_key)).decode()}",'
        f" # {data_key} in {secret.secret}"
        for secret in pinned or ()
        for data_key in secret.data_keys
    ]
    return _path(
        namespace,
        path,
        "update",
        f'  required_parameters = ["{what}", "context"]',
        "  allowed_parameters = {",
        f'    "{what}" = []',
        *(['    "context" = []'] if pinned is None else ['    "context" = [', *contexts, "    ]"]),
        "  }",
    )


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


def _mistakable(roles: Sequence[Role]) -> Iterator[str]:
    names = [role.name for role in roles]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield f"two roles would be called {name}: give a workload, or a cluster, another name"
