"""The training loop: search the structure (SCA), compact, fine-tune, measure."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from tqdm import tqdm

from sca_train.augment import augmented
from sca_train.compact import (
    COMPACT_FILE,
    compact,
    dense_parameter_count,
    is_quantizer_scale,
    parameter_count,
    save_compact,
    with_channels,
)
from sca_train.config import TrainConfig, changed_options, config_to_dict, config_to_toml
from sca_train.data import Dataset, balanced_subset, load_dataset
from sca_train.errors import TrainError
from sca_train.files import write_text, write_whole
from sca_train.measure import Measurement, first_layer_macs, measure
from sca_train.models import model_layers
from sca_train.network import Network, to_input
from sca_train.sca import StructureLearner, sparsity

CHECKPOINT_FILE = "checkpoint.pt"
METRICS_FILE = "metrics.json"
CONFIG_FILE = "config.toml"
WARM_UP_SHARE = 0.05
FINETUNE_LR_SHARE = 0.5
CALIBRATION_IMAGES = 512


@dataclass
class TrainState:
    """What a checkpoint holds: the training after ``epoch`` epochs."""

    network: Network
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    seconds: float = 0.0
    compacted: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    dense: Measurement | None = None


def search_epochs(config: TrainConfig) -> int:
    """Epochs that search the structure; all others train the compact network."""
    return config.epochs - config.finetune if config.ratio > 0.0 else 0


def train(
    config: TrainConfig, run: Path, restart: bool = False, stop_after: int | None = None
) -> dict[str, Any] | None:
    """Train to the end, or to ``stop_after`` epochs, continuing from the run's checkpoint if it has one.

    Writes config.toml, checkpoint.pt, compact.safetensors and metrics.json into ``run`` and returns the metrics; None
    when it stopped early. Raises TrainError for missing data, a corrupt checkpoint or one of another configuration.
    """
    device = choose_device(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    state_file = run / CHECKPOINT_FILE
    saved = load_checkpoint(state_file, config) if state_file.exists() and not restart else None
    dataset = load_dataset(config)
    if saved is None:
        torch.manual_seed(config.seed)
        network = Network(model_layers(config), config, dataset.input_shape, len(dataset.classes)).to(device)
        state = TrainState(network, make_optimizer(network, config))
    else:
        state = restore(saved, config, dataset, device)
    StructureLearner(state.network, config.ratio, config.exchange, config.score)  # refuses an impossible ratio early
    run.mkdir(parents=True, exist_ok=True)
    if saved is None:
        for stale in (CHECKPOINT_FILE, COMPACT_FILE, METRICS_FILE):
            (run / stale).unlink(missing_ok=True)
    write_text(run / CONFIG_FILE, config_to_toml(config))
    fast = use_bf16(config, device)
    if fast:
        state.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"{config.name}: {config.model} on {config.dataset}, {len(dataset.train_labels)} training images, {device}")
    while state.epoch < config.epochs:
        started = time.monotonic()
        if state.epoch == search_epochs(config) and not state.compacted:
            narrow(state, config, dataset, device)
        loss, accuracy = train_epoch(state, config, dataset, device, fast)
        check = test_subset(state.network, config, dataset, device)
        state.epoch += 1
        state.seconds += time.monotonic() - started
        state.history.append(
            {
                "epoch": state.epoch,
                "loss": loss,
                "train_accuracy": accuracy,
                "test_accuracy": check.accuracy,
                "sparsity": config.ratio if state.compacted else sparsity(state.network),
                "synops": check.total_synops,
            }
        )
        write_whole(state_file, lambda aside: torch.save(checkpoint(state, config), aside))
        print(
            f"epoch {state.epoch:3}/{config.epochs}  loss {loss:.4f}  train {accuracy:.4f}  test {check.accuracy:.4f}  "
            f"sparsity {state.history[-1]['sparsity']:.3f}  {state.seconds:.0f} s",
            flush=True,
        )
        if stop_after is not None and state.epoch >= stop_after:
            return None
    if not state.compacted:
        started = time.monotonic()
        narrow(state, config, dataset, device)
        state.seconds += time.monotonic() - started
    return finish(state, config, dataset, device, run)


def choose_device(config: TrainConfig) -> torch.device:
    """The configured device; TrainError when it is CUDA and there is none."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainError("device is cuda, but torch finds no CUDA device; use --device cpu")
    return torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")


def use_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Whether to train in bf16 autocast with channels_last: where the machine computes bf16 in hardware."""
    if config.bf16 != "auto":
        return config.bf16 == "on"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capable: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()
    return capable


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


def train_epoch(
    state: TrainState, config: TrainConfig, dataset: Dataset, device: torch.device, fast: bool
) -> tuple[float, float]:
    """One pass over the training images, and a structure update when one is due; mean loss and accuracy."""
    network = state.network.train()
    learner = None if state.compacted else StructureLearner(network, config.ratio, config.exchange, config.score)
    if learner:
        learner.start()
    order = torch.Generator().manual_seed(config.seed * 1_000_003 + state.epoch)
    batches = _batches(len(dataset.train_labels), config.batch_size, order)
    total, correct, seen = 0.0, 0, 0
    for number, batch in enumerate(tqdm(batches, desc=f"epoch {state.epoch + 1}", leave=False, mininterval=0.5)):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(config, state.epoch, number / len(batches))
        images = augmented(torch.from_numpy(dataset.train_images[batch]), config.augment, order)
        labels = torch.from_numpy(dataset.train_labels[batch]).to(device)
        x = to_input(images, device)
        if fast:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            logits = network(x)
        loss = F.cross_entropy(logits.float(), labels)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if learner:
            learner.after_backward(config.l1)
        state.optimizer.step()
        total += float(loss.detach()) * len(batch)
        correct += int((logits.argmax(1) == labels).sum())
        seen += len(batch)
    if learner:
        learner.stop()
        due = (state.epoch + 1) % config.update_every == 0 or state.epoch + 1 == search_epochs(config)
        if due:
            learner.update()
    return total / seen, correct / seen


def _batches(count: int, size: int, generator: torch.Generator) -> list[Any]:
    """Shuffled index arrays; a last batch of one image is left out, since batch norm cannot train on it."""
    order = torch.randperm(count, generator=generator).numpy()
    return [batch for batch in (order[start : start + size] for start in range(0, count, size)) if len(batch) > 1]


def narrow(state: TrainState, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
    """End the search: measure the dense network (the same weights, masks lifted), then compact it."""
    network = state.network
    if config.ratio > 0.0 and search_epochs(config) == 0:
        prune_untrained(network, config, dataset, device)
    masks = [layer.mask.clone() for layer in network.spiking_layers()]
    for layer in network.spiking_layers():
        layer.mask.fill_(1.0)
    if config.ratio > 0.0:
        state.dense = test_subset(network, config, dataset, device)
    for layer, mask in zip(network.spiking_layers(), masks, strict=True):
        layer.mask.copy_(mask)
    state.network = compact(network)
    state.optimizer = make_optimizer(state.network, config)
    state.compacted = True
    if config.epochs == 0:
        calibrate(state.network, dataset, device)


def prune_untrained(network: Network, config: TrainConfig, dataset: Dataset, device: torch.device) -> None:
    """One structure update from a single pass of the untrained network over some training images."""
    calibrate(network, dataset, device)
    network.train()
    learner = StructureLearner(network, config.ratio, config.exchange, config.score)
    learner.start()
    chosen = balanced_subset(dataset.train_labels, CALIBRATION_IMAGES)
    for start in range(0, len(chosen), config.batch_size):
        batch = chosen[start : start + config.batch_size]
        logits = network(to_input(torch.from_numpy(dataset.train_images[batch]), device))
        loss = F.cross_entropy(logits, torch.from_numpy(dataset.train_labels[batch]).to(device))
        network.zero_grad(set_to_none=True)
        loss.backward()
        learner.after_backward(0.0)
    learner.stop()
    learner.update()


@torch.no_grad()
def calibrate(network: Network, dataset: Dataset, device: torch.device) -> None:
    """Give batch norm the statistics of some training images, for a network that is not trained."""
    network.train()
    norms = [layer.norm for layer in network.spiking_layers()]
    for norm in norms:
        norm.reset_running_stats()  # type: ignore[operator]
        norm.momentum = None  # type: ignore[assignment]  # a plain average over the batches
    chosen = balanced_subset(dataset.train_labels, CALIBRATION_IMAGES)
    for batch in np.array_split(chosen, max(1, len(chosen) // 64)):
        network(to_input(torch.from_numpy(dataset.train_images[batch]), device))
    for norm in norms:
        norm.momentum = 0.1  # type: ignore[assignment]


def test_subset(network: Network, config: TrainConfig, dataset: Dataset, device: torch.device) -> Measurement:
    """Measure on ``config.eval_images`` test images, or on all."""
    chosen = balanced_subset(dataset.test_labels, config.eval_images or len(dataset.test_labels))
    return measure(network, dataset.test_images[chosen], dataset.test_labels[chosen], device, "test")


def checkpoint(state: TrainState, config: TrainConfig) -> dict[str, Any]:
    """All that the rest of the training depends on, as tensors and plain values."""
    return {
        "config": config_to_dict(config),
        "channels": [spec.channels for spec in state.network.specs],
        "epoch": state.epoch,
        "seconds": state.seconds,
        "compacted": state.compacted,
        "history": state.history,
        "dense": asdict(state.dense) if state.dense else None,
        "network": state.network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }


def load_checkpoint(path: Path, config: TrainConfig) -> dict[str, Any]:
    """A checkpoint of the same configuration; TrainError when it is damaged or of another one."""
    try:
        saved: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        differing = changed_options(saved["config"], config)
    except (RuntimeError, UnpicklingError, OSError, EOFError, KeyError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainError(f"checkpoint {path} cannot be read ({reason}); --restart trains anew") from None
    if differing:
        raise TrainError(
            f"checkpoint {path} was trained with other values of {', '.join(differing)}; "
            "use another run folder, or --restart to train anew"
        )
    return saved


def restore(saved: dict[str, Any], config: TrainConfig, dataset: Dataset, device: torch.device) -> TrainState:
    """The training state a checkpoint holds."""
    specs = with_channels(model_layers(config), saved["channels"])
    network = Network(specs, config, dataset.input_shape, len(dataset.classes))
    try:
        network.load_state_dict(saved["network"])
    except RuntimeError:
        raise TrainError(
            f"the checkpoint was trained on images or classes other than the {len(dataset.classes)} classes of "
            f"{dataset.input_shape} images found now; give the same data, or --restart to train anew"
        ) from None
    network.to(device)
    optimizer = make_optimizer(network, config)
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["random"])
    dense = Measurement(**saved["dense"]) if saved["dense"] else None
    return TrainState(network, optimizer, saved["epoch"], saved["seconds"], saved["compacted"], saved["history"], dense)


def finish(state: TrainState, config: TrainConfig, dataset: Dataset, device: torch.device, run: Path) -> dict[str, Any]:
    """Measure the compact network on the whole test set; write compact.safetensors and metrics.json."""
    network = state.network.eval()
    save_compact(network, dataset.classes, run / COMPACT_FILE)
    final = measure(network, dataset.test_images, dataset.test_labels, device, "whole test set")
    dense = state.dense or final
    before = [spec.channels for spec in model_layers(config)]
    metrics = {
        "history": state.history,
        "accuracy": final.accuracy,
        "images": final.images,
        "params": {
            "dense": dense_parameter_count(config, dataset.input_shape, len(dataset.classes)),
            "compact": parameter_count(network),
        },
        "synops": {"dense": dense.total_synops, "compact": final.total_synops},
        "synops_images": {"dense": dense.images, "compact": final.images},
        "synops_per_layer": {name: [dense.synops[name], count] for name, count in final.synops.items()},
        "first_layer_macs": first_layer_macs(network),
        "channels": {spec.name: [width, spec.channels] for spec, width in zip(network.specs, before, strict=True)},
        "firing": final.firing,
        "classes": list(dataset.classes),
        "seconds": state.seconds,
        "bf16": use_bf16(config, device),
    }
    write_text(run / METRICS_FILE, json.dumps(metrics, indent=2) + "\n")
    return metrics
