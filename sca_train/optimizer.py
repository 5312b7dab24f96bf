"""The optimizer and its learning rate over the epochs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sca_train.compact import is_quantizer_scale
from sca_train.config import TrainConfig, search_epochs
from sca_train.network import Network

WARM_UP_SHARE = 0.05
FINETUNE_LR_SHARE = 0.5


def make_optimizer(network: Network, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW or SGD; only weights decay, not batch norm, biases and quantizer scales."""
    weights: list[Tensor] = []
    others: list[Tensor] = []
    for key, value in network.named_parameters():
        (others if value.dim() < 2 or is_quantizer_scale(key) else weights).append(value)
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9)
    return torch.optim.AdamW(groups, lr=config.lr)


def learning_rate(config: TrainConfig, epoch: int, part: float) -> float:
    """Rate at ``part`` (0..1) of ``epoch``: a short linear warm-up, then a cosine to zero, anew for fine-tuning."""
    search = search_epochs(config)
    first, last, peak = (0, search, config.lr) if epoch < search else (search, config.epochs, config.lr)
    if search and epoch >= search:
        peak *= FINETUNE_LR_SHARE
    progress = (epoch - first + part) / (last - first)
    if progress < WARM_UP_SHARE:
        return peak * (0.1 + 0.9 * progress / WARM_UP_SHARE)
    return peak * 0.5 * (1.0 + math.cos(math.pi * (progress - WARM_UP_SHARE) / (1.0 - WARM_UP_SHARE)))
