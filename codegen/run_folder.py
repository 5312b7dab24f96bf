"""The files of one run; every stage reads and writes only this folder."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from codegen.errors import RunFolderError
from sca_train.files import COMPACT_FILE, check_writable, only_writer, remove_unfinished
from sca_train.made_again import make_again, make_first, was_imported
from sca_train.telling import command_for

RUNS = "runs"
RESULTS = "results"
TREES = ("hls", "rtl", "plots")
"""Folders that a stage replaces whole."""
_ASIDE = "made"
_MADE_ASIDE = (_ASIDE, *TREES, "model.onnx", "graph.onnx", "folding.json", "report.json", "report.html")
"""What lies under such names, with a dot before and letters behind, was left by a killed stage."""
_MAKERS = {
    "config.toml": "train",
    "metrics.json": "train",
    "compact.safetensors": "train",
    "model.onnx": "export",
    "graph.onnx": "hls",
    "hls": "hls",
    "hls/streams.json": "hls",
    "rtl": "hls",
    "results/onnx.json": "export",
    "results/density.json": "export",
    "results/folding.json": "hls",
    "results/sources.json": "hls",
    "results/csim.json": "csim",
    "results/rtl.json": "rtlsim",
    "results/synth.json": "synth",
    "results/bitstream.json": "bitstream",
    "report.json": "report",
}


@dataclass(frozen=True)
class RunFolder:
    """runs/<name>/ and the names of the files in it."""

    path: Path

    @property
    def name(self) -> str:
        """What RUN calls it: the path below the last folder named runs, or the folder's own name."""
        parts = self.path.parts
        below = len(parts) - parts[::-1].index(RUNS) if RUNS in parts[:-1] else len(parts) - 1
        return "/".join(parts[below:])

    @property
    def make_option(self) -> str:
        """``RUN=...`` as a shell takes it."""
        return f"RUN={shlex.quote(self.name)}"

    def command(self, target: str, **options: str) -> str:
        """How a user runs a stage on this run, see ``command_for``."""
        return command_for(target, self.path, shlex.quote(self.name), **options)

    def require_folder(self) -> None:
        """Raise RunFolderError naming the command to run when there is no such folder."""
        if not self.path.is_dir():
            raise RunFolderError(f"run folder {self.path} does not exist; run `{self.command('train')}` first")

    def require(self, file: str) -> Path:
        """Path of a file that an earlier stage wrote.

        Raises RunFolderError naming the command to run when it is not there.
        """
        self.require_folder()
        target = self.path / file
        if not target.exists():
            raise RunFolderError(f"run folder {self.path} has no {file}; {self._maker(file)}")
        return target

    def _maker(self, file: str) -> str:
        """What is to be done first where a file is not there."""
        maker = _MAKERS[file]
        if was_imported(self.path) and (maker == "train" or (maker == "export" and not self._has_network())):
            return make_first(self.path) if file == COMPACT_FILE else make_again(self.path)
        return f"run `{self.command(maker)}` first"

    def _has_network(self) -> bool:
        return (self.path / COMPACT_FILE).exists()

    def discard(self, *files: str) -> None:
        """Remove what later stages made of something that has been replaced; what is not there is passed over."""
        for file in files:
            target = self.path / file
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)


@contextmanager
def only_stage(run: RunFolder, *written: str) -> Iterator[None]:
    """While inside, no other stage and no training writes in the run folder.

    Before: says what would keep the stage from writing (RunFolderError, TrainError, OSError), and removes what killed
    stages left. ``written``: the files and folders that this one writes.
    """
    run.require_folder()
    with only_writer(run.path):
        results = run.path / RESULTS
        _check_tree(results)
        results.mkdir(exist_ok=True)
        try:
            remove_unfinished(results, ("*",))
            remove_unfinished(run.path, _MADE_ASIDE)
            for name in written:
                _check_tree(run.path / name) if name in TREES else check_writable(run.path / name)
            yield
        finally:
            with suppress(OSError):  # where it is as empty as it was made
                results.rmdir()


def _check_tree(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise RunFolderError(f"{target} is no folder and is not written over; remove it first")


@contextmanager
def waiting_turn(folder: Path) -> Iterator[None]:
    """While inside, other processes that want to be inside for the same folder wait; for what takes a moment."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def made_aside(run: RunFolder) -> Iterator[RunFolder]:
    """A run folder inside the run folder, for what takes its place in that by ``replace_in`` once all of it is made."""
    aside = Path(tempfile.mkdtemp(dir=run.path, prefix=f".{_ASIDE}."))
    (aside / RESULTS).mkdir()
    try:
        yield RunFolder(aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def replace_in(run: RunFolder, made: RunFolder, files: tuple[str, ...], stale: tuple[str, ...]) -> None:
    """Put files and folders of ``made`` in the place of the run's, in this order; ``stale`` is removed before.

    Where ``stale`` and the end of ``files`` have what says that the others belong together, a process that is killed in
    between leaves a run folder in which that is missing.
    """
    run.discard(*stale)
    for file in files:
        target = run.path / file
        if target.is_dir():
            target.rename(made.path / f"old-{target.name}")
        (made.path / file).replace(target)


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``target`` only when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield aside
        aside.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
