"""What a configuration class declares, field by field, and what it must not declare.

This works on any pydantic model: a class whose ``_shared`` is true declares shared fields. Which
sources fill them is the business of ``gathering``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import get_annotations
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasPath, BaseModel
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from framework.config.annotations import (
    aliases_of,
    bare,
    classes_in,
    holds_secret,
    is_union,
    keys_of,
    looks_first,
    members,
    takes_fields,
    type_text,
    undefined,
)
from framework.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Declared:
    """One field that a class declares, as the sources and the people who fill it see it."""

    name: str
    """The attribute."""
    keys: tuple[str, ...]
    """What it answers to: its aliases, else its name."""
    shared: bool
    """Whether it is looked for at the top level too."""
    required: bool
    annotation: Any = field(repr=False)
    model: type[BaseModel] | None
    """The model in it whose fields are merged one by one; None: it is replaced as a whole."""

    @property
    def key(self) -> str:
        """What every source calls it once they are merged."""
        return self.keys[0]

    @property
    def secret(self) -> bool:
        """Whether there is a secret in it, however deep."""
        return holds_secret(self.annotation)

    @property
    def type_text(self) -> str:
        """As one would write it: ``list[str]``."""
        return type_text(self.annotation)


def declared(cls: type[BaseModel]) -> tuple[Declared, ...]:
    """The fields of a ``Config``, or of a model in one, in the order of their declaration."""
    _complete(cls)
    return tuple(
        Declared(
            name=name,
            keys=keys_of(cls, name, info),
            shared=vars(owner_of(cls, name)).get("_shared", False),
            required=info.is_required(),
            annotation=info.annotation,
            model=_mergeable(cls, name, info),
        )
        for name, info in cls.model_fields.items()
    )


def owner_of(cls: type, name: str) -> type:
    """The class that declares a field: the first whose own annotations hold it."""
    return next((c for c in cls.__mro__ if name in get_annotations(c)), cls)


def _complete(cls: type[BaseModel]) -> None:
    """Let pydantic look again for what the annotations refer to, if some of it was not there."""
    try:
        cls.model_rebuild()  # does nothing if the class is complete
    except PydanticUndefinedAnnotation as error:
        missing = error.name
    else:
        return
    raise undefined(cls, missing)


def _mergeable(cls: type[BaseModel], name: str, info: FieldInfo) -> type[BaseModel] | None:
    """The model in a field, unless something there may want to see all that is given."""
    model: Any = info.annotation
    if is_union(model):
        several = [arg for arg in get_args(model) if arg is not NoneType]
        model = several[0] if len(several) == 1 else None
    if not isinstance(model, type) or not takes_fields(model):
        return None
    return None if looks_first(cls, name, info) else model


# ------------------------------------------------------------------- what a class must not declare


def check_class(cls: type[BaseModel]) -> None:
    """Refuse what no source could fill soundly; for when the class is created.

    :raises DefinitionError: says which field, why, and what to do about it.
    """
    _check_parts(cls, cls.__qualname__, ())
    for each in declared(cls):
        if each.shared:
            _check_shared(each, f"{cls.__qualname__}.{each.name}")


def _check_shared(each: Declared, at: str) -> None:
    if each.key.lower() == "toml":
        raise DefinitionError(f"{at}: MATRIX_TOML names the file; rename the field")
    if not _is_scalar_or_list(each.annotation):
        raise DefinitionError(
            f"{at}: a mapping at the top level is always a section, so a shared field cannot be "
            f"{each.type_text}; make it a scalar or a list, or declare it in a class that is not "
            "shared"
        )


def _is_scalar_or_list(annotation: Any) -> bool:
    annotation = bare(annotation)
    if is_union(annotation):
        return all(map(_is_scalar_or_list, get_args(annotation)))
    cls = get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return cls is Literal
    anything = cls in (object, Any)
    return not (anything or issubclass(cls, Mapping | BaseModel) or members(cls))


def _check_parts(model: type, at: str, outside: tuple[type, ...]) -> None:
    """Check a class found at ``at``, within all of ``outside``, and what it is made of."""
    if model in outside:
        raise DefinitionError(
            f"{at}: {model.__name__} holds itself, which no list of names can express; unfold it"
        )
    # By name: importing pydantic-settings to compare would cost every service 50 ms and 4 MB.
    if any(base.__module__.partition(".")[0] == "pydantic_settings" for base in model.__mro__):
        raise DefinitionError(
            f"{at}: {model.__name__} reads sources of its own; derive it from pydantic.BaseModel"
        )
    if issubclass(model, BaseModel):
        _check_names(model, at)
    for key, annotation in members(model).items():
        for inner in classes_in(annotation):
            _check_parts(inner, f"{at}.{key}", (*outside, model))


def _check_names(model: type[BaseModel], at: str) -> None:
    if model.model_config.get("extra") == "allow":
        raise DefinitionError(
            f'{at}: {model.__name__} says extra="allow", which takes in names that nobody '
            "declared; declare them, or a field of type dict[str, str]"
        )
    taken: set[str] = set()
    for name, info in model.model_fields.items():
        if any(isinstance(alias, AliasPath) for alias in aliases_of(info)):
            raise DefinitionError(
                f"{at}.{name}: an AliasPath reaches into other names; use a plain alias"
            )
        for key in keys_of(model, name, info):
            if "__" in key or key.startswith("_"):
                raise DefinitionError(
                    f"{at}.{name}: in the environment __ stands between the parts of a name; "
                    "do not begin a name with _ or have __ in it"
                )
            if key.lower() in taken:
                raise DefinitionError(
                    f"{at}.{name}: two fields answer to {key}, in upper case at least; "
                    "rename one of them"
                )
            taken.add(key.lower())
