"""From the masked network of the search to the compact one that is trained on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from sca_train.checkpoint import TrainState
from sca_train.config import TrainConfig, prunes, search_epochs
from sca_train.data import Dataset, balanced_subset
from sca_train.measure.measurement import Measurement, measure
from sca_train.models import model_layers
from sca_train.network import Network, to_input
from sca_train.optimizer import make_optimizer
from sca_train.parallel import rank
from sca_train.pruning.compact import compact
from sca_train.pruning.sca import Pruner, sparsity

CALIBRATION_IMAGES = 512


def compact_state(state: TrainState, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
    """End the search: measure the masked network and the dense one (the same weights, masks lifted), then compact."""
    network = state.network
    if prunes(config) and search_epochs(config) == 0:
        state.scores = prune_untrained(network, config, dataset, device)
    state.ratio = sparsity(network, model_layers(config))
    if prunes(config) and rank() == 0:
        measured = state.measured
        state.masked = test_subset(measured, config, dataset, device)
        masks = [layer.mask.clone() for layer in measured.spiking_layers()]
        for layer in measured.spiking_layers():
            layer.mask.fill_(1.0)
        state.dense = test_subset(measured, config, dataset, device)
        for layer, mask in zip(measured.spiking_layers(), masks, strict=True):
            layer.mask.copy_(mask)
    state.network = compact(network)
    state.average = compact(state.average) if state.average else None
    state.optimizer = make_optimizer(state.network, config)
    state.compacted = True
    if config.epochs == 0 and (prunes(config) or not config.init):
        calibrate(state.network, dataset, device)


def prune_untrained(
    network: Network, config: TrainConfig, dataset: Dataset, device: torch.device
) -> dict[str, list[float]]:
    """One structure update from a single pass of the untrained network over some training images; its scores."""
    calibrate(network, dataset, device)
    network.train()
    pruner = Pruner(network, config)
    pruner.start()
    chosen = balanced_subset(dataset.train_labels, CALIBRATION_IMAGES)
    for start in range(0, len(chosen), config.batch_size):
        batch = chosen[start : start + config.batch_size]
        logits = network(to_input(torch.from_numpy(dataset.train_images[batch]), device))
        loss = F.cross_entropy(logits, torch.from_numpy(dataset.train_labels[batch]).to(device))
        network.zero_grad(set_to_none=True)
        loss.backward()
        pruner.after_backward(0.0)
    pruner.stop()
    return pruner.update()


@torch.no_grad()
def calibrate(network: Network, dataset: Dataset, device: torch.device) -> None:
    """Give batch norm the statistics of some training images, for a network that is not trained."""
    network.train()
    norms = [layer.norm for layer in network.spiking_layers()]
    for norm in norms:
        norm.reset_running_stats()  # type: ignore[operator]
        norm.momentum = None  # type: ignore[assignment]  # a plain average over the batches
    chosen = balanced_subset(dataset.train_labels, CALIBRATION_IMAGES)
    for batch in np.array_split(chosen, max(1, len(chosen) // 64)):
        network(to_input(torch.from_numpy(dataset.train_images[batch]), device))
    for norm in norms:
        norm.momentum = 0.1  # type: ignore[assignment]


def test_subset(network: Network, config: TrainConfig, dataset: Dataset, device: torch.device) -> Measurement:
    """Measure on ``config.eval_images`` test images, or on all."""
    images, labels = dataset.test_images, dataset.test_labels
    if config.eval_images:
        chosen = balanced_subset(labels, config.eval_images)
        images, labels = images[chosen], labels[chosen]
    return measure(network, images, labels, device, "test")
