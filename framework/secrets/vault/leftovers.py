"""What is in Vault under names as these are, and is not in ``access.json``.

Responsible for telling what nobody may be any more from what is another file's: whether it is to
go, whoever administers Vault has to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from framework.secrets.access import Namespace
from framework.secrets.vault.policies import Role, owner_of

Owned = Mapping[str, Sequence[str]]
"""By the name of a role, the paths at which it and its policy are."""


def left_over(
    owned: Owned, namespaces: Iterable[Namespace], roles: Iterable[Role]
) -> Iterator[str]:
    """Of these namespaces: who may still decrypt, and is not in the file."""
    titles = {(each.cluster, each.namespace): each.title for each in namespaces}
    wanted = {path for role in roles for path in (role.path, role.policy_path)}
    for name, paths in owned.items():
        title = titles.get(owner_of(name) or ("", ""))
        more = [path for path in paths if path not in wanted]
        if title and more:
            yield (
                f"{' and '.join(more)}: access.json does not have this, and whoever has it may "
                f"still decrypt. If it is in another access.json for {title}, merge them (matrix "
                "access a.toml b.toml). If nothing runs with it any more: "
                + " && ".join(f"vault delete {path}" for path in more)
            )


def others(owned: Owned, namespaces: Iterable[Namespace]) -> list[str]:
    """Other namespaces of these clusters."""
    known = {(each.cluster, each.namespace) for each in namespaces}
    clusters = {cluster for cluster, _ in known}
    found = {owner for owner in map(owner_of, owned) if owner} - known
    return sorted("/".join(owner) for owner in found if owner[0] in clusters)
