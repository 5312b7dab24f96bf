"""The networks of zoo/ are whole: each loads, is what its metrics say, and runs in ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codegen.export.onnx_runtime import load_network
from sca_train.compact import load_compact, parameter_count
from sca_train.config import load_config

ZOO = Path(__file__).parents[2] / "zoo"


@pytest.mark.parametrize("run", sorted(path.parent for path in ZOO.glob("*/config.toml")), ids=lambda run: run.name)
def test_a_kept_network_is_whole(run: Path) -> None:
    config, network = load_compact(run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert parameter_count(network) == metrics["params"]["compact"]
    assert {layer.spec.name: layer.spec.channels for layer in network.spiking_layers()} == {
        name: left for name, (_, left) in metrics["channels"].items()
    }
    assert (load_config(run / "config.toml").ratio, config.name) == (config.ratio, run.name)
    images = np.random.default_rng(0).integers(0, 256, (4, *network.input_shape), dtype=np.uint8)
    logits = load_network(run / "model.onnx").logits(images)
    assert logits.shape == (4, network.classes)
    assert len(np.unique(logits, axis=0)) > 1


def test_the_zoo_lists_its_networks() -> None:
    listed = (ZOO / "README.md").read_text()
    assert all(f"| `{path.parent.name}` |" in listed for path in ZOO.glob("*/config.toml"))
