"""`python -m bench open-bitstream`: the demo network's bitstream for an ECP5 board by the open tools, and its clock."""

from __future__ import annotations

import json

from codegen.hardware_results import BitstreamResult
from codegen.run_folder import RunFolder
from fpga.boards.ecp5 import EBR_PER_BRAM36, Ecp5Board
from fpga.build.ecp5 import clock_of, ecp5_plan
from fpga.build.plan import NOTES

SLOWEST_CORES = 6


def print_bitstream(run: RunFolder, board: Ecp5Board) -> None:
    """Print the figures of a run's bitstream as a Markdown table, and the line that ends the bench."""
    result = BitstreamResult.load(run)
    assert result is not None and result.fmax_mhz is not None
    plan = ecp5_plan(run, board)
    choice = clock_of(plan)
    seconds = {name: note["seconds"] for name, note in json.loads(plan.path(NOTES).read_text())["steps"].items()}
    delay = f"{choice.critical_logic_ns:g} ns logic, {choice.critical_routing_ns:g} ns routing"
    rows: list[tuple[str, str]] = [
        ("board, part, tools", f"{result.board}, {result.part}, {result.tool}"),
        ("LUT4, FF, EBR, multipliers", f"{result.lut:,}, {result.ff:,}, {result.bram:g}, {result.dsp}"),
        ("of", f"{board.lut:,}, {board.ff:,}, {EBR_PER_BRAM36 * board.bram36}, {board.dsp}"),
        ("routed Fmax, clock", f"{result.fmax_mhz:.2f} MHz, {result.clock_mhz:g} MHz"),
        ("critical path", f"{result.critical_path}: {delay}"),
        *((f"latest arrival in {path.core}", f"{path.delay_ns:g} ns") for path in choice.cores[:SLOWEST_CORES]),
        ("bytes of the bitstream", f"{(run.path / result.bitstream).stat().st_size:,}"),
        ("step seconds", ", ".join(f"{step} {value:.0f}" for step, value in seconds.items())),
    ]
    print("\n| figure | value |\n| --- | --- |")
    for label, text in rows:
        print(f"| {label} | {text} |")
    print(f"open-bitstream {result.fmax_mhz:.2f}", flush=True)
