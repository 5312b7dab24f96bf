"""Small float networks for tests of quantisation and of the import stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.importing.float_network import FloatConnection, FloatLayer, FloatNetwork, FloatNeuron

SIDE, CLASSES = 8, 10


def neuron(**changes: Any) -> FloatNeuron:
    return FloatNeuron(**({"decay": 1.0, "reset": "soft", "compare": "ge"} | changes))


def layer(name: str, channels: int, *inputs: FloatConnection, **changes: Any) -> FloatLayer:
    rng = np.random.default_rng(len(name))
    fields: dict[str, Any] = {
        "gain": rng.uniform(0.8, 1.2, channels),
        "shift": rng.uniform(-0.05, 0.1, channels),
        "threshold": rng.uniform(0.8, 1.2, channels),
        "neuron": neuron(),
    }
    return FloatLayer(name, inputs, **(fields | changes))


def residual_network(**changes: Any) -> FloatNetwork:
    """Average pooling, kernels and paddings that are uneven, an addition with an identity, and a leak of 0.7."""
    rng = np.random.default_rng(0)
    layers = (
        layer("0", 6, conv("0.weight", "image", rng.normal(size=(6, 1, 3, 3)) * 0.4, (1, 1, 1, 1)),
              pool=2, pool_kind="avg"),
        layer("line", 6, conv("line", "0", rng.normal(size=(6, 6, 1, 3)) * 0.5, (0, 2, 0, 0)),
              neuron=neuron(decay=0.7, reset="hard")),
        layer("dead", 2, conv("dead", "0", rng.normal(size=(2, 6, 1, 1)))),
        layer("add", 6, conv("branch", "line", rng.normal(size=(6, 6, 3, 3)) * 0.2, (1, 1, 1, 1)),
              FloatConnection("skip", "0", "identity", None)),
        layer("out", CLASSES, FloatConnection("out", "add", "linear", rng.normal(size=(CLASSES, 96)) * 0.2),
              neuron=None, threshold=np.ones(CLASSES)),
    )  # fmt: skip
    return FloatNetwork((SIDE, SIDE, 1), 1 / 255, True, 4, CLASSES, **({"layers": layers} | changes))


def vector_network(**changes: Any) -> FloatNetwork:
    """Two layers of neurons on a static image."""
    rng = np.random.default_rng(1)
    layers = (
        layer("fc1", 12, FloatConnection("fc1", "image", "linear", rng.normal(size=(12, SIDE * SIDE)) * 0.2),
              **changes),
        layer("fc2", 8, FloatConnection("fc2", "fc1", "linear", rng.normal(size=(8, 12)))),
        layer("out", CLASSES, FloatConnection("out", "fc2", "linear", rng.normal(size=(CLASSES, 8))), neuron=None,
              threshold=np.ones(CLASSES)),
    )  # fmt: skip
    return FloatNetwork((SIDE, SIDE, 1), 1 / 255, True, 4, CLASSES, layers)


def conv(
    name: str, source: str, weights: np.ndarray, padding: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> FloatConnection:
    return FloatConnection(name, source, "conv", weights, 1, padding)


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.uint8)
