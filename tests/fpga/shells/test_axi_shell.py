"""The AXI shell around a real accelerator, driven by cocotb through random stalls."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.run_folder import RunFolder
from codegen.verify.rtlsim import RtlResult, run_rtlsim
from tests.fpga.shells.shell_model import Golden, ShellModel

TESTS = [
    "registers",
    "stalled_packets",
    "full_speed",
    "starts",
    "short_packets",
    "long_packets",
    "resets_in_mid_frame",
    "hard_reset",
]


@pytest.fixture(scope="module")
def alone(golden: Golden) -> RtlResult:
    """The accelerator without a shell."""
    return run_rtlsim(RunFolder(Path(golden.rtl.parent)), golden.images[:8], quick=True)


@pytest.mark.parametrize("test", TESTS)
def test_axi_shell(axi_model: ShellModel, alone: RtlResult, test: str) -> None:
    seed = 20 + TESTS.index(test)
    environment = {"SPIKEFOLD_LATENCY": str(alone.latency), "SPIKEFOLD_INTERVAL": str(alone.interval)}
    axi_model.run("cocotb_axi", test, seed, environment)
