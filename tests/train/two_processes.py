"""What each process of test_parallel.py does, under torchrun or alone; results go to OUT/<rank>.pt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import sca_train.train
from sca_train.average import follow_network, prepare_average
from sca_train.config import TrainConfig
from sca_train.data import load_dataset
from sca_train.network import to_input
from sca_train.parallel import own_slice, process_group, rank, synchronise_norms
from sca_train.train import initial_state, train_epoch, trainable
from tests.train.conftest import small

CPU = torch.device("cpu")
# 66 images are batches of 33 and 33 images, of which two processes take 16 and 17. Two epochs: one update after each.
CONFIG = small(
    train_images=66,
    batch_size=33,
    epochs=3,
    finetune=1,
    rate_l1=0.5,
    kernels="off",
    bf16="off",
    regrow_fraction=0.1,
    ema=0.9,
    cutmix=0.5,
)


def trained(config: TrainConfig) -> dict[str, Any]:
    """Two epochs of the search in float64, in which spikes are not at the mercy of the order of a sum."""
    torch.set_default_dtype(torch.float64)
    original = sca_train.train.to_input
    sca_train.train.to_input = lambda images, device: to_input(images, device).double()
    try:
        dataset = load_dataset(config)
        state = initial_state(config, Path(), dataset, CPU)
        model = trainable(state, CPU, fast=False)
        figures = []
        for _ in range(2):
            prepare_average(state, config)
            figures.append(train_epoch(state, model, config, dataset, CPU, fast=False))
            follow_network(state, config)
            state.epoch += 1
        assert state.average is not None
        return {
            "figures": figures,
            "network": state.network.state_dict(),
            "average": state.average.state_dict(),
            "scores": state.scores,
        }
    finally:
        sca_train.train.to_input = original
        torch.set_default_dtype(torch.float32)


def normalised(parts: int) -> dict[str, Tensor]:
    """Output, gradients and running values of batch norm over 7 samples, or over this process's share of them."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(7, 3, 2, 2, dtype=torch.float64, generator=generator)
    slope = torch.randn(7, 3, 2, 2, dtype=torch.float64, generator=generator)
    own = own_slice(7) if parts > 1 else slice(None)
    module = nn.Sequential(nn.BatchNorm2d(3).double(), nn.Flatten(), nn.BatchNorm1d(12, momentum=None).double())
    synchronise_norms(module, CPU)
    own_x = x[own].requires_grad_()
    y = module(own_x)
    (y * slope[own].flatten(1)).sum().backward()
    assert own_x.grad is not None
    gradients = {key: value.grad for key, value in module.named_parameters() if value.grad is not None}
    return {"y": y.detach(), "x": own_x.grad, **gradients, **{f"buffer {key}": v for key, v in module.named_buffers()}}


def main(out: Path) -> None:
    with process_group(CPU):
        torch.save({"norm": normalised(2), **trained(CONFIG)}, out / f"{rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
