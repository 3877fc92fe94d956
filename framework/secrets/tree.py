"""The tree of declared names: from the classes of a process to what ``prune`` keeps for them.

Where a validator may look at all that was given, all is kept, and so it is where the class of a
value is not one whose ways are known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NewType,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from pydantic import (
    AfterValidator,
    AnyUrl,
    BaseModel,
    Discriminator,
    HttpUrl,
    RedisDsn,
    Secret,
    SecretBytes,
    SecretStr,
)
from pydantic.fields import FieldInfo
from typing_extensions import NoExtraItems, ReadOnly, is_typeddict

from framework.config import Config
from framework.config.annotations import (
    classes_in,
    is_union,
    keys_of,
    looks_first,
    takes_fields,
)
from framework.config.declared import declared
from framework.folding import fold
from framework.secrets.prune import Node, Tree

_SCALARS = {
    *(str, bytes, bool, int, float, Decimal, NoneType, date, datetime, time, timedelta),
    *(UUID, Path, SecretStr, SecretBytes, AnyUrl, HttpUrl, RedisDsn),
}
_LISTS = {list, tuple, set, frozenset, deque, Sequence, MutableSequence}
_MAPPINGS = {dict, Mapping, MutableMapping}
_QUALIFIERS = {Required, NotRequired, ReadOnly}
_ALL: Node = {"all": True}


def tree_of(instances: Iterable[tuple[type[Config], str]]) -> Tree:
    """What the instances, each a class and a name, declare together."""
    own: dict[str, dict[str, Node]] = {}
    shared: dict[str, Node] = {}
    for cls, name in instances:
        section = own.setdefault(fold(name), {})
        for each in declared(cls):
            node = _field(cls, each.name)
            for key in each.keys:
                section[key] = _either(section.get(key), node)
                if each.shared:
                    shared[key] = _either(shared.get(key), node)
    return Tree(own, shared)


def _field(model: type[BaseModel], name: str) -> Node:
    info = model.model_fields[name]
    if _looks_at_all(model) or looks_first(model, name, info) or any(map(_is_free, info.metadata)):
        return _ALL
    if isinstance(info.discriminator, Discriminator):
        return _ALL
    if model.model_config.get("alias_generator") and any(
        map(_is_record, classes_in(info.annotation))
    ):
        return _ALL  # it renames the fields of these too
    return _node(info.annotation, ())


def _node(annotation: Any, outside: tuple[Any, ...]) -> Node:
    """What may stand where this is declared, within the aliases ``outside``."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return _ALL if any(map(_is_free, marks)) else _node(inner, outside)
    args = get_args(annotation)
    if isinstance(annotation, NewType):
        return _node(annotation.__supertype__, outside)
    if hasattr(annotation, "__value__") and not args:  # a named alias
        again = annotation in outside
        return _ALL if again else _node(annotation.__value__, (*outside, annotation))
    cls = get_origin(annotation) or annotation
    if cls in _QUALIFIERS:
        return _node(args[0], outside)
    if is_union(annotation):
        return _either(*(_node(arg, outside) for arg in args))
    if cls is Literal or cls is None:
        return {}
    if cls is Secret and args:
        return _node(args[0], outside)
    if cls in _LISTS and args:
        return {"items": _either(*(_node(arg, outside) for arg in args if arg is not Ellipsis))}
    if cls in _MAPPINGS and args:
        return {"values": _node(args[1], outside)}
    if isinstance(cls, type) and issubclass(cls, BaseModel) and not _looks_at_all(cls):
        return _model(cls)
    if _is_record(cls):
        return _record(cls)
    return {} if _is_scalar(cls) else _ALL


def _model(model: type[BaseModel]) -> Node:
    fields = {
        key: _field(model, name)
        for name, info in model.model_fields.items()
        for key in keys_of(model, name, info)
    }
    return {"fields": fields, "strict": model.model_config.get("extra") == "forbid"}


def _is_record(cls: Any) -> bool:
    """Whether it is a dataclass, a ``TypedDict`` or a named tuple."""
    is_named_tuple = isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")
    return is_typeddict(cls) or is_named_tuple or (isinstance(cls, type) and is_dataclass(cls))


def _record(cls: Any) -> Node:
    hints = {
        name: hint
        for name, hint in get_type_hints(cls, include_extras=True).items()
        if get_origin(hint) is not ClassVar
    }
    if _has_own_ways(cls) or any(map(_is_renamed, hints.values())):
        return _ALL
    fields = {name: _node(hint, ()) for name, hint in hints.items()}
    # Whether it refuses others, pydantic knows; one that does not, overlooks what stands for them.
    node: Node = {"fields": fields, "strict": True}
    return node | {"items": _either(*fields.values())} if issubclass(cls, tuple) else node


def _has_own_ways(cls: Any) -> bool:
    """Whether a dataclass or the like tells pydantic more than its annotations do."""
    bases = [get_origin(base) or base for base in getattr(cls, "__orig_bases__", ())]
    return (
        any("pydantic" in name for name in dir(cls))
        or getattr(cls, "__extra_items__", NoExtraItems) is not NoExtraItems
        or any(
            isinstance(each.default, FieldInfo)
            for each in getattr(cls, "__dataclass_fields__", {}).values()
        )
        or any(
            hasattr(value, "decorator_info")  # a validator
            for each in cls.__mro__
            for value in vars(each).values()
        )
        or any(map(_has_own_ways, filter(is_typeddict, bases)))
    )


def _is_renamed(hint: Any) -> bool:
    """Whether a mark gives a field of a dataclass or the like another name."""
    if get_origin(hint) in _QUALIFIERS:
        return _is_renamed(get_args(hint)[0])
    inner, *marks = get_args(hint) if get_origin(hint) is Annotated else (None,)
    renames = any(isinstance(mark, FieldInfo) and mark.validation_alias for mark in marks)
    return renames or (inner is not None and _is_renamed(inner))


def _looks_at_all(model: type[BaseModel]) -> bool:
    """Whether something of a model's own sees all that is given for it."""
    return (
        not takes_fields(model)
        or model.__init__ is not BaseModel.__init__
        or _schema(model) is not _schema(BaseModel)
    )


def _schema(model: type[BaseModel]) -> Any:
    return model.__get_pydantic_core_schema__.__func__  # type: ignore[attr-defined]  # of a classmethod


def _is_free(mark: Any) -> bool:
    """Whether a mark of ``Annotated`` may do what it likes with all that is given."""
    if isinstance(mark, FieldInfo):
        return isinstance(mark.discriminator, Discriminator) or any(map(_is_free, mark.metadata))
    if isinstance(mark, AfterValidator):
        return False
    return isinstance(mark, Discriminator) or hasattr(mark, "__get_pydantic_core_schema__")


def _is_scalar(cls: Any) -> bool:
    if isinstance(cls, type) and issubclass(cls, Enum):
        plain = (str, int, float, NoneType)
        own_way = hasattr(cls, "__get_pydantic_core_schema__")
        return not own_way and all(isinstance(each.value, plain) for each in cls)
    return cls in _SCALARS


def _either(*nodes: Node | None) -> Node:
    """What allows all that one of them allows."""
    known = [node for node in nodes if node]
    if any("all" in node for node in known):
        return _ALL
    out: Node = {}
    for part in ("items", "values"):
        inner = [node[part] for node in known if part in node]
        if inner:
            out[part] = _either(*inner)
    models = [node for node in known if "fields" in node]
    if models:
        keys = {key: None for node in models for key in node["fields"]}
        out["fields"] = {
            key: _either(*(node["fields"].get(key) for node in models), out.get("values"))
            for key in keys
        }
        out["strict"] = any(node.get("strict") for node in models) and "values" not in out
    return out
