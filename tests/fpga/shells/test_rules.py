"""The AXI rules that all simulations of the shells are held to: each says so when it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpga.shells import RULE_DIR
from tests.fpga.shells.cocotb_rules import FAULTS
from tests.fpga.shells.shell_model import ShellModel, build_model


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> ShellModel:
    files = [RULE_DIR / "axi_stream_rules.sv", RULE_DIR / "axi_lite_rules.sv", RULE_DIR / "axi_read_rules.sv"]
    bench = Path(__file__).with_name("rules_bench.sv")
    return build_model([*files, bench], "rules_bench", tmp_path_factory.mktemp("rules"))


def test_what_follows_the_rules_passes(rules: ShellModel) -> None:
    rules.run("cocotb_rules", "sequence", 1, {"SPIKEFOLD_FAULT": ""})


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_noticed(rules: ShellModel, fault: str) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault][0]):
        rules.run("cocotb_rules", "sequence", 1, {"SPIKEFOLD_FAULT": fault})
