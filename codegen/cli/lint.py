"""``lint``: Verilator with all warnings over the SystemVerilog cores, each rendered in its main configurations."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from codegen.cores import CORES
from codegen.cores.core import Core
from codegen.errors import RenderError
from codegen.scratch import scratch_folder
from codegen.verify.rtlsim import verilator_command, verilator_program
from hls_templates import RTL_DIR


def lint_cores() -> int:
    """Lint every core; returns the number of rendered modules. Raises RenderError with Verilator's first complaint."""
    examples = [example for core in CORES for example in core.examples()]
    with scratch_folder() as folder:
        for example in examples:
            example.render("rtl", folder)
            _lint(example, folder)
    return len(examples)


def _lint(core: Core, folder: Path) -> None:
    files = [str(RTL_DIR / source) for source in core.sources["rtl"]]
    # Every file of the project is linted with all warnings on; nothing is waived.
    package = verilator_program().parents[1]
    command = [*verilator_command(package), "--lint-only", "-Wall", "--top-module", core.name, *files]
    done = subprocess.run(
        [*command, f"{core.name}.sv"],
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(package)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise RenderError(f"Verilator objects to {core.name}: {done.stderr.strip()}")
