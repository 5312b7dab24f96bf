"""JSON objects as frozen data classes: every field is there and of its type, or one says which is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")

_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null"}


class FieldError(Exception):
    """A field is missing or of another type; the message goes on from the name of what holds it."""


def read_record(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """The data class of a JSON object. Fields may be numbers, text, booleans, null, other data classes, tuples
    (lists in JSON) and dictionaries by text of these; further keys of the object are passed over.

    Raises FieldError.
    """
    types = get_type_hints(kind)
    values = {}
    for entry in fields(kind):  # type: ignore[arg-type]
        if entry.name not in content:
            raise FieldError(f"has no {entry.name}")
        values[entry.name] = _value(types[entry.name], content[entry.name], entry.name)
    return kind(**values)


def _value(kind: Any, value: Any, name: str) -> Any:
    choices = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    if value is None and NoneType in choices:
        return None
    (wanted,) = [choice for choice in choices if choice is not NoneType] or [NoneType]
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(inner[0], entry, f"{name}[{index}]") for index, entry in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _value(inner[1], entry, f"{name}.{key}") for key, entry in value.items()}
    if is_dataclass(wanted) and isinstance(value, dict):
        try:
            return read_record(wanted, value)  # type: ignore[arg-type]
        except FieldError as error:
            raise FieldError(f"{error} in {name}") from None
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is wanted:
        return value
    raise FieldError(f"has {value!r} as {name}, which is not {_NAMES.get(wanted, 'of its form')}")
