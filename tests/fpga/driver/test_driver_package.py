"""The driver as a package of its own: for Python 3.8, with numpy alone, from its wheel."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from trained_digits import ROOT

DRIVER = ROOT / "fpga" / "driver"
SOURCES = sorted((DRIVER / "spikefold_driver").rglob("*.py"))
OPTIONAL = {"PIL", "pynq", "serial"}
SINCE_3_9 = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "readlink", "pairwise", "cache"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(DRIVER).as_posix())
def test_sources_need_python_3_8_and_numpy(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))
    at_once, later = set(), set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        elif isinstance(node, ast.Attribute):
            assert node.attr not in SINCE_3_9, f"{node.attr} is newer than Python 3.8"
        (at_once if node in tree.body else later).update(name.split(".")[0] for name in names)
    assert at_once - {"numpy"} <= sys.stdlib_module_names
    assert later <= sys.stdlib_module_names | OPTIONAL
    if len(tree.body) > 1:
        assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def test_the_wheel_has_all_of_it_and_runs_alone(tmp_path: Path) -> None:
    copy = shutil.copytree(
        DRIVER, tmp_path / "driver", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    )
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(tmp_path), str(copy)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("spikefold_driver-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    held = {path.relative_to(tmp_path / "site") for path in (tmp_path / "site").rglob("*.py")}
    assert held == {path.relative_to(DRIVER) for path in SOURCES}
    done = subprocess.run(
        [sys.executable, "-m", "spikefold_driver", "info", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "network.json does not exist" in done.stderr


def test_the_readme_names_every_exception() -> None:
    import spikefold_driver

    errors = [name for name in spikefold_driver.__all__ if name.endswith("Error")]
    readme = (DRIVER / "README.md").read_text(encoding="utf-8")
    assert [name for name in errors if f"`{name}`" not in readme] == []
