"""Files that appear whole or not at all, are read only where they are files, and show whether they are still whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sca_train.errors import TrainError

CACHE_VARIABLE = "SPIKEFOLD_CACHE"
CHECKPOINT_FILE = "checkpoint.pt"
COMPACT_FILE = "compact.safetensors"
METRICS_FILE = "metrics.json"
LOCK_FILE = ".lock"
MOST_TEXT_BYTES = 2**28
"""Of a configuration or of measurements; what is larger is something else."""
_SEAL = b"spikefold sha256 "
_DIGEST_BYTES = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """$SPIKEFOLD_CACHE, else spikefold/ in the user's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spikefold"


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``target`` and rename it, so that the final name never holds half a file.

    Raises TrainError, and writes nothing, where ``target`` is a symbolic link, a folder, a device or a pipe: a link is
    neither replaced nor followed, since what it names may be anybody's file.
    """
    check_replaceable(target)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
        os.close(handle)
        aside = Path(name)
        try:
            write(aside)
            aside.chmod(0o644)
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        # The system names the file aside, or none at all where a disk is full.
        error.filename, error.filename2 = str(target), None
        raise


def write_text(target: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all; errors as ``write_whole``."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """Write a file whole or not at all; errors as ``write_whole``."""
    write_whole(target, lambda aside: aside.write_bytes(content))


def check_replaceable(target: Path) -> None:
    """Raise TrainError, one sentence, where there is something at ``target`` that is no regular file."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise TrainError(f"{target} is {_kind(mode)} and is not written over; name a regular file, or remove it first")


def check_writable(target: Path) -> None:
    """Say before long work what would end it: raise OSError or TrainError where ``write_whole`` could not write."""
    check_replaceable(target)
    try:
        with tempfile.TemporaryFile(dir=target.parent, prefix=f".{target.name}."):
            pass
    except OSError as error:
        error.filename, error.filename2 = str(target), None
        raise


def check_readable(source: Path) -> None:
    """Raise TrainError, one sentence, where ``source`` is a folder, a device or a pipe, of which reading may not end.

    Links are followed. FileNotFoundError where there is nothing.
    """
    mode = source.stat().st_mode
    if not stat.S_ISREG(mode):
        raise TrainError(f"{source} is {_kind(mode)}, not a regular file")


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def read_text(source: Path) -> str:
    """Text (UTF-8) of a regular file.

    Raises TrainError as ``check_readable`` and for more than MOST_TEXT_BYTES, OSError, and UnicodeDecodeError.
    """
    check_readable(source)
    with source.open("rb") as stream:
        content = stream.read(MOST_TEXT_BYTES + 1)
    if len(content) > MOST_TEXT_BYTES:
        raise TrainError(f"{source} is larger than {MOST_TEXT_BYTES} bytes, which no text file here is")
    return content.decode()


def remove_unfinished(folder: Path, files: tuple[str, ...]) -> None:
    """Remove what killed processes left of files, or folders, that they made beside the final name."""
    for file in files:
        for unfinished in folder.glob(f".{file}.*"):
            if unfinished.is_dir() and not unfinished.is_symlink():
                shutil.rmtree(unfinished, ignore_errors=True)
            else:
                unfinished.unlink(missing_ok=True)


def sealed(content: bytes) -> bytes:
    """The content with its SHA-256 behind it. Readers of zip archives and shared libraries pass over the end."""
    return content + _SEAL + hashlib.sha256(content).digest()


def unsealed(content: bytes) -> bytes | None:
    """What ``sealed`` was given: None where there is no seal. Raises ValueError where the content does not match it."""
    end = len(content) - _DIGEST_BYTES - len(_SEAL)
    if end < 0 or content[end:-_DIGEST_BYTES] != _SEAL:
        return None
    inner = content[:end]
    if hashlib.sha256(inner).digest() != content[-_DIGEST_BYTES:]:
        raise ValueError("its checksum does not match its content")
    return inner


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """While inside, no other process is inside for the same folder; one that wants to is told so by a TrainError.

    Makes the folder, and removes it again where nothing was written into it. The lock is the kernel's, on a file in the
    folder: it ends with the process, however that ends.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    handle = _lock(folder)
    try:
        yield
    finally:
        if _is_file_of(folder / LOCK_FILE, handle):  # the folder may have been replaced
            (folder / LOCK_FILE).unlink()
        os.close(handle)
        with suppress(OSError):  # the first folder that holds something stays, and those around it
            for path in made:
                path.rmdir()


def _lock(folder: Path) -> int:
    file = folder / LOCK_FILE
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before removes the file: one that was opened in between locks nothing.
            if _is_file_of(file, handle):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise TrainError(f"another process writes in {folder}; wait for its end, or use another folder") from None
        os.close(handle)


def _is_file_of(file: Path, handle: int) -> bool:
    return file.exists() and os.path.samestat(os.fstat(handle), file.stat())
