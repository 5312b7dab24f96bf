"""Bitstreams for the Zynq boards by Vivado: the plan of either shell, its dry run, and what its reports say.

plan = vivado_plan(run, board, "dma", "rtl")
dry_run(plan)                   # without Vivado: all Tcl against commands that check it
plan.execute()
result = collect(plan, run)     # results/bitstream.json
"""

from __future__ import annotations

from codegen.run_folder import RunFolder
from fpga.boards import Board
from fpga.build.dry_run import DryRunReport, dry_run
from fpga.build.plan import BuildPlan
from fpga.build.vivado_collect import collect
from fpga.build.vivado_dma import dma_plan
from fpga.build.vivado_finn import finn_plan
from fpga.choices import Implementation, ShellFlow

__all__ = ["DryRunReport", "collect", "dry_run", "vivado_plan"]


def vivado_plan(run: RunFolder, board: Board, shell: ShellFlow, impl: Implementation) -> BuildPlan:
    """The plan of a bitstream of a run, below the run's ``bitstream/``.

    ``shell``: dma is this project's own around the accelerator's RTL or HLS core, finn is what FINN's back end makes.

    Raises BuildError where the board is no Zynq or not known to FINN, and where a stream is too wide or a frame too
    long for a DMA; RunFolderError where the sources are missing or of another network.
    """
    return dma_plan(run, board, impl) if shell == "dma" else finn_plan(run, board, impl)
