"""What a training step lowers."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sca_train.config import TrainConfig


def loss_sum(config: TrainConfig, logits: Tensor, labels: Tensor, taught: Tensor | None = None) -> Tensor:
    """Cross entropy of logits [N, classes] with the smoothed labels, summed over the images.

    ``labels`` are class numbers [N], or the share of each class [N, classes] of images that were mixed.

    With a teacher's logits ``taught`` [N, classes] the share ``distill`` of it is the divergence from the teacher's
    probabilities, both at ``distill_temperature``, times its square (Hinton et al., "Distilling the knowledge in a
    neural network", 2015).
    """
    hard = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=config.label_smoothing)
    if taught is None:
        return hard
    temperature = config.distill_temperature
    student, teacher = ((values / temperature).log_softmax(1) for values in (logits, taught))
    soft = F.kl_div(student, teacher, reduction="sum", log_target=True) * temperature**2
    return (1.0 - config.distill) * hard + config.distill * soft


def hits(logits: Tensor, labels: Tensor) -> Tensor:
    """How many images the logits [N, classes] classify as their labels say, mixed ones as what most of them shows."""
    return (logits.argmax(1) == (labels.argmax(1) if labels.is_floating_point() else labels)).sum()
