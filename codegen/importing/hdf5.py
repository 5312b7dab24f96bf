"""HDF5 files from anywhere, as dictionaries of arrays and text; what could harm is refused before it is read."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from codegen.errors import ImportingError

MOST_OBJECTS = 50_000
MOST_DEPTH = 16
MOST_BYTES = 2**30
"""Of all arrays of a file together, as they are in memory."""
MOST_TEXT = 2**24
MOST_STRINGS = 200_000
_SMALL = 2**16
"""Bytes of an array whose storage is not looked at."""
_DEFLATE_RATIO = 1100
"""DEFLATE never packs more than 1,032 bytes into one."""
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}


class Walk:
    """One reading of a file, with all limits counted over the whole of it.

    Raises ImportingError beyond them, with the end of a sentence that begins with the file's name.
    """

    def __init__(self) -> None:
        self._objects = 0
        self._bytes = 0
        self._text = 0
        self._strings = 0
        self._seen: set[tuple[int, ...]] = set()

    def read(self, group: h5py.Group, name: str, depth: int = 0) -> dict[str, Any]:
        """All that is below a group: dictionaries for groups, numpy arrays and scalars, str for text."""
        if depth > MOST_DEPTH:
            raise self._refused(name, f"lies {depth} groups deep, and at most {MOST_DEPTH} are read")
        found: dict[str, Any] = {}
        for key in group:
            full = f"{name}/{key}"
            child = self.child(group, key, full)
            if isinstance(child, h5py.Group):
                found[key] = self.read(child, full, depth + 1)
            elif isinstance(child, h5py.Dataset):
                found[key] = self._dataset(child, full)
            else:
                raise self._refused(full, "is neither a group nor a data set")
        return found

    def child(self, group: h5py.Group, key: str, full: str) -> Any:
        """What a group holds by a name (``full`` in sentences); None for nothing, refused where it is only a link."""
        link = group.get(key, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise self._refused(full, "is a link, and NIR files hold their data themselves")
        child = group[key]
        info = h5py.h5o.get_info(child.id)
        place = (int(info.fileno), int(info.addr))
        if place in self._seen:
            raise self._refused(full, "is in the file twice under two names")
        self._seen.add(place)
        self._objects += 1
        if self._objects > MOST_OBJECTS:
            raise ImportingError(f" holds more than {MOST_OBJECTS} objects, the most that are read")
        return child

    def _dataset(self, dataset: h5py.Dataset, name: str) -> Any:
        if dataset.is_virtual or dataset.external:
            raise self._refused(name, "takes its data from other files")
        if dataset.shape is None:
            raise self._refused(name, "is empty, without even a shape")
        text = h5py.check_string_dtype(dataset.dtype)
        if text is not None and text.length is None:
            return self._strings_of(dataset, name)
        if text is None and dataset.dtype.kind not in "iufb":
            raise self._refused(name, f"is of the type {dataset.dtype}, and only numbers and text are read")
        self._check_storage(dataset, name)
        if text is not None:
            return _decoded(dataset[()])
        return dataset[()]

    def _check_storage(self, dataset: h5py.Dataset, name: str) -> None:
        size = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise self._refused(name, f"brings the file to {self._bytes} bytes, and at most {MOST_BYTES} are read")
        packed = self._check_filters(dataset, name)
        if dataset.chunks is not None:
            chunk = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
            if chunk > max(2 * size, _SMALL):
                raise self._refused(name, f"has {size} bytes in pieces of {chunk}")
        stored = dataset.id.get_storage_size()
        if size > _SMALL and size > stored * (_DEFLATE_RATIO if packed else 1):
            raise self._refused(name, f"claims {size} bytes, of which the file holds {stored}")

    def _check_filters(self, dataset: h5py.Dataset, name: str) -> bool:
        plist = dataset.id.get_create_plist()
        filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
        if any(code not in _FILTERS for code in filters):
            raise self._refused(name, "is packed by a filter other than gzip and lzf")
        packing = [code for code in filters if code in (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF)]
        if len(packing) > 1:
            raise self._refused(name, "is packed more than once")
        return bool(packing)

    def _strings_of(self, dataset: h5py.Dataset, name: str) -> Any:
        count = int(np.prod(dataset.shape, dtype=object))
        self._strings += count
        if self._strings > MOST_STRINGS:
            raise self._refused(name, f"brings the file to {self._strings} names, and at most {MOST_STRINGS} are read")
        self._check_filters(dataset, name)
        if dataset.chunks is not None and int(np.prod(dataset.chunks, dtype=object)) > max(2 * count, 4096):
            raise self._refused(name, f"has {count} names in pieces of {dataset.chunks}")
        if dataset.shape == ():
            return self._counted(dataset[()], name)
        found = np.empty(dataset.shape, object)
        # One by one: every element may name one long text.
        for index in np.ndindex(*dataset.shape):
            found[index] = self._counted(dataset[index], name)
        return found

    def _counted(self, value: Any, name: str) -> str:
        text = value.decode() if isinstance(value, bytes) else str(value)
        self._text += len(text)
        if self._text > MOST_TEXT:
            raise self._refused(name, f"brings the file to more than {MOST_TEXT} letters of text")
        return text

    def _refused(self, name: str, reason: str) -> ImportingError:
        return ImportingError(f": {name} {reason}")


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return np.vectorize(lambda item: item.decode(), otypes=[object])(value)
