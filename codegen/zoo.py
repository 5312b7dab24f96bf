"""The kept networks of zoo/: a command on one of them works on a copy, runs/zoo/<name>, and never writes to zoo/."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from codegen.digests import files_digest
from codegen.errors import ZooError
from codegen.run_folder import RUNS, RunFolder, fresh_folder, waiting_turn
from sca_train.errors import TrainError
from sca_train.files import only_writer, read_text, remove_unfinished, write_text

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "zoo"
COPIES = ROOT / RUNS / ZOO.name
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
    of_zoo, of_copies = (place.parent.resolve() == folder.resolve() for folder in (ZOO, COPIES))
    if not (of_zoo or of_copies):
        return RunFolder(path)
    source, target = ZOO / place.name, COPIES / place.name
    if not (source / _NETWORK_FILE).is_file():
        if of_copies and place.exists():
            return RunFolder(path)  # somebody's own run, or a copy whose network has left the zoo
        kept = ", ".join(kept_networks()) or "none"
        raise ZooError(f"there is no kept network {ZOO.name}/{place.name}; there are {kept}")
    run = RunFolder(_seen_from_here(target))
    digest = files_digest(source, _files(source))
    COPIES.mkdir(parents=True, exist_ok=True)
    with waiting_turn(COPIES):
        if not target.exists():
            _copy(source, target, digest)
            print(f"{run.path}: copied from {_seen_from_here(source)}")
        elif _origin(run) != digest:
            with only_writer(target):
                _copy(source, target, digest)
            changed = f"{_seen_from_here(source)} has changed; what was made of the older one is gone"
            print(f"{run.path}: copied anew, {changed}")
    return run


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
