"""What a class was given for its base's type parameters: ``Tide`` in ``ServerBase[Tide]``."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from typing_extensions import TypeVar, get_original_bases


def type_arguments(cls: type, base: type) -> tuple[Any, ...]:
    """The arguments of ``base``'s type parameters, as ``cls`` fixes them.

    Follows intermediate generic classes, swapped parameters and plain sub-subclasses. What is still
    open is left as its type variable. Call it after ``super().__init_subclass__()``: only then is
    ``__parameters__`` the class's own.
    """
    if cls is base:
        return tuple(getattr(base, "__parameters__", ()))
    for original in get_original_bases(cls):
        origin = get_origin(original) or original
        if not (isinstance(origin, type) and issubclass(origin, base)):
            continue
        arguments = type_arguments(origin, base)
        own = dict(zip(getattr(origin, "__parameters__", ()), get_args(original), strict=False))
        return tuple(own.get(one, one) if isinstance(one, TypeVar) else one for one in arguments)
    raise TypeError(f"{cls.__name__} is no subclass of {base.__name__}")
