"""The network a training starts from: drawn by the seed, or that of a finished run (option ``init``)."""

from __future__ import annotations

from pathlib import Path

from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.errors import TrainError
from sca_train.finished_run import open_finished
from sca_train.network import Network
from sca_train.precision import spread_scales, start_scales
from sca_train.pruning.compact import load_state
from sca_train.shipped import kept_folder
from sca_train.specs import LayerSpec
from sca_train.whitening import whiten_first_layers


def initialise(network: Network, config: TrainConfig, run: Path, dataset: Dataset) -> str:
    """Give an untrained network on the CPU its weights; returns the SHA-256 of the run they come from, or "".

    Raises TrainError when that run cannot be opened (``open_finished``) or has other layers.
    """
    if config.init:
        finished = open_finished("init", kept_folder(Path(config.init)), config, run, dataset)
        theirs, ours = finished.network.specs, network.specs
        if theirs != ours:
            raise TrainError(f"{finished.name} has other layers than the network to train: {_difference(theirs, ours)}")
        load_state(network, finished.network.state_dict())
        if finished.network.config.weight_bits != config.weight_bits:
            spread_scales(network)
            network.share_scales()
        return finished.digest
    if config.first_init == "whitening":
        whiten_first_layers(network, dataset.train_images)
    start_scales(network, config)
    return ""


def _difference(theirs: tuple[LayerSpec, ...], ours: tuple[LayerSpec, ...]) -> str:
    """Where two lists of layers part, in words."""
    if len(theirs) != len(ours):
        return f"{len(theirs)}, not {len(ours)}"
    first, second = next((first, second) for first, second in zip(theirs, ours, strict=True) if first != second)
    if first.channels != second.channels:
        return f"{first.name} has {first.channels} channels, not {second.channels}"
    return f"{first.name} is another kind of layer than {second.name}"
