"""A process of its own that reads one HDF5 file: the library loops, or breaks, on some damaged ones.

``read`` starts it and gives what it found; limits of time and memory are the process's. What it writes is a length, a
JSON tree, and the bytes of the arrays that the tree names.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from codegen.errors import ImportingError, first_line

SECONDS = 30
_BYTES_PER_SECOND = 2**24
MOST_MEMORY = 6 * 2**30
"""Of the reading process: the arrays, once as read and once as written, and the libraries."""
_LENGTH = struct.Struct("<Q")
_ARRAY, _NAMES, _GROUP = "array", "names", "group"


def read(path: Path, root: str) -> dict[str, Any]:
    """What lies below the group ``root`` of an HDF5 file: dictionaries, numpy arrays, text, and object arrays of text.

    Raises ImportingError, one sentence, for a file that is damaged, hostile, or that the library does not end on.
    """
    limit = SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    code = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-P", "-m", __name__, str(path.resolve()), root]
    try:
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise ImportingError(f"{path} is damaged: reading it did not end within {limit:.0f} seconds") from None
    if done.returncode != 0:
        raise ImportingError(f"{path} is damaged, or larger than the memory: the HDF5 library broke off reading it")
    tree = _received(done.stdout)
    if isinstance(tree, str):
        raise ImportingError(f"{path}{tree}")
    return tree


def _received(content: bytes) -> Any:
    (length,) = _LENGTH.unpack_from(content)
    begin = _LENGTH.size + length
    return _built(json.loads(content[_LENGTH.size : begin]), memoryview(content)[begin:])


def _built(node: Any, content: memoryview) -> Any:
    if isinstance(node, str):
        return node
    ((kind, value),) = node.items()
    if kind == _GROUP:
        return {key: _built(child, content) for key, child in value.items()}
    if kind == _NAMES:
        shape, names = value
        found = np.empty(len(names), object)
        found[:] = names
        return found.reshape(shape)
    dtype, shape, offset, size = value
    array = np.frombuffer(content[offset : offset + size], dtype).reshape(shape)
    return array.copy() if shape else array[()]


def _sent(tree: Any, target: BinaryIO) -> None:
    arrays: list[bytes] = []
    header = json.dumps(_described(tree, arrays, [0])).encode()
    target.write(_LENGTH.pack(len(header)) + header)
    for array in arrays:
        target.write(array)


def _described(node: Any, arrays: list[bytes], offset: list[int]) -> Any:
    if isinstance(node, str):
        return node
    if isinstance(node, dict):
        return {_GROUP: {key: _described(child, arrays, offset) for key, child in node.items()}}
    array = np.asarray(node)
    if array.dtype == object:
        return {_NAMES: [list(array.shape), [str(name) for name in array.flat]]}
    content = array.tobytes()
    described = {_ARRAY: [array.dtype.str, list(array.shape), offset[0], len(content)]}
    arrays.append(content)
    offset[0] += len(content)
    return described


def _main(path: Path, root: str) -> None:
    import h5py

    from codegen.importing.hdf5 import Walk

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with h5py.File(path, "r") as file:
            walk = Walk()
            group = walk.child(file, root, root)
            if not isinstance(group, h5py.Group):
                raise ImportingError(f" has no group named {root!r}, with which NIR files begin")
            found: Any = walk.read(group, root)
    except ImportingError as error:
        found = str(error)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, UnicodeError, OverflowError) as error:
        found = f" is damaged: {first_line(error)}"
    _sent(found, sys.stdout.buffer)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
