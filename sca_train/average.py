"""The moving average of the network over the training steps, which is what is measured and kept (option ``ema``)."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sca_train.checkpoint import TrainState
from sca_train.config import TrainConfig
from sca_train.network import Network
from sca_train.precision import follow_weights, set_precision

_AVERAGED_BUFFERS = ("running_mean", "running_var")
"""Batch norm statistics; all other buffers (masks, scales that additions share, counters) are those of the network."""


def decay_after(steps: int, ema: float) -> float:
    """Share of the average that stays at a step after so many others.

    It rises to ``ema``, so that the first weights, which are random, are soon forgotten.
    """
    return min(ema, (1.0 + steps) / (10.0 + steps))


class Averaging:
    """Moves the average with every step of an epoch; does nothing where there is none."""

    def __init__(self, state: TrainState, config: TrainConfig) -> None:
        self.state = state
        self.config = config
        self.averages = _averaged(state.average) if state.average else []
        self.values = _averaged(state.network) if state.average else []

    @torch.no_grad()
    def step(self) -> None:
        """Move all averages towards the values after a training step, by one operator over all of them."""
        if self.averages:
            decay = decay_after(self.state.averaged_steps, self.config.ema)
            get_ema_multi_avg_fn(decay)(self.averages, self.values, None)
            self.state.averaged_steps += 1


def prepare_average(state: TrainState, config: TrainConfig) -> None:
    """Before an epoch: start the average as the untrained network, and prepare its weights as the network's are."""
    if config.ema == 0.0:
        return
    if state.average is None:
        state.average = deepcopy(state.network)
    set_precision(state.average, config, state.epoch)
    follow_network(state, config)


@torch.no_grad()
def follow_network(state: TrainState, config: TrainConfig) -> None:
    """Give the average what is not averaged: the masks, by the trained network's activity, and the scales of additions.

    Where scales follow the weights, those of the average follow the averaged ones.
    """
    if state.average is None:
        return
    buffers = dict(state.network.named_buffers())
    for key, value in state.average.named_buffers():
        if not key.endswith(_AVERAGED_BUFFERS):
            value.copy_(buffers[key])
    follow_weights(state.average, config)


def _averaged(network: Network) -> list[Tensor]:
    buffers = [value for key, value in network.named_buffers() if key.endswith(_AVERAGED_BUFFERS)]
    return [*network.parameters(), *buffers]
