"""``lint``: Verilator with all warnings over the SystemVerilog: cores in their main configurations, boards' shells."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from codegen.cores import CORES
from codegen.cores.core import Stream
from codegen.cores.rendering import render
from codegen.errors import RenderError
from codegen.render.manifest import Manifest, write_manifest
from codegen.render.render_rtl import READER_FILES, reader_values
from codegen.render.weight_image import WEIGHT_IMAGE, WeightRegion
from codegen.scratch import scratch_folder
from codegen.verify.verilator import verilator_command, verilator_program
from fpga.shells import TOPS, Shell, rule_files, write_shell
from hls_templates import RTL_DIR

_FRAME = Stream(lanes=3, element_bits=8, signed=False, words=7)
_LOGITS = Stream(lanes=1, element_bits=12, signed=True, words=5)
"""The streams of no accelerator in particular, whose words a DMA widens."""


_REGION = WeightRegion(node="layer", words=40, word_bits=12, first_burst=0, beats=10)
"""Weights in memory of no layer in particular."""
_READERS = (
    *(("weight_channel", f"-GWORD_BITS={bits}") for bits in (3, 64, 100)),
    *(("weight_reader", f"-GCHANNELS={channels}") for channels in (1, 2, 3)),
)
"""Modules that read weights from memory, with a parameter of each way in which they are built."""


def lint_cores() -> int:
    """Lint every core, and what reads weights for some; returns the number of modules.

    Raises RenderError with Verilator's first complaint.
    """
    examples = [example for core in CORES for example in core.examples()]
    with scratch_folder() as folder:
        for example in examples:
            example.render("rtl", folder)
            _lint(example.name, [*(RTL_DIR / name for name in example.sources["rtl"]), f"{example.name}.sv"], folder)
        for module, parameter in _READERS:
            _lint(module, [parameter, RTL_DIR / f"{module}.sv"], folder)
    return len(examples) + len(_READERS)


def lint_shells() -> int:
    """Lint every shell, with and without its assertions, around an accelerator of which only the ports are there.

    Returns the number of shells, of which one counts twice: with weights in memory. Raises RenderError as
    ``lint_cores``.
    """
    linted: tuple[tuple[Shell, tuple[WeightRegion, ...]], ...] = (
        *((shell, ()) for shell in get_args(Shell)),
        ("axi", (_REGION,)),
    )
    for shell, regions in linted:
        with scratch_folder() as folder:
            _lint_shell(shell, regions, folder)
    return len(linted)


def _lint_shell(shell: Shell, regions: Sequence[WeightRegion], folder: Path) -> None:
    rtl = folder / "rtl"
    rtl.mkdir()
    (rtl / WEIGHT_IMAGE).touch()
    write_manifest(Manifest("accelerator", 1, _FRAME, _LOGITS, (), (), (), tuple(regions)), rtl)
    ports = {"input": _FRAME, "output": _LOGITS, "streams": [_FRAME, _LOGITS], "output_edge": 1, "instances": []}
    ports |= reader_values(regions)
    accelerator = render("rtl", "accelerator.sv.j2", ports, folder / "accelerator.sv")
    waivers = folder / "accelerator.vlt"
    waivers.write_text('`verilator_config\nlint_off -file "*accelerator.sv"\n', encoding="utf-8")
    readers = [RTL_DIR / name for name in READER_FILES] if regions else []
    inside = [] if shell == "axi-hls" else [waivers, *readers, accelerator]
    files = [*inside, *write_shell(rtl, shell, folder / shell)]
    _lint(TOPS[shell], files, folder)
    _lint(TOPS[shell], [*files, *rule_files(shell, weights=bool(regions))], folder)


def _lint(top: str, files: Sequence[Path | str], folder: Path) -> None:
    # Every file of the project is linted with all warnings on; nothing is waived.
    package = verilator_program().parents[1]
    command = [*verilator_command(package), "--lint-only", "--assert", "-Wall", "--top-module", top]
    done = subprocess.run(
        [*command, *(str(file) for file in files)],
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(package)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise RenderError(f"Verilator objects to {top}: {done.stderr.strip()}")
