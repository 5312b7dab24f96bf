"""Where a training runs, in which precision, and how much memory it took."""

from __future__ import annotations

import ctypes
import importlib.util
import resource
import sys

import torch

from sca_train.config import TrainConfig
from sca_train.errors import TrainError
from sca_train.kernels.library import library
from sca_train.parallel import launched, local_rank

MIB = 2**20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""
MOST_KEPT_BYTES = 2**30
_KIB_PER_MIB = 1024


def choose_device(config: TrainConfig) -> torch.device:
    """The configured device, one GPU for each process; TrainError when it is CUDA and there is none."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainError("device is cuda, but torch finds no CUDA device; use --device cpu")
    if config.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if not launched():
        return torch.device("cuda")
    if local_rank() >= torch.cuda.device_count():
        raise TrainError(
            f"torchrun started more processes than the {torch.cuda.device_count()} CUDA devices of this machine; "
            "lower --nproc-per-node, or use --device cpu"
        )
    device = torch.device("cuda", local_rank())
    torch.cuda.set_device(device)
    return device


def keep_freed_memory() -> None:
    """Let freed tensors' memory stay with this process, where the C library is glibc.

    Each step takes the same large tensors anew. By default they go back to the system in between, which then clears
    every page of them again: a third of the time of a training step on a CPU.
    """
    if sys.platform != "linux":
        return
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(M_MMAP_THRESHOLD, MOST_KEPT_BYTES)
        adjust(M_TRIM_THRESHOLD, MOST_KEPT_BYTES)


def use_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Whether to train in bf16 autocast with channels_last: where hardware computes bf16 and no CPU kernels train."""
    if config.bf16 != "auto":
        return config.bf16 == "on"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capable: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()
    return capable and config.kernels == "off"


def use_kernels(config: TrainConfig, device: torch.device) -> bool:
    """Whether to train by the event-driven CPU kernels: on every CPU, unless told otherwise.

    Raises TrainError where they are asked for and cannot run.
    """
    if config.kernels == "off" or (config.kernels == "auto" and (device.type != "cpu" or config.bf16 == "on")):
        return False
    if device.type != "cpu":
        raise TrainError(
            f"kernels is on, but they compute on the CPU and the device is {device.type}; use --kernels auto"
        )
    if config.bf16 == "on":
        raise TrainError("kernels and bf16 are both on, but the kernels compute in float32; use --bf16 off")
    library()  # compiles them now rather than in the first step
    return True


def use_fused(config: TrainConfig, device: torch.device) -> bool:
    """Whether torch.compile fuses the rate-equivalent layers: where Triton makes kernels for a GPU, unless told
    otherwise."""
    if config.compile != "auto":
        return config.compile == "on"
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def peak_memory_mib(device: torch.device) -> float:
    """The most memory that was taken so far: tensors on the GPU, or all of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB
