"""What is in an annotation: its classes, what they are made of, and whether a secret is among them.

Annotations are those that pydantic understands. What a field of a class means to the configuration
is the business of ``declared``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    PlainValidator,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    WrapValidator,
)
from pydantic.fields import FieldInfo
from typing_extensions import is_typeddict

from framework.errors import DefinitionError

_SECRETS = (SecretStr, SecretBytes, Secret)


def type_text(annotation: Any) -> str:
    """An annotation as one would write it, without the modules: ``list[str]``."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(args[0])
    if origin is Literal:
        return " or ".join(map(repr, args))
    if is_union(annotation):
        return " | ".join(map(type_text, args))
    if annotation in (None, NoneType):
        return "None"
    if annotation is Ellipsis:
        return "..."
    name = getattr(origin or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(type_text, args))}]" if args else name


def is_union(annotation: Any) -> bool:
    """Whether it is ``A | B``, however that is written."""
    return get_origin(annotation) in (Union, UnionType)


def bare(annotation: Any) -> Any:
    """An annotation without what only wraps it: Annotated, a named alias, a NewType."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__") and not get_args(annotation):
            annotation = annotation.__value__
        else:
            return annotation


def classes_in(annotation: Any, seen: tuple[Any, ...] = ()) -> Iterator[type]:
    """Every class in an annotation: members of unions, containers and what they hold."""
    annotation = bare(annotation)
    if annotation in seen:  # an alias that refers to itself
        return
    seen = (*seen, annotation)
    origin = get_origin(annotation)
    cls = origin or annotation
    if isinstance(cls, type):
        yield cls
    if hasattr(origin, "__value__"):  # a named alias with parameters
        yield from classes_in(origin.__value__, seen)
    if origin is not Literal:
        for arg in get_args(annotation):
            yield from classes_in(arg, seen)


def members(cls: type) -> dict[str, Any]:
    """The annotations of what a class is made of, by the keys that they answer to."""
    if issubclass(cls, BaseModel):
        return {
            key: info.annotation
            for name, info in cls.model_fields.items()
            for key in keys_of(cls, name, info)
        }
    if not (is_dataclass(cls) or is_typeddict(cls) or hasattr(cls, "_fields")):
        return {}
    try:
        return get_type_hints(cls)
    except NameError as error:
        missing = error.name
    raise undefined(cls, missing)


def keys_of(cls: type[BaseModel], name: str, info: FieldInfo) -> tuple[str, ...]:
    """What a field of a model answers to: its aliases, else its name."""
    config = cls.model_config
    aliases: tuple[str, ...] = ()
    if config.get("validate_by_alias") is not False:
        aliases = tuple(alias for alias in aliases_of(info) if isinstance(alias, str))
    by_name = config.get("validate_by_name") or config.get("populate_by_name")
    return (*aliases, name) if by_name or not aliases else aliases


def aliases_of(info: FieldInfo) -> list[Any]:
    """What stands as alias for validation: texts and ``AliasPath``s."""
    alias = info.validation_alias
    return alias.choices if isinstance(alias, AliasChoices) else [alias]


def takes_fields(cls: type) -> bool:
    """Whether it is a model made of its fields alone: no validator of its own looks first."""
    if not issubclass(cls, BaseModel) or issubclass(cls, RootModel):
        return False
    validators = cls.__pydantic_decorators__.model_validators.values()
    return all(validator.info.mode == "after" for validator in validators)


def looks_first(cls: type[BaseModel], name: str, info: FieldInfo) -> bool:
    """Whether a validator of a field sees all that is given for it, before its type does."""
    modes = {
        validator.info.mode
        for validator in cls.__pydantic_decorators__.field_validators.values()
        if {name, "*"} & set(validator.info.fields)
    }
    marks = (BeforeValidator, WrapValidator, PlainValidator)
    return bool(modes - {"after"}) or any(isinstance(mark, marks) for mark in info.metadata)


def holds_secret(annotation: Any, seen: tuple[type, ...] = ()) -> bool:
    """Whether there is a secret in it, however deep."""
    return any(
        issubclass(cls, _SECRETS)
        or (
            cls not in seen
            and any(holds_secret(member, (*seen, cls)) for member in members(cls).values())
        )
        for cls in classes_in(annotation)
    )


def fills_secret(annotation: Any, value: object) -> bool:
    """Whether ``value``, given for what is so annotated, would fill a secret in it.

    In doubt it would: what is no plain container of what is declared may end up anywhere.
    """
    annotation = bare(annotation)
    if not holds_secret(annotation):
        return False
    args = get_args(annotation)
    cls = get_origin(annotation) or annotation
    if is_union(annotation):
        return any(fills_secret(arg, value) for arg in args)
    if not isinstance(cls, type) or issubclass(cls, (*_SECRETS, RootModel)):
        return True
    if isinstance(value, Mapping) and (inside := members(cls)):
        return any(
            fills_secret(inside[key], inner) if key in inside else not takes_fields(cls)
            for key, inner in value.items()
        )
    if isinstance(value, Mapping) and issubclass(cls, Mapping) and len(args) == 2:
        return any(
            fills_secret(args[0], key) or fills_secret(args[1], inner)
            for key, inner in value.items()
        )
    if isinstance(value, list) and args and issubclass(cls, Iterable):
        return any(fills_secret(arg, inner) for inner in value for arg in args)
    return True


def undefined(cls: type, missing: str | None) -> DefinitionError:
    """The refusal of a class that refers to a name that is not there."""
    return DefinitionError(
        f"{cls.__qualname__} refers to {missing}, which does not exist (yet): "
        "define or import it at the top of the module"
    )


def as_member(annotation: Any, value: Any) -> Any:
    """A text as what a ``Literal`` lists: pydantic takes "12" for a 12, but not there."""
    listed = bare(annotation)
    if get_origin(listed) is not Literal or not isinstance(value, str):
        return value
    return next((one for one in get_args(listed) if str(one) == value), value)
