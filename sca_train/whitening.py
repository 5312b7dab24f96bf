"""First layers whose weights are the principal components of the image patches they read (option ``first_init``)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from sca_train.network import Network, to_input
from sca_train.specs import IMAGE

_POSITIONS = 1_000_000
"""Patches that the components are computed from, about."""


@torch.no_grad()
def whiten_first_layers(network: Network, images: NDArray[np.uint8]) -> None:
    """Set the convolutions that read the image, and only those, from training images uint8 [N, H, W, C].

    A convolution of c channels gets the c/2 strongest components of its patches and their negatives, as neurons send
    nothing for what is below zero; channels beyond twice the number of components stay random. Batch norm makes all of
    them equally strong, which is the whitening (K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
    """
    for spec in network.specs:
        for entry in spec.inputs:
            if entry.source == IMAGE and entry.kind == "conv":
                weight = network.layer(spec.name).connections[entry.name].weight
                assert isinstance(weight, nn.Parameter)
                components = principal_components(images, entry.kernel)[: len(weight) // 2].to(weight)
                weight[: len(components)] = components
                weight[len(components) : 2 * len(components)] = -components


def principal_components(images: NDArray[np.uint8], kernel: int) -> Tensor:
    """The components [k * k * C, C, k, k] of all patches of some images [N, H, W, C], of length 1, strongest first."""
    count = max(1, _POSITIONS // (images.shape[1] * images.shape[2]))
    covariance = torch.zeros(())
    for part in to_input(torch.from_numpy(images[:count]), torch.device("cpu")).split(100):
        patches = F.unfold(part, kernel).transpose(1, 2).flatten(0, 1).double()
        patches = patches - patches.mean(0)
        covariance = covariance + patches.T @ patches
    _, vectors = torch.linalg.eigh(covariance)
    return vectors.flip(1).T.reshape(-1, images.shape[3], kernel, kernel)
