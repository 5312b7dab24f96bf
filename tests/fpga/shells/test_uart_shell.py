"""The UART shell, bit by bit: around a real accelerator, and at many baud rates around one that inverts words."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.run_folder import RunFolder
from codegen.verify.rtlsim import run_rtlsim
from fpga.shells import rule_files, write_shell
from tests.fpga.shells.shell_model import Golden, ShellModel, build_model

WORDS, BYTES = 5, 3
TESTS = [
    "registers_and_frames",
    "every_error",
    "flipped_bits",
    "truncated_packets",
    "work_while_computing",
    "resets_while_computing",
    "back_to_back",
    "short_pulses",
]
RATE_TESTS = ["rates", "rates_that_change", "noise_of_any_kind", "resets_by_register"]


@pytest.fixture(scope="module")
def latency(golden: Golden) -> int:
    """Cycles of a frame without a shell."""
    return run_rtlsim(RunFolder(golden.rtl.parent), golden.images[:2], quick=True).latency


@pytest.fixture(scope="module")
def echo_model(golden: Golden, tmp_path_factory: pytest.TempPathFactory) -> ShellModel:
    folder = tmp_path_factory.mktemp("echo")
    files = [file for file in write_shell(golden.rtl, "uart", folder / "shell") if file.suffix == ".sv"]
    return build_model(
        [*files, Path(__file__).with_name("uart_echo.sv"), *rule_files("uart")], "uart_echo", folder, optimised=True
    )


@pytest.mark.parametrize("test", TESTS)
def test_uart_shell(uart_model: ShellModel, latency: int, test: str) -> None:
    uart_model.run("cocotb_uart", test, 40 + TESTS.index(test), {"SPIKEFOLD_LATENCY": str(latency)})


@pytest.mark.parametrize("test", RATE_TESTS)
def test_uart_rates(echo_model: ShellModel, test: str) -> None:
    environment = {"SPIKEFOLD_FRAME_BYTES": str(WORDS * BYTES)}
    echo_model.run("cocotb_uart_rates", test, 60 + RATE_TESTS.index(test), environment)
