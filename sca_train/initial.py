"""The network a training starts from: drawn by the seed, or that of a finished run (option ``init``)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.errors import TrainError
from sca_train.finished_run import FinishedRun, joint_digest, open_finished
from sca_train.models import model_layers
from sca_train.network import Network
from sca_train.parallel import first_process
from sca_train.precision import spread_scales, start_scales
from sca_train.pruning.compact import load_state
from sca_train.shipped import run_folders
from sca_train.specs import LayerSpec, with_channels
from sca_train.telling import say
from sca_train.weights import check_weight_count
from sca_train.whitening import whiten_first_layers


def initial_network(config: TrainConfig, run: Path, dataset: Dataset) -> tuple[Network, str]:
    """The untrained network with its first weights, on the CPU, and the SHA-256 of the run they come from, or "".

    A run that pruned gives a network of the channels it kept. Several runs give the mean of theirs (M. Wortsman et al.,
    "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference time",
    ICML 2022), and their joint SHA-256.

    Raises TrainError for a network that is too large, when a run cannot be opened (``open_finished``) or has other
    layers, and when runs that are averaged have other bits of the weights than each other.
    """
    specs = model_layers(config)
    check_weight_count(specs, dataset.input_shape, len(dataset.classes))
    runs = [open_finished("init", folder, config, run, dataset) for folder in run_folders(config.init)]
    if runs:
        specs = _narrowed(specs, runs[0])
        for finished in runs:
            _check_alike(finished, runs[0], specs)
    network = Network(specs, config, dataset.input_shape, len(dataset.classes))
    if not runs:
        if config.first_init == "whitening":
            whiten_first_layers(network, dataset.train_images)
        start_scales(network, config)
        return network, ""
    load_state(network, _mean([finished.network.state_dict() for finished in runs]))
    if runs[0].network.config.weight_bits != config.weight_bits:
        spread_scales(network)
        network.share_scales()
    return network, joint_digest([finished.digest for finished in runs])


def _narrowed(specs: tuple[LayerSpec, ...], finished: FinishedRun) -> tuple[LayerSpec, ...]:
    """The layers with the run's channels where it has these layers with fewer channels; else as they are."""
    theirs = [spec.channels for spec in finished.network.specs]
    fits = len(theirs) == len(specs) and all(kept <= spec.channels for kept, spec in zip(theirs, specs, strict=True))
    if not fits or with_channels(specs, theirs) != finished.network.specs:
        return specs
    kept, before = sum(theirs), sum(spec.channels for spec in specs)
    if kept < before and first_process():
        say(f"{finished.name} has {kept:,} of the {before:,} hidden channels; so has this network")
    return finished.network.specs


def _check_alike(finished: FinishedRun, first: FinishedRun, ours: tuple[LayerSpec, ...]) -> None:
    """Raise TrainError where a run has other layers than the network, or other bits than the first of the runs."""
    theirs = finished.network.specs
    if theirs != ours:
        raise TrainError(f"{finished.name} has other layers than the network to train: {_difference(theirs, ours)}")
    bits, expected = (run.network.config.weight_bits for run in (finished, first))
    if bits != expected:
        raise TrainError(
            f"{finished.name} has weights of {bits} bits and {first.name} of {expected}; only runs with the same can "
            "be averaged"
        )


def _mean(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of weights, scales and statistics, summed in float64; of whole numbers (counters) those of the first."""
    return {
        key: torch.stack([state[key].double() for state in states]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for key, value in states[0].items()
    }


def _difference(theirs: tuple[LayerSpec, ...], ours: tuple[LayerSpec, ...]) -> str:
    """Where two lists of layers part, in words."""
    if len(theirs) != len(ours):
        return f"{len(theirs)}, not {len(ours)}"
    first, second = next((first, second) for first, second in zip(theirs, ours, strict=True) if first != second)
    if first.channels != second.channels:
        return f"{first.name} has {first.channels} channels, not {second.channels}"
    return f"{first.name} is another kind of layer than {second.name}"
