"""The kept networks of zoo/: a command on one of them works on a copy, runs/zoo/<name>, and never writes to zoo/.

In a checkout both lie there. Elsewhere, and in an installed package, ``zoo/NAME`` names the network that came along
where the working folder has none of that name, and its copy is runs/zoo/NAME of the working folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from codegen.digests import files_digest
from codegen.errors import ZooError
from codegen.run_folder import RUNS, RunFolder, fresh_folder, waiting_turn
from sca_train.errors import TrainError
from sca_train.files import only_writer, read_text, remove_unfinished, write_text
from sca_train.shipped import ROOT, is_installed, shipped
from sca_train.telling import say

ZOO = shipped("zoo")
COPIES: Path | None = None if is_installed() else ROOT / RUNS / ZOO.name
"""Of a checkout; None where there is none."""
IMAGES = ZOO / "images"
"""Drawings that take the place of test images where a kept network's data set is not at hand."""
ORIGIN_FILE = "zoo.json"
"""In a copy: the kept network it is of, and the digest of that one's files when it was made."""
_NETWORK_FILE = "model.onnx"


def open_run(path: Path) -> RunFolder:
    """The run folder that a command was given; for a kept network (zoo/NAME or runs/zoo/NAME) its copy.

    The copy is made at first use and made anew when the kept network has changed, which is printed. Raises ZooError for
    a name that zoo/ does not hold, or where a run that is no copy lies at the copy's place.
    """
    place = Path.cwd() / path
    copies = _copies(place)
    of_copies = copies is not None
    if copies is None:
        if not _names_kept(path):
            return RunFolder(path)
        copies = _copies_here() if COPIES is None or place.parent.resolve() != ZOO.resolve() else COPIES
    source, target = ZOO / place.name, copies / place.name
    if not (source / _NETWORK_FILE).is_file():
        if of_copies and place.exists():
            return RunFolder(path)  # somebody's own run, or a copy whose network has left the zoo
        kept = ", ".join(kept_networks()) or "none"
        raise ZooError(f"there is no kept network {ZOO.name}/{place.name}; there are {kept}")
    run = RunFolder(_seen_from_here(target))
    digest = files_digest(source, _files(source))
    copies.mkdir(parents=True, exist_ok=True)
    with waiting_turn(copies):
        if not target.exists():
            _copy(source, target, digest)
            say(f"{run.path}: copied from {_seen_from_here(source)}")
        elif _origin(run) != digest:
            with only_writer(target):
                _copy(source, target, digest)
            changed = f"{_seen_from_here(source)} has changed; what was made of the older one is gone"
            say(f"{run.path}: copied anew, {changed}")
    return run


def _copies_here() -> Path:
    return Path.cwd() / RUNS / ZOO.name


def _copies(place: Path) -> Path | None:
    """The folder of copies that a path lies in: the checkout's or the working folder's; None where it does not."""
    known = (folder for folder in (COPIES, _copies_here()) if folder is not None)
    return next((folder for folder in known if place.parent.resolve() == folder.resolve()), None)


def _names_kept(path: Path) -> bool:
    """Whether a path means a kept network: it lies in zoo/, or is ``zoo/NAME`` and no folder of the working one."""
    place = Path.cwd() / path
    return place.parent.resolve() == ZOO.resolve() or (path.parent == Path(ZOO.name) and not place.exists())


def kept_networks() -> tuple[str, ...]:
    """Names of the networks in zoo/."""
    return tuple(sorted(path.parent.name for path in ZOO.glob(f"*/{_NETWORK_FILE}")))


def is_copy(run: RunFolder) -> bool:
    """Whether a run folder is the copy of a kept network."""
    return (run.path / ORIGIN_FILE).is_file()


def _origin(run: RunFolder) -> str:
    """The digest that a copy was made from; ZooError where the folder is no copy."""
    try:
        return str(json.loads(read_text(run.path / ORIGIN_FILE))["sha256"])
    except (TrainError, OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ZooError(
            f"{run.path} is no copy of {ZOO.name}/{run.path.name} (it has no whole {ORIGIN_FILE}); rename or remove it"
        ) from None


def _copy(source: Path, target: Path, digest: str) -> None:
    remove_unfinished(target.parent, (target.name,))
    with fresh_folder(target) as folder:
        for file in _files(source):
            place = folder / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, place)
        origin = {"network": f"{ZOO.name}/{source.name}", "sha256": digest}
        write_text(folder / ORIGIN_FILE, json.dumps(origin, indent=2) + "\n")


def _files(source: Path) -> list[Path]:
    return sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())


def _seen_from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
