"""Builds of a network whose weights are in memory: its port in the block design, and what has none."""

from __future__ import annotations

import pytest
from build_run import BOARDS
from test_broken_designs import DESIGN, PACKAGE, PS7, PSU, SETTINGS, SHELL, Change, check_refused, swap

from codegen.run_folder import RunFolder
from fpga.__main__ import main
from fpga.boards import get_board
from fpga.build.vivado import dry_run, vivado_plan
from tests.render.external_run import external_run


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return external_run(tmp_path_factory.mktemp("external") / "external")


@pytest.mark.parametrize("board", BOARDS)
def test_the_weights_have_a_port_of_their_own(external: RunFolder, board: str) -> None:
    plan = vivado_plan(external, get_board(board), "dma", "rtl")
    assert dry_run(plan).steps == ("package", "design", "synthesis", "implementation")
    assert {"ip/spikefold_axi/src/weight_port.sv", "ip/spikefold_axi/src/weight_reader.sv"} < set(plan.files)
    assert "weights {1}" in str(plan.files[SETTINGS])


def test_without_weights_in_memory_there_is_no_such_port(run: RunFolder) -> None:
    plan = vivado_plan(run, get_board("Pynq-Z2"), "dma", "rtl")
    assert "weights {0}" in str(plan.files[SETTINGS])
    assert not [file for file in plan.files if file.endswith(("weight_port.sv", "weight_reader.sv"))]


CASES: dict[str, tuple[str, str, Change, str]] = {
    # What: board, file, change, finding
    "a port that is left open": (
        "Pynq-Z2", DESIGN, swap("    connect_interfaces spikefold_0/m_axi_weights weights_0/S00_AXI\n", ""),
        r"interface /(spikefold_0/m_axi_weights|weights_0/S00_AXI) \(aximm, (master|slave)\) is not connected",
    ),
    "weights that no settings speak of": (
        "ZCU104", SETTINGS, swap("weights {1}", "weights {0}"),
        r"interface /spikefold_0/m_axi_weights \(aximm, master\) is not connected",
    ),
    "a port of the processing system that is off": (
        "Pynq-Z2", PS7, swap("CONFIG.PCW_USE_S_AXI_HP2 1", "CONFIG.PCW_USE_S_AXI_HP2 0"),
        "there is no interface processing_system7_0/S_AXI_HP2",
    ),
    "a port of another width": (
        "ZCU104", PSU, swap("PSU__SAXIGP4__DATA_WIDTH $settings(port_bits)", "PSU__SAXIGP4__DATA_WIDTH 64"),
        "S_AXI_HP2_FPD is 64 bits wide, and the board's is 128",
    ),
    "another port's clock": (
        "Pynq-Z2", DESIGN, swap("lappend clocked weights_0/aclk $ps(weights_clock)", "lappend clocked weights_0/aclk"),
        "clock pin /processing_system7_0/S_AXI_HP2_ACLK has no clock",
    ),
    "a reset that floats": (
        "Pynq-Z2", DESIGN, swap("lappend reset weights_0/aresetn", "list"),
        "reset pin /weights_0/aresetn has no reset",
    ),
    "memory that is not assigned": (
        "ZCU104", DESIGN, swap("    assign_memory spikefold_0/m_axi_weights", "    list"),
        "address segment /zynq_ultra_ps_e_0/SAXIGP4/HP2_DDR_LOW is not assigned in /spikefold_0/m_axi_weights",
    ),
    "memory of another port": (
        "Pynq-Z2", PS7, swap("ps(weights_segment) HP2_DDR_LOWOCM", "ps(weights_segment) HP0_DDR_LOWOCM"),
        "there is no address segment /processing_system7_0/S_AXI_HP2/HP0_DDR_LOWOCM",
    ),
    "a port without its answers": (
        "Pynq-Z2", SHELL, swap("m_axi_weights_rresp,", "m_axi_weights_response,"),
        "the memory port m_axi_weights has no rresp",
    ),
    "a port that belongs to no clock": (
        "Pynq-Z2", PACKAGE, swap("ASSOCIATED_BUSIF [join $buses :]", "ASSOCIATED_BUSIF s_axi:s_axis:m_axis"),
        r"interface m_axi_weights of the core belongs to no clock \(ASSOCIATED_BUSIF\)",
    ),
    "a reader that is left out": (
        "Pynq-Z2", SETTINGS, swap("{weight_reader.sv}", "{weight_reader_two.sv}"),
        r"add_files: there is no file .*weight_reader_two\.sv",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("board", "file", "change", "finding"), CASES.values(), ids=CASES)
def test_a_broken_design_is_refused(external: RunFolder, board: str, file: str, change: Change, finding: str) -> None:
    plan = vivado_plan(external, get_board(board), "dma", "rtl")
    check_refused(plan, file, change, finding)


@pytest.mark.parametrize(
    ("options", "shell", "instead"),
    [
        (["Pynq-Z2", "--impl", "hls"], "the shell of an accelerator of Vitis HLS", "build it with IMPL=rtl"),
        (["Pynq-Z2", "--shell-flow", "finn"], "FINN's shell", "build it with SHELL_FLOW=dma"),
        (["ULX3S-85F"], "a board with a UART", "make the sources again with WEIGHTS=chip"),
    ],
)
def test_what_has_no_memory_port_is_refused(
    external: RunFolder, options: list[str], shell: str, instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bitstream", str(external.path), "--dry-run", "--board", *options]) == 2
    nodes = ", ".join(f"SpikingMVAU_rtl_{index}" for index in range(4))
    sentence = f"error: weights of {nodes} are outside the chip, and {shell} has no memory port for them; {instead}\n"
    assert capsys.readouterr().err == sentence
