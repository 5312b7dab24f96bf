"""The presets of residual networks, trained shortly on the digits, through every stage (minutes: marked slow)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_pipeline import ROOT, succeed

CSIM_IMAGES, RTL_IMAGES = 40, 5
SHORT = ("--dataset", "digits", "--image-size", 16, "--ratio", 0.5, "--epochs", 3, "--finetune", 1, "--update-every", 1)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["resnet20", "preresnet20"])
def test_a_pruned_residual_network_runs_at_its_bound(preset: str, tmp_path: Path) -> None:
    run = tmp_path / preset
    succeed("sca_train", "--config", ROOT / "configs" / f"{preset}.toml", *SHORT, "--threads", 1, "--run", run)
    for stage in (("export",), ("hls",), ("csim", "--images", CSIM_IMAGES), ("rtlsim", "--images", RTL_IMAGES)):
        succeed("codegen", stage[0], run, *stage[1:])
    results = {file.stem: json.loads(file.read_text()) for file in (run / "results").glob("*.json")}
    assert (results["csim"]["images"], results["csim"]["mismatches"]) == (CSIM_IMAGES, 0)
    assert (results["rtl"]["images"], results["rtl"]["mismatches"]) == (RTL_IMAGES, 0)
    # FIFOs are measured where streams join: the slowest node sets the rate.
    assert results["rtl"]["interval"] <= 1.02 * results["folding"]["bound"]
    folding = json.loads((run / "folding.json").read_text())
    shortcuts = [node["inFIFODepths"] for name, node in folding.items() if name.startswith("ResidualAdd")]
    assert len(shortcuts) == 9 and all(max(depths) > 2 for depths in shortcuts)
