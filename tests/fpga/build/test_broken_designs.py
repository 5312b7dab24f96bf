"""Designs broken on purpose: each is refused with a finding of its own, so the dry run checks what it says it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codegen.run_folder import RunFolder
from fpga.boards import get_board
from fpga.build.plan import BuildPlan
from fpga.build.vivado import dry_run, vivado_plan
from fpga.errors import BuildError

Change = Callable[[str], str]


def swap(old: str, new: str) -> Change:
    """Replace a text, which must be there."""

    def change(text: str) -> str:
        assert old in text, f"{old!r} is not in the script any more"
        return text.replace(old, new)

    return change


def append_before(anchor: str, line: str) -> Change:
    """Put a line before a text."""
    return swap(anchor, f"{line}\n{anchor}")


def broken(plan: BuildPlan, file: str, change: Change) -> BuildPlan:
    """The plan with one file changed."""
    content = plan.files[file]
    text = content.read_text() if isinstance(content, Path) else str(content)
    return replace(plan, files={**plan.files, file: change(text)})


def check_refused(plan: BuildPlan, file: str, change: Change, finding: str) -> None:
    """The dry run of the plan with one file changed ends with a finding."""
    with pytest.raises(BuildError, match=f"^dry run: .*({finding})"):
        dry_run(broken(plan, file, change))


DESIGN, PACKAGE, SETTINGS = "tcl/block_design.tcl", "tcl/package_ip.tcl", "tcl/settings.tcl"
PS7, PSU = "tcl/processing_system7.tcl", "tcl/zynq_ultra_ps_e.tcl"
SHELL = "ip/spikefold_axi/src/spikefold_axi.v"
VALIDATE = "validate_bd_design\n"
CASES: dict[str, tuple[str, str, Change, str]] = {
    # What: board, file, change, finding
    "a source that is missing": (
        "Pynq-Z2", SETTINGS, swap("{accelerator.sv}", "{accelerator_two.sv}"),
        r"add_files: there is no file .*accelerator_two\.sv",
    ),
    "a memory file that is left out": (
        "Pynq-Z2", PACKAGE, swap("if {$settings(memories) ne \"\"}", "if 0"),
        r"reads .*\.hex, which is not among the memory files of the core",
    ),
    "a memory file that is no such file": (
        "Pynq-Z2", PACKAGE, swap("{Memory Initialization Files}", "{Memory Files}"),
        "Memory Files is no file type of Vivado",
    ),
    "a part of another board": (
        "Pynq-Z2", SETTINGS, swap("part {xc7z020clg400-1}", "part {xc7z010clg400-1}"),
        "part xc7z010clg400-1 is not the board's, xc7z020clg400-1",
    ),
    "an interface that no ports make": (
        "Pynq-Z2", SETTINGS, swap("{m_axis} {master}", "{m_axis_out} {master}"),
        "no interface m_axis_out was inferred from the ports of spikefold_axi",
    ),
    "a stream without its ready": (
        "Pynq-Z2", SHELL, swap("output wire        s_axis_tready", "output wire        s_axis_trdy"),
        "the stream s_axis has no tready",
    ),
    "a stream that belongs to no clock": (
        "Pynq-Z2", PACKAGE, swap("ASSOCIATED_BUSIF [join $buses :]", "ASSOCIATED_BUSIF s_axi:s_axis"),
        r"interface m_axis of the core belongs to no clock \(ASSOCIATED_BUSIF\)",
    ),
    "a version of an IP that does not exist": (
        "Pynq-Z2", DESIGN, swap("[catalog_ip axi_dma 7]", "xilinx.com:ip:axi_dma:7.2"),
        r"the catalog of Vivado 2023\.1 has no IP xilinx\.com:ip:axi_dma:7\.2, but axi_dma:7\.1",
    ),
    "a major version that this Vivado has not": (
        "ZCU104", PSU, swap("[catalog_ip zynq_ultra_ps_e 3]", "[catalog_ip zynq_ultra_ps_e 4]"),
        r"the catalog of Vivado 2023\.1 has no zynq_ultra_ps_e of version 4",
    ),
    "a name of an IP that does not exist": (
        "Pynq-Z2", DESIGN, swap("[catalog_ip smartconnect 1]", "xilinx.com:ip:smart_connect:1.0"),
        "has no IP xilinx.com:ip:smart_connect:1.0$",
    ),
    "a parameter that the IP has not": (
        "Pynq-Z2", DESIGN, swap("CONFIG.c_include_mm2s_dre", "CONFIG.c_include_dre"),
        "axi_dma has no parameter C_INCLUDE_DRE",
    ),
    "a value that the parameter does not take": (
        "Pynq-Z2", DESIGN, swap("CONFIG.c_mm2s_burst_size 16", "CONFIG.c_mm2s_burst_size 24"),
        "axi_dma: C_MM2S_BURST_SIZE is 24, and must be one of 2 4 8 16",
    ),
    "a stream that is not connected": (
        "Pynq-Z2", DESIGN, swap("connect_interfaces spikefold_0/m_axis axi_dma_0/S_AXIS_S2MM\n", ""),
        r"interface /(spikefold_0/m_axis|axi_dma_0/S_AXIS_S2MM) \(axis, (master|slave)\) is not connected",
    ),
    "a stream that is connected twice": (
        "Pynq-Z2", DESIGN, append_before(VALIDATE, "connect_interfaces axi_dma_0/M_AXIS_MM2S spikefold_0/s_axis"),
        "connect_bd_intf_net: /axi_dma_0/M_AXIS_MM2S is connected already",
    ),
    "streams connected backwards": (
        "Pynq-Z2", DESIGN,
        lambda text: swap("S_AXIS_S2MM\n", "M_AXIS_MM2S\n")(
            swap("axi_dma_0/M_AXIS_MM2S spikefold_0/s_axis", "axi_dma_0/S_AXIS_S2MM spikefold_0/s_axis")(text)
        ),
        "are both (masters|slaves)",
    ),
    "a stream of another width": (
        "Pynq-Z2", DESIGN, swap("CONFIG.c_m_axis_mm2s_tdata_width $settings(input_bits)",
                                "CONFIG.c_m_axis_mm2s_tdata_width 16"),
        "/axi_dma_0/M_AXIS_MM2S is 16 bits wide, and /spikefold_0/s_axis 8",
    ),
    "a memory port of another width": (
        "ZCU104", PSU, swap("PSU__SAXIGP2__DATA_WIDTH $settings(port_bits)", "PSU__SAXIGP2__DATA_WIDTH 64"),
        "S_AXI_HP0_FPD is 64 bits wide, and the board's is 128",
    ),
    "a port of the processing system that is off": (
        "Pynq-Z2", PS7, swap("CONFIG.PCW_USE_S_AXI_HP0 1", "CONFIG.PCW_USE_S_AXI_HP0 0"),
        "there is no interface processing_system7_0/S_AXI_HP0",
    ),
    "segments that overlap": (
        "Pynq-Z2", PS7, swap("ps(spikefold_offset) 0x43C00000", "ps(spikefold_offset) 0x40400000"),
        "overlap in /processing_system7_0/Data at 0x40400000",
    ),
    "a segment outside of what the processor reaches": (
        "ZCU104", PSU, swap("ps(dma_offset) 0xA0000000", "ps(dma_offset) 0x40400000"),
        "/axi_dma_0/S_AXI_LITE/Reg at 0x40400000 is outside of what /zynq_ultra_ps_e_0/Data reaches",
    ),
    "a segment that is not aligned": (
        "Pynq-Z2", PS7, swap("ps(dma_offset) 0x40400000", "ps(dma_offset) 0x40401000"),
        "at 0x40401000 is not aligned to its range 0x10000",
    ),
    "a segment that is not assigned": (
        "Pynq-Z2", DESIGN, swap("assign_address $ps(cell)/Data spikefold_0/s_axi/reg0", "list"),
        "address segment /spikefold_0/s_axi/reg0 is not assigned in /processing_system7_0/Data",
    ),
    "memory that is not assigned": (
        "ZCU104", DESIGN, swap("foreach space {axi_dma_0/Data_MM2S axi_dma_0/Data_S2MM}",
                               "foreach space {axi_dma_0/Data_MM2S}"),
        "address segment /zynq_ultra_ps_e_0/SAXIGP2/HP0_DDR_LOW is not assigned in /axi_dma_0/Data_S2MM",
    ),
    "more memory than the board has": (
        "Pynq-Z2", PS7, swap("ps(memory_range) 512M", "ps(memory_range) 1G"),
        "lies at 0x0, 0x20000000 bytes, and is assigned at 0x0, 0x40000000",
    ),
    "a clock of another frequency": (
        "Pynq-Z2", PS7, swap("CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $settings(clock_mhz)",
                             "CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 50"),
        "runs at 50000000 Hz, and the board's clock is 100000000 Hz",
    ),
    "a clock that the PLL does not divide to": (
        "ZCU104", PSU, swap("PL0_REF_CTRL__FREQMHZ 100", "PL0_REF_CTRL__FREQMHZ 200"),
        "cannot be 200 MHz: the PLL of 1500 MHz is divided by whole numbers",
    ),
    "two clocks at one connection": (
        "ZCU104", DESIGN, swap("    connect_bd_net [get_bd_pins $ps(clock)] [get_bd_pins $pin]",
            "    connect_bd_net [get_bd_pins [expr {$pin eq {spikefold_0/aclk} ? {zynq_ultra_ps_e_0/pl_clk0} "
            ": $ps(clock)}]] [get_bd_pins $pin]"),
        "have two clocks: /clk_wiz_0/clk_out1 and /zynq_ultra_ps_e_0/pl_clk0|/spikefold_0/aclk runs at 100000000 Hz",
    ),
    "a clock pin without a clock": (
        "Pynq-Z2", DESIGN, swap("axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk", "axi_dma_0/s_axi_lite_aclk"),
        "clock pin /axi_dma_0/m_axi_mm2s_aclk has no clock",
    ),
    "a reset that floats": (
        "Pynq-Z2", DESIGN, swap("set reset {control_0/aresetn memory_0/aresetn", "set reset {control_0/aresetn"),
        "reset pin /memory_0/aresetn has no reset",
    ),
    "a reset of the other polarity": (
        "Pynq-Z2", DESIGN, swap("[get_bd_pins reset_0/peripheral_aresetn]", "[get_bd_pins reset_0/peripheral_reset]"),
        "is ACTIVE_LOW, and /reset_0/peripheral_reset is ACTIVE_HIGH",
    ),
    "a reset from a clock": (
        "Pynq-Z2", DESIGN, swap("[get_bd_pins $ps(reset)] [get_bd_pins reset_0/ext_reset_in]",
                                "[get_bd_pins $ps(clock)] [get_bd_pins reset_0/ext_reset_in]"),
        "reset pin /reset_0/ext_reset_in is driven by /processing_system7_0/FCLK_CLK0, which is no reset",
    ),
    "a net with two drivers": (
        "Pynq-Z2", DESIGN, append_before(VALIDATE,
            "connect_bd_net [get_bd_pins reset_0/interconnect_aresetn] [get_bd_pins memory_0/aresetn]"),
        "/memory_0/aresetn is connected already, to /reset_0/peripheral_aresetn",
    ),
    "transfers shorter than a frame": (
        "Pynq-Z2", SETTINGS, swap("dma_length_bits {26}", "dma_length_bits {8}"),
        "moves at most 255 bytes, and a frame of its MM2S channel has 65536",
    ),
    "scatter-gather": (
        "Pynq-Z2", DESIGN, swap("CONFIG.c_include_sg 0", "CONFIG.c_include_sg 1"),
        "has scatter-gather, which the driver does not use|M_AXI_SG .* is not connected",
    ),
    "a command that Vivado has not": (
        "Pynq-Z2", DESIGN, append_before(VALIDATE, "connect_bd_nets [get_bd_cells *]"),
        "connect_bd_nets is no command that Vivado has",
    ),
    "an option that a command has not": (
        "Pynq-Z2", DESIGN, swap("make_wrapper -files", "make_wrapper -of_files"),
        "make_wrapper has no option -of_files",
    ),
    "a property that a run has not": (
        "Pynq-Z2", "tcl/synthesis.tcl", append_before("finish_run synth_1", "set_property SPEED 9 [get_runs synth_1]"),
        "synth_1 is a run and has no property SPEED that can be set",
    ),
    "a pin that a cell has not": (
        "Pynq-Z2", DESIGN, swap("reset_0/slowest_sync_clk", "reset_0/slowest_clk"),
        "there is no pin reset_0/slowest_clk in the block design",
    ),
    "a design that is used before it is validated": (
        "Pynq-Z2", DESIGN, swap(VALIDATE, ""),
        "make_wrapper: the block design has not been validated",
    ),
    "a top that is not the wrapper": (
        "Pynq-Z2", DESIGN, swap("set_property top spikefold_wrapper", "set_property top spikefold"),
        "the top module is spikefold and not the wrapper of the block design, spikefold_wrapper",
    ),
    "an implementation before the synthesis": (
        "Pynq-Z2", "tcl/implementation.tcl", swap("finish_run impl_1 -to_step write_bitstream\n", ""),
        "open_run: impl_1 has not been run",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("board", "file", "change", "finding"), CASES.values(), ids=CASES)
def test_a_broken_design_is_refused(run: RunFolder, board: str, file: str, change: Change, finding: str) -> None:
    plan = vivado_plan(run, get_board(board), "dma", "rtl")
    if "a frame of its" in finding:
        # The test network's frame is short enough for any length.
        plan = broken(plan, "build.json", swap('"input_frame_bytes": 64', '"input_frame_bytes": 65536'))
    check_refused(plan, file, change, finding)


def test_a_run_that_failed_before_is_reset(run: RunFolder) -> None:
    """A synthesis that goes on after a core's run failed; Vivado launches nothing that depends on such a run."""
    plan = vivado_plan(run, get_board("Pynq-Z2"), "dma", "rtl")
    failed = "dry::create run axi_dma_0_synth_1 PROGRESS 0% STATUS {synth_design ERROR}"
    again = append_before("foreach run [get_runs]", failed)
    assert dry_run(broken(plan, "tcl/synthesis.tcl", again)).steps
    without = swap("reset_run $run\n", "\n")
    with pytest.raises(BuildError, match=r"^dry run: .*axi_dma_0_synth_1 failed and needs to be reset before$"):
        dry_run(broken(plan, "tcl/synthesis.tcl", lambda text: without(again(text))))


HLS_CASES: dict[str, tuple[str, Change, str]] = {
    "an HLS source that is missing": (
        "hls/run_hls.tcl", swap("add_files accelerator.cpp", "add_files accel.cpp"),
        r"add_files: there is no file accel\.cpp",
    ),
    "a top that no source has": (
        "hls/run_hls.tcl", swap("set_top accelerator", "set_top accel"),
        "csynth_design: no source has the function accel",
    ),
    "another clock in HLS": (
        "hls/run_hls.tcl", swap("set clock_ns 10.0", "set clock_ns 5.0"),
        r"a period of 5\.0 ns is not the board's clock, 100 MHz",
    ),
    "another part in HLS": (
        "hls/run_hls.tcl", swap("set part {xc7z020clg400-1}", "set part {xc7z010clg400-1}"),
        "xc7z010clg400-1 is not the board's part, xc7z020clg400-1",
    ),
    "another name of the exported core": (
        "hls/run_hls.tcl", swap("-ipname accelerator", "-ipname network"),
        r"has no IP spikefold:hls:accelerator:1\.0",
    ),
    "an HLS core of other streams": (
        "hls/accelerator.hpp", swap("IN_BITS = 8", "IN_BITS = 16"),
        "/spikefold_0/acc_s_axis is 8 bits wide, and /accelerator_0/s_axis_0 16",
    ),
    "an accelerator that is not reset": (
        DESIGN, swap("connect_bd_net [get_bd_pins spikefold_0/acc_aresetn]", "list"),
        "reset pin /accelerator_0/ap_rst_n has no reset",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "change", "finding"), HLS_CASES.values(), ids=HLS_CASES)
def test_a_broken_hls_design_is_refused(run: RunFolder, file: str, change: Change, finding: str) -> None:
    plan = vivado_plan(run, get_board("Pynq-Z2"), "dma", "hls")
    check_refused(plan, file, change, finding)


def test_a_reference_to_systemverilog_is_refused(run: RunFolder) -> None:
    """What FINN's back end did with this project's operators before they had wrappers of plain Verilog."""
    plan = vivado_plan(run, get_board("Pynq-Z2"), "finn", "rtl")
    script = (
        "import sys; from codegen.dataflow.ops import rtl_backend as backend; "
        "ipi = backend.CoreRTLBackend.code_generation_ipi; "
        "backend.CoreRTLBackend.code_generation_ipi = lambda op: [c.replace('_ports ', ' ') for c in ipi(op)]; "
        "from fpga.build.finn_shell import main; sys.exit(main(sys.argv[1:]))"
    )
    finn, reports = plan.steps
    assert finn.command[1:3] == ("-m", "fpga.build.finn_shell")
    command = (finn.command[0], "-c", script, *finn.command[3:])
    with pytest.raises(BuildError, match=r"lies in a file of SystemVerilog, which a block design does not take$"):
        dry_run(replace(plan, steps=(replace(finn, command=command), reports)))
