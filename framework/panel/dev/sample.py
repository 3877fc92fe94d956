"""Sample values of a model that nobody has published yet: so that a page can be drawn at all.

They are made from the model's JSON Schema: what it gives as examples, else its default, else
something plausible by type and within the bounds. Whether they are valid is the model's to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from framework.errors import ConfigError
from framework.update import Values

USUAL = 21.0
"""A number, where its bounds allow it: good for degrees, per cent and euros."""
SWING = 5.0
"""How far the numbers of a list stray from that: a curve has something to show."""
ITEMS = 24
"""How many there are in a list that does not say."""
DEEPEST = 4
"""Nested so far, a model that holds itself has an end."""

Schema = Mapping[str, Any]


def sample(model: type[Values], at: datetime) -> Values:
    """One of ``model``, as if made ``at`` that time.

    :raises ConfigError: what was made is not valid: its author has to give examples.
    """
    try:
        schema = model.model_json_schema()
        return model.model_validate(_Maker(schema.get("$defs", {}), at).make(schema, ""))
    except ValidationError as error:
        wrong = in_words(error)
    except PydanticInvalidForJsonSchema as error:
        wrong = error.message
    raise ConfigError(
        f"no sample can be made of {model.__name__} ({wrong}). Say what one looks like, with "
        "Field(examples=[...]), or give one with --values FILE.json"
    )


def in_words(error: ValidationError) -> str:
    """Which fields are wrong and how, without what they hold."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'all of it'}: {each['msg']}"
        for each in problems[:3]
    )


class _Maker:
    """Makes JSON that a schema describes."""

    def __init__(self, definitions: Mapping[str, Schema], at: datetime) -> None:
        self._definitions = definitions
        self._at = at

    def make(self, schema: Schema, name: str, place: int = 0, depth: int = 0) -> Any:
        """``name``: of the field that it is for. ``place``: in the list that it is in."""
        if "$ref" in schema:
            definition = self._definitions[schema["$ref"].rpartition("/")[2]]
            schema = {**definition, **{key: schema[key] for key in schema if key != "$ref"}}
        if schema.get("examples"):
            return schema["examples"][place % len(schema["examples"])]
        if schema.get("default") is not None:
            return schema["default"]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][place % len(schema["enum"])]
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self._one_of(schema[several], name, place, depth)
        match schema.get("type"):
            case "object":
                return {
                    field: self.make(each, field, place, depth + 1)
                    for field, each in schema.get("properties", {}).items()
                }
            case "array":
                return self._list(schema, name, depth + 1)
            case "number" | "integer" as kind:
                value = _number(schema, place)
                return round(value) if kind == "integer" else value
            case "boolean":
                return True
            case "string":
                return self._text(schema, name, place)
        return None

    def _one_of(self, schemas: list[Schema], name: str, place: int, depth: int) -> Any:
        """The first that is something, while there is room for it."""
        something = [each for each in schemas if each.get("type") != "null"]
        if not something or (depth > DEEPEST and len(something) < len(schemas)):
            return None
        return self.make(something[0], name, place, depth)

    def _list(self, schema: Schema, name: str, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            items = enumerate(schema["prefixItems"])
            return [self.make(each, name, place, depth) for place, each in items]
        usual = 0 if depth > DEEPEST else ITEMS
        count = max(schema.get("minItems", 0), min(usual, schema.get("maxItems", usual)))
        return [self.make(schema.get("items", {}), name, place, depth) for place in range(count)]

    def _text(self, schema: Schema, name: str, place: int) -> str:
        match schema.get("format"):
            case "date-time":
                return (self._at + timedelta(hours=place)).isoformat()
            case "date":
                return (self._at + timedelta(days=place)).date().isoformat()
            case "time":
                return (self._at + timedelta(hours=place)).time().isoformat()
            case "duration":
                return "PT1H"
            case "uri":
                return "http://localhost/"
        text = name.replace("_", " ").capitalize() or "Text"
        return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _number(schema: Schema, place: int) -> float:
    least, most = _bounds(schema)
    wave = math.sin(place / 4)
    value = USUAL + SWING * wave
    if least <= value <= most:
        return value
    if math.isinf(least):
        return most - 1
    if math.isinf(most):
        return least + 1
    return least + (most - least) * (0.5 + 0.3 * wave)


def _bounds(schema: Schema) -> tuple[float, float]:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    most = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    return least, most
