"""Every neuron of codegen.neurons: its step, its ONNX function, what range analysis asks of it, and its folding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from codegen.dialect import DOMAIN, OPSET
from codegen.errors import ExportError
from codegen.neurons import IF, LIF, NEURONS, NO_NEURON, DelayedLIF, LateIF, Neuron, folded_neuron, neuron_of
from sca_train.description import NeuronDescription


@st.composite
def neurons(draw: st.DrawFn) -> Neuron:
    kind = draw(st.sampled_from(list(NEURONS)))
    leak_shift = draw(st.integers(1, 4)) if NEURONS[kind].leaks else 0
    reset = draw(st.sampled_from(NEURONS[kind].resets))
    return neuron_of(kind, leak_shift, reset, draw(st.booleans()), draw(st.integers(0, 4)))


def _spikes(neuron: Neuron, sums: np.ndarray, bias: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    potential = neuron.initial(threshold)
    train = []
    for drive in neuron.drives(list(sums), bias):
        spikes, potential = neuron.step(potential, drive, threshold)
        train.append(spikes)
    return np.array(train)


@pytest.mark.parametrize(
    ("neuron", "spikes"),
    [
        # One channel, threshold 5, half a unit of bias, the sums 2, 1, 3, 0: drives 5, 3, 7, 1 at one fractional bit.
        (IF(reset="hard", frac_bits=1), [0, 0, 1, 0]),  # V 5, 8, 15 -> 0, 1
        (IF(reset="soft", frac_bits=1), [0, 0, 1, 0]),  # V 5, 8, 15 -> 5, 6
        (IF(reset="soft", frac_bits=1, half_start=True), [1, 0, 1, 0]),  # V 10 -> 0, 3, 10 -> 0, 1
        (LIF(leak_shift=1, reset="hard", frac_bits=1), [0, 0, 1, 0]),  # V 5, 6, 10 -> 0, 1
        (LIF(leak_shift=1, reset="hard", frac_bits=1, half_start=True), [0, 0, 1, 0]),  # V 8, 7, 11 -> 0, 1
        (LIF(leak_shift=1, reset="soft", frac_bits=1), [0, 0, 1, 0]),  # V 5, 6, 10 -> 0, 1
        (DelayedLIF(leak_shift=1, reset="soft", frac_bits=1), [0, 0, 1, 0]),  # V 5 | 3, 6 | 3, 10 | -5, -4
        (DelayedLIF(leak_shift=1, reset="soft", frac_bits=1, half_start=True), [0, 0, 1, 0]),  # V 8 | 4, 7 | 4, 11, -3
        (LateIF(reset="soft", frac_bits=1), [1, 0, 0, 0]),  # V 16 -> 6
        (LateIF(reset="soft", frac_bits=1, half_start=True), [1, 1, 0, 0]),  # V 21 -> 11 -> 1
    ],
)
def test_steps_by_hand(neuron, spikes):
    sums = np.array([[2], [1], [3], [0]])
    assert _spikes(neuron, sums, np.array([1]), np.array([10]))[:, 0].astype(int).tolist() == spikes


@pytest.mark.parametrize(("threshold", "half"), [(0, 0), (1, 0), (7, 3), (8, 4), (-1, -1), (-5, -3)])
@pytest.mark.parametrize("kind", NEURONS)
def test_the_initial_potential_is_half_the_threshold_rounded_down(kind, threshold, half):
    neuron = neuron_of(kind, int(NEURONS[kind].leaks), NEURONS[kind].resets[0], True, 0)
    if neuron.delayed:  # half the threshold came before a leak of half of it
        half -= half // 2
    assert neuron.initial(np.array([threshold])).tolist() == [half]
    assert replace(neuron, half_start=False).initial(np.array([threshold])).tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(neuron=neurons(), timesteps=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_the_onnx_function_steps_like_the_neuron(neuron, timesteps, seed):
    rng = np.random.default_rng(seed)
    sums = rng.integers(-20, 21, (timesteps, 3, 4))
    bias, threshold = rng.integers(-40, 41, 4), rng.integers(-10, 200, 4)
    attributes = {"timesteps": timesteps, **neuron.attributes(), "half_start": int(neuron.half_start)}
    node = helper.make_node(neuron.kind, ["current", "bias", "threshold"], ["spikes"], domain=DOMAIN, **attributes)
    inputs = [helper.make_tensor_value_info("current", TensorProto.FLOAT, sums.shape)]
    inputs += [helper.make_tensor_value_info(name, TensorProto.INT32, [4]) for name in ("bias", "threshold")]
    output = helper.make_tensor_value_info("spikes", TensorProto.FLOAT, sums.shape)
    model = helper.make_model(
        helper.make_graph([node], "one_neuron", inputs, [output]),
        ir_version=9,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        functions=[type(neuron).function(timesteps, half_start=True)],
    )
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given_ = {
        "current": sums.astype(np.float32),
        "bias": bias.astype(np.int32),
        "threshold": threshold.astype(np.int32),
    }
    np.testing.assert_array_equal(session.run(None, given_)[0], _spikes(neuron, sums, bias, threshold))


@settings(max_examples=100, deadline=None)
@given(
    sums=st.lists(st.integers(-50, 50), min_size=1, max_size=8),
    bias=st.integers(-100, 100),
    threshold=st.integers(1, 300),
    half_start=st.booleans(),
)
def test_late_neurons_count_what_all_steps_add_up_to(sums, bias, threshold, half_start):
    """Spikes come first, and their number neither depends on the order of the sums nor leaves clip(V // threshold)."""
    neuron = LateIF(reset="soft", half_start=half_start, frac_bits=2)
    train = _spikes(neuron, np.array(sums)[:, None], np.array([bias]), np.array([threshold]))[:, 0].astype(int)
    potential = sum(4 * total + bias for total in sums) + (threshold // 2 if half_start else 0)
    count = min(max(potential // threshold, 0), len(sums))
    assert train.tolist() == [1] * count + [0] * (len(sums) - count)


@settings(max_examples=200, deadline=None)
@given(neuron=neurons(), values=st.lists(st.integers(-500, 500), min_size=4, max_size=4))
def test_charge_and_reset_keep_the_order_that_range_analysis_relies_on(neuron, values):
    (low, high), (less, more) = sorted(values[:2]), sorted(values[2:])
    level = np.array(30)
    assert neuron.charge(np.array(low), np.array(less)) <= neuron.charge(np.array(high), np.array(more))
    assert neuron.after_spike(np.array(low), level) <= neuron.after_spike(np.array(high), level)
    assert neuron.after_silence(np.array(low)) <= neuron.after_silence(np.array(high))


@settings(max_examples=50, deadline=None)
@given(neuron=neurons())
def test_a_node_and_a_core_give_the_neuron_back(neuron):
    attributes = {**neuron.attributes(), "half_start": int(neuron.half_start)}
    assert NEURONS[neuron.kind].from_attributes(attributes.get) == neuron
    ranges = type(neuron).attribute_ranges()
    assert all(low <= attributes[name] <= high for name, (low, high) in ranges.items() if name in attributes)
    assert attributes.keys() <= ranges.keys()
    assert ranges["soft_reset"] == ((0, 1) if len(neuron.resets) == 2 else (1, 1))
    same = neuron_of(neuron.kind, neuron.leak_shift, neuron.reset, neuron.half_start, neuron.frac_bits)
    assert same == neuron


def test_a_read_out_has_no_neuron():
    assert neuron_of(NO_NEURON, 0, "hard", False, 0) is None


@pytest.mark.parametrize("kind", NEURONS)
def test_folding_keeps_what_training_described(kind):
    description = NeuronDescription(kind, "soft", threshold=0.5, tau=4.0, v_init=0.5)
    neuron = NEURONS[kind].fold(description, 3, "layer 'x'")
    leaks = NEURONS[kind].leaks
    assert neuron == neuron_of(kind, 2 if leaks else 0, "soft", True, 3)
    # In units of a quarter: shift 1.5 is 6, the threshold 2 (with a leak 4 * 2), all of them times 2^3.
    bias, threshold = neuron.fold_channels(np.array([0.25]), np.array([1.5]), neuron.level(description.threshold))
    assert (bias.tolist(), threshold.tolist()) == ([48], [64 if leaks else 16])


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("LIF", {"tau": 3.0}, "layer 'x': tau=3.0 of its LIF neurons must be a power of two, 2 or more"),
        (
            "IF",
            {"v_init": 0.25},
            "layer 'x': its neurons start at 0.25 of their threshold; only 0 and 0.5 are possible",
        ),
        ("LateIF", {}, "layer 'x': its LateIF neurons have hard reset; only soft reset is possible"),
        ("DelayedLIF", {}, "layer 'x': its DelayedLIF neurons have hard reset; only soft reset is possible"),
        ("IF", {"threshold": 0.0}, "layer 'x': its threshold is 0.0, but must be above 0"),
    ],
)
def test_what_cannot_be_folded_is_said(kind, change, sentence):
    description = replace(NeuronDescription(kind, "hard", 1.0, 2.0), **change)
    with pytest.raises(ExportError) as error:
        NEURONS[kind].fold(description, 4, "layer 'x'")
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("kind", "reset", "neuron"),
    [
        ("LIF", "delayed", DelayedLIF(leak_shift=1, reset="soft", frac_bits=4)),
        ("LIF", "soft", LIF(leak_shift=1, reset="soft", frac_bits=4)),
        ("IF", "delayed", IF(reset="soft", frac_bits=4)),  # nothing happens to V between spike and next step
        ("IF", "hard", IF(reset="hard", frac_bits=4)),
    ],
)
def test_a_description_gives_the_neuron_of_its_reset(kind, reset, neuron):
    assert folded_neuron(NeuronDescription(kind, reset, 1.0, 2.0), 4, "layer 'x'") == neuron


@pytest.mark.parametrize(
    ("level", "ge", "gt"),
    [
        (1.0, 16, 17),  # whole: V > 16 is V >= 17
        (1.0 - 1e-12, 16, 17),  # the same but for what floating point has lost
        (1.02, 16, 17),  # 16.32: V > it from 17 on, where rounding says 16
        (1.05, 17, 17),  # 16.8
        (1e30, 2**62, 2**62 + 1),  # beyond any potential
    ],
)
def test_a_threshold_to_exceed_is_the_least_integer_above_it(level, ge, gt):
    neuron = IF(reset="soft", frac_bits=4)
    unit, shift = np.array([1.0]), np.array([0.0])
    assert neuron.fold_channels(unit, shift, level)[1].tolist() == [ge]
    assert neuron.fold_channels(unit, shift, level, "gt")[1].tolist() == [gt]
