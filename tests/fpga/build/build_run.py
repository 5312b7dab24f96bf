"""A run folder as `make hls` leaves it, of a network that is small but has every kind of node of a chain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from codegen.dataflow.build import build_graph
from codegen.export.onnx_writer import build_model
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork
from codegen.neurons import NO_NEURON
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from sca_train.specs import IMAGE

BOARDS = ("Pynq-Z1", "Pynq-Z2", "Ultra96-V2", "ZCU104", "KV260", "AUP-ZU3")


def render_small_run(folder: Path) -> RunFolder:
    """An 8x8 image through one pooled convolution and a read-out of five classes, folded and rendered."""
    random = np.random.default_rng(3)
    layers = (
        _layer("conv1", IMAGE, random.integers(-7, 8, (4, 1, 3, 3)), "IF", pool=2),
        _layer("readout", "conv1", random.integers(-7, 8, (5, 4 * 4 * 4)), NO_NEURON, pool=1),
    )
    network = IntegerNetwork(
        input_shape=(8, 8, 1), static_input=True, timesteps=4, frac_bits=4, classes=5, layers=layers
    )
    folder.mkdir(parents=True)
    onnx.save(build_model(network, ("one", "two", "three", "four", "five")), str(folder / "model.onnx"))
    run = RunFolder(folder)
    build_graph(run, board="Pynq-Z2", target_cycles=1000)
    render_sources(run)
    return run


def _layer(name: str, source: str, weights: NDArray[np.int64], neuron: str, pool: int) -> IntegerLayer:
    outputs = weights.shape[0]
    convolution = weights.ndim == 4
    return IntegerLayer(
        name=name,
        inputs=(
            IntegerConnection(
                name, source, "conv" if convolution else "linear", weights, 4, 1, 1 if convolution else 0
            ),
        ),
        residual="",
        sign=np.ones(outputs, np.int64),
        neuron=neuron,
        leak_shift=0,
        reset="hard",
        half_start=False,
        bias=np.zeros(outputs, np.int64),
        threshold=np.full(outputs, 0 if neuron == NO_NEURON else 900 << 4, np.int64),
        pool=pool,
        pool_kind="max",
        map_pixels=1,
    )
