"""A small network of which no weights are on the chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.networks import integer_layer, run_of
from codegen.dataflow.build import build_graph
from codegen.network import IntegerNetwork
from codegen.neurons import NO_NEURON
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder

TARGET_CYCLES = 1600


def external_network() -> IntegerNetwork:
    """Two convolutions on 4x4 maps, one on 2x2, and a fully connected read-out."""
    rng = np.random.default_rng(5)
    layers = (
        integer_layer(rng, "conv0", "image", (8, 2, 3, 3), padding=1),
        integer_layer(rng, "conv1", "conv0", (16, 8, 3, 3), padding=1, pool=2),
        integer_layer(rng, "conv2", "conv1", (16, 16, 3, 3), padding=1),
        integer_layer(rng, "readout", "conv2", (4, 64), neuron=NO_NEURON),
    )
    return IntegerNetwork((4, 4, 2), True, 4, 4, 4, layers)


def external_run(folder: Path) -> RunFolder:
    """Its run folder, rendered."""
    made = run_of(external_network(), folder)
    build_graph(made, target_cycles=TARGET_CYCLES, weights="external")
    render_sources(made)
    return made
