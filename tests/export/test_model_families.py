"""From each family's network in torch to logits of ONNX Runtime: the logits are those of the float network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from codegen.arithmetic.fold_batchnorm import fold_network, sum_units
from codegen.errors import ExportError
from codegen.export.onnx_writer import build_model
from codegen.network import IntegerNetwork
from codegen.verify.onnx_runtime import load_network
from codegen.verify.reference import run_reference
from sca_train.config import TrainConfig
from sca_train.describe import describe
from sca_train.description import NetworkDescription
from sca_train.models import model_layers
from sca_train.network import Network, to_input

IMAGES = 48
MOST_FRACTIONAL_BITS = 12

FAMILIES = {
    "mini": {},
    "vgg7": {"width": 0.125, "reset": "soft", "v_init": 0.5},
    "vgg9": {"width": 0.125},
    "resnet20": {"width": 0.5, "image_size": 8},
    "preresnet20": {"width": 0.5, "image_size": 8, "neuron": "LIF"},
    "preresnet18": {"width": 0.125, "image_size": 8, "reset": "soft"},
    "dvs": {"width": 0.125, "image_size": 32, "dataset": "events-digits", "timesteps": 5, "reset": "soft"},
}


def _calibrated(config: TrainConfig, inputs: torch.Tensor) -> Network:
    """An untrained network whose batch norms have seen the inputs, and scale and shift channels at random."""
    torch.manual_seed(0)
    channels = inputs.shape[-3]
    network = Network(model_layers(config), config, (config.image_size, config.image_size, channels), 10)
    for layer in network.spiking_layers():
        layer.norm.momentum = None
        torch.nn.init.normal_(layer.norm.weight, 1.0, 0.3)
        layer.norm.weight.data[::4] *= -1
        torch.nn.init.normal_(layer.norm.bias, 0.3, 0.3)
    with torch.no_grad():
        for _ in range(2):
            network.train()(inputs)
    return network.eval()


def _inputs(config: TrainConfig) -> np.ndarray:
    """Coarse random patterns, so that the images differ by more than noise; a few events a pixel in event frames."""
    rng = np.random.default_rng(1)
    events = config.dataset == "events-digits"
    frames, channels, largest = (config.timesteps, 2, 6) if events else (1, 3, 255)
    coarse = rng.random((IMAGES, frames, 4, 4, channels)) ** rng.uniform(0.3, 4, (IMAGES, 1, 1, 1, 1))
    scale = config.image_size // 4
    images = np.rint(coarse.repeat(scale, 2).repeat(scale, 3) * largest).astype(np.uint8)
    return images if events else images[:, 0]


def _finest(description: NetworkDescription) -> tuple[IntegerNetwork, onnx.ModelProto]:
    """The integer network with as many fractional bits as int32 holds, so that rounding decides hardly any spike."""
    for bits in range(MOST_FRACTIONAL_BITS, 0, -1):
        try:
            integer = fold_network(description, bits)
            return integer, build_model(integer)
        except ExportError:
            continue
    raise AssertionError("the network fits int32 with no fractional bit")


@pytest.mark.parametrize("model", FAMILIES)
def test_logits_are_those_of_the_float_network(tmp_path, model):
    config = TrainConfig(model=model, threads=1, **{"timesteps": 3, "image_size": 16, **FAMILIES[model]})
    images = _inputs(config)
    inputs = to_input(torch.from_numpy(images), torch.device("cpu"))
    network = _calibrated(config, inputs)
    description = describe(network)
    integer, proto = _finest(description)
    onnx.save(proto, tmp_path / "model.onnx")
    loaded = load_network(tmp_path / "model.onnx")
    logits = loaded.logits(images)
    np.testing.assert_array_equal(logits[:2], run_reference(integer, images[:2]))
    assert loaded.properties.neuron_layers == tuple(spec.name for spec in model_layers(config))
    with torch.no_grad():
        expected = network.double()(inputs.double()).numpy()
    # Rounding moves the bias by half a unit at most, in every step. An untrained deep network answers one spike that
    # falls otherwise with other logits, but that happens in few images; an error would show in all.
    units = sum_units(description)[description.layers[-1].name].unit
    off = np.abs(logits - expected * config.timesteps / units).max(1)
    assert (off <= config.timesteps / 2 + 0.01).mean() >= 0.5
    assert len(np.unique(logits, axis=0)) > IMAGES // 2
