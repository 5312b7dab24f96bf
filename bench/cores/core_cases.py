"""Core configurations with weights, inputs and expected outputs, these drawn at random from a printed seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codegen.cores.core import Core
from codegen.cores.dsp_sums import MacStyle
from codegen.cores.spike_pool import SpikePool
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.sum_pool import SumPool
from codegen.neurons import NEURONS, NO_NEURON, SUMS, Constants
from codegen.words import join_steps

Mode = Literal["spikes", "static", "readout", "sums", "static sums"]
"""What a SpikingMVAU reads and writes: spikes or counts, or an image; trains, the read-out of spikes, or sums."""


@dataclass(frozen=True)
class Case:
    """One core with the elements of its input and output streams, each [words, lanes] for all frames back to back."""

    core: Core
    frames: int
    inputs: tuple[NDArray[Any], ...]
    outputs: tuple[NDArray[Any], ...]
    leading_words: int = 0
    """Words of the next frame that the core may write before it has read any of it."""

    @property
    def name(self) -> str:
        return self.core.name

    @property
    def input_words(self) -> list[list[int]]:
        """Of each of the core's ``read_streams``."""
        words = [
            join_lanes(lanes, stream.element_bits) for lanes, stream in zip(self.inputs, self.core.inputs, strict=True)
        ]
        if self.core.weight_stream is not None:
            frame = [int.from_bytes(word.tobytes(), "little") for word in self.core.weight_words()]
            words.append(self.frames * frame)
        return words

    @property
    def output_words(self) -> list[int]:
        """Of all outputs, one behind the other."""
        streams = zip(self.outputs, self.core.outputs, strict=True)
        return [word for lanes, stream in streams for word in join_lanes(lanes, stream.element_bits)]


def case_of(core: Core, frames: int, *elements: NDArray[Any]) -> Case:
    """A core on elements of so many frames for each of its inputs, and what its reference model gives."""
    inputs = [
        values.reshape(frames, stream.words, stream.lanes) for values, stream in zip(elements, core.inputs, strict=True)
    ]
    outputs = [core.reference(*frame) for frame in zip(*inputs, strict=True)]
    shapes = [(stream.words, stream.lanes) for stream in core.outputs]
    assert all([frame.shape for frame in given] == shapes for given in outputs)
    joined = tuple(np.concatenate(port) for port in zip(*outputs, strict=True))
    return Case(core, frames, tuple(np.concatenate(port) for port in inputs), joined)


def join_lanes(lanes: NDArray[Any], bits: int) -> list[int]:
    """Stream words of rows of lanes, lane 0 in the low bits."""
    mask = (1 << bits) - 1
    return [sum((int(value) & mask) << (i * bits) for i, value in enumerate(row)) for row in lanes]


def signed_bits(*values: int) -> int:
    """Smallest two's complement width that holds all values."""
    return max((value if value >= 0 else ~value).bit_length() + 1 for value in values)


def mvau_case(
    name: str,
    seed: int,
    *,
    mw: int,
    mh: int,
    simd: int,
    pe: int,
    timesteps: int,
    tp: int | None = None,
    mode: Mode = "spikes",
    neuron: str = "IF",
    leak_shift: int = 1,
    reset: Literal["hard", "soft"] = "hard",
    weight_bits: int = 4,
    frac_bits: int = 4,
    input_bits: int = 8,
    vectors: int = 2,
    frames: int = 3,
    block: bool = False,
    use_dsp: bool = False,
    half_start: bool = False,
    map_pixels: int = 1,
    step_bits: int = 1,
    largest_step: int = 0,
    narrow: bool | None = None,
    event: bool = False,
    taps: int = 1,
    density: float | None = None,
    mac_style: MacStyle = "lut",
) -> Case:
    """A SpikingMVAU with random constants and the narrowest widths that these constants allow.

    ``largest_step``: the largest input at a step where that is less than ``step_bits`` hold.
    ``narrow``: without the lowest number of the weights' width, as most quantizers are; drawn where it is not given.
    ``density``: share of the integers of all elements and steps that are not zero; drawn where it is not given.
    """
    rng = np.random.default_rng(seed)
    limit = 1 << (weight_bits - 1)
    weights = rng.integers(-limit, limit, size=(mh, mw))
    if rng.random() < 0.5 if narrow is None else narrow:
        weights = np.maximum(weights, 1 - limit)
    static, sums = mode in ("static", "static sums"), mode in ("sums", "static sums")
    largest = (1 << input_bits) - 1 if static else largest_step or (1 << step_bits) - 1
    high = np.maximum(weights, 0).sum(axis=1) * largest
    low = np.minimum(weights, 0).sum(axis=1) * largest
    late = NEURONS[neuron].late and mode in ("spikes", "static")
    if late:
        tp = timesteps
    if reset not in NEURONS[neuron].resets:
        reset = "soft"
    summed = timesteps * map_pixels if mode == "readout" else timesteps if late else 1
    low, high = low * summed, high * summed
    spread = max(2, int((high - low).max()) << frac_bits)
    bias = rng.integers(-spread // 4, spread // 4 + 1, size=mh)
    threshold = rng.integers(1, max(2, spread // 2), size=mh)
    threshold[rng.random(mh) < 0.05] *= -1
    leak = leak_shift if NEURONS[neuron].leaks else None
    if mode == "readout":
        potential_bits = 8
        output_bits = signed_bits(
            *(low + timesteps * bias).tolist(), *(high + timesteps * bias).tolist(), *(timesteps * bias).tolist()
        )
    elif sums:
        # Bias and threshold stay what they are, and must not matter.
        output_bits = potential_bits = signed_bits(*low.tolist(), *high.tolist())
    else:
        output_bits = 8
        potential_bits = _potential_bits(
            (low << frac_bits) + bias * summed,
            (high << frac_bits) + bias * summed,
            threshold,
            timesteps,
            leak,
            reset == "soft",
            half_start,
            late,
            NEURONS[neuron].delayed,
        )
    core = SpikingMVAU(
        name=name,
        mw=mw,
        mh=mh,
        simd=simd,
        pe=pe,
        timesteps=timesteps,
        tp=timesteps if mode not in ("spikes", "sums") or tp is None else tp,
        static_input=static,
        input_bits=input_bits,
        neuron=NO_NEURON if mode == "readout" else SUMS if sums else neuron,
        leak_shift=leak or 0,
        reset=reset,
        frac_bits=frac_bits,
        weight_bits=weight_bits,
        acc_bits=signed_bits(*low.tolist(), *high.tolist()),
        potential_bits=potential_bits,
        bias_bits=signed_bits(*(bias * (summed if late else 1)).tolist()),
        threshold_bits=signed_bits(*threshold.tolist()),
        output_bits=output_bits,
        vectors=vectors,
        memory_style="block" if block else "distributed",
        use_dsp=use_dsp,
        mac_style=mac_style,
        half_start=half_start and mode in ("spikes", "static"),
        map_pixels=map_pixels if mode == "readout" else 1,
        step_bits=1 if static else step_bits,
        event=event,
        taps=taps,
        constants=Constants(weights, bias, threshold),
    )
    rows = frames * vectors * core.map_pixels
    drawn_density = rng.choice([0.1, 0.5, 0.9])
    if static:
        return case_of(core, frames, rng.integers(0, largest + 1, size=(rows, mw)))
    kept = rng.random((rows, mw, timesteps)) < (drawn_density if density is None else density)
    elements = join_steps(kept * rng.integers(1, largest + 1, kept.shape), step_bits)
    return case_of(core, frames, elements)


def extreme_sums_case(name: str, seed: int, **parameters: Any) -> Case:
    """A ``mvau_case`` of sums whose inputs reach the lowest and the highest sum that the weights can give."""
    core = mvau_case(name, seed, frames=2, **parameters).core
    assert isinstance(core, SpikingMVAU) and core.neuron == SUMS and core.constants
    weights = core.constants.weights
    lowest = np.minimum(weights, 0)[np.minimum(weights, 0).sum(axis=1).argmin()] != 0
    highest = np.maximum(weights, 0)[np.maximum(weights, 0).sum(axis=1).argmax()] != 0
    vectors = core.largest_input * np.stack([lowest, highest])[np.arange(2 * core.vectors) % 2]
    if core.static_input:
        return case_of(core, 2, vectors)
    # The first and the last step; the others are empty.
    steps = np.zeros((*vectors.shape, core.timesteps), np.int64)
    steps[..., 0] = steps[..., -1] = vectors
    return case_of(core, 2, join_steps(steps, core.step_bits))


def pool_case(
    name: str,
    seed: int,
    *,
    height: int,
    width: int,
    channels: int,
    kernel: int,
    pe: int,
    timesteps: int,
    frames: int = 3,
) -> Case:
    """A SpikePool with sparse random spike trains."""
    rng = np.random.default_rng(seed)
    core = SpikePool(
        name=name, height=height, width=width, channels=channels, kernel=kernel, pe=pe, timesteps=timesteps
    )
    kept = rng.random((frames, height, width, channels, timesteps)) < 0.2
    return case_of(core, frames, join_steps(kept.astype(np.int64), 1))


def sum_pool_case(
    name: str,
    seed: int,
    *,
    height: int,
    width: int,
    channels: int,
    kernel: int,
    pe: int,
    timesteps: int,
    step_bits: int = 1,
    frames: int = 3,
) -> Case:
    """A SumPool with random inputs, many of them the largest."""
    rng = np.random.default_rng(seed)
    core = SumPool(
        name=name,
        height=height,
        width=width,
        channels=channels,
        kernel=kernel,
        pe=pe,
        timesteps=timesteps,
        step_bits=step_bits,
    )
    largest = (1 << step_bits) - 1
    steps = rng.integers(0, largest + 1, (frames, height, width, channels, timesteps))
    steps[rng.random(steps.shape) < rng.choice([0.2, 0.9])] = largest
    return case_of(core, frames, join_steps(steps, step_bits))


def _potential_bits(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    threshold: NDArray[np.int64],
    timesteps: int,
    leak: int | None,
    soft: bool,
    half_start: bool,
    late: bool,
    delayed: bool,
) -> int:
    """Width of step currents low, high [MH], and by intervals of the potential before and after each reset.

    ``late``: the first step has the only current. ``delayed``: the leak comes behind the reset's comparison.
    """

    def leaked(potential: int) -> int:
        return potential if leak is None else potential - (potential >> leak)

    bits = 1
    for current_low, current_high, level in zip(low.tolist(), high.tolist(), threshold.tolist(), strict=True):
        least = most = level // 2 if half_start else 0
        if delayed:
            least = most = leaked(least)
        bits = max(bits, signed_bits(least, current_low, current_high))
        for step in range(timesteps):
            if late and step > 0:
                current_low = current_high = 0
            if not delayed:
                least, most = leaked(least), leaked(most)
            least, most = least + current_low, most + current_high
            bits = max(bits, signed_bits(least, most))
            left = leaked if delayed else int
            ends = [] if least >= level else [left(least), left(min(most, level - 1))]
            if most >= level:
                ends += [left(max(least, level)) - level, left(most) - level] if soft else [0]
            least, most = min(ends), max(ends)
            bits = max(bits, signed_bits(least, most))
    return bits
