"""From the rate-equivalent network, evaluated once for all steps, to the spiking one of the same parameters."""

from __future__ import annotations

import torch

from sca_train.checkpoint import TrainState
from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.measure.measurement import measure
from sca_train.parallel import rank
from sca_train.telling import say


def trains_rates(config: TrainConfig, epoch: int) -> bool:
    """Whether ``epoch`` (from 0) trains the rate-equivalent network."""
    return epoch < config.rate_epochs


def convert(state: TrainState, dataset: Dataset, device: torch.device) -> None:
    """Let the network spike from now on, and measure it on the whole test set just before and just after."""
    for network in state.networks():
        network.use_rates(True)
    if rank() == 0:
        state.rates = measure(state.measured, dataset.test_images, dataset.test_labels, device, "as rates")
    for network in state.networks():
        network.use_rates(False)
    if rank() == 0:
        state.converted = measure(state.measured, dataset.test_images, dataset.test_labels, device, "converted")
        before, after = state.rates, state.converted
        assert before is not None
        say(f"converted to spikes: test {before.accuracy:.4f} as rates, {after.accuracy:.4f} spiking", flush=True)
