"""Files of numpy arrays (.npy): written whole, and read only where they hold what their header says."""

from __future__ import annotations

import io
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sca_train.files import check_readable, sealed, unsealed, write_bytes

_VERSION_1 = (1, 0)


def save_array(target: Path, array: NDArray[Any]) -> None:
    """Write a .npy file whole or not at all."""
    write_bytes(target, _content(array))


def read_array(source: Path) -> NDArray[Any]:
    """The array of a .npy file; no pickles, and no more memory than the file has bytes.

    Raises ValueError for anything else, TrainError for what is no regular file, and OSError.
    """
    check_readable(source)
    with source.open("rb") as stream:
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == _VERSION_1 else npy.read_array_header_2_0
        try:
            shape, _, dtype = read_header(stream)
        except (TokenError, SyntaxError) as error:  # the header is a literal of Python
            raise ValueError(f"its header cannot be read ({error})") from None
        bytes_there = source.stat().st_size - stream.tell()
    if dtype.hasobject or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize > bytes_there:
        raise ValueError(f"it is of {dtype} {list(shape)} by its header and has {bytes_there} bytes")
    array: NDArray[Any] = np.load(source, allow_pickle=False)
    return array


def save_sealed(target: Path, array: NDArray[Any]) -> None:
    """The same with the file's checksum behind it, over which readers of .npy files pass."""
    write_bytes(target, sealed(_content(array)))


def read_sealed(source: Path) -> NDArray[Any] | None:
    """What ``save_sealed`` wrote; None where the file is damaged or not there."""
    try:
        check_readable(source)
        content = unsealed(source.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return None if content is None else np.load(io.BytesIO(content), allow_pickle=False)


def _content(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
