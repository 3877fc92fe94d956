"""What the sources give an instance, merged: the first source that has a value wins.

A field is looked for in the section of the instance and, if it is shared, at the top level too;
models are merged field by field. Whether the values are valid is left to the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from framework.config.annotations import as_member, fills_secret
from framework.config.declared import Declared, declared, owner_of
from framework.config.environment import Variables
from framework.config.model import Config, Place
from framework.config.problems import Instance
from framework.config.sources import Document, Origin, Sources
from framework.folding import fold

COORDINATES = ("latitude", "longitude")
OF_ZONE = Origin("default", "the place of the time zone")
"""Where a ``Place`` has its coordinates from, unless they are set."""

OriginOf = Callable[[Sequence[str]], Origin]
"""From the keys that lead to a value, as they are written there, to where it came from."""


def gather(
    cls: type[Config], name: str, sources: Sources, arguments: Mapping[str, object]
) -> Gathered:
    """What there is for the instance ``name`` of ``cls``; from arguments to defaults, in order."""
    out = Gathered(Instance(cls, name, sources.table_path))
    out.take_arguments(arguments)
    out.take_environment(sources.environ)
    out.take_secrets(sources.secrets)
    out.take_table(sources.table)
    out.take_machine(sources)
    out.take_defaults()
    return out


class Gathered:
    """What was given for one instance. What is taken first wins."""

    def __init__(self, who: Instance) -> None:
        self.who = who
        self.values: dict[str, Any] = {}
        """By the key of each field."""
        self.origins: dict[str, Origin] = {}
        """By field: ``station``, ``server.host``."""
        self.problems: list[str] = []
        self._fields = declared(who.cls)
        self._shared = tuple(each for each in self._fields if each.shared)

    def take_arguments(self, arguments: Mapping[str, object]) -> None:
        self._refuse_unknown(self._fields, arguments, "the arguments")
        self._merge(
            self._fields, arguments, lambda keys: Origin("argument", f"argument {'.'.join(keys)}")
        )

    def take_environment(self, environ: Mapping[str, str]) -> None:
        self._take_variables(self._fields, environ, self.who.prefix)
        self._take_variables(self._shared, environ, "MATRIX_")

    def take_secrets(self, documents: Sequence[Document]) -> None:
        """Sealed ones first; among their like the last; and of these all sections first."""
        for sealed in (True, False):
            alike = [each for each in reversed(documents) if each.sealed is sealed]
            for document in alike:
                self._take_sections(document)
            for document in alike:
                self._take_document(self._shared, document, document.values)

    def _take_sections(self, document: Document) -> None:
        for written, section in self._sections(document.values):
            if isinstance(section, Mapping):
                self._take_document(self._fields, document, section, written)
            else:
                self.problems.append(f"{self.who}: {written} in {document.where} is no mapping")

    def _take_document(
        self,
        fields: Sequence[Declared],
        document: Document,
        given: Mapping[str, object],
        *section: str,
    ) -> None:
        def at(keys: Sequence[str]) -> Origin:
            path = [*section, *keys]
            return Origin("secrets", f"{'.'.join(path)} in {document.where}", document.remedy(path))

        if not document.may_fill_secrets:
            self._refuse_secrets(fields, given, f"{document.where}, which is not encrypted")
        self._merge(fields, given, at)

    def take_table(self, table: Mapping[str, object]) -> None:
        def at(*section: str) -> OriginOf:
            return lambda keys: Origin("config", self.who.table_place(section, keys))

        path = self.who.table_path
        for written, section in self._sections(table):
            where = f"[config.{written}] of {path}"
            if isinstance(section, Mapping):
                self._refuse_unknown(self._fields, section, where)
                self._refuse_secrets(self._fields, section, where)
                self._merge(self._fields, section, at(written))
            else:
                self.problems.append(
                    f"{self.who}: [config] {written} in {path} is the section of an instance, "
                    f"so it must be a table: write [config.{written}]"
                )
        self._refuse_secrets(self._shared, table, f"[config] of {path}")
        self._merge(self._shared, table, at())

    def take_machine(self, sources: Sources) -> None:
        where = {"timezone": "the machine's time zone", "redis_url": "the server of this folder"}
        found = {"timezone": sources.machine_timezone, "redis_url": sources.machine_redis_url}
        given = {key: value for key, value in found.items() if value is not None}
        self._merge(self._shared, given, lambda keys: Origin("machine", where[keys[0]]))

    def take_defaults(self) -> None:
        for each in self._fields:
            if each.key not in self.values and not each.required:
                of_zone = each.name in COORDINATES and owner_of(self.who.cls, each.name) is Place
                self.origins[each.name] = OF_ZONE if of_zone else Origin("default", "default")

    def _sections(self, table: Mapping[str, object]) -> list[tuple[str, object]]:
        """What is the instance's, as it is written there: ``Harbour-2`` is ``harbour_2``."""
        ours = fold(self.who.name)
        return [(key, value) for key, value in table.items() if fold(str(key)) == ours]

    def _take_variables(
        self, fields: Sequence[Declared], environ: Mapping[str, str], prefix: str
    ) -> None:
        """What begins with ``prefix``, by fields: one that is wrong must not hide another's."""
        found = [Variables(each, prefix) for each in fields]
        for variable, text in environ.items():
            suffix = variable.removeprefix(prefix).lower()
            if variable != prefix + suffix.upper() or any(one.take(suffix, text) for one in found):
                continue
            # At the top level it may be of another class; MATRIX_TIDE___X is of the instance tide_.
            if prefix == self.who.prefix and not suffix.startswith("_"):
                self.problems.append(self.who.unknown(suffix, f"environment {variable}", fields))
        for variables in found:
            if variables.texts:
                self._take_field(variables)

    def _take_field(self, variables: Variables) -> None:
        field, where = variables.field, str(variables)
        given = variables.read(self.who.cls)
        if given is None:
            what = "is not the JSON that it must be"
        elif not given:
            what = "has no parts of its own"
        else:
            self._refuse_unknown([field], given, where)
            self._merge([field], given, variables.origin)
            return
        self.problems.append(self.who.problem([field], what, where=where))

    def _merge(
        self,
        fields: Iterable[Declared],
        given: Mapping[str, object],
        origin: OriginOf,
        *,
        into: dict[str, Any] | None = None,
        names: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
    ) -> None:
        """Put ``given`` below what is there already: models field by field, all else as a whole.

        ``names`` and ``keys`` lead to the model that the fields are of, which is held in ``into``.
        """
        values = self.values if into is None else into
        for each in fields:
            key = next((key for key in each.keys if key in given), None)
            if key is None:
                continue
            value, path = given[key], (*names, each.name)
            if each.model and isinstance(value, Mapping):
                held = values.setdefault(each.key, {})
                if isinstance(held, dict):
                    inside = declared(each.model)
                    self._merge(inside, value, origin, into=held, names=path, keys=(*keys, key))
            elif each.key not in values:
                values[each.key] = as_member(each.annotation, value)
                self.origins[".".join(path)] = origin((*keys, key))

    def _refuse_unknown(
        self, fields: Sequence[Declared], given: Mapping[str, object], where: str
    ) -> None:
        """Refuse what is given, here or in a model here, under names that nobody declared."""
        for key, value in given.items():
            owner = next((each for each in fields if key in each.keys), None)
            if owner is None:
                self.problems.append(self.who.unknown(str(key), where, fields))
            elif owner.model and isinstance(value, Mapping):
                self._refuse_unknown(declared(owner.model), value, f"{owner.name}, {where}")

    def _refuse_secrets(
        self,
        fields: Iterable[Declared],
        given: Mapping[str, object],
        where: str,
        path: tuple[Declared, ...] = (),
    ) -> None:
        """Refuse each secret that stands in a file which is not encrypted."""
        for each in fields:
            for key in given.keys() & set(each.keys):
                at, value = (*path, each), given[key]
                if each.model and isinstance(value, Mapping):
                    self._refuse_secrets(declared(each.model), value, where, at)
                elif fills_secret(each.annotation, value):
                    what = f"a secret must not stand in {where}"
                    self.problems.append(self.who.problem(at, what))
