"""NIR files, which are HDF5, read only where they are whole, hold what they claim, and nothing but numbers and names.

A file is walked once. Nothing is read before its size, type and storage are known to be harmless: no links out of the
file, no references, no filters of plug-ins, no data set larger than what the file can hold. Then ``nir`` makes nodes
of what was read; it never opens the file itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from codegen.errors import ImportingError, first_line
from codegen.importing import hdf5_child, nir_fields
from sca_train.errors import TrainError
from sca_train.files import check_readable

MOST_FILE_BYTES = 2**31
ROOT = "node"


def read_nir(path: Path) -> nir.NIRGraph:
    """The graph of a NIR file, its shapes unchecked (``lowering`` chains them).

    Raises ImportingError, one sentence that names the file and the node, for a file that is missing, no HDF5,
    truncated, or hostile, and for nodes of unknown types, without their fields or with others.
    """
    _check_file(path)
    found = hdf5_child.read(path, ROOT)
    nir_fields.check(found, path)
    return _graph(found, path)


def _check_file(path: Path) -> None:
    try:
        check_readable(path)
        size = path.stat().st_size
        whole = h5py.is_hdf5(path)
    except FileNotFoundError:
        raise ImportingError(f"{path} is not there") from None
    except (TrainError, OSError) as error:
        raise ImportingError(f"{path} cannot be read: {first_line(error)}") from None
    if size > MOST_FILE_BYTES:
        raise ImportingError(f"{path} has {size} bytes, and a NIR file of at most {MOST_FILE_BYTES} is read")
    if not whole:
        raise ImportingError(f"{path} is no HDF5 file, which every NIR file is")


def _graph(found: dict[str, Any], path: Path) -> nir.NIRGraph:
    try:
        with np.errstate(all="ignore"):
            graph = nir.dict2NIRNode(found)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ImportingError(f"{path} holds nodes that nir cannot make: {first_line(error)}") from None
    assert isinstance(graph, nir.NIRGraph)
    return graph
