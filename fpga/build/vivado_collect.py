"""results/bitstream.json from what Vivado's reports say of a built plan."""

from __future__ import annotations

from codegen.digests import file_digest
from codegen.hardware_results import BitstreamResult, PlacedCore
from codegen.run_folder import RunFolder
from fpga.build.folder import NS_TIMES_MHZ
from fpga.build.plan import BuildPlan
from fpga.build.vivado_common import BIT_FILE, REPORTS, read_build
from fpga.build.vivado_reports import Cell, Timing, read_power, read_timing, read_utilization, read_version
from fpga.errors import BuildError


def collect(plan: BuildPlan, run: RunFolder) -> BitstreamResult:
    """Read the reports of a plan that has been executed, write results/bitstream.json and return what is in it.

    Raises BuildError where the plan has not been executed or a report says nothing of the kind, and, after the result
    has been written with ``timing_met`` false, where the design misses its clock: the bitstream is kept.
    """
    build = read_build(plan)
    missing = [name for name in (BIT_FILE, *REPORTS) if not plan.path(name).is_file()]
    if missing:
        raise BuildError(f"there is no {plan.path(missing[0])}; run `{run.command('bitstream')}` to its end first")
    utilization, timing_text, power = (plan.path(name).read_text(errors="replace") for name in REPORTS)
    cells, timing = read_utilization(utilization), read_timing(timing_text)
    top = cells[0]
    bitstream = plan.path(BIT_FILE)
    result = BitstreamResult(
        tool=f"Vivado {read_version(utilization)}",
        board=build.board,
        part=build.part,
        shell=build.shell,
        impl=build.impl,
        clock_mhz=build.clock_mhz,
        fmax_mhz=_fmax(build.clock_mhz, timing),
        slack_ns=timing.setup,
        timing_met=timing.met,
        critical_path=None,
        lut=top.lut,
        ff=top.ff,
        bram=top.bram,
        dsp=top.dsp,
        power_w=read_power(power),
        cores=_cores(cells, build.cores),
        bitstream=bitstream.relative_to(run.path).as_posix(),
        bitstream_sha256=file_digest(bitstream),
        sources_sha256=build.sources_sha256,
    )
    result.save(run)
    if not timing.met:
        raise BuildError(_missed(result, timing))
    return result


def _fmax(clock_mhz: float, timing: Timing) -> float | None:
    """The clock at which the slowest path would have no slack."""
    return None if timing.setup is None else NS_TIMES_MHZ / (NS_TIMES_MHZ / clock_mhz - timing.setup)


def _cores(cells: tuple[Cell, ...], names: tuple[str, ...]) -> tuple[PlacedCore, ...] | None:
    """The accelerator's nodes, whose instances have their names; None where none of them is an instance of its own."""
    instances = {cell.instance: cell for cell in cells}
    found = [(name, instances[f"i_{name}"]) for name in names if f"i_{name}" in instances]
    cores = tuple(PlacedCore(name, cell.lut, cell.ff, cell.bram, cell.dsp) for name, cell in found)
    return cores or None


def _missed(result: BitstreamResult, timing: Timing) -> str:
    kept = f"{result.bitstream} is kept, and flagged in results/bitstream.json"
    if timing.setup is not None and timing.setup < 0:
        return (
            f"timing is not met: the slowest path has a slack of {timing.setup:.3f} ns at {result.clock_mhz:g} MHz "
            f"(it would do {result.fmax_mhz:.1f} MHz); {kept}"
        )
    name, slack = (
        ("hold", timing.hold) if timing.hold is not None and timing.hold < 0 else ("pulse width", timing.pulse_width)
    )
    return f"timing is not met: the worst {name} slack is {slack:.3f} ns; {kept}"
