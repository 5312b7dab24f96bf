"""The training loop: search the structure (SCA), compact, fine-tune, measure."""

from __future__ import annotations

import math
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sca_train.augment import training_batch
from sca_train.average import Averaging, follow_network, prepare_average
from sca_train.checkpoint import TrainState, load_checkpoint, restore, save_checkpoint
from sca_train.config import CONFIG_FILE, TrainConfig, config_to_toml, prunes, search_epochs
from sca_train.conversion import convert, trains_rates
from sca_train.data import Dataset, load_dataset, summary
from sca_train.device import choose_device, keep_freed_memory, peak_memory_mib, use_bf16, use_fused, use_kernels
from sca_train.errors import TrainError
from sca_train.files import CHECKPOINT_FILE, METRICS_FILE, check_replaceable, only_writer, remove_unfinished, write_text
from sca_train.initial import initial_network
from sca_train.logs import log_epoch, progress, tensorboard
from sca_train.loss import hits, loss_sum
from sca_train.measure.metrics import write_results
from sca_train.models import model_layers
from sca_train.network import to_input
from sca_train.optimizer import learning_rate, make_optimizer
from sca_train.parallel import (
    distributed,
    first_process,
    first_then_others,
    own_slice,
    process_group,
    rank,
    sum_over_ranks,
    synchronise_norms,
    world_size,
)
from sca_train.precision import follow_weights, set_precision
from sca_train.pruning.compact import COMPACT_FILE
from sca_train.pruning.compaction import compact_state, test_subset
from sca_train.pruning.sca import Pruner, ramp_after, sparsity
from sca_train.teacher import check_same_teacher, load_teacher
from sca_train.telling import say

MOST_THREADS_A_PROCESSOR = 32
_WRITTEN = (CHECKPOINT_FILE, COMPACT_FILE, METRICS_FILE, CONFIG_FILE)
# Looking at a loss makes the host wait for the GPU, so there it is done for several steps at once.
STEPS_PER_LOOK = {"cpu": 1, "cuda": 16}


def train(
    config: TrainConfig, run: Path, restart: bool = False, stop_after: int | None = None
) -> dict[str, Any] | None:
    """Train to the end, or to ``stop_after`` epochs, continuing from the run's checkpoint if it has one.

    Writes config.toml, checkpoint.pt, compact.safetensors, metrics.json and tensorboard/ into ``run`` and returns the
    metrics; None when it stopped early, and in all processes but the first. Raises TrainError for missing data, for a
    corrupt checkpoint or one of another configuration, where another process trains in ``run``, and when the loss is no
    longer a finite number.
    """
    device = choose_device(config)
    keep_freed_memory()
    if config.threads:
        _check_threads(config.threads)
        torch.set_num_threads(config.threads)
    # Of several processes the first one writes.
    with only_writer(run) if first_process() else nullcontext(), process_group(device):
        state_file = run / CHECKPOINT_FILE
        saved = load_checkpoint(state_file, config) if state_file.exists() and not restart else None
        dataset = first_then_others(lambda: load_dataset(config))
        _check_batches(config, dataset)
        teacher = load_teacher(config, run, dataset, device)
        if saved:
            check_same_teacher(saved, teacher, config)
        state = restore(saved, config, dataset, device) if saved else initial_state(config, run, dataset, device)
        state.teacher = teacher
        use_kernels(config, device)  # refused, where it is, while an earlier training's files are still there
        if rank() == 0:
            prepare_folder(run)
            if saved:
                write_text(run / CONFIG_FILE, config_to_toml(config))
            processes = f", {world_size()} processes" if world_size() > 1 else ""
            images = f"{len(dataset.train_labels)} training images"
            say(f"{config.name}: {config.model} on {config.dataset}, {images}, {device.type}{processes}")
            say(summary(dataset))
        if not train_epochs(state, config, dataset, device, run, stop_after):
            return None
        if rank() > 0:
            return None
        if config.epochs == 0:
            replace_run(run, config)
        return write_results(state, config, dataset, device, run)


def _check_threads(threads: int) -> None:
    processors = os.cpu_count() or 1
    if threads > MOST_THREADS_A_PROCESSOR * processors:
        raise TrainError(
            f"threads is {threads}; this machine has {processors} processors, which stand still with more than "
            f"{MOST_THREADS_A_PROCESSOR * processors}"
        )


def _check_batches(config: TrainConfig, dataset: Dataset) -> None:
    if len(dataset.train_labels) < smallest_batch():
        raise TrainError(f"a training needs at least {smallest_batch()} images, not {len(dataset.train_labels)}")
    if config.batch_size < smallest_batch():
        raise TrainError(
            f"batch_size is {config.batch_size}; {world_size()} processes need at least {smallest_batch()}"
        )


def initial_state(config: TrainConfig, run: Path, dataset: Dataset, device: torch.device) -> TrainState:
    """The training before its first epoch; TrainError as ``initial_network``, or for a ratio or budget out of reach."""
    torch.manual_seed(config.seed)
    network, init = initial_network(config, run, dataset)
    network.to(device)
    pruner = Pruner(network, config)
    if config.structure == "random" and prunes(config):
        pruner.choose_randomly(ramp_after(config, 0))
    return TrainState(network, make_optimizer(network, config), init=init)


def prepare_folder(run: Path) -> None:
    """Remove what a killed training left unfinished; TrainError where something there cannot be written over."""
    for file in _WRITTEN:
        check_replaceable(run / file)
    remove_unfinished(run, _WRITTEN)


def replace_run(run: Path, config: TrainConfig) -> None:
    """Begin a new run in the folder: what an earlier one left there goes, and config.toml is that of this one."""
    for stale in (METRICS_FILE, COMPACT_FILE, CHECKPOINT_FILE):
        (run / stale).unlink(missing_ok=True)
    write_text(run / CONFIG_FILE, config_to_toml(config))


def train_epochs(
    state: TrainState, config: TrainConfig, dataset: Dataset, device: torch.device, run: Path, stop_after: int | None
) -> bool:
    """All epochs that are left, each with its checkpoint; False when ``stop_after`` ended them early."""
    fast = use_bf16(config, device)
    model = trainable(state, device, fast)
    with tensorboard(run, state.epoch) as writer:
        while state.epoch < config.epochs:
            started = time.monotonic()
            if state.epoch == search_epochs(config) and not state.compacted:
                compact_state(state, config, dataset, device)
                model = trainable(state, device, fast)
            if state.epoch == config.rate_epochs > 0:
                convert(state, dataset, device)
            if set_precision(state.network, config, state.epoch):
                model = trainable(state, device, fast)
            prepare_average(state, config)
            before = time.monotonic()
            try:
                loss, accuracy = train_epoch(state, model, config, dataset, device, fast)
            except LossError as error:
                raise TrainError(f"{error}; {_last_good(state, run)}") from None
            follow_network(state, config)
            speed = len(dataset.train_labels) / (time.monotonic() - before)
            state.epoch += 1
            if rank() == 0:
                check = test_subset(state.measured, config, dataset, device)
                state.seconds += time.monotonic() - started
                state.peak_memory_mib = max(state.peak_memory_mib, peak_memory_mib(device))
                pruned = state.ratio if state.compacted else sparsity(state.network, model_layers(config))
                entry = {
                    "epoch": state.epoch,
                    "loss": loss,
                    "train_accuracy": accuracy,
                    "test_accuracy": check.accuracy,
                    "sparsity": pruned,
                    "synops": check.total_synops,
                    "seconds": time.monotonic() - started,
                    "images_per_second": speed,
                    "channels": {layer.spec.name: int(layer.mask.sum()) for layer in state.network.spiking_layers()},
                }
                state.history.append(entry)
                log_epoch(writer, {**entry, "lr": state.optimizer.param_groups[0]["lr"], "firing": check.firing})
                if state.epoch == 1:  # until now a training that fails leaves an earlier run as it was
                    replace_run(run, config)
                save_checkpoint(state, config, run / CHECKPOINT_FILE)
                say(
                    f"epoch {state.epoch:3}/{config.epochs}  loss {loss:.4f}  train {accuracy:.4f}  "
                    f"test {check.accuracy:.4f}  sparsity {entry['sparsity']:.3f}  {speed:.0f} images/s  "
                    f"{state.seconds:.0f} s",
                    flush=True,
                )
            if stop_after is not None and state.epoch >= stop_after:
                return False
        if not state.compacted:
            started = time.monotonic()
            compact_state(state, config, dataset, device)
            state.seconds += time.monotonic() - started
        if 0 < config.rate_epochs == config.epochs:
            convert(state, dataset, device)
    return True


def trainable(state: TrainState, device: torch.device, fast: bool) -> nn.Module:
    """What the training steps call: the network, or its form for several processes; in channels_last when ``fast``."""
    network = state.network
    synchronise_norms(network, device)
    for computed in state.networks():
        computed.use_rates(trains_rates(network.config, state.epoch))
        computed.use_kernels(use_kernels(network.config, device))
        computed.fuse(use_fused(network.config, device))
        if fast:
            computed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return distributed(network, device)


class LossError(Exception):
    """The loss of a step is not a finite number; the message says which step."""


class Tally:
    """Loss and hits of the steps of an epoch, left on the device until they are looked at."""

    def __init__(self, steps: int, epoch: int, device: torch.device) -> None:
        self.epoch = epoch
        self.losses = torch.zeros(steps, dtype=torch.float64, device=device)
        self.hits = torch.zeros(steps, dtype=torch.float64, device=device)
        self.images: list[int] = []
        self.seen = 0

    def add(self, loss: Tensor, hits: Tensor, images: int) -> None:
        """One step: this process's part of the mean loss and of the hits among all ``images``."""
        self.losses[len(self.images)] = loss.detach()
        self.hits[len(self.images)] = hits
        self.images.append(images)

    def look(self) -> tuple[float, float]:
        """Mean loss and accuracy up to now, over all processes; LossError for the first step that has no loss."""
        steps = slice(self.seen, len(self.images))
        for values in (self.losses, self.hits):
            values[steps] = sum_over_ranks(values[steps].clone())
        self.seen = len(self.images)
        losses = self.losses[: self.seen].tolist()
        for step, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise LossError(f"the loss became {loss} in epoch {self.epoch}, step {step + 1} of {len(self.losses)}")
        total = sum(self.images)
        mean = sum(loss * count for loss, count in zip(losses, self.images, strict=True)) / total
        return mean, float(self.hits[: self.seen].sum()) / total


def _last_good(state: TrainState, run: Path) -> str:
    advice = "a smaller --lr with --restart trains anew"
    if state.epoch == 0:
        return f"no checkpoint was written yet; {advice}"
    return f"the last good checkpoint, after epoch {state.epoch}, is {run / CHECKPOINT_FILE}; {advice}"


def train_epoch(
    state: TrainState, model: nn.Module, config: TrainConfig, dataset: Dataset, device: torch.device, fast: bool
) -> tuple[float, float]:
    """One pass over the training images, and a structure update when one is due; mean loss and accuracy.

    Every process draws the same order and the same augmentation, and takes its part of each batch.
    """
    network = state.network.train()
    searching = not state.compacted
    last = state.epoch + 1 == config.epochs
    # A network that is never pruned shows its scores once, at the end.
    pruner = Pruner(network, config) if searching or (last and not prunes(config)) else None
    if pruner:
        pruner.start()
    order = torch.Generator().manual_seed((config.seed * 1_000_003 + state.epoch) % 2**64)
    batches = _batches(len(dataset.train_labels), config.batch_size, order)
    tally = Tally(len(batches), state.epoch + 1, device)
    averaging = Averaging(state, config)
    with progress(sum(map(len, batches)), f"epoch {state.epoch + 1}/{config.epochs}") as bar:
        for number, batch in enumerate(batches):
            for group in state.optimizer.param_groups:
                group["lr"] = learning_rate(config, state.epoch, number / len(batches))
            own = own_slice(len(batch))
            images, labels = training_batch(dataset, batch, state.epoch, config, order, device)
            labels = labels[own]
            x = to_input(images[own], device)
            if fast and x.dim() == 4:
                x = x.contiguous(memory_format=torch.channels_last)
            share = len(labels) * world_size() / len(batch)
            for layer in network.spiking_layers():
                layer.rate_weight = config.rate_l1 / len(network.specs) * share
            with torch.autocast(device.type, torch.bfloat16, enabled=fast):
                logits = model(x)
                taught = state.teacher.logits(x) if state.teacher else None
            loss = loss_sum(config, logits, labels, taught) / len(batch)
            state.optimizer.zero_grad(set_to_none=True)
            # Gradients are averaged over the processes: each one's part of the loss counts as often as there are some.
            (loss * world_size()).backward()
            if pruner:
                pruner.after_backward(config.l1 if searching else 0.0)
            state.optimizer.step()
            follow_weights(network, config)
            averaging.step()
            tally.add(loss, hits(logits, labels), len(batch))
            if (number + 1) % STEPS_PER_LOOK[device.type] == 0 or number + 1 == len(batches):
                mean, accuracy = tally.look()
                bar.note(loss=f"{mean:.4f}", accuracy=f"{accuracy:.4f}")
            bar.update(len(batch))
    if pruner:
        pruner.stop()
        if last or (state.epoch + 1) % config.update_every == 0 or state.epoch + 1 == search_epochs(config):
            state.scores = pruner.update(ramp_after(config, state.epoch + 1))
    return mean, accuracy


def _batches(count: int, size: int, generator: torch.Generator) -> list[Any]:
    """Shuffled index arrays; a last batch too small for batch norm, or for all processes, is left out."""
    order = torch.randperm(count, generator=generator).numpy()
    batches = (order[start : start + size] for start in range(0, count, size))
    return [batch for batch in batches if len(batch) >= smallest_batch()]


def smallest_batch() -> int:
    """How many images batch norm needs, and all processes together."""
    return max(2, world_size())
