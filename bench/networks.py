"""Small integer networks with random constants, and what a test or a bench needs to run one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from codegen.export.onnx_writer import build_model
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork, PoolKind
from codegen.neurons import NEURONS, NO_NEURON, ResetKind
from codegen.run_folder import RunFolder
from sca_train.specs import IMAGE, Sides

FRAC_BITS = 4


def integer_layer(
    rng: np.random.Generator,
    name: str,
    source: str,
    weight_shape: tuple[int, ...],
    *,
    neuron: str = "IF",
    leak_shift: int = 1,
    reset: ResetKind = "hard",
    half_start: bool = False,
    map_pixels: int = 1,
    bits: int = 4,
    stride: int = 1,
    padding: int | Sides = 0,
    pool: int = 1,
    pool_kind: PoolKind = "max",
) -> IntegerLayer:
    """Random weights of ``bits``; thresholds that some inputs reach and some do not. ``leak_shift`` is that of LIF
    and DelayedLIF, and ``reset`` is soft where the neuron has no other."""
    weights = random_weights(rng, weight_shape, bits)
    out = weight_shape[0]
    reach = max(2, int(np.sqrt((weights**2).sum() / out) * (255 if source == IMAGE else 1))) << FRAC_BITS
    read_out = neuron == NO_NEURON
    kind = "conv" if len(weight_shape) == 4 else "linear"
    return IntegerLayer(
        name=name,
        inputs=(IntegerConnection(name, source, kind, weights, bits, stride, padding),),
        residual="",
        sign=np.ones(out, np.int64),
        neuron=neuron,
        leak_shift=leak_shift if neuron in NEURONS and NEURONS[neuron].leaks else 0,
        reset=reset if neuron == NO_NEURON or reset in NEURONS[neuron].resets else "soft",
        half_start=half_start,
        bias=rng.integers(-reach // 4, reach // 4 + 1, out),
        threshold=np.zeros(out, np.int64) if read_out else rng.integers(-reach // 8, reach, out),
        pool=pool,
        pool_kind=pool_kind,
        map_pixels=map_pixels,
    )


def random_weights(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> NDArray[np.int64]:
    """Symmetric ones of so many bits."""
    largest = 2 ** (bits - 1) - 1
    return rng.integers(-largest, largest + 1, shape)


def run_of(network: IntegerNetwork, folder: Path) -> RunFolder:
    """A run folder that holds the network's model.onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(build_model(network), str(folder / "model.onnx"))
    return RunFolder(folder)


def random_images(network: IntegerNetwork, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Images [count, H, W, C] uint8, or event frames [count, T, H, W, C]."""
    frames = () if network.static_input else (network.timesteps,)
    return np.random.default_rng(seed).integers(0, 256, (count, *frames, *network.input_shape)).astype(np.uint8)
