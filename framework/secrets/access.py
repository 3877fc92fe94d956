"""``access.json``: which workload may decrypt what, and all that is sealed (the inventory).

Responsible for what such a file says, that it always says it in the same order, and that several
``matrix.toml`` do not contradict each other in it. What their classes declare is found out by
``tools.access``; what Vault makes of it is ``policies``' business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from framework.errors import ConfigError
from framework.secrets.place import Layout, SecretPlace
from framework.secrets.prune import Tree
from framework.tables import Location, Table, in_words

T = TypeVar("T")

FILE = "access.json"
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def _some(items: tuple[T, ...]) -> tuple[T, ...]:
    # min_length counts what is valid, and so takes a list for empty whose one item is wrong.
    if not items:
        raise PydanticCustomError("empty", "must not be empty")
    return items


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


# Names go into paths and texts of policies, where quotes, globs and line breaks mean something.
Label = Annotated[str, Field(pattern=f"^{_LABEL}$", max_length=63)]
Subdomain = Annotated[str, Field(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$")]
Mount = Annotated[str, Field(pattern=r"^[-A-Za-z0-9_.]+(/[-A-Za-z0-9_.]+)*$")]
DataKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
DataKeys = Annotated[tuple[DataKey, ...], AfterValidator(_some), AfterValidator(_sorted)]
Instance = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]*$")]
Instances = Annotated[tuple[Instance, ...], AfterValidator(_sorted)]


class Secret(Table):
    """Data keys of one Secret: ciphertexts of one layout."""

    secret: Subdomain
    layout: Layout
    data_keys: DataKeys


def joined(secrets: Iterable[Secret]) -> tuple[Secret, ...]:
    """All that they have, each Secret once, in order."""
    data_keys: dict[tuple[str, Layout], set[str]] = {}
    for each in secrets:
        data_keys.setdefault((each.secret, each.layout), set()).update(each.data_keys)
    return tuple(
        Secret(secret=secret, layout=layout, data_keys=tuple(keys))
        for (secret, layout), keys in sorted(data_keys.items())
    )


Secrets = Annotated[tuple[Secret, ...], AfterValidator(_some), AfterValidator(joined)]


class Workload(Table):
    """What runs as one process, as one service account: its instances hold all rights together."""

    name: Label
    service_account: Subdomain
    instances: Instances
    """Services and pages."""
    publishes: Instances = ()
    """Feeds, by the names of the services that publish them."""
    follows: Instances = ()
    reads: Secrets
    """What it may decrypt."""


def _named(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    return tuple(sorted(workloads, key=lambda each: each.name))


class Namespace(Table):
    """One namespace of one cluster, whose one Transit key seals all its Secrets."""

    cluster: Subdomain
    namespace: Label
    mount: Mount
    """Of the Transit engine."""
    key: Key
    auth: Mount
    """Of the Kubernetes auth method that knows this cluster's service accounts."""
    inventory: Secrets
    """All that is sealed."""
    workloads: Annotated[tuple[Workload, ...], AfterValidator(_named)]

    @property
    def title(self) -> str:
        return f"{self.cluster}/{self.namespace}"

    def place(self, secret: Secret) -> SecretPlace:
        return SecretPlace(secret.layout, self.cluster, self.namespace, secret.secret)


def _titled(namespaces: tuple[Namespace, ...]) -> tuple[Namespace, ...]:
    return tuple(sorted(namespaces, key=lambda each: (each.cluster, each.namespace)))


class Access(Table):
    """The file."""

    format: Literal[1] = 1
    namespaces: Annotated[tuple[Namespace, ...], AfterValidator(_some), AfterValidator(_titled)]

    def text(self) -> str:
        """The same for the same, and a line for each name: made to be compared."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """:raises ConfigError: it cannot be read, or a line for each problem in it."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            problem = error.strerror
        except UnicodeDecodeError:
            problem = "it is not text in UTF-8"
        else:
            return cls.parse(text, path)
        raise ConfigError(
            f"{path} cannot be read: {problem}. Make it (matrix access), or say where it is "
            "(--from)"
        )

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """:raises ConfigError: a line for each problem; ``path`` is where it stands."""
        try:
            access = cls.model_validate_json(text)
        except ValidationError as error:
            if any(not each["loc"] for each in error.errors(include_url=False)):
                problems = [f"{path} is no JSON object"]
            else:
                problems = in_words(path, error, _names, words=_WORDS)
        else:
            found = (*_left_out(access, json.loads(text)), *_contradictions(access))
            problems = [f"{path}: {line}" for line in found]
        if problems:
            problems[-1] += ". Have it made anew: matrix access"
            raise ConfigError("\n".join(problems))
        return access


def merged(parts: Sequence[tuple[str, Namespace]]) -> Access:
    """One of all that several files say, each given with its name.

    :raises ConfigError: they contradict each other: a line for each contradiction.
    """
    groups: dict[str, list[tuple[str, Namespace]]] = {}
    for path, part in parts:
        groups.setdefault(part.title, []).append((path, part))
    problems = [line for group in groups.values() for line in _differences(group)]
    if problems:
        raise ConfigError("\n".join(problems))
    return Access(namespaces=tuple(map(_one, groups.values())))


def data_keys_of(tree: Tree) -> tuple[str, ...]:
    """Every data key that a reader of sealed fields looks for, for what a process declares.

    A shared field is one at the top level and one in each section; what is no name of a sealed
    field, such as an alias with a space in it, cannot be sealed by itself.
    """
    own = [(section, name) for section, fields in tree.own.items() for name in fields]
    return tuple(
        ".".join(names)
        for names in (*own, *((name,) for name in tree.shared))
        if all(map(_FIELD.fullmatch, names))
    )


def _differences(group: Sequence[tuple[str, Namespace]]) -> Iterator[str]:
    """Of the parts of one namespace."""
    first_path, first = group[0]
    workloads: dict[str, tuple[str, Workload]] = {}
    for path, part in group:
        for name, where in (("key", ""), ("mount", ""), ("auth", "login.")):
            one, other = getattr(first, name), getattr(part, name)
            if one != other:
                setting = where + ("mount" if name == "auth" else name)
                yield (
                    f"{first_path} and {path} have different names, {one} and {other}, for "
                    f"{setting} of [secrets.vault], and {part.title} has one key: say the same"
                )
        for each in part.workloads:
            known_path, known = workloads.setdefault(each.name, (path, each))
            if known != each:
                yield (
                    f"{known_path} and {path} mean different things by {each.name} in "
                    f"{part.title}: give an instance another name, or the processes of a file one "
                    f"of their own: --workload {path}=NAME"
                )


def _one(group: Sequence[tuple[str, Namespace]]) -> Namespace:
    """Of parts that do not contradict each other."""
    parts = [part for _, part in group]
    workloads = {each.name: each for part in parts for each in part.workloads}
    changed = {
        "inventory": joined(each for part in parts for each in part.inventory),
        "workloads": _named(tuple(workloads.values())),
    }
    return parts[0].model_copy(update=changed)


def _left_out(access: Access, written: Mapping[str, Any]) -> Iterator[str]:
    """What stands in the file and not in what was read of it, or the other way round."""
    if "format" not in access.model_fields_set:
        yield "format is missing"
    for home in written["namespaces"]:
        reads = {f"what {each['name']} reads": each["reads"] for each in home["workloads"]}
        for where, secrets in ({"the inventory": home["inventory"]} | reads).items():
            names = [(each["secret"], each["layout"]) for each in secrets]
            for secret, layout in sorted({each for each in names if names.count(each) > 1}):
                title = f"{home['cluster']}/{home['namespace']}"
                yield f"{secret}, layout {layout}, is twice in {where} of {title}"


def _contradictions(access: Access) -> Iterator[str]:
    titles = [each.title for each in access.namespaces]
    for title in sorted({each for each in titles if titles.count(each) > 1}):
        yield f"{title} is there twice"
    for namespace in access.namespaces:
        names = [each.name for each in namespace.workloads]
        for name in sorted({each for each in names if names.count(each) > 1}):
            yield f"{namespace.title} has two workloads that are called {name}"
        for workload in namespace.workloads:
            if joined((*namespace.inventory, *workload.reads)) != namespace.inventory:
                yield f"{workload.name} reads what the inventory of {namespace.title} does not have"


_WORDS = {
    "empty": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "tuple_type": "must be a list",
}
_TABLES: Mapping[int | str, type[Table]] = {
    "namespaces": Namespace,
    "workloads": Workload,
    "inventory": Secret,
    "reads": Secret,
}


def _names(loc: Location) -> Iterable[str]:
    """What may stand in the table that the last part of ``loc`` is in."""
    table = next((_TABLES[part] for part in reversed(loc[:-1]) if part in _TABLES), Access)
    return table.model_fields
