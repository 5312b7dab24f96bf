"""The driver as a wheel, which a board installs without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from codegen.scratch import scratch_folder
from fpga.errors import BuildError

DRIVER = Path(__file__).parents[1] / "driver"
_EPOCH_1980 = "315532800"
"""1980-01-01 in seconds: the time of all files in the wheel."""
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist", ".*")


def driver_wheel(source: Path = DRIVER) -> tuple[str, bytes]:
    """File name and content of the driver's wheel; the same sources give the same bytes.

    Raises BuildError with what pip said last.
    """
    with scratch_folder() as scratch:
        copy, out = scratch / "driver", scratch / "out"
        # Building leaves files beside the sources, and takes over their rights and times.
        shutil.copytree(source, copy, ignore=_LEFT_OUT, copy_function=_copy_plain)
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(out), str(copy)],
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH_1980, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = sorted(out.glob("*-py3-none-any.whl")) if out.is_dir() else []
        if done.returncode or len(wheels) != 1:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            why = next((line for line in reversed(said) if "error" in line.lower()), (said or ["nothing"])[-1])
            raise BuildError(f"pip built no wheel of the driver in {source}: {why.strip()}")
        return wheels[0].name, wheels[0].read_bytes()


def _copy_plain(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o644)
