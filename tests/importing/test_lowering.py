"""NIR graphs lowered and interpreted, against the same graphs evaluated node by node with PyTorch."""

from __future__ import annotations

import re
from itertools import pairwise

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_graphs import DT, graphs
from nir_reference import evaluate

from codegen.errors import ImportingError
from codegen.importing.interpreter import run, traces
from codegen.importing.lowering import lower
from codegen.importing.options import NirOptions

T = 3


@settings(max_examples=40, deadline=None)
@given(graphs(), st.sampled_from(["hard", "soft", "delayed"]), st.sampled_from(["ge", "gt"]), st.integers(0, 99))
def test_random_graphs_give_the_same_logits_and_traces(graph, reset, compare, seed):
    network = lower(graph, NirOptions(dt=DT, reset=reset, compare=compare, timesteps=T, input_scale=0.25))
    height, width, channels = network.input_shape
    images = np.random.default_rng(seed).integers(0, 9, (3, height, width, channels)).astype(np.uint8)
    frames = np.stack([images.transpose(0, 3, 1, 2) * 0.25] * T)
    shape = tuple(int(size) for size in graph.nodes["input"].input_type["input"])
    wanted = evaluate(graph, frames.reshape(T, 3, *shape), DT, reset, compare)
    np.testing.assert_array_equal(run(network, images), wanted.logits)
    for name, trace in traces(network, images).items():
        np.testing.assert_array_equal(trace.spikes.reshape(T, 3, -1), wanted.spikes[name].reshape(T, 3, -1))
        np.testing.assert_array_equal(
            trace.potential_before_reset.reshape(T, 3, -1), wanted.potentials[name].reshape(T, 3, -1)
        )


def _chain(*nodes, shape=(2, 6, 6), reset="soft", **options):
    names = ["input", *(f"n{index}" for index in range(len(nodes))), "output"]
    graph = nir.NIRGraph(
        dict(zip(names, (nir.Input(np.array(shape)), *nodes, nir.Output(None)), strict=True)),
        list(pairwise(names)),
        type_check=False,
    )
    return lower(graph, NirOptions(dt=DT, reset=reset, timesteps=T, **options)), graph


def _conv(out, inputs, kernel=3, stride=1, padding=0, bias=0.0, seed=0, **more):
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    weight = np.random.default_rng(seed).integers(-8, 9, (out, inputs, *size)) / 8
    return nir.Conv2d(None, weight, stride, padding, more.get("dilation", 1), more.get("groups", 1), np.full(out, bias))


def _if(*shape, threshold=1.0):
    return nir.IF(np.full(shape, 1 / DT), np.full(shape, threshold), np.zeros(shape))


def _linear(out, inputs, seed=1):
    return nir.Linear(np.random.default_rng(seed).integers(-8, 9, (out, inputs)) / 8)


def _pool(kind, kernel, stride=None, padding=0):
    stride = kernel if stride is None else stride
    return kind(*(np.array([value, value]) for value in (kernel, stride, padding)))


def _flatten():
    return nir.Flatten({"input": None}, 0, -1)


def _same_logits(network, graph, reset="soft"):
    height, width, channels = network.input_shape
    images = np.random.default_rng(3).integers(0, 5, (4, height, width, channels)).astype(np.uint8)
    frames = np.stack([images.transpose(0, 3, 1, 2).astype(float)] * T)
    shape = tuple(int(size) for size in graph.nodes["input"].input_type["input"])
    wanted = evaluate(graph, frames.reshape(T, 4, *shape), DT, reset)
    np.testing.assert_array_equal(run(network, images), wanted.logits)
    assert wanted.logits.any()


def test_pooling_behind_a_convolution_is_one_larger_convolution():
    network, graph = _chain(
        _conv(3, 2, stride=1, padding=1, bias=0.5), _pool(nir.AvgPool2d, 2), _if(3, 3, 3), _flatten(), _linear(2, 27)
    )
    (connection,) = network.layers[0].inputs
    assert connection.weights.shape[2:] == (4, 4)
    assert connection.stride == 2
    _same_logits(network, graph)


def test_overlapping_pooling_behind_spikes_joins_the_matrix_behind_it():
    network, graph = _chain(
        _conv(3, 2), _if(3, 4, 4), _pool(nir.AvgPool2d, 2, 1, 1), _flatten(), _linear(4, 75), _if(4), _linear(2, 4)
    )
    assert [layer.pool for layer in network.layers] == [1, 1, 1]
    assert network.layers[1].inputs[0].weights.shape == (4, 48)
    _same_logits(network, graph)


def test_pooling_behind_spikes_is_the_layers_own_and_a_sum_has_its_factor_in_the_weights():
    network, graph = _chain(_conv(3, 2), _if(3, 4, 4), _pool(nir.SumPool2d, 2), _conv(2, 3, padding=1), _if(2, 2, 2))
    first, second = network.layers[:2]
    assert (first.pool, first.pool_kind) == (2, "avg")
    np.testing.assert_array_equal(second.inputs[0].weights, graph.nodes["n3"].weight * 4)
    _same_logits(network, graph)


def test_the_mean_of_the_whole_map_before_the_read_out_is_a_global_sum():
    network, graph = _chain(_conv(3, 2), _if(3, 4, 4), _pool(nir.AvgPool2d, 4), _flatten(), _linear(2, 3))
    assert network.layers[-1].global_sum
    assert network.layers[-1].inputs[0].weights.shape == (2, 3)
    assert network.layers[0].pool == 1
    _same_logits(network, graph)


def test_spiking_output_counts_its_spikes_by_an_identity():
    network, graph = _chain(_flatten(), _linear(3, 72), _if(3))
    np.testing.assert_array_equal(network.layers[-1].inputs[0].weights, np.eye(3))
    _same_logits(network, graph)


def test_a_vector_is_an_image_of_one_row_unless_the_options_say_otherwise():
    network, graph = _chain(_linear(3, 24), _if(3), shape=(24,))
    assert network.input_shape == (1, 24, 1)
    _same_logits(network, graph)
    network, graph = _chain(_linear(3, 24), _if(3), shape=(24,), input_shape=(4, 3, 2))
    assert network.input_shape == (4, 3, 2)
    _same_logits(network, graph)


def test_one_dimension_is_one_row():
    conv = nir.Conv1d(8, np.random.default_rng(0).integers(-8, 9, (3, 2, 3)) / 8, 2, 1, 1, 1, np.array([0.5, 0, 0]))
    network, graph = _chain(conv, _if(3, 4), _flatten(), _linear(2, 12), shape=(2, 8))
    assert network.input_shape == (1, 8, 2)
    assert network.layers[0].inputs[0].padding == (0, 1, 0, 1)
    _same_logits(network, graph)


def test_strides_may_differ_where_one_direction_has_one_window():
    network, graph = _chain(_conv(3, 2, (6, 2), (1, 2)), _if(3, 1, 3), _flatten(), _linear(2, 9))
    assert network.layers[0].inputs[0].stride == 2
    _same_logits(network, graph)


def test_a_reset_to_another_potential_moves_the_threshold():
    shape = (3,)
    neurons = nir.IF(np.full(shape, 1 / DT), np.full(shape, 1.0), np.full(shape, 0.25))
    network, _ = _chain(_flatten(), _linear(3, 72), neurons, reset=None)
    np.testing.assert_array_equal(network.layers[0].threshold, 0.75)
    assert any("v_reset" in note for note in network.notes)


def test_subgraphs_are_laid_flat():
    inner = nir.NIRGraph(
        {"input": nir.Input(np.array([72])), "fc": _linear(3, 72), "lif": _if(3), "output": nir.Output(np.array([3]))},
        [("input", "fc"), ("fc", "lif"), ("lif", "output")],
        type_check=False,
    )
    network, _ = _chain(_flatten(), inner, _linear(2, 3))
    flat, _ = _chain(_flatten(), _linear(3, 72), _if(3), _linear(2, 3))
    assert network.layers[0].name == "n1_lif"
    images = np.random.default_rng(0).integers(0, 5, (4, 6, 6, 2)).astype(np.uint8)
    np.testing.assert_array_equal(run(network, images), run(flat, images))


WRONG = {
    "padding over a bias": ([_conv(2, 2, bias=1.0), _conv(2, 2, padding=1), _if(2, 4, 4)], "n1 pads sums that have a"),
    "padding over padding": ([_conv(2, 2, padding=1), _conv(2, 2, padding=1), _if(2, 6, 6)], "n1 pads the sums of"),
    "strides": ([_conv(2, 2, 2, (1, 2)), _if(2, 5, 3)], "strides of 1 rows and 2 columns"),
    "channels": ([_conv(2, 3), _if(2, 4, 4)], "n0 has weights for 3 channels and is given 2"),
    "matrix": ([_flatten(), _linear(3, 70), _if(3)], "n1 has weights for 70 inputs and is given 72, 72 elements"),
    "window": ([_conv(2, 2, 7), _if(2, 1, 1)], "n0 has a window of 7x7 on a map of 6x6"),
    "neurons": ([_conv(2, 2), _if(2, 5, 5)], "n1 has parameters of shape 2x5x5 for 2x4x4"),
    "per pixel": (
        [_conv(1, 2), nir.IF(np.full((1, 4, 4), 1 / DT), np.arange(1.0, 17).reshape(1, 4, 4), np.zeros((1, 4, 4)))],
        "n1 has parameters that differ between pixels of one channel",
    ),
    "threshold": ([_conv(1, 2), _if(1, 4, 4, threshold=0.0)], "n1 has a threshold of 0, and it must be above 0"),
    "no neurons": ([_flatten(), _linear(3, 72)], "no spiking neurons between the input and output"),
    "declared": (
        [nir.Conv2d((5, 6), np.ones((1, 2, 1, 1)), 1, 0, 1, 1, np.zeros(1)), _if(1, 6, 6)],
        "n0 says that it reads 5x6 and is given 6x6",
    ),
    "groups": ([_conv(3, 1, groups=2), _if(3, 4, 4)], "n0 has 3 outputs in 2 groups"),
    "nan": ([_flatten(), nir.Linear(np.full((3, 72), np.nan)), _if(3)], "n1 has a weight of NaN or infinity"),
    "same": ([_conv(2, 2, stride=2, padding="same"), _if(2, 3, 3)], "padding 'same' with a stride above 1"),
    "time constants": (
        [_flatten(), _linear(2, 72), nir.LIF(np.array([DT, 2 * DT]), np.ones(2), np.zeros(2), np.ones(2))],
        "n2 has time constants that differ between its neurons",
    ),
    "fast": (
        [_flatten(), _linear(1, 72), nir.LIF(np.array([DT / 2]), np.ones(1), np.zeros(1), np.ones(1))],
        "below the time step",
    ),
    "negative": (
        [_flatten(), _linear(1, 72), nir.LIF(np.array([-DT]), np.ones(1), np.zeros(1), np.ones(1))],
        "n2 has a time constant of -0.000976",
    ),
    "infinite": (
        [_flatten(), _linear(1, 72), nir.LIF(np.array([np.inf]), np.ones(1), np.zeros(1), np.ones(1))],
        "as snnTorch writes for beta = 1",
    ),
    "v_reset": (
        [_flatten(), _linear(1, 72), nir.IF(np.ones(1), np.ones(1), np.full(1, 0.5))],
        "n2 has a v_reset of 0.5, which a soft reset has no place for",
    ),
    "all unsupported at once": (
        [_flatten(), nir.Delay(np.ones(72)), nir.I(np.ones(72)), _linear(1, 72), _if(1)],
        "not supported: n1 (Delay), n2 (I, integrators that never spike)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_layer_can_follow_is_refused_by_name(name):
    nodes, sentence = WRONG[name]
    with pytest.raises(ImportingError, match=re.escape(sentence)) as raised:
        _chain(*nodes)
    assert str(raised.value).startswith("the NIR graph: ")
    assert "\n" not in str(raised.value)


def test_recurrence_is_refused_by_name():
    nodes = {"input": nir.Input(np.array([4])), "fc": _linear(3, 4), "lif": _if(3), "back": _linear(3, 3)}
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output")]
    graph = nir.NIRGraph({**nodes, "output": nir.Output(np.array([3]))}, edges, type_check=False)
    with pytest.raises(ImportingError, match=r"(lif, back|back, lif) form a loop, and recurrent networks are not"):
        lower(graph, NirOptions(dt=DT, reset="soft"))


@pytest.mark.parametrize(
    "node, options, sentence",
    [
        (_if(3), {"dt": DT}, "n1 has a v_reset of 0, which snnTorch and SpikingJelly write for a soft reset too"),
        (nir.LIF(np.full(3, 2e-3), np.ones(3), np.zeros(3), np.ones(3)), {"reset": "hard"}, "give it with --dt"),
    ],
)
def test_what_the_file_leaves_open_is_asked_for(node, options, sentence):
    graph = nir.NIRGraph(
        {"input": nir.Input(np.array([4])), "n0": _linear(3, 4), "n1": node, "output": nir.Output(np.array([3]))},
        [("input", "n0"), ("n0", "n1"), ("n1", "output")],
        type_check=False,
    )
    with pytest.raises(ImportingError, match=re.escape(sentence)):
        lower(graph, NirOptions(**options))


def test_the_usual_time_step_is_recognised_and_said():
    tau = np.full(3, 1e-4 / (1 - 0.75))
    node = nir.LIF(tau, tau / 1e-4, np.zeros(3), np.ones(3))
    graph = nir.NIRGraph(
        {"input": nir.Input(np.array([4])), "n0": _linear(3, 4), "n1": node, "output": nir.Output(np.array([3]))},
        [("input", "n0"), ("n0", "n1"), ("n1", "output")],
        type_check=False,
    )
    network = lower(graph, NirOptions(reset="soft"))
    assert network.layers[0].neuron.decay == pytest.approx(0.75, abs=1e-12)
    assert any("0.0001 s" in note for note in network.notes)


@pytest.mark.parametrize(
    ("given", "written", "taken"),
    [(None, None, "gt"), (None, "ge", "ge"), ("gt", "ge", "gt"), ("ge", "gt", "ge"), ("ge", None, "ge")],
)
def test_the_comparison_is_the_options_else_the_files_else_above(given, written, taken):
    graph = nir.NIRGraph(
        {"input": nir.Input(np.array([4])), "n0": _linear(3, 4), "n1": _if(3), "output": nir.Output(np.array([3]))},
        [("input", "n0"), ("n0", "n1"), ("n1", "output")],
        metadata={} if written is None else {"compare": written},
        type_check=False,
    )
    network = lower(graph, NirOptions(dt=DT, reset="soft", compare=given))
    assert network.layers[0].neuron.compare == taken
    assert any("comparison, ge, is that of the file" in note for note in network.notes) == (
        given is None and written == "ge"
    )
