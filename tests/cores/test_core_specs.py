"""Cores by themselves: cycles, memory choice, and the sentences of their errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cores.core_cases import mvau_case, pool_case, sum_pool_case
from codegen.cores.core import MAX_STREAM_BITS
from codegen.cores.memory import choose_memory_style
from codegen.cores.spike_pool import SpikePool
from codegen.cores.spiking_mvau import SpikingMVAU
from codegen.cores.sum_pool import SumPool
from codegen.errors import FoldingError, RenderError, SimulationError
from codegen.neurons import SUMS, Constants

CASE = mvau_case("conv", 0, mw=12, mh=6, simd=4, pe=3, timesteps=4, tp=2)
assert isinstance(CASE.core, SpikingMVAU)
CORE = CASE.core


def test_cycles_are_the_product_of_the_folds() -> None:
    assert CORE.cycles == 2 * 3 * 2 * 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"simd": 5}, "SpikingMVAU 'conv': SIMD=5 does not divide the 12 inputs of the layer"),
        ({"simd": 0}, "SpikingMVAU 'conv': SIMD=0 does not divide the 12 inputs of the layer"),
        ({"pe": 4}, "SpikingMVAU 'conv': PE=4 does not divide the 6 output channels of the layer"),
        ({"timesteps": 33}, "SpikingMVAU 'conv': T=33 is outside 1..32"),
        ({"timesteps": 0}, "SpikingMVAU 'conv': T=0 is outside 1..32"),
        ({"tp": 3}, "SpikingMVAU 'conv': TP=3 does not divide T=4"),
        ({"map_pixels": 4}, "SpikingMVAU 'conv': only a read-out of spikes, of one vector a frame, can sum a map"),
        ({"step_bits": 9}, "SpikingMVAU 'conv': 9 bits of each step are outside 1..8"),
        ({"step_bits": 0}, "SpikingMVAU 'conv': 0 bits of each step are outside 1..8"),
        (
            {"static_input": True, "tp": 4, "step_bits": 2},
            "SpikingMVAU 'conv': an input that is the same at every step has no bits of each step",
        ),
        ({"neuron": SUMS, "acc_bits": 9}, "SpikingMVAU 'conv': its sums have 9 bits, its output 8"),
        ({"static_input": True}, "SpikingMVAU 'conv': TP=2 must equal T=4, its sums are shared by all steps"),
    ],
)
def test_impossible_foldings_are_one_sentence(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(FoldingError) as caught:
        replace(CORE, **change)
    assert str(caught.value) == sentence


def test_impossible_pool_is_one_sentence() -> None:
    with pytest.raises(FoldingError, match=r"^SpikePool 'pool': PE=3 does not divide the 4 channels of the layer$"):
        pool_case("pool", 0, height=4, width=4, channels=4, kernel=2, pe=3, timesteps=4)
    with pytest.raises(FoldingError, match=r"^SpikePool 'pool': a window of 5 does not fit a 4x4 map$"):
        pool_case("pool", 0, height=4, width=4, channels=4, kernel=5, pe=1, timesteps=4)


def test_impossible_sum_pool_is_one_sentence() -> None:
    with pytest.raises(FoldingError, match=r"^SumPool 'pool': PE=3 does not divide the 4 channels of the layer$"):
        sum_pool_case("pool", 0, height=4, width=4, channels=4, kernel=2, pe=3, timesteps=4)
    with pytest.raises(
        FoldingError,
        match=r"^SumPool 'pool': sums of 16x16 inputs of 1 bits of each step take 9 bits, 8 are possible$",
    ):
        sum_pool_case("pool", 0, height=16, width=16, channels=4, kernel=16, pe=1, timesteps=4)


def test_constants_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    constants = CORE.constants
    assert constants
    wide = constants.weights.copy()
    wide[0, 0] = 8
    with pytest.raises(RenderError, match=r"^SpikingMVAU 'conv': weights from -\d to 8 do not fit 4 signed bits$"):
        replace(CORE, constants=replace(constants, weights=wide)).render("rtl", tmp_path)
    with pytest.raises(RenderError, match="weights of shape"):
        replace(CORE, constants=replace(constants, weights=constants.weights.T)).render("hls", tmp_path)
    with pytest.raises(RenderError, match="biases from"):
        bias = constants.bias + (1 << CORE.bias_bits)
        replace(CORE, constants=replace(constants, bias=bias)).render("rtl", tmp_path)
    with pytest.raises(RenderError, match=r"^SpikingMVAU 'conv' has no weights$"):
        replace(CORE, constants=None).render("rtl", tmp_path)
    assert not list(tmp_path.iterdir())


def test_deep_weight_memories_go_to_block_ram() -> None:
    assert choose_memory_style(depth=2048, width=72) == "block"
    assert choose_memory_style(depth=16, width=256) == "distributed"


def outputs_of(core: SpikingMVAU, inputs: np.ndarray, weights: list, bias: list, threshold: list) -> list:
    """The elements that the reference model gives for one frame."""
    constants = Constants(np.array(weights), np.array(bias), np.array(threshold))
    folds = inputs.reshape(core.inputs[0].words, core.inputs[0].lanes)
    return replace(core, constants=constants).reference(folds)[0].tolist()


def test_reference_by_hand() -> None:
    """Two inputs, weights 3 and -1, threshold 4 at one fractional bit, LIF with k = 1, soft reset."""
    core = replace(
        CORE,
        vectors=1,
        mw=2,
        mh=1,
        simd=2,
        pe=1,
        timesteps=4,
        tp=4,
        neuron="LIF",
        leak_shift=1,
        reset="soft",
        frac_bits=1,
    )
    # Steps of input 0: 1 1 0 1; of input 1: 0 1 1 0. Currents 2*acc + 1: 7 5 -1 7.
    inputs = np.array([[0b1011, 0b0110]])
    # V: 7 -> spike, 3; 3 - 1 + 5 = 7 -> spike, 3; 3 - 1 - 1 = 1; 1 - 0 + 7 = 8 -> spike.
    out = outputs_of(core, inputs, [[3, -1]], [1], [4])
    assert out == [[0b1011]]


def test_reference_of_a_delayed_reset_by_hand() -> None:
    """The same inputs, a threshold of 4 and k = 1: what a spike takes away does not leak."""
    core = replace(
        CORE, vectors=1, mw=2, mh=1, simd=2, pe=1, timesteps=4, tp=4, neuron="DelayedLIF", leak_shift=1, reset="soft",
        frac_bits=1,
    )  # fmt: skip
    inputs = np.array([[0b1011, 0b0110]])
    # Currents 7 5 -1 7. V: 7 -> spike, 7 - 3 - 4 = 0; 5 -> spike, 5 - 2 - 4 = -1; -2 -> -1; 6 -> spike.
    assert outputs_of(core, inputs, [[3, -1]], [1], [4]) == [[0b1011]]
    # With 6, LIF is at 1 after its first spike and at 6 after the next step, this one at -2 and 3.
    lif = replace(core, neuron="LIF")
    assert outputs_of(lif, inputs, [[3, -1]], [1], [6]) == [[0b1011]]
    assert outputs_of(core, inputs, [[3, -1]], [1], [6]) == [[0b1001]]


def test_reference_of_counts_by_hand() -> None:
    """Two inputs of three bits a step, weights 3 and -1, threshold 10, IF with hard reset."""
    core = replace(CORE, vectors=1, mw=2, mh=1, simd=2, pe=1, timesteps=4, tp=4, frac_bits=0, step_bits=3)
    assert (core.inputs[0].element_bits, core.largest_input) == (12, 7)
    # Steps of input 0: 7 0 2 4; of input 1: 0 5 1 2. Currents 3a - b: 21 -5 5 10.
    inputs = np.array([[0o4207, 0o2150]])
    # V: 21 -> spike, 0; -5; 0; 10 -> spike.
    assert outputs_of(core, inputs, [[3, -1]], [0], [10]) == [[0b1001]]
    read_out = replace(core, neuron="none")
    # 3 * 13 - 8, and the bias in each of four steps.
    assert outputs_of(read_out, inputs, [[3, -1]], [5], [0]) == [[39 - 8 + 20]]
    assert read_out.count_bits == 5


def test_sums_by_hand() -> None:
    """The same inputs, and their second vector, with weights 3 and -1 for channel 0, -8 and 7 for channel 1."""
    core = replace(
        CORE, vectors=2, vector_shape=(1, 2, 1), mw=2, mh=2, simd=2, pe=1, timesteps=4, tp=2, step_bits=3, neuron=SUMS,
        acc_bits=8, output_bits=8,
    )  # fmt: skip
    assert [constant.name for constant in core.constant_inputs] == ["weights"]
    weights = np.array([[3, -1], [-8, 7]])
    core = core.with_constants(weights.T)
    # Steps of input 0: 7 0 2 4, then 1 0 0 0; of input 1: 0 5 1 2, then 0 0 0 1.
    (given,) = core.reference(np.array([[0o4207, 0o2150], [0o0001, 0o1000]]))
    assert given.tolist() == [[21, -5, 5, 10], [-56, 35, -9, -18], [3, 0, 0, -1], [-8, 0, 0, 7]]
    assert (core.outputs[0].datatype, core.outputs[0].lanes) == ("INT8", 4)
    assert core.output_tensors[0].shape == (1, 2, 1, 2 * 4)
    narrow = replace(core, acc_bits=6, output_bits=6)
    with pytest.raises(SimulationError, match=r"^SpikingMVAU 'conv': sums from -56 to 35 do not fit 6 signed bits$"):
        narrow.reference(np.array([[0o4207, 0o2150], [0o0001, 0o1000]]))
    image = replace(core, static_input=True, input_bits=8, tp=4, step_bits=1, acc_bits=12, output_bits=12)
    (given,) = image.reference(np.array([[200, 3], [0, 255]]))
    assert given.tolist() == [[597], [-1579], [-255], [1785]], "an image has one sum for all steps"
    assert (image.outputs[0].lanes, image.output_tensors[0].shape) == (1, (1, 2, 1, 2))


def test_foldings_of_sums_are_no_wider_than_a_stream() -> None:
    core = replace(CORE, mw=8, mh=1024, simd=1, pe=2, timesteps=4, tp=4, neuron=SUMS, acc_bits=8, output_bits=8)
    widest = max(folding.outputs[0].bits for folding in core.foldings())
    assert widest == 128 * 4 * 8 <= MAX_STREAM_BITS < 256 * 4 * 8


def test_elements_wider_than_a_machine_word() -> None:
    """160 bits: the last step counts as much as the first."""
    core = replace(CORE, vectors=1, mw=2, mh=1, simd=2, pe=1, timesteps=20, tp=20, neuron="none", step_bits=8)
    assert core.inputs[0].bits == 320
    inputs = np.array([[255 << 152, 1 | 2 << 152]], dtype=object)
    assert outputs_of(core, inputs, [[3, -1]], [0], [0]) == [[3 * 255 - 3]]


def test_reference_from_half_the_threshold_by_hand() -> None:
    """The same neurons with threshold 5: V starts at 2, and loses 1 of it to the leak of the first step."""
    core = replace(
        CORE,
        vectors=1,
        mw=2,
        mh=1,
        simd=2,
        pe=1,
        timesteps=4,
        tp=4,
        neuron="LIF",
        leak_shift=1,
        frac_bits=1,
        half_start=True,
    )
    # Steps of input 0: 0 0 1 0; of input 1: 0 0 0 1. Currents 2*acc + 1: 1 1 7 -1.
    inputs = np.array([[0b0100, 0b1000]])
    # V: 2 - 1 + 1 = 2; 2 - 1 + 1 = 2; 2 - 1 + 7 = 8 -> spike, 0; -1.
    out = outputs_of(core, inputs, [[3, -1]], [1], [5])
    assert out == [[0b0100]]
    # A current of 3 in the first step: 2 - 1 + 3 = 4 stays below 5, and without the leak it would not.
    out = outputs_of(core, inputs * 0, [[3, -1]], [3], [5])
    assert out == [[0b1010]]


def test_a_summed_map_takes_as_long_as_the_slower_of_counting_and_multiplying() -> None:
    core = replace(CORE, neuron="none", tp=4, vectors=1, map_pixels=16)
    assert (core.simd, core.pe, core.cycles, core.count_bits) == (4, 3, 3 * 16, 7)
    assert replace(core, map_pixels=2, pe=1).cycles == 3 * 6


def test_summed_map_by_hand() -> None:
    """Three pixels of two inputs, which spike 1 + 2 + 0 and 0 + 1 + 4 times; weights 3 and -1, bias 5 in each step."""
    core = replace(CORE, mw=2, mh=1, simd=2, pe=1, tp=4, neuron="none", vectors=1, map_pixels=3)
    inputs = np.array([[0b0001, 0], [0b1010, 0b0100], [0, 0b1111]])
    assert outputs_of(core, inputs, [[3, -1]], [5], [0]) == [[24]]


def test_sum_pool_reference_by_hand() -> None:
    """2x2 windows of spikes over two steps: 3 and 1 spikes, 3 bits each; the third column is dropped."""
    core = SumPool(name="pool", height=2, width=3, channels=1, kernel=2, pe=1, timesteps=2)
    assert (core.inputs[0].element_bits, core.outputs[0].element_bits) == (2, 6)
    image = np.array([[1, 3, 3], [1, 0, 3]]).reshape(6, 1)
    assert core.reference(image)[0].tolist() == [[0o13]]
    twice = SumPool(name="pool", height=2, width=3, channels=1, kernel=2, pe=1, timesteps=2, step_bits=3)
    image = np.array([[0o13, 0o77, 0], [0, 0o01, 0]]).reshape(6, 1)
    assert twice.outputs[0].element_bits == 10, "sums of up to 28"
    assert twice.reference(image)[0].tolist() == [[11 + (8 << 5)]]


def test_pool_reference_drops_the_rest_of_the_map() -> None:
    core = SpikePool(name="pool", height=3, width=3, channels=1, kernel=2, pe=1, timesteps=4)
    image = np.array([[1, 2, 8], [4, 0, 8], [8, 8, 8]]).reshape(9, 1)
    assert core.reference(image)[0].tolist() == [[7]]
