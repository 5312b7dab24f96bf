"""What comes along with the code: configs/ and zoo/ of a checkout or their copies in a wheel, and the version."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout, or the folder that packages are installed in."""
INSTALLED = ROOT / "spikefold" / "shipped"
"""There in a wheel only: ``setup.py`` copies these files when it builds one."""


def is_installed() -> bool:
    """Whether this is an installed package and no checkout."""
    return INSTALLED.is_dir()


def project_version() -> str:
    """The version of the installed project, which an editable installation has too."""
    try:
        return version("spikefold")
    except PackageNotFoundError:
        return "(not installed)"


def shipped(name: str) -> Path:
    """Path of a file or folder that comes along: configs, zoo, LICENSE."""
    return (INSTALLED if is_installed() else ROOT) / name


def preset_file(given: Path) -> Path:
    """The file of a preset: that path where there is one, else the preset of that name that comes along.

    ``mini``, ``mini.toml`` and ``configs/mini.toml`` all name configs/mini.toml.
    """
    if given.is_absolute() or (given.exists() and not given.is_dir()):
        return given
    name = given.name.removesuffix(".toml")
    known = shipped("configs") / f"{name}.toml"
    return known if given.parent in (Path(), Path("configs")) and known.is_file() else given


def preset_names() -> tuple[str, ...]:
    """Names of the presets that come along."""
    return tuple(sorted(path.stem for path in shipped("configs").glob("*.toml")))


def kept_folder(given: Path) -> Path:
    """The folder of a run, or of the kept network that comes along where ``zoo/NAME`` is no folder here."""
    if given.exists() or given.parent != Path("zoo"):
        return given
    known = shipped("zoo") / given.name
    return known if known.is_dir() else given


def run_folders(given: str) -> list[Path]:
    """The folders that an option names, separated by commas; none where it is empty."""
    return [kept_folder(Path(name.strip())) for name in given.split(",")] if given else []
