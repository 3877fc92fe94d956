"""The variables of one field, read as pydantic-settings reads them.

Which field a variable belongs to is decided here; what it is worth beside other sources is decided
in ``gathering``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pydantic import BaseModel

from framework.config.declared import Declared
from framework.config.sources import Origin


class Variables:
    """The variables that fill one field: a single one, or one for each part of it."""

    def __init__(self, field: Declared, prefix: str) -> None:
        self.field = field
        self._prefix = prefix
        self.texts: dict[str, str] = {}
        """By what follows the prefix, in lower case."""
        self._keys = {key.lower() for key in field.keys}

    def __str__(self) -> str:
        return f"environment {', '.join(map(self._name, self.texts))}"

    def take(self, suffix: str, text: str) -> bool:
        """Take a variable if it is of this field. ``suffix``: what follows the prefix, lower-cased.

        A shared field is a scalar or a list, and so has no parts.
        """
        parts = () if self.field.shared else tuple(f"{key}__" for key in self._keys)
        ours = suffix in self._keys or suffix.startswith(parts)
        if ours:
            self.texts[suffix] = text
        return ours

    def read(self, cls: type[BaseModel]) -> dict[str, Any] | None:
        """What they say, by the keys of ``cls``, which has the field; None: one is not the JSON
        that it must be.

        pydantic-settings gets no other variable, so that none can fill a field that happens to be
        called like it.
        """
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
        source.env_vars = self.texts
        try:
            given = source()
        except (ValueError, RecursionError):
            return None
        if not given and self._keys & self.texts.keys():
            return {self.field.key: None}  # the source leaves a JSON null out
        return given

    def origin(self, keys: Sequence[str]) -> Origin:
        """The variable that gave what is at some keys: itself, or the JSON of one that holds it."""
        lower = [key.lower() for key in keys]
        suffixes = ("__".join(lower[:n]) for n in range(len(lower), 0, -1))
        suffix = next((suffix for suffix in suffixes if suffix in self.texts), None)
        return Origin("environment", f"environment {self._name(suffix)}" if suffix else str(self))

    def _name(self, suffix: str) -> str:
        return self._prefix + suffix.upper()
