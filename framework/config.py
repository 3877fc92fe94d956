"""Configuration: what a class declares, and where each value comes from.

``Config`` is a pydantic model whose constructor reads nothing. ``load`` fills one for an instance
from its sources, the first that has a value wins: argument, environment, secrets, ``[config]`` of
``matrix.toml``, the machine, default. A field belongs to the class that declares it; it is looked
for in the section of the instance and, if that class is shared, at the top level too.

Reading ``matrix.toml`` is left to ``project``, the machine's time zone to ``place``, the secrets to
whoever makes a ``Sources``. No error ever carries a configured value.
"""

from __future__ import annotations

import os
import re
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from difflib import get_close_matches
from inspect import get_annotations
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NewType,
    Self,
    Union,
    Unpack,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypeVar, is_typeddict

from framework.errors import ConfigError, DefinitionError
from framework.place import GREENWICH, is_timezone, machine_timezone, spot_of
from framework.project import FILE, Project

# ------------------------------------------------------------------------- what a class declares


@dataclass(frozen=True, slots=True)
class Declared:
    """One field that a class declares, as the sources and the people who fill it see it."""

    name: str
    """The attribute."""
    key: str
    """What every source calls it once they are merged: the first of ``keys``."""
    keys: tuple[str, ...]
    """What it answers to: its aliases, else its name."""
    shared: bool
    """Whether it is looked for at the top level too."""
    secret: bool
    """Whether there is a secret in it, however deep."""
    required: bool
    type_text: str
    """As one would write it: ``list[str]``."""
    annotation: Any = field(repr=False)
    model: type[BaseModel] | None
    """The model in it whose fields are merged one by one; None: it is replaced as a whole."""


def declared(cls: type[BaseModel]) -> tuple[Declared, ...]:
    """The fields of a ``Config``, or of a model in one, in the order of their declaration."""
    if not cls.__pydantic_complete__:
        _complete(cls)
    return tuple(
        Declared(
            name=name,
            key=(keys := _keys(cls, name, info))[0],
            keys=keys,
            shared=_owner(cls, name).__dict__.get("_shared", False),
            secret=_holds_secret(info.annotation),
            required=info.is_required(),
            type_text=_type_text(info.annotation),
            annotation=info.annotation,
            model=_mergeable(cls, name, info),
        )
        for name, info in cls.model_fields.items()
    )


def _type_text(annotation: Any) -> str:
    """An annotation as one would write it, without the modules."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(args[0])
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin in (Union, UnionType):
        return " | ".join(map(_type_text, args))
    if annotation in (None, NoneType):
        return "None"
    if annotation is Ellipsis:
        return "..."
    name = getattr(origin or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(_type_text, args))}]" if args else name


def _complete(cls: type[BaseModel]) -> None:
    try:
        cls.model_rebuild()
    except PydanticUndefinedAnnotation as error:
        missing = error.name
    else:
        return
    raise _undefined(cls, missing)


def _undefined(cls: type, missing: str | None) -> DefinitionError:
    return DefinitionError(
        f"{cls.__qualname__} refers to {missing}, which does not exist (yet): "
        "define or import it at the top of the module"
    )


def _owner(cls: type, name: str) -> type:
    """The class that declares a field: the first whose own annotations hold it."""
    return next((c for c in cls.__mro__ if name in get_annotations(c)), cls)


def _keys(cls: type[BaseModel], name: str, info: FieldInfo) -> tuple[str, ...]:
    config = cls.model_config
    alias = None if config.get("validate_by_alias") is False else info.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    aliases = tuple(choice for choice in choices if isinstance(choice, str))
    by_name = config.get("validate_by_name") or config.get("populate_by_name")
    return (*aliases, name) if by_name or not aliases else aliases


def _mergeable(cls: type[BaseModel], name: str, info: FieldInfo) -> type[BaseModel] | None:
    """The model in a field, unless something there may want to see all that is given."""
    union = get_origin(info.annotation) in (Union, UnionType)
    members = [arg for arg in get_args(info.annotation) if arg is not NoneType] if union else []
    model = members[0] if len(members) == 1 else info.annotation
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return None
    modes = {
        validator.info.mode
        for validator in cls.__pydantic_decorators__.field_validators.values()
        if {name, "*"} & set(validator.info.fields)
    }
    marks = (BeforeValidator, WrapValidator, PlainValidator)
    looks_first = modes - {"after"} or any(isinstance(mark, marks) for mark in info.metadata)
    return None if looks_first or not _takes_fields(model) else model


def _takes_fields(model: type[BaseModel]) -> bool:
    """Whether a model is made of its fields alone: no validator of its own looks at them first."""
    validators = model.__pydantic_decorators__.model_validators.values()
    return not issubclass(model, RootModel) and all(v.info.mode == "after" for v in validators)


# ---------------------------------------------------------------------------- walking annotations

_SECRETS = (SecretStr, SecretBytes, Secret)


def _bare(annotation: Any) -> Any:
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


def _classes(annotation: Any, seen: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Every class in an annotation: members of unions, containers and what they hold."""
    annotation = _bare(annotation)
    if annotation in seen:  # an alias that refers to itself
        return
    seen = (*seen, annotation)
    origin = get_origin(annotation)
    if isinstance(origin or annotation, type):
        yield origin or annotation
    if hasattr(origin, "__value__"):  # a named alias with parameters
        yield from _classes(origin.__value__, seen)
    if origin is not Literal:
        for arg in get_args(annotation):
            yield from _classes(arg, seen)


def _members(cls: type) -> dict[str, Any]:
    """The annotations of what a class is made of, by the keys that they answer to."""
    if issubclass(cls, BaseModel):
        return {
            key: info.annotation
            for name, info in cls.model_fields.items()
            for key in _keys(cls, name, info)
        }
    if not (is_dataclass(cls) or is_typeddict(cls) or hasattr(cls, "_fields")):
        return {}
    try:
        return get_type_hints(cls)
    except NameError as error:
        missing = error.name
    raise _undefined(cls, missing)


def _holds_secret(annotation: Any, seen: tuple[type, ...] = ()) -> bool:
    return any(
        issubclass(cls, _SECRETS)
        or (
            cls not in seen
            and any(_holds_secret(member, (*seen, cls)) for member in _members(cls).values())
        )
        for cls in _classes(annotation)
    )


def _secrets_met(annotation: Any, value: object) -> Iterator[tuple[str, ...]]:
    """Where ``value`` would fill a secret: paths of keys below the annotated field.

    In doubt it would: what is no plain container of what is declared may end up anywhere.
    """
    annotation = _bare(annotation)
    if not _holds_secret(annotation):
        return
    origin, args = get_origin(annotation), get_args(annotation)
    cls = origin or annotation
    if origin in (Union, UnionType):
        for arg in args:
            yield from _secrets_met(arg, value)
    elif not isinstance(cls, type) or issubclass(cls, _SECRETS):
        yield ()
    elif (
        isinstance(value, Mapping) and not issubclass(cls, RootModel) and (inside := _members(cls))
    ):
        for key, inner in value.items():
            if key in inside:
                yield from ((key, *path) for path in _secrets_met(inside[key], inner))
            elif not issubclass(cls, BaseModel) or not _takes_fields(cls):
                yield ()
    elif isinstance(value, Mapping) and issubclass(cls, Mapping) and len(args) == 2:
        for key, inner in value.items():
            yield from _secrets_met(args[0], key)
            yield from _secrets_met(args[1], inner)
    elif isinstance(value, list) and issubclass(cls, Iterable) and not issubclass(cls, BaseModel):
        for inner in value:
            for arg in args:
                yield from _secrets_met(arg, inner)
    else:
        yield ()


# ------------------------------------------------------------------- what a class must not declare


def _check_class(cls: type[Config]) -> None:
    """Refuse what no source could fill soundly, when the class is created."""
    _check_members(cls, cls, (), "")
    for each in declared(cls):
        if not each.shared:
            continue
        if each.key.lower() == "toml":
            raise DefinitionError(
                f"{cls.__qualname__}.{each.name}: MATRIX_TOML names the file; rename the field"
            )
        if not _is_scalar_or_list(each.annotation):
            raise DefinitionError(
                f"{cls.__qualname__}.{each.name}: a mapping at the top level is always a section, "
                f"so a shared field cannot be {each.type_text}; make it a scalar or a list, "
                "or declare it in a class that is not shared"
            )


def _is_scalar_or_list(annotation: Any) -> bool:
    annotation = _bare(annotation)
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return all(map(_is_scalar_or_list, get_args(annotation)))
    cls = origin or annotation
    if not isinstance(cls, type):
        return origin is Literal
    mapping = cls in (object, Any) or issubclass(cls, Mapping | BaseModel) or _members(cls)
    return not mapping


def _check_members(cls: type[Config], model: type, path: tuple[type, ...], at: str) -> None:
    """``model`` is ``cls`` itself or something in it, found at ``at``."""

    def refuse(field: str, why: str, remedy: str) -> DefinitionError:
        place = ".".join(part for part in (cls.__qualname__, at, field) if part)
        return DefinitionError(f"{place}: {why}; {remedy}")

    if model in path:
        raise refuse(
            "", f"{model.__name__} holds itself, which no list of names can express", "unfold it"
        )
    # By name: importing pydantic-settings to compare would cost every service 50 ms and 4 MB.
    if any(base.__module__.partition(".")[0] == "pydantic_settings" for base in model.__mro__):
        raise refuse(
            "", f"{model.__name__} reads sources of its own", "derive it from pydantic.BaseModel"
        )
    if issubclass(model, BaseModel):
        if model.model_config.get("extra") == "allow":
            raise refuse(
                "",
                f'{model.__name__} says extra="allow", which takes in names that nobody declared',
                "declare them, or a field of type dict[str, str]",
            )
        taken: set[str] = set()
        for name, info in model.model_fields.items():
            alias = info.validation_alias
            if any(
                isinstance(choice, AliasPath)
                for choice in (alias.choices if isinstance(alias, AliasChoices) else [alias])
            ):
                raise refuse(name, "an AliasPath reaches into other names", "use a plain alias")
            for key in _keys(model, name, info):
                if "__" in key or key.startswith("_"):
                    raise refuse(
                        name,
                        "in the environment __ stands between the parts of a name",
                        "do not begin a name with _ or have __ in it",
                    )
                if key.lower() in taken:
                    raise refuse(
                        name,
                        f"two fields answer to {key}, in upper case at least",
                        "rename one of them",
                    )
                taken.add(key.lower())
    for name, annotation in _members(model).items():
        for inner in _classes(annotation):
            _check_members(cls, inner, (*path, model), f"{at}.{name}".lstrip("."))


# ---------------------------------------------------------------------------------- the classes


def _known_timezone(name: str) -> str:
    if not is_timezone(name):
        raise PydanticCustomError(
            "matrix_timezone", "is not in the IANA time zone database: write one as Europe/Berlin"
        )
    return name


def _redis_scheme(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise PydanticCustomError(
            "matrix_redis_url", "must begin with redis://, rediss:// or unix://"
        )
    return url


class Config(BaseModel):
    """What a service or a page can be told; subclass it and declare fields.

    The constructor reads no source, so it is fit for tests: ``TideConfig(station="x")``. The fields
    of a subclass are its own, unless it says ``shared=True``: those are then also looked for at the
    top level, where every instance finds them, and must be scalars or lists.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    _shared: ClassVar[bool] = True

    redis_url: Annotated[SecretStr, AfterValidator(_redis_scheme)] = SecretStr(
        "redis://127.0.0.1:6379/0"
    )
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    units: Literal["metric", "imperial"] = "metric"

    def __init_subclass__(cls, *, shared: bool = False, **kw: Unpack[ConfigDict]) -> None:
        super().__init_subclass__(**kw)
        cls._shared = shared

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        super().__pydantic_on_complete__()
        _check_class(cls)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that ``timezone`` names."""
        return ZoneInfo(self.timezone)


def _latitude_of_zone(validated: dict[str, Any]) -> float:
    return spot_of(validated.get("timezone", "")).latitude


def _longitude_of_zone(validated: dict[str, Any]) -> float:
    return spot_of(validated.get("timezone", "")).longitude


class Place(Config, shared=True):
    """A ``Config`` that knows where the panel hangs; by default in the city of its time zone."""

    latitude: float = Field(default_factory=_latitude_of_zone, ge=-90, le=90)
    longitude: float = Field(default_factory=_longitude_of_zone, ge=-180, le=180)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        missing = {"latitude", "longitude"} - self.model_fields_set
        if len(missing) == 1:
            raise PydanticCustomError(
                "matrix_place",
                "is missing: latitude and longitude belong together, set both or neither",
                {"field": missing.pop()},
            )
        return self


C = TypeVar("C", bound=Config)

_OUR_ERRORS = frozenset({"matrix_timezone", "matrix_redis_url", "matrix_place"})
"""Errors whose message is a constant of this file, and so may be shown."""


# ------------------------------------------------------------------------------------ the sources

Kind = Literal["argument", "environment", "secrets", "config", "machine", "default"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    source: Kind
    where: str
    """Exactly: ``environment MATRIX_TIDE__TOKEN``, ``[config.tide] station in matrix.toml``."""

    def __str__(self) -> str:
        return self.where


@dataclass(frozen=True, slots=True)
class Sources:
    """What there is to load from. Its repr shows no values."""

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    table: Mapping[str, object] = field(default_factory=dict, repr=False)
    """``[config]`` of ``matrix.toml``: shared fields and sections."""
    table_path: str = "matrix.toml"
    """What messages call the file of ``table``."""
    secrets: Callable[[type[Config], str], Mapping[str, object]] | None = field(
        default=None, repr=False
    )
    """Given class and instance, a mapping of the shape of ``table``; it may raise what it likes."""
    machine_timezone: str | None = None
    machine_redis_url: str | None = field(default=None, repr=False)
    """Of the embedded server of this folder, when one runs."""

    @classmethod
    def of_machine(
        cls,
        project: Project,
        environ: Mapping[str, str],
        *,
        secrets: Callable[[type[Config], str], Mapping[str, object]] | None = None,
    ) -> Self:
        """What there is on this machine, in the folder of ``project``."""
        return cls(
            environ=environ,
            table=project.config,
            table_path=FILE if project.path is None else project.path.name,
            secrets=secrets,
            machine_timezone=machine_timezone(environ),
            machine_redis_url=project.bus_url(),
        )


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """A configuration, and how it came about."""

    config: C
    origins: Mapping[str, Origin]
    """By field: ``station``, ``server.host``."""
    remarks: tuple[str, ...]
    """What its user should be told: "Berlin, from your time zone: ..."."""


@dataclass(frozen=True, slots=True)
class Description:
    """One field of a class, and where its value would come from now. Never the value."""

    field: str
    type: str
    shared: bool
    secret: bool
    required: bool
    origin: Origin | None
    """None: not set."""


def load(
    cls: type[C],
    name: str,
    *,
    sources: Sources | None = None,
    arguments: Mapping[str, object] | None = None,
) -> Loaded[C]:
    """The configuration of the instance ``name``; by default from this machine and folder.

    Raises ``ConfigError`` with one line for each problem.
    """
    if sources is None:
        sources = Sources.of_machine(Project.find(os.environ, Path.cwd()), os.environ)
    outcome = _attempt(cls, name, sources, arguments or {})
    # A traceback keeps the locals of this frame, and these hold values.
    del sources, arguments
    if isinstance(outcome, Loaded):
        return outcome
    raise ConfigError("\n".join(outcome))


def describe(cls: type[Config], name: str, sources: Sources) -> list[Description]:
    """What ``cls`` declares and where each value would come from now; nothing is validated.

    Whoever does not want the secrets to be read for it gives ``sources`` without them.
    """
    origins = _gather(cls, check_name(name, cls), sources, {}).origins
    return [
        Description(
            field=each.name,
            type=each.type_text,
            shared=each.shared,
            secret=each.secret,
            required=each.required,
            origin=next((at for path, at in origins.items() if _top(path) == each.name), None),
        )
        for each in declared(cls)
    ]


def _top(path: str) -> str:
    return path.partition(".")[0]


# ------------------------------------------------------------------------------------- the names

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def check_name(name: str, cls: type[Config] = Place) -> str:
    """An instance's name as everything else is made from it: lower-cased. ``cls`` is its class."""
    if problem := _name_problem(name, cls):
        raise ConfigError(problem)
    return name.lower()


def check_unique(names: Iterable[str]) -> None:
    """Refuse names that would share a section: pages and services have one name space."""
    taken: dict[str, str] = {}
    for name in names:
        other = taken.get(_fold(name))
        if other is not None:
            raise ConfigError(
                f"{other} and {name} are one name for two instances: upper case counts as lower, "
                "- as _, and pages and services share one name space. Give one another name"
            )
        taken[_fold(name)] = name


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")


def _name_problem(name: str, cls: type[Config]) -> str | None:
    remedy = "Give the instance another name"
    if not _NAME.fullmatch(name):
        return (
            f"{name!r} cannot be the name of an instance: a letter, then letters, digits, - and _. "
            + remedy
        )
    if "__" in _fold(name):
        return (
            f"{name!r} cannot be the name of an instance: in the environment, where - becomes _, "
            f"__ ends the name. {remedy}"
        )
    if _fold(name) in {_fold(key) for each in declared(cls) if each.shared for key in each.keys}:
        return (
            f"{name!r} cannot be the name of an instance: it is a field that all instances share. "
            + remedy
        )
    return None


# ----------------------------------------------------------------------------------- the gathering


@dataclass(slots=True)
class _Gathered:
    """What the sources gave, merged; by canonical keys. Higher sources come first."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Instance:
    """Whose configuration it is, for messages."""

    cls: type[Config]
    name: str
    table_path: str

    def problem(self, path: Sequence[Declared], what: str, *, where: str = "") -> str:
        """One line: class, section, field, type, what is wrong, and where to set it right."""
        names, kind = ".".join(each.name for each in path), path[-1].type_text
        return (
            f"{self.cls.__name__} [{self.name}] {names} ({kind}): {what}"
            f"{f', from {where}' if where else ''}; set {self._places(path)}"
        )

    def unknown(self, key: str, where: str, fields: Iterable[Declared]) -> str:
        """One line about a name that nobody declared; it is shown only if it looks like one."""
        shown = (
            repr(key) if re.fullmatch(r"[A-Za-z][\w-]{0,50}", key) else "something that is no name"
        )
        known = [name for each in fields for name in each.keys]
        near = get_close_matches(key.lower(), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        return f"{self.cls.__name__} [{self.name}]: no field is called {shown}, in {where}; {hint}"

    def _places(self, path: Sequence[Declared]) -> str:
        keys = [each.key for each in path]
        top = path[0].shared
        environment = ("MATRIX_" if top else _prefix(self.name)) + "__".join(keys).upper()
        section = [] if top else [self.name]
        if path[-1].secret and path[-1].model is None:
            return f"{environment}, or {'.'.join([*section, *keys])} in the secrets"
        return f"{environment}, or {self.table_place(section, keys)}"

    def table_place(self, section: Sequence[str], keys: Sequence[str]) -> str:
        *tables, key = ("config", *section, *keys)
        return f"[{'.'.join(tables)}] {key} in {self.table_path}"


def _prefix(name: str) -> str:
    """What the variables of an instance begin with."""
    return f"MATRIX_{_fold(name).upper()}__"


def _gather(
    cls: type[Config], name: str, sources: Sources, arguments: Mapping[str, object]
) -> _Gathered:
    fields = declared(cls)
    shared = tuple(each for each in fields if each.shared)
    who = _Instance(cls, name, sources.table_path)
    out = _Gathered()

    def secret_at(*section: str) -> Callable[[Sequence[str]], Origin]:
        return lambda keys: Origin("secrets", f"{'.'.join([*section, *keys])} in the secrets")

    def table_at(*section: str) -> Callable[[Sequence[str]], Origin]:
        return lambda keys: Origin("config", who.table_place(section, keys))

    secrets = sources.secrets(cls, name) if sources.secrets else {}
    out.problems += _unknown(who, fields, arguments, "the arguments")
    _merge(out, fields, arguments, lambda keys: Origin("argument", f"argument {'.'.join(keys)}"))
    _merge_environment(out, who, fields, sources.environ, _prefix(name))
    _merge_environment(out, who, shared, sources.environ, "MATRIX_")
    for written, section in _sections(secrets, name):
        if isinstance(section, Mapping):
            _merge(out, fields, section, secret_at(written))
        else:
            out.problems.append(f"{cls.__name__} [{name}]: {written} in the secrets is no mapping")
    _merge(out, shared, secrets, secret_at())
    for written, section in _sections(sources.table, name):
        place = f"[config.{written}] of {sources.table_path}"
        if isinstance(section, Mapping):
            out.problems += _unknown(who, fields, section, place)
            out.problems += _plain_secrets(who, fields, section, place)
            _merge(out, fields, section, table_at(written))
        else:
            out.problems.append(
                f"{cls.__name__} [{name}]: [config] {written} in {sources.table_path} is the "
                f"section of an instance, so it must be a table: write [config.{written}]"
            )
    out.problems += _plain_secrets(who, shared, sources.table, f"[config] of {sources.table_path}")
    _merge(out, shared, sources.table, table_at())
    _merge_machine(out, shared, sources)
    for each in fields:
        if each.key not in out.values and not each.required:
            out.origins[each.name] = _default_origin(cls, each)
    return out


def _sections(table: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    """What belongs to the instance, as it is written there: ``Harbour-2`` is ``harbour_2``."""
    return [(key, value) for key, value in table.items() if _fold(str(key)) == _fold(name)]


def _merge(
    out: _Gathered,
    fields: Iterable[Declared],
    given: Mapping[str, object],
    origin: Callable[[Sequence[str]], Origin],
) -> None:
    """Put ``given`` below what is there already: models field by field, all else as a whole."""

    def lay(
        values: dict[str, Any],
        fields: Iterable[Declared],
        given: Mapping[str, object],
        names: tuple[str, ...],
        keys: tuple[str, ...],
    ) -> None:
        for each in fields:
            key = next((key for key in each.keys if key in given), None)
            if key is None:
                continue
            value, path = given[key], (*names, each.name)
            if each.model and isinstance(value, Mapping):
                held = values.setdefault(each.key, {})
                if isinstance(held, dict):
                    lay(held, declared(each.model), value, path, (*keys, key))
            elif each.key not in values:
                values[each.key] = value
                out.origins[".".join(path)] = origin((*keys, key))

    lay(out.values, fields, given, (), ())


def _merge_environment(
    out: _Gathered,
    who: _Instance,
    fields: Sequence[Declared],
    environ: Mapping[str, str],
    prefix: str,
) -> None:
    """The variables that begin with ``prefix``, read by pydantic-settings, one field at a time.

    One at a time, so that a value that cannot be read does not hide the next problem; and never
    from more than the variables of that field, whatever it is called.
    """
    found: dict[str, dict[str, str]] = {each.name: {} for each in fields}
    for variable, value in environ.items():
        rest = variable.removeprefix(prefix)
        if rest == variable or rest != rest.upper():
            continue
        suffix = rest.lower()
        owner = next((each for each in fields if _answers(each, suffix)), None)
        if owner:
            found[owner.name][suffix] = value
        elif prefix != "MATRIX_" and not suffix.startswith("_"):  # tide_ is another instance
            out.problems.append(who.unknown(suffix, f"environment {variable}", fields))
    for each in fields:
        if not found[each.name]:
            continue
        variables = {suffix: prefix + suffix.upper() for suffix in found[each.name]}
        where = f"environment {', '.join(variables.values())}"
        given = _read_environment(who.cls, found[each.name])
        if given == {} and found[each.name].keys() & set(map(str.lower, each.keys)):
            given = {each.key: None}  # the source leaves a JSON null out
        if given is None:
            out.problems.append(who.problem([each], "is not the JSON that it must be", where=where))
        elif not given:
            out.problems.append(who.problem([each], "has no parts of its own", where=where))
        else:
            out.problems += _unknown(who, [each], given, where)
            _merge(out, [each], given, _variable_of(variables))


def _answers(each: Declared, suffix: str) -> bool:
    keys = [key.lower() for key in each.keys]
    inside = () if each.shared else tuple(f"{key}__" for key in keys)
    return suffix in keys or suffix.startswith(inside)


def _read_environment(cls: type[Config], variables: dict[str, str]) -> dict[str, Any] | None:
    """What the lower-cased ``variables`` say; None if one is not the JSON that it must be."""
    # Here, because its import costs 50 ms and 4 MB, and most instances have no variable.
    from pydantic_settings import BaseSettings, EnvSettingsSource

    # It needs a model class and reads nothing but model_fields and model_config.
    source = EnvSettingsSource(
        cast(type[BaseSettings], cls),
        case_sensitive=False,
        env_prefix="",
        env_nested_delimiter="__",
        env_ignore_empty=False,
    )
    source.env_vars = variables
    try:
        return source()
    except (ValueError, RecursionError):
        return None


def _variable_of(variables: Mapping[str, str]) -> Callable[[Sequence[str]], Origin]:
    """The variable that gave what is at some keys: itself, or the JSON of one that holds it."""

    def origin(keys: Sequence[str]) -> Origin:
        lower = [key.lower() for key in keys]
        suffixes = ("__".join(lower[:n]) for n in range(len(lower), 0, -1))
        name = next(
            (variables[s] for s in suffixes if s in variables), ", ".join(variables.values())
        )
        return Origin("environment", f"environment {name}")

    return origin


def _merge_machine(out: _Gathered, shared: Iterable[Declared], sources: Sources) -> None:
    def of_machine(keys: Sequence[str]) -> Origin:
        zone = "the machine's time zone"
        return Origin("machine", zone if keys[0] == "timezone" else "the server of this folder")

    given = {"timezone": sources.machine_timezone, "redis_url": sources.machine_redis_url}
    _merge(out, shared, {key: v for key, v in given.items() if v is not None}, of_machine)


def _default_origin(cls: type[Config], each: Declared) -> Origin:
    by_zone = each.name in ("latitude", "longitude") and _owner(cls, each.name) is Place
    return Origin("default", "the place of the time zone" if by_zone else "default")


def _unknown(
    who: _Instance, fields: Iterable[Declared], given: Mapping[str, object], where: str
) -> Iterator[str]:
    """One line for each name in ``given``, or in a model in it, that is not declared."""
    fields = tuple(fields)
    for key, value in given.items():
        owner = next((each for each in fields if key in each.keys), None)
        if owner is None:
            yield who.unknown(str(key), where, fields)
        elif owner.model and isinstance(value, Mapping):
            yield from _unknown(who, declared(owner.model), value, f"{owner.name}, {where}")


def _plain_secrets(
    who: _Instance, fields: Iterable[Declared], given: Mapping[str, object], where: str
) -> Iterator[str]:
    """One line for each secret that stands in a file which is not encrypted."""
    for each in fields:
        for key in each.keys:
            if key in given:
                met = {
                    _declared_part([each], (key, *path))
                    for path in _secrets_met(each.annotation, given[key])
                }
                for path in met:
                    yield who.problem(path, f"a secret must not stand in {where}")


def _declared_part(fields: Iterable[Declared], loc: Sequence[int | str]) -> tuple[Declared, ...]:
    """As much of a path as consists of declared names: what follows may be anything."""
    path: list[Declared] = []
    for part in loc:
        owner = next((each for each in fields if part in each.keys), None)
        if owner is None:
            break
        path.append(owner)
        fields = declared(owner.model) if owner.model else ()
    return tuple(path)


# ---------------------------------------------------------------------------------- the validation

_WORDS = {
    "missing": "is missing",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "is none of these",
    "enum": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "string_type": "must be text, in quotes",
}
"""By pydantic's types of errors; the braces hold what the class says, never what was given."""


def _attempt(
    cls: type[C], name: str, sources: Sources, arguments: Mapping[str, object]
) -> Loaded[C] | list[str]:
    """The configuration, or the problems as data: whoever raises must not hold values."""
    if problem := _name_problem(name, cls):
        return [problem]
    name = name.lower()
    gathered = _gather(cls, name, sources, arguments)
    who = _Instance(cls, name, sources.table_path)
    config: C | None = None
    problems = gathered.problems
    try:
        config = cls.model_validate(gathered.values)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] != "default_factory_not_called":  # follows from another error
                problems.append(_in_words(who, gathered.origins, each))
    except Exception as error:  # a validator may raise anything, and hold a value in it
        last = traceback.extract_tb(error.__traceback__)[-1]
        problems.append(
            f"{cls.__name__} [{name}]: its validation broke with {type(error).__name__} in "
            f"{last.filename}, line {last.lineno}; mend it to raise ValueError for what it refuses"
        )
    if config is None or problems:
        return list(dict.fromkeys(problems))
    return Loaded(config, gathered.origins, _remarks(config))


def _in_words(who: _Instance, origins: Mapping[str, Origin], error: ErrorDetails) -> str:
    """One error of pydantic, without its message and its path: both may hold values."""
    kind, context = error["type"], error.get("ctx", {})
    loc = (context["field"],) if kind == "matrix_place" else error["loc"]
    path = _declared_part(declared(who.cls), loc)
    if kind in _OUR_ERRORS:
        what = error["msg"]
    elif len(path) < len(loc):
        what = f"is not a valid {path[-1].type_text}" if path else "is not declared"
    elif kind in _WORDS:
        what = _WORDS[kind].format_map(defaultdict(lambda: "what its class says", context))
    elif kind in ("value_error", "assertion_error"):
        what = "is refused by the class's own check"
    else:
        what = f"is not a valid {path[-1].type_text}" if path else "does not fit together"
    if not path:
        return f"{who.cls.__name__} [{who.name}]: {what}"
    names = ".".join(each.name for each in path)
    origin = next((at for at in (origins.get(names), origins.get(path[0].name)) if at), None)
    where = str(origin) if origin and origin.source != "default" else ""
    return who.problem(path, what, where=where)


def _remarks(config: Config) -> tuple[str, ...]:
    if not isinstance(config, Place) or any(
        name in config.model_fields_set or _owner(type(config), name) is not Place
        for name in ("latitude", "longitude")
    ):
        return ()
    spot = spot_of(config.timezone)
    why = (
        f"because the time zone is {config.timezone.removeprefix('Etc/')}"
        if spot is GREENWICH
        else "from your time zone"
    )
    return (f"{spot.name}, {why}: set [config] latitude, longitude",)
