"""The models: shapes, first-layer rule, and the first layer's shortcut for static images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sca_train.__main__ import main
from sca_train.compact import dense_parameter_count, parameter_count
from sca_train.network import FIRST_LAYER_BITS, SpikingLayer
from sca_train.quantizers import QuantModule
from sca_train.specs import IMAGE
from tests.train.conftest import make_network, small


def weights(layer: SpikingLayer) -> QuantModule:
    """The weights of a layer's only connection."""
    (module,) = layer.connections.values()
    return module


def test_vgg16_is_the_cifar_form() -> None:
    config = small(model="vgg16", dataset="folder", image_size=32, weight_bits=2)
    network = make_network(config)
    convolutions = sum(weights(layer).weight.numel() for layer in network.spiking_layers())
    assert len(network.spiking_layers()) == 13
    assert convolutions == 14_710_464
    assert parameter_count(network) == convolutions + 2 * 4224 + 512 * 10 + 10
    assert dense_parameter_count(config, (32, 32, 3), 10) == parameter_count(network)
    with torch.no_grad():
        assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("bits", [2, 4])
def test_only_the_first_layer_has_eight_bits(bits: int) -> None:
    network = make_network(small(weight_bits=bits))
    widths = [int(weights(layer).quant_weight().bit_width) for layer in network.spiking_layers()]
    assert widths == [FIRST_LAYER_BITS, bits, bits]
    assert int(network.readout.weight.quant_weight().bit_width) == bits


def test_static_image_is_the_same_as_repeating_it() -> None:
    network = make_network(small(timesteps=5))
    layer = network.spiking_layers()[0]
    images = torch.rand(1, 3, 1, 8, 8)
    with torch.no_grad():
        once = layer.currents(layer.sums({IMAGE: images}))
        repeated = layer.currents(layer.sums({IMAGE: images.expand(5, 3, 1, 8, 8)}))
    assert once.shape == (5, 3, 16, 8, 8)
    assert torch.allclose(once, repeated, atol=1e-6)


def test_feature_maps_shrink_with_pooling() -> None:
    assert make_network(small(image_size=16)).map_sizes() == {"conv1": 256, "conv2": 64, "conv3": 16}
    assert make_network(small(model="mlp", hidden=(30, 20))).map_sizes() == {"fc1": 1, "fc2": 1}


def test_spikes_are_zero_or_one_and_pooling_is_or() -> None:
    network = make_network(small())
    layer = network.spiking_layers()[0]
    unpooled: list[torch.Tensor] = []
    layer.neuron.register_forward_hook(lambda _module, _inputs, spikes: unpooled.append(spikes))
    with torch.no_grad():
        pooled = layer(layer.sums({IMAGE: torch.rand(1, 3, 1, 8, 8)}))
    windows = unpooled[0].reshape(4, 3, 16, 4, 2, 4, 2).bool()
    assert torch.equal(pooled, windows.any(6).any(4).float())
    assert set(pooled.unique().tolist()) == {0.0, 1.0}


def test_command_line_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "--model mlp --image-size 8 --hidden 24,16 --train-images 100 --epochs 2 --finetune 1 --threads 1"
    run = tmp_path / "tiny"
    assert main([*arguments.split(), "--run", str(run), "--stop-after", "1"]) == 0
    assert "stopped; the same command without --stop-after continues" in capsys.readouterr().out
    assert main([*arguments.split(), "--run", str(run)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint.pt", "compact.safetensors", "config.toml", "metrics.json",
    ]  # fmt: skip
    assert 'name = "tiny"' in (run / "config.toml").read_text()
