"""Several training processes under torchrun: who this one is, sums over all, and batch norm over the whole batch.

Without a process group every function here does nothing, so that the training loop reads the same for one process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

WAIT = timedelta(hours=6)
"""How long a process waits for the others: the first one measures and writes alone while they do."""


def launched() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def first_process() -> bool:
    """Whether this process is the first of those that torchrun started, or alone."""
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    """Number of this process on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process; 0 writes files and prints."""
    return dist.get_rank() if dist.is_initialized() else 0


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The tensor itself, which holds its sum over all processes afterwards (no gradient)."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, NCCL between GPUs and Gloo between CPUs; alone, do nothing."""
    if not launched() or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        dist.init_process_group("nccl", timeout=WAIT, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=WAIT)
    try:
        yield
    finally:
        dist.destroy_process_group()


def first_then_others(work: Callable[[], T]) -> T:
    """The result of ``work``, which the first process does before the others do, so that these find its files."""
    if world_size() > 1 and rank() > 0:
        dist.barrier()
    try:
        return work()
    finally:
        if world_size() > 1 and rank() == 0:
            dist.barrier()


class _Sum(torch.autograd.Function):
    """Sum over all processes; each one's gradient is the sum of all gradients, since all losses depend on it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return sum_over_ranks(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_over_ranks(gradients[0].clone())


def _normalise_together(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch norm in training mode with the mean and variance over the batches of all processes."""
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    count = sum_over_ranks(torch.tensor(float(x.numel() // x.shape[1]), dtype=torch.float64)).item()
    mean = _Sum.apply(x.sum(axes)) / count
    centred = x - mean.reshape(shape)
    variance = _Sum.apply(centred.square().sum(axes)) / count
    if norm.track_running_stats:
        move_running_values(norm, mean.detach(), variance.detach(), count)
    normalised = centred * torch.rsqrt(variance + norm.eps).reshape(shape)
    return normalised * norm.weight.reshape(shape) + norm.bias.reshape(shape)


def move_running_values(norm: nn.Module, mean: Tensor, variance: Tensor, count: float) -> None:
    """Move a batch norm's running mean and (unbiased) variance towards those of a batch of ``count`` values."""
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    assert norm.num_batches_tracked is not None and norm.running_mean is not None and norm.running_var is not None
    norm.num_batches_tracked.add_(1)
    share = 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_((variance * (count / max(count - 1.0, 1.0))).to(norm.running_var.dtype), share)


class SyncBatchNorm1d(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` over the batches of all processes; PyTorch's own works on GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.BatchNorm1d``."""
        return _normalise_together(self, x) if self.training and world_size() > 1 else super().forward(x)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d`` over the batches of all processes; PyTorch's own works on GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.BatchNorm2d``."""
        return _normalise_together(self, x) if self.training and world_size() > 1 else super().forward(x)


def synchronise_norms(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with every batch norm replaced by one over all processes; alone, the module as it is.

    Parameters and buffers stay the same objects under the same names.
    """
    if world_size() == 1:
        return module
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm1d or type(child) is nn.BatchNorm2d:
                kind = SyncBatchNorm1d if type(child) is nn.BatchNorm1d else SyncBatchNorm2d
                setattr(parent, name, _with_state(kind(child.num_features, child.eps, child.momentum), child))
    return module


def _with_state(new: nn.Module, old: nn.Module) -> nn.Module:
    for name, parameter in old.named_parameters(recurse=False):
        setattr(new, name, parameter)
    for name, buffer in old.named_buffers(recurse=False):
        setattr(new, name, buffer)
    return new.train(old.training)


def distributed(network: nn.Module, device: torch.device) -> nn.Module:
    """What to call in training: the network, in ``DistributedDataParallel`` where there are several processes.

    Gradients are averaged over the processes. Buffers are not copied from process to process: each records the
    activity of its own images, and batch norm's values are the same in all (``synchronise_norms``).
    """
    if world_size() == 1:
        return network
    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)


def own_slice(count: int) -> slice:
    """Which of the ``count`` images of a batch this process takes; sizes differ by one at most."""
    world, number = world_size(), rank()
    return slice(count * number // world, count * (number + 1) // world)
