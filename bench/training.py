"""Speed and memory of training: this project's training step beside stock SpikingJelly, with and without SCA."""

from __future__ import annotations

import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from sca_train.augment import augmented
from sca_train.config import TrainConfig
from sca_train.configured import load_config
from sca_train.device import keep_freed_memory, use_kernels
from sca_train.models import model_layers
from sca_train.network import Network, to_input
from sca_train.neurons.spiking import SURROGATE_ALPHA
from sca_train.optimizer import make_optimizer
from sca_train.pruning.sca import Pruner

PRESETS = Path(__file__).parent.parent / "configs"
BATCH = 64
SIDE = 32
CLASSES = 10
TIMESTEPS = 4
PAIRS = 9
"""Steps of both sides in turn; the median ratio is reported, so that other work on the machine cancels out."""

Step = Callable[[], object]


def training_config(model: str, width: float) -> TrainConfig:
    """CIFAR-10's shape: 32x32 colour images, T = 4, 4-bit weights, SCA at half of the channels."""
    return replace(
        TrainConfig(), model=model, width=width, dataset="folder", image_size=SIDE, timesteps=TIMESTEPS, ratio=0.5,
        batch_size=BATCH, augment="flip",
    )  # fmt: skip


def stock_network(width: float) -> nn.Module:
    """The same VGG9 from SpikingJelly's multi-step layers, in float32."""

    def neurons() -> neuron.IFNode:
        return neuron.IFNode(surrogate_function=surrogate.Sigmoid(alpha=SURROGATE_ALPHA), detach_reset=True)

    side, channels = SIDE, 3
    modules: list[nn.Module] = []
    for spec in model_layers(training_config("vgg9", width)):
        if spec.inputs[0].kind == "conv":
            modules += [
                layer.Conv2d(channels, spec.channels, 3, padding=1, bias=False),
                layer.BatchNorm2d(spec.channels),
            ]
        else:
            modules += [layer.Flatten(), layer.Linear(channels * side**2, spec.channels, bias=False)]
            modules.append(layer.BatchNorm1d(spec.channels))
            side = 1
        modules.append(neurons())
        if spec.pool > 1:
            modules.append(layer.MaxPool2d(spec.pool))
            side //= spec.pool
        channels = spec.channels
    modules.append(layer.Linear(channels, CLASSES))
    network = nn.Sequential(*modules)
    functional.set_step_mode(network, "m")
    return network


def stock_step(width: float, images: Tensor, labels: Tensor) -> Step:
    """One training step as SpikingJelly's tutorials write it: repeat the image, average the output, reset."""
    torch.manual_seed(0)
    network = stock_network(width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        x = to_input(augmented(images, "flip", generator), torch.device("cpu")).contiguous()
        logits = network(x.unsqueeze(0).repeat(TIMESTEPS, 1, 1, 1, 1)).mean(0)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        functional.reset_net(network)

    return step


def own_step(config: TrainConfig, images: Tensor, labels: Tensor, with_sca: bool = True, rates: bool = False) -> Step:
    """One step of sca_train's search: quantized weights, and with SCA its scores, gamma gradients and L1.

    ``rates``: of the rate-equivalent network instead of the spiking one.
    """
    torch.manual_seed(0)
    keep_freed_memory()
    network = Network(model_layers(config), config, (SIDE, SIDE, 3), CLASSES)
    network.use_kernels(use_kernels(config, torch.device("cpu")))
    network.use_rates(rates)
    network.train()
    optimizer = make_optimizer(network, config)
    pruner = Pruner(network, config) if with_sca else None
    if pruner:
        pruner.start()
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        logits = network(to_input(augmented(images, "flip", generator), torch.device("cpu")))
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        if pruner:
            pruner.after_backward(config.l1)
        optimizer.step()

    return step


def batch(size: int = BATCH) -> tuple[Tensor, Tensor]:
    """Random images uint8 [N, H, W, C] and labels."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (size, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)
    return images, torch.randint(0, CLASSES, (size,), generator=generator)


def seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def median_ratio(first: Step, second: Step, pairs: int) -> tuple[float, float, float]:
    """Median seconds of both steps, run in turn, and the median of their ratios, first over second."""
    first(), second()  # caches, compiled kernels, allocators
    times = [(seconds(first), seconds(second)) for _ in range(pairs)]
    ratio = statistics.median(one / other for one, other in times)
    return statistics.median(one for one, _ in times), statistics.median(other for _, other in times), ratio


def serve_stock_steps(width: float, threads: int, orders: Connection) -> None:
    """One stock step for each True received, answered when it is done; False ends it."""
    torch.set_num_threads(threads)
    step = stock_step(width, *batch())
    while orders.recv():
        step()
        orders.send(True)


def train_speed(width: float = 1.0) -> None:
    """Images per second of a training step over stock SpikingJelly's; last line ``train-speed RATIO``.

    The stock side steps in a process of its own, as this project's settings of the allocator would speed it up too.
    """
    threads = torch.get_num_threads()
    context = multiprocessing.get_context("spawn")
    orders, served = context.Pipe()
    stock_side = context.Process(target=serve_stock_steps, args=(width, threads, served), daemon=True)
    stock_side.start()
    served.close()

    def stock_steps() -> None:
        orders.send(True)
        orders.recv()

    stock, own, ratio = median_ratio(stock_steps, own_step(training_config("vgg9", width), *batch()), PAIRS)
    orders.send(False)
    stock_side.join()
    print(f"VGG9, width {width:g}, T={TIMESTEPS}, batch {BATCH}, {threads} threads, median of {PAIRS}")
    print(
        f"stock SpikingJelly {version('spikingjelly')} (torch {torch.__version__}): {BATCH / stock:.1f} images/s; "
        f"sca_train: {BATCH / own:.1f} images/s"
    )
    print(f"train-speed {ratio:.2f}")


def count_speed() -> None:
    """Time of a spiking step over one of the rate-equivalent network, which counts; last line ``count-speed RATIO``.

    VGG7 as its preset trains it.
    """
    config = load_config(PRESETS / "vgg7.toml")
    images, labels = batch(config.batch_size)
    spiking, counting, ratio = median_ratio(
        own_step(config, images, labels, with_sca=False),
        own_step(config, images, labels, with_sca=False, rates=True),
        2 * PAIRS,
    )
    threads = torch.get_num_threads()
    print(f"VGG7, T={config.timesteps}, batch {config.batch_size}, {threads} threads, median of {2 * PAIRS}")
    print(f"spiking: {len(images) / spiking:.1f} images/s; rates: {len(images) / counting:.1f} images/s")
    print(f"count-speed {ratio:.2f}")


def sca_overhead(width: float = 1.0) -> None:
    """Time of a training step with SCA over one without; last line ``sca-overhead RATIO``."""
    images, labels = batch()
    config = training_config("vgg9", width)
    with_sca, without, ratio = median_ratio(
        own_step(config, images, labels), own_step(config, images, labels, with_sca=False), 2 * PAIRS
    )
    print(f"VGG9, width {width:g}, T={TIMESTEPS}, batch {BATCH}: {with_sca:.3f} s with SCA, {without:.3f} s without")
    print(f"sca-overhead {ratio:.3f}")


MEMORY_PROGRAM = """
import resource, sys
from dataclasses import replace
from bench.training import batch, own_step, training_config
images, labels = batch()
step = own_step(replace(training_config("vgg16", 1.0), kernels=sys.argv[1]), images, labels)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    step()
print(before / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def train_memory() -> None:
    """Peak memory of training VGG16, T=4, batch 64, in a process each; last line ``train-memory MIB``."""
    peaks = {}
    for kernels in ("off", "on"):
        printed = subprocess.run(
            [sys.executable, "-c", MEMORY_PROGRAM, kernels], check=True, capture_output=True, text=True
        ).stdout
        before, peaks[kernels] = map(float, printed.split())
        print(f"kernels {kernels}: {peaks[kernels]:.0f} MiB at most, {before:.0f} MiB before the first step")
    print(f"train-memory {peaks['on']:.0f}")
