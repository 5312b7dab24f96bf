"""Small configurations and runs that the training tests share."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sca_train.config import TrainConfig
from sca_train.configured import validate
from sca_train.kernels import library
from sca_train.models import model_layers
from sca_train.network import Network
from sca_train.train import train

SMALL = TrainConfig(
    name="small",
    image_size=8,
    train_images=200,
    eval_images=100,
    epochs=4,
    finetune=2,
    batch_size=50,
    lr=8e-3,
    threads=1,
)


def small(**changes: object) -> TrainConfig:
    """A configuration that trains in seconds, with changes."""
    config = replace(SMALL, **changes)  # type: ignore[arg-type]
    validate(config)
    return config


def image_shape(config: TrainConfig) -> tuple[int, int, int]:
    """Height, width and channels of the images of a configuration's data set."""
    channels = {"digits": 1, "events-digits": 2}.get(config.dataset, 3)
    return config.image_size, config.image_size, channels


def make_network(config: TrainConfig, classes: int = 10) -> Network:
    """The unpruned network of a configuration with random batch norm values, as after some training."""
    torch.manual_seed(config.seed)
    network = Network(model_layers(config), config, image_shape(config), classes)
    for layer in network.spiking_layers():
        torch.nn.init.normal_(layer.norm.weight, 1.0, 0.3)
        torch.nn.init.normal_(layer.norm.bias, 0.2, 0.3)
        torch.nn.init.normal_(layer.norm.running_mean, 0.0, 0.3)
        torch.nn.init.uniform_(layer.norm.running_var, 0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a short, complete training of mini."""
    run = tmp_path_factory.mktemp("runs") / "small"
    train(small(), run)
    return run


@pytest.fixture(params=["", "-mno-avx512f", "-mno-avx2"])
def _every_vector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kernels as compiled here, and as on processors with shorter vectors or without masked loads."""
    if request.param:
        if platform.machine() not in ("x86_64", "AMD64"):
            pytest.skip("the narrower variants are those of x86 processors")
        monkeypatch.setattr(library, "FLAGS", (*library.FLAGS, request.param))
    library.library.cache_clear()
    yield
    library.library.cache_clear()
