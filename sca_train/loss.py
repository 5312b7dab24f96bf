"""What a training step lowers."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sca_train.config import TrainConfig


def loss_sum(config: TrainConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of logits [N, classes] with the smoothed labels [N], summed over the images."""
    return F.cross_entropy(logits, labels, reduction="sum", label_smoothing=config.label_smoothing)
