"""What a deployment does on the board: run there by ``python3 -``, with the standard library of Python 3.8 alone.

Each call does one step and prints one line of JSON, ``{"done": {...}}`` or ``{"failed": "a sentence"}``. Below the
folder of a network lie

    current -> releases/0002-1a2b3c4d     the deployment in use
    releases/0001-... 0002-...            the last two: the package unpacked, the driver installed into site/
    .unfinished-<token>/                  a deployment under way; what a broken one left goes with the next
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

OLDEST_PYTHON = (3, 8)
CURRENT = "current"
RELEASES = "releases"
UNFINISHED = ".unfinished-"
PACKAGE = "package.zip"
RELEASE = "release"
SITE = "site"
CHECKSUMS = "SHA256SUMS"
JUPYTER = "jupyter_notebooks"
PROFILES = ("pynq_venv.sh", "xrt_setup.sh", "boardname.sh")
"""Of /etc/profile.d: a PYNQ image keeps its packages in a virtual environment that only a login shell knows of."""
PRELUDE = "for file in {}; do [ -r $file ] && . $file; done; ".format(" ".join("/etc/profile.d/" + p for p in PROFILES))
TIMED_OUT = (124, 137)
"""What coreutils' timeout ends with."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StepError(Exception):
    """What ends a step; the message is a part of a sentence."""


def look(order: dict[str, Any]) -> dict[str, Any]:
    """Whether the board has what a deployment needs; makes the folder that the package is copied into."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise StepError("its Python is {}.{}, and the driver needs 3.8 or newer".format(*sys.version_info[:2]))
    for package in ("numpy", "pip", *(("pynq",) if order["needs_pynq"] else ())):
        if importlib.util.find_spec(package) is None:
            raise StepError(
                f"{sys.executable} there has no {package}, which a PYNQ image brings; "
                f"elsewhere `python3 -m pip install {package}`"
            )
    if _by_sudo(order):
        _check_sudo(order)
    base = Path(order["base"]).expanduser()
    base.mkdir(parents=True, exist_ok=True)
    for left in base.glob(UNFINISHED + "*"):
        shutil.rmtree(str(left), ignore_errors=True)
    free = shutil.disk_usage(str(base)).free
    if free < order["needed_bytes"]:
        raise StepError(f"{base} has {_megabytes(free)} MB free, and {_megabytes(order['needed_bytes'])} MB are needed")
    (base / (UNFINISHED + order["token"])).mkdir()
    return {"base": str(base.resolve()), "current": _current(base)}


def install(order: dict[str, Any]) -> dict[str, Any]:
    """Check the copied package, unpack it and install the driver beside it."""
    staging = _staging(order)
    package, release = staging / PACKAGE, staging / RELEASE
    if _sha256(package) != order["sha256"]:
        raise StepError("the package arrived damaged: its SHA-256 is another one")
    _unpack(package, release)
    package.unlink()
    wheels = sorted(str(wheel) for wheel in (release / "driver").glob("*.whl"))
    if not wheels:
        raise StepError("the package has no driver")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install"]
    options = ["--no-index", "--no-deps", "--quiet", "--target", str(release / SITE)]
    done = subprocess.run([*pip, *options, *wheels], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise StepError(f"pip did not install the driver: {_last_line(done.stdout)}")
    return {}


def test(order: dict[str, Any]) -> dict[str, Any]:
    """Run the driver's self-test of the new deployment, as root where the order says so; its figures."""
    release = _staging(order) / RELEASE
    path = os.pathsep.join(filter(None, (str(release / SITE), os.environ.get("PYTHONPATH"))))
    # Files that root makes, the user could not remove with the deployment.
    variables = ["PYTHONPATH=" + path, "PYTHONDONTWRITEBYTECODE=1"]
    driver = ["env", *variables, sys.executable, "-m", "spikefold_driver", "self-test", str(release), "--json"]
    # What root runs, the user could not end: it ends itself.
    limit = ["timeout", "-k", "5", "{:g}".format(order["timeout"])]
    command = [*limit, "bash", "-c", PRELUDE + 'exec "$@"', "bash", *driver]
    done = _as_root(command, order) if _by_sudo(order) else _run(command)
    if done.returncode in TIMED_OUT:
        raise StepError("the self-test did not end within {:g} s".format(order["timeout"]))
    if done.returncode:
        raise StepError(f"the self-test failed: {_last_line(done.stderr or done.stdout)}")
    try:
        figures = json.loads(done.stdout.decode().strip().splitlines()[-1])
    except (ValueError, LookupError):
        raise StepError(f"the self-test ended without its figures: {_last_line(done.stdout or done.stderr)}") from None
    return {"figures": figures}


def switch(order: dict[str, Any]) -> dict[str, Any]:
    """Make the tested deployment the current one, in one rename; remove all but it and the one before it."""
    staging, base = _staging(order), Path(order["base"])
    before = _current(base)
    releases = base / RELEASES
    releases.mkdir(exist_ok=True)
    numbers = [int(found[1]) for found in (re.match(r"(\d+)-", path.name) for path in releases.iterdir()) if found]
    name = "{:04d}-{}".format(max(numbers, default=0) + 1, order["sha256"][:8])
    # The link first: what a full disk ends leaves nothing outside of the folder that is tidied.
    link = staging / CURRENT
    link.symlink_to(Path(RELEASES) / name)
    (staging / RELEASE).rename(releases / name)
    link.replace(base / CURRENT)
    removed = [path.name for path in releases.iterdir() if path.name not in (name, before)]
    for old in removed:
        shutil.rmtree(str(releases / old), ignore_errors=True)
    shutil.rmtree(str(staging), ignore_errors=True)
    return {"release": name, "before": before, "removed": sorted(removed), "notebook": _show_in_jupyter(base, order)}


def tidy(order: dict[str, Any]) -> dict[str, Any]:
    """Remove what is there of a deployment that failed."""
    staging = _staging(order)
    shutil.rmtree(str(staging), ignore_errors=True)
    if staging.exists():
        raise StepError(f"{staging} could not be removed")
    return {}


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "look": look,
    "install": install,
    "test": test,
    "switch": switch,
    "tidy": tidy,
}


def main(order: dict[str, Any]) -> None:
    """Do one step and print its reply."""
    try:
        reply: dict[str, Any] = {"done": ACTIONS[order["action"]](order)}
    except StepError as failure:
        reply = {"failed": str(failure)}
    except OSError as error:
        full = "the disk is full" if error.errno in NO_SPACE else error.strerror
        reply = {"failed": f"{error.filename or 'a file'} there: {full}"}
    sys.stdout.write(json.dumps(reply) + "\n")


def _staging(order: dict[str, Any]) -> Path:
    return Path(order["base"]) / (UNFINISHED + order["token"])


def _current(base: Path) -> Any:
    link = base / CURRENT
    return link.resolve().name if link.is_symlink() and link.exists() else None


def _unpack(package: Path, release: Path) -> None:
    with zipfile.ZipFile(str(package)) as archive:
        names = archive.namelist()
        for name in names:
            if name.startswith("/") or ".." in name.split("/"):
                raise StepError(f"the package names a file outside itself ({name})")
        archive.extractall(str(release))
    sums = {}
    for line in (release / CHECKSUMS).read_text().splitlines():
        digest, name = line.split("  ", 1)
        sums[name] = digest
    if sorted(sums) != sorted(name for name in names if name != CHECKSUMS):
        raise StepError(f"the package holds other files than its {CHECKSUMS} names")
    for name, digest in sums.items():
        if _sha256(release / name) != digest:
            raise StepError(f"{name} of the package does not match its checksum")


def _by_sudo(order: dict[str, Any]) -> bool:
    """Whether the self-test runs by sudo: PYNQ configures the FPGA and takes memory for DMA only as root."""
    asked = order["root"]
    return bool(order["needs_pynq"] and os.geteuid() != 0 if asked is None else asked)


def _check_sudo(order: dict[str, Any]) -> None:
    if _as_root(["true"], order).returncode:
        raise StepError(
            "PYNQ needs root, and sudo there asks for a password: set SPIKEFOLD_BOARD_PASSWORD, let the user run sudo "
            "without one, or log in as root"
        )


def _as_root(command: list[str], order: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    if order["password"] is None:
        return _run(["sudo", "-n", *command])
    return _run(["sudo", "-S", "-p", "", *command], order["password"].encode() + b"\n")


def _run(command: list[str], words: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=words, capture_output=True, check=False)


def _show_in_jupyter(base: Path, order: dict[str, Any]) -> Any:
    """A link to the deployment among the notebooks of the user's Jupyter, where there is one."""
    notebooks = Path.home() / JUPYTER
    link = notebooks / ("spikefold-" + base.name)
    if not notebooks.is_dir() or (link.exists() and not link.is_symlink()):
        return None
    aside = notebooks / (".spikefold-" + order["token"])
    try:
        aside.symlink_to(base / CURRENT)
        aside.replace(link)
    except OSError:
        return None
    return str(link)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    said = lines[-1] if lines else "it said nothing"
    return said[7:] if said.lower().startswith("error: ") else said


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
