"""JSON files as frozen data classes: every field is there and of its type, or one sentence says which is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from sca_train.errors import TrainError
from sca_train.files import check_readable

Record = TypeVar("Record")

_MOST_BYTES = 2**28
_LONGEST_VALUE = 60
_WHOLE_NUMBER_LIMIT = 2**63
_NAMES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "none_required": "null",
    "string_pattern_mismatch": "a plain name",
}


class RecordError(Exception):
    """A file is damaged, or a field of it is missing or of another type; the message names the file."""


def read_record(kind: type[Record], file: Path) -> Record:
    """The data class that a JSON file holds. Further keys of the file are passed over.

    Fields may be numbers, text, booleans, null, other data classes, tuples (lists in JSON) and dictionaries by text of
    these. Numbers are finite, whole ones of 64 bits. Raises RecordError.
    """
    content = _read(file)
    try:
        _check_numbers(from_json(content), "")
        return TypeAdapter(kind).validate_json(content, strict=True)
    except ValidationError as error:
        raise RecordError(f"{file} {_sentence(error.errors(include_url=False)[0])}") from None
    except ValueError as error:
        raise RecordError(f"{file} is damaged ({error})") from None


def _read(file: Path) -> bytes:
    try:
        check_readable(file)
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except (TrainError, OSError) as error:
        raise RecordError(f"{file} is damaged ({error})") from None
    if len(content) > _MOST_BYTES:
        raise RecordError(f"{file} is damaged (it is larger than {_MOST_BYTES} bytes)")
    return content


def _check_numbers(value: Any, name: str) -> None:
    """Raise ValueError for a number that is none; the parser has bounded the nesting."""
    if isinstance(value, dict):
        for key, entry in value.items():
            _check_numbers(entry, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _check_numbers(entry, f"{name}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is not a finite number")
    elif isinstance(value, int) and not -_WHOLE_NUMBER_LIMIT <= value < _WHOLE_NUMBER_LIMIT:
        raise ValueError(f"{name} is a number of more than 64 bits")


def _sentence(error: ErrorDetails) -> str:
    *outer, last = error["loc"] or ("",)
    if error["type"] == "missing":
        return f"has no {last} in {_path(outer)}" if outer else f"has no {last}"
    if not error["loc"]:
        return "holds no JSON object"
    value = repr(error["input"])
    if len(value) > _LONGEST_VALUE:
        value = f"{value[:_LONGEST_VALUE]}..."
    return f"has {value} as {_path(error['loc'])}, which is not {_NAMES.get(error['type'], 'of its form')}"


def _path(location: tuple[int | str, ...] | list[int | str]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
