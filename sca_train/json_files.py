"""JSON files as pydantic data classes: every field is there and of its kind, or one sentence says which is not."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sca_train.errors import TrainError
from sca_train.files import read_text

_Content = TypeVar("_Content")

RECORD = ConfigDict(strict=True, extra="ignore")
"""Of data classes that are read here: nothing is converted, and what only others need is passed over."""


def read_json_as(kind: type[_Content], path: Path, again: str) -> _Content:
    """The content of a JSON file, an object with at least the fields of a pydantic data class.

    Raises TrainError, one sentence that names the file, the field and what to do (``again``); FileNotFoundError.
    """
    try:
        return TypeAdapter(kind).validate_json(read_text(path))
    except ValidationError as error:
        raise TrainError(f"{path} is damaged: {wrong_field(error)}; {again}") from None
    except UnicodeDecodeError as error:
        raise TrainError(f"{path} is damaged: it is no text ({error}); {again}") from None


def wrong_field(error: ValidationError) -> str:
    """The first field that is wrong, by its path in the file, and why."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
