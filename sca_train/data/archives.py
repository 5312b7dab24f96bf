"""Trees of class folders in tar archives: whole ones only, and nothing of them is unpacked."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sca_train.data.dataset import SPLITS
from sca_train.data.folders import BESIDE, DEEPER, HIDDEN, SYSTEM_FOLDERS, Entry, Tree, is_hidden, is_image, kind_of
from sca_train.data.images import MOST_IMAGE_BYTES, decoded
from sca_train.errors import TrainError
from sca_train.telling import counted

LINKS = "links and special files"
_CHUNK_BYTES = 2**20


class _DamageError(Exception):
    """What is not whole in an archive."""


class _Member(tarfile.TarInfo):
    """A member of an archive that has to end as a whole one: tarfile itself takes any unreadable header for the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Member:
        """The next member; _DamageError where the archive stops without the block of zeros that ends it."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            if tarfile_.offset == 0:  # no tar archive at all, or one behind a compression that is tried next
                raise
            raise _DamageError(f"it stops after a whole file, before its end ({error})") from None


def archive_tree(archive: Path, size: int) -> Tree:
    """The images of an archive, already decoded: a compressed one can only be read from front to end.

    Raises TrainError for an archive that is cut or damaged, for images that are sparse or claim more than
    MOST_IMAGE_BYTES, and for hard links to anything but an image before them.
    """
    tree = Tree()
    images: dict[PurePosixPath, Entry] = {}  # of two members of a name the later one counts, as when unpacking
    folders: list[tuple[str, ...]] = []
    try:
        with tarfile.open(archive, tarinfo=_Member) as stream:
            for member in counted(stream, f"reading {archive.name}", None, " files"):
                if member.size < 0:
                    raise _DamageError(f"{member.name} claims {member.size} bytes")
                path = PurePosixPath(member.name)
                if member.isdir():
                    folders.append(path.parts)
                    continue
                place = _place(path, member, tree)
                if place:
                    tree.folder(*place)  # an archive need not hold the folders themselves
                    pixels = _pixels(stream, member, archive, size, images)
                    images[path] = Entry(*place, path.name, partial(_same, pixels))
            _check_end(stream)
    except TrainError:
        raise
    except Exception as error:  # damaged headers and streams lead tarfile to whatever
        reason = (str(error).splitlines() or ["a header claims more than there is memory for"])[0]
        raise TrainError(f"archive {archive} is damaged: {reason}") from None
    tree.entries.extend(images.values())
    # Empty class folders count where images lie as deep: an archive may itself lie in folders named train or test.
    depths = {len(path.parts) for path in images}
    for parts in folders:
        if len(parts) + 1 in depths and parts[-2] in SPLITS and not _hidden(parts, len(parts) - 2):
            tree.folder(parts[-2], parts[-1])
    return tree


def _check_end(stream: tarfile.TarFile) -> None:
    """Raise _DamageError without the second block of zeros. Reads to the end, where compressions check their sums."""
    content = stream.fileobj
    assert content is not None
    if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise _DamageError("it stops before the two blocks of zeros that end a whole one")
    while content.read(_CHUNK_BYTES):
        pass


def _place(path: PurePosixPath, member: tarfile.TarInfo, tree: Tree) -> tuple[str, str] | None:
    """Split and class of an image at .../<split>/<class>/<file>; anything else is noted in the tree, and None."""
    folders = path.parts[:-1]
    start = _split_index(folders)
    if _hidden(path.parts, max(start, 0)):
        tree.leave_out(HIDDEN)
        return None
    if start < 0:
        tree.leave_out(BESIDE)
        return None
    split, label = folders[start], folders[start + 1]
    if len(folders) > start + 2:
        tree.leave_out(DEEPER, split, label)
    elif not (member.isreg() or member.islnk()):
        tree.leave_out(LINKS, split, label)
    elif is_image(path.name):
        return split, label
    else:
        tree.leave_out(kind_of(path.name), split, label)
    return None


def _hidden(parts: Sequence[str], start: int) -> bool:
    """Whether a path is hidden in the tree that begins at ``parts[start]``; the folders around it may be hidden."""
    return any(part in SYSTEM_FOLDERS for part in parts) or any(map(is_hidden, parts[start:]))


def _split_index(folders: Sequence[str]) -> int:
    """Where the last split that a class follows stands among the folders of a path, -1 if none does."""
    return next((index for index in range(len(folders) - 2, -1, -1) if folders[index] in SPLITS), -1)


def _pixels(
    stream: tarfile.TarFile, member: tarfile.TarInfo, archive: Path, size: int, images: dict[PurePosixPath, Entry]
) -> NDArray[np.uint8]:
    name = f"{member.name} in {archive}"
    if member.islnk():
        target = images.get(PurePosixPath(member.linkname))
        if target is None:
            raise TrainError(
                f"{name} is a hard link to {member.linkname}, which is no image of the tree before it; pack the files "
                "themselves (GNU tar: --hard-dereference)"
            )
        return target.read()
    if member.issparse() or member.size > MOST_IMAGE_BYTES:
        kind = "a sparse file" if member.issparse() else "a file"
        raise TrainError(f"{name} is {kind} of {member.size} bytes; no image is")
    content = stream.extractfile(member)
    assert content is not None
    return decoded(content.read(), size, name)


def _same(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image
