"""What a finished training leaves: the compact network and metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from sca_train.checkpoint import TrainState
from sca_train.config import TrainConfig
from sca_train.data import Dataset
from sca_train.device import use_bf16
from sca_train.files import METRICS_FILE, write_text
from sca_train.measure.measurement import first_layer_macs, measure
from sca_train.models import model_layers
from sca_train.parallel import world_size
from sca_train.pruning.compact import COMPACT_FILE, dense_parameter_count, parameter_count, save_compact


def write_results(
    state: TrainState, config: TrainConfig, dataset: Dataset, device: torch.device, run: Path
) -> dict[str, Any]:
    """Measure the compact network on the whole test set; write compact.safetensors and metrics.json.

    ``accuracies``: the dense and the masked network at the end of the search, on the images that are tested after each
    epoch; where rates were trained, the network as rates and converted to spikes without further training; and the
    compact network at the end of the training; these on the whole test set. Of a run that began with a pruned network
    ``ratio``, ``params`` and ``channels`` compare with the whole model, dense accuracy and SynOps with its start.
    """
    network = state.measured.eval()
    save_compact(network, dataset.classes, run / COMPACT_FILE)
    final = measure(network, dataset.test_images, dataset.test_labels, device, "whole test set")
    dense, masked = state.dense or final, state.masked or final
    before = [spec.channels for spec in model_layers(config)]
    metrics = {
        "history": state.history,
        "structure": config.structure,
        "score": config.score,
        "ratio": state.ratio,
        "accuracy": final.accuracy,
        "images": final.images,
        "accuracies": {
            "dense": dense.accuracy,
            "masked": masked.accuracy,
            **({"rates": state.rates.accuracy} if state.rates else {}),
            **({"converted": state.converted.accuracy} if state.converted else {}),
            "compact": final.accuracy,
        },
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
        "zero_trains": final.zero_trains,
        "scores": state.scores,
        "classes": list(dataset.classes),
        "seconds": state.seconds,
        "images_per_second": mean_speed(state, len(dataset.train_labels)),
        "peak_memory_mib": state.peak_memory_mib,
        "init": state.init,
        "teacher": state.teacher.digest if state.teacher else "",
        "processes": world_size(),
        "bf16": use_bf16(config, device),
    }
    write_text(run / METRICS_FILE, json.dumps(metrics, indent=2) + "\n")
    return metrics


def mean_speed(state: TrainState, images: int) -> float | None:
    """Training images per second over all epochs, evaluation aside; None where nothing was trained."""
    if not state.history:
        return None
    return len(state.history) * images / sum(images / entry["images_per_second"] for entry in state.history)
