"""First layers of principal components: what they are, that they stay; and batch norm that starts at a given gamma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from sca_train.network import Network, to_input
from sca_train.pruning.compact import load_compact
from sca_train.train import train
from sca_train.whitening import principal_components, whiten_first_layers
from tests.train.conftest import make_network, small
from tests.train.test_train import straight_and_paused


def smooth_images(count: int, side: int, channels: int, seed: int) -> np.ndarray:
    """Images whose neighbouring pixels are alike, as those of photographs are."""
    noise = torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    blurred = F.avg_pool2d(noise, 3, stride=1, padding=1) * 255
    return blurred.permute(0, 2, 3, 1).to(torch.uint8).numpy()


@settings(deadline=None, max_examples=20)
@given(kernel=st.sampled_from([1, 3, 5]), channels=st.integers(1, 3), seed=st.integers(0, 100))
def test_projections_on_the_components_are_uncorrelated_and_the_strongest_comes_first(
    kernel: int, channels: int, seed: int
) -> None:
    images = smooth_images(20, 12, channels, seed)
    components = principal_components(images, kernel)
    size = kernel * kernel * channels
    assert components.shape == (size, channels, kernel, kernel)
    flat = components.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(size, dtype=flat.dtype), atol=1e-9, rtol=0)
    projected = F.conv2d(to_input(torch.from_numpy(images), torch.device("cpu")).double(), components)
    covariance = torch.cov(projected.transpose(0, 1).flatten(1)).reshape(size, size)
    variances = covariance.diagonal()
    assert bool((variances.diff() <= 1e-9).all())
    torch.testing.assert_close(covariance, variances.diag(), atol=1e-9 + 1e-6 * float(variances[0]), rtol=0)


@pytest.mark.parametrize(("width", "left"), [(1.0, 0), (4.0, 14)])
def test_every_component_comes_with_its_negative(width: float, left: int) -> None:
    """Grey patches of 3x3 pixels have 9 components: 8 channels take 4 of them, and of 32 channels 14 stay random."""
    network = make_network(small(model="vgg9", width=width / 8, first_init="whitening", image_size=8))
    random = first_weights(network).clone()
    images = smooth_images(50, 8, 1, 0)
    whiten_first_layers(network, images)
    weights = first_weights(network)
    half = (len(weights) - left) // 2
    expected = principal_components(images, 3)[:half].to(weights)
    assert torch.equal(weights[:half], expected)
    assert torch.equal(weights[half : 2 * half], -expected)
    assert torch.equal(weights[2 * half :], random[2 * half :])


def test_components_stay_through_training_pruning_and_a_pause(tmp_path: Path) -> None:
    config = small(first_init="whitening", scale_update="std", ratio=0.5, min_channel_fraction=0.5)
    straight, _ = straight_and_paused(config, tmp_path, [1, 3])
    _, network = load_compact(straight)
    trained = first_weights(network)
    train(small(first_init="whitening", epochs=0, finetune=0, ratio=0.0), tmp_path / "untrained")
    _, untrained = load_compact(tmp_path / "untrained")
    initial = first_weights(untrained)
    assert 0 < len(trained) < len(initial)
    assert all(any(torch.equal(row, start) for start in initial) for row in trained)


@pytest.mark.parametrize(("norm_init", "threshold"), [(1.0, 1.0), (0.4, 1.0), (0.5, 2.0)])
def test_batch_norm_starts_at_its_fraction_of_the_threshold(norm_init: float, threshold: float, tmp_path: Path) -> None:
    train(small(norm_init=norm_init, threshold=threshold, epochs=0, finetune=0, ratio=0.0), tmp_path)
    _, network = load_compact(tmp_path)
    for layer in network.spiking_layers():
        assert torch.equal(layer.norm.weight, torch.full_like(layer.norm.weight, norm_init * threshold))


def first_weights(network: Network) -> torch.Tensor:
    """Weights of the one convolution that reads the image."""
    (module,) = network.spiking_layers()[0].connections.values()
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    return weight
