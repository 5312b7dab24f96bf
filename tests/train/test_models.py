"""Every model: its layers as published, its size, the smallest image it takes, and its width multiplier."""

from __future__ import annotations

import pytest
import torch

from sca_train.config import MODELS, TrainConfig
from sca_train.configured import validate
from sca_train.errors import TrainError
from sca_train.models import model_layers
from sca_train.network import Network
from sca_train.pruning.compact import parameter_count
from sca_train.specs import IMAGE, LayerSpec
from tests.train.conftest import image_shape, small


def config_of(model: str, **changes: object) -> TrainConfig:
    dataset = "events-digits" if model == "dvs" else "folder"
    return small(**{"model": model, "image_size": 32, "dataset": dataset, "timesteps": 2, **changes})


def layers_of(model: str, **changes: object) -> dict[str, LayerSpec]:
    return {spec.name: spec for spec in model_layers(config_of(model, **changes))}


@pytest.mark.parametrize("model", MODELS)
def test_the_smallest_image_leaves_one_pixel_at_least(model: str) -> None:
    smallest = {"mlp": 1, "mini": 8, "dvs": 32, "vgg11": 32, "vgg16": 32}.get(model, 8)
    config = config_of(model, image_size=smallest, width=0.1, timesteps=1)
    validate(config)
    network = Network(model_layers(config), config, image_shape(config), 10).eval()
    shape = (1, 2, 2, smallest, smallest) if model == "dvs" else (2, 3, smallest, smallest)
    with torch.no_grad():
        assert network(torch.rand(shape)).shape == (2, 10)


# Weights, batch norm values and read-out biases for 32x32 images of three channels and ten classes.
PARAMETERS = {
    "vgg9": 1_144_512 + 4096 * 256 + 256 * 256 + 2 * (64 + 64 + 128 + 128 + 256 + 256 + 256 + 256) + 2570,
    "vgg11": 9_217_728 + 2 * 2752 + 5130,
    "vgg16": 14_710_464 + 2 * 4224 + 5130,
    # 0.27 M and 11.17 M, as usual for the CIFAR forms.
    "resnet20": 272_282,
    "preresnet20": 272_282,
}


@pytest.mark.parametrize("model", PARAMETERS)
def test_sizes(model: str) -> None:
    config = config_of(model)
    network = Network(model_layers(config), config, image_shape(config), 10)
    assert parameter_count(network) == PARAMETERS[model]


def test_stages_name_a_chain_behind_a_global_sum() -> None:
    layers = layers_of("cnn", stages="8 P 12 12 P 16", width=0.5)
    assert [(spec.channels, spec.pool, spec.global_sum) for spec in layers.values()] == [
        (4, 2, False), (6, 1, False), (6, 2, False), (8, 1, True),
    ]  # fmt: skip
    assert model_layers(config_of("cnn")) == model_layers(config_of("vgg7"))
    for wrong, reason in (
        ("P 8", "'P' has no meaning"),
        ("8 P P", "'P'"),
        ("8 -3", "'-3'"),
        ("0", "'0'"),
        ("", "empty"),
    ):
        with pytest.raises(TrainError, match=reason):
            config_of("cnn", stages=wrong)
    with pytest.raises(TrainError, match="cnn takes multiples of 16"):
        config_of("cnn", stages="8 P 8 P 8 P 8 P", image_size=40)


def test_depth_18_has_four_stages_of_two_blocks() -> None:
    for model in ("resnet18", "preresnet18"):
        layers = layers_of(model)
        assert [spec.channels for name, spec in layers.items() if not name.endswith("a")] == [
            64, 64, 64, 128, 128, 256, 256, 512, 512,
        ]  # fmt: skip
        assert list(layers.values())[-1].pool == 4


@pytest.mark.parametrize("model", ["resnet20", "preresnet20"])
def test_blocks_are_wired_as_published(model: str) -> None:
    layers = layers_of(model)
    assert len(layers) == 19
    assert [(entry.name, entry.source) for entry in layers["stem"].inputs] == [("stem", IMAGE)]
    assert [(entry.kernel, entry.stride) for entry in layers["block4a"].inputs] == [(3, 2)]
    assert [(e.kind, e.kernel, e.stride, e.source) for e in layers["block4"].inputs] == [
        ("conv", 3, 1, "block4a"),
        ("conv", 1, 2, "block3"),
    ]
    assert layers["block4"].residual == ""
    second = layers["block5"]
    if model == "resnet20":
        assert [(entry.kind, entry.source) for entry in second.inputs] == [("conv", "block5a"), ("identity", "block4")]
        assert second.residual == ""
    else:
        assert [(entry.kind, entry.source) for entry in second.inputs] == [("conv", "block5a")]
        assert second.residual == "block4"
    assert {(spec.pool, spec.pool_kind) for spec in layers.values()} == {(1, "max"), (8, "avg")}
    assert (layers["block9"].pool, layers["block9"].pool_kind) == (8, "avg")


def test_dvs_network() -> None:
    layers = layers_of("dvs")
    assert [spec.channels for spec in layers.values()] == [64, 128, 128, 256, 256]
    assert {(spec.pool, spec.pool_kind) for spec in layers.values()} == {(2, "avg")}


def test_vgg9_has_nine_layers_with_weights() -> None:
    layers = layers_of("vgg9")
    kinds = [spec.inputs[0].kind for spec in layers.values()]
    assert kinds == ["conv"] * 6 + ["linear"] * 2
    assert [spec.pool for spec in layers.values()] == [1, 2, 1, 2, 1, 2, 1, 1]


@pytest.mark.parametrize("model", MODELS)
def test_width_multiplies_all_layers_but_those_of_mini_and_mlp(model: str) -> None:
    full, narrow = layers_of(model), layers_of(model, width=0.3)
    factor = 1.0 if model in ("mini", "mlp") else 0.3
    assert [spec.channels for spec in narrow.values()] == [round(spec.channels * factor) for spec in full.values()]
    assert all(spec.channels == 1 for spec in layers_of("vgg9", width=1e-3).values())
