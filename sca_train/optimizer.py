"""The optimizer and its learning rate over the epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from sca_train.config import TrainConfig, search_epochs
from sca_train.pruning.compact import is_quantizer_scale

FIRST_SHARE = 0.1
"""Share of the peak from which the cosine and the linear schedule rise."""
ONE_CYCLE_FIRST_SHARE = 1 / 25
ONE_CYCLE_LAST_SHARE = ONE_CYCLE_FIRST_SHARE / 10_000
"""Shares of the peak at which one-cycle starts and ends: those of PyTorch's OneCycleLR."""


@dataclass(frozen=True)
class Phase:
    """Epochs ``first`` to ``last`` (exclusive) with a learning rate that rises to ``peak`` and falls again."""

    first: int
    last: int
    peak: float


def phases(config: TrainConfig) -> list[Phase]:
    """What the epochs consist of: search and fine-tuning where channels are pruned, either cut where spiking begins."""
    search = search_epochs(config)
    borders = sorted({0, search, config.rate_epochs, config.epochs})
    return [Phase(first, last, _peak(config, first)) for first, last in pairwise(borders)]


def _peak(config: TrainConfig, epoch: int) -> float:
    """Peak learning rate of the phase that begins with ``epoch``."""
    fine = config.finetune_lr if 0 < search_epochs(config) <= epoch else 1.0
    spiking = config.spiking_lr if 0 < config.rate_epochs <= epoch else 1.0
    return config.lr * fine * spiking


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW or SGD; only weights decay, not batch norm, biases and quantizer scales."""
    weights: list[Tensor] = []
    others: list[Tensor] = []
    for key, value in network.named_parameters():
        (others if value.dim() < 2 or is_quantizer_scale(key) else weights).append(value)
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        # Without momentum there is nothing to look ahead by, and torch takes no such pair.
        nesterov = config.nesterov and config.momentum > 0.0
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov)
    return torch.optim.AdamW(groups, lr=config.lr)


def learning_rate(config: TrainConfig, epoch: int, part: float) -> float:
    """Rate at ``part`` (0..1) of ``epoch``: by the schedule, anew in each phase."""
    phase = next(phase for phase in phases(config) if epoch < phase.last)
    progress = (epoch - phase.first + part) / (phase.last - phase.first)
    return phase.peak * share_of_peak(config.schedule, config.warm_up, progress)


def share_of_peak(schedule: str, warm_up: float, progress: float) -> float:
    """The schedule: learning rate over its peak at ``progress`` (0..1) of a phase.

    ``cosine`` and ``linear`` rise linearly and fall to zero, ``one-cycle`` rises and falls by cosines (L. N. Smith and
    N. Topin, "Super-convergence", 2018, in the form of PyTorch's OneCycleLR without a cycle of the momentum).
    """
    if progress < warm_up:
        if schedule == "one-cycle":
            return 1.0 - (1.0 - ONE_CYCLE_FIRST_SHARE) * _half_cosine(progress, warm_up)
        return FIRST_SHARE + (1.0 - FIRST_SHARE) * progress / warm_up
    if schedule == "linear":
        return (1.0 - progress) / (1.0 - warm_up)
    last = ONE_CYCLE_LAST_SHARE if schedule == "one-cycle" else 0.0
    return last + (1.0 - last) * _half_cosine(progress - warm_up, 1.0 - warm_up)


def _half_cosine(part: float, whole: float) -> float:
    """From 1 to 0 as ``part`` goes from 0 to ``whole``."""
    return 0.5 * (1.0 + math.cos(math.pi * part / whole))
