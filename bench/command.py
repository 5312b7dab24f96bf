"""What the commands of bench/ share: one sentence for what is wrong, and exit code 2."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable

from codegen.errors import CodegenError
from sca_train.command_line import guarded
from sca_train.errors import TrainError


def run_command(main: Callable[[], int | None]) -> int:
    """Exit code of a command: its own, or that of ``guarded``."""
    return guarded(lambda: main() or 0, (CodegenError, TrainError, subprocess.CalledProcessError))


def natural(text: str, least: int = 0) -> int:
    """A whole number of an option, ``least`` or more."""
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
    return int(text)


def positive(text: str) -> int:
    """A whole number of an option, 1 or more."""
    return natural(text, 1)
