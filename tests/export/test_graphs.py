"""Networks that are no chains: exact in ONNX Runtime, folded as the float network spikes, and rejected in sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from float_model import float_layers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from random_graphs import integer_graphs, residual_description

import codegen.dataflow  # noqa: F401 - tells qonnx that our functions are no operators of its own
from codegen.arithmetic.fold_batchnorm import CONSTANT_BITS, fold_network
from codegen.arithmetic.ranges import sum_ranges
from codegen.arithmetic.units import sum_units
from codegen.errors import ExportError, SimulationError
from codegen.export.onnx_writer import build_model
from codegen.network import IntegerNetwork
from codegen.verify.onnx_runtime import load_network
from codegen.verify.reference import run_layers

FRAC_BITS = 6


def _load(network, folder, with_spikes=False):
    path = folder / "model.onnx"
    onnx.save(build_model(network), path)
    return load_network(path, with_spikes)


def _images(network, count, seed=0):
    frames = () if network.static_input else (network.timesteps,)
    largest = 256 if isinstance(network, IntegerNetwork) or network.static_input else 4
    shape = (count, *frames, *network.input_shape)
    return np.random.default_rng(seed).integers(0, largest, shape).astype(np.uint8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(network=integer_graphs(), images=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_onnx_runtime_equals_the_naive_model(tmp_path, network, images, seed):
    x = _images(network, images, seed)
    logits, trains = run_layers(network, x)
    loaded = _load(network, tmp_path, with_spikes=True)
    np.testing.assert_array_equal(loaded.logits(x), logits)
    assert loaded.zero_shares(x) == pytest.approx([1 - train.mean() for train in trains])
    assert loaded.properties.neuron_layers == tuple(layer.name for layer in network.layers[:-1])


@settings(max_examples=40, deadline=None)
@given(network=integer_graphs(), seed=st.integers(0, 2**32 - 1))
def test_no_sum_leaves_its_range(network, seed):
    # Without neurons that decide anything, the last layer's logits are its sums, over and over.
    x = _images(network, 2, seed)
    bounds = sum_ranges(network)["readout"]
    logits = run_layers(network, x)[0] - network.timesteps * network.layers[-1].bias
    assert (logits >= network.timesteps * bounds.low).all() and (logits <= network.timesteps * bounds.high).all()


VARIANTS = [
    ("behind", {"before_addition": False, "kind": "IF", "reset": "hard"}),
    ("before", {"before_addition": True, "kind": "LIF", "reset": "soft", "v_init": 0.5}),
    ("events", {"before_addition": True, "kind": "IF", "reset": "soft", "events": True, "timesteps": 6}),
]


@pytest.fixture(params=[options for _, options in VARIANTS], ids=[name for name, _ in VARIANTS])
def description(request):
    return residual_description(3, **request.param)


def test_folded_graphs_spike_as_the_float_network(description):
    images = _images(description, 4)
    network = fold_network(description, FRAC_BITS)
    logits, trains = run_layers(network, images)
    layers, float_logits = float_layers(description, images, trains)
    for layer, train, expected in zip(description.layers[:-1], trains, layers, strict=True):
        # Rounding moves the potential by at most a few units in the last place per step; closer calls may differ.
        one = np.abs(layer.norm_scale * sum_units(description)[layer.name].unit)
        constant = np.maximum(np.abs(layer.norm_shift), 1.0) / 2**CONSTANT_BITS
        unit = (np.where(one > 0, one, constant) / 2**FRAC_BITS).reshape(-1, *[1] * (train.ndim - 3))
        clear = (expected.margins > 4 * description.timesteps * unit).all(axis=0)
        assert clear.mean() > 0.8, (layer.name, clear.mean())
        np.testing.assert_array_equal(train.astype(bool)[:, clear], expected.spikes[:, clear], layer.name)
        assert 0.02 < train.mean() < 0.98, layer.name
    readout = description.layers[-1].inputs[0]
    unit = readout.scale[0] / description.layers[-2].pool ** 2
    np.testing.assert_allclose(logits * unit, float_logits, atol=unit * description.timesteps)


def test_onnx_runtime_runs_folded_graphs_exactly(tmp_path, description):
    network = fold_network(description, FRAC_BITS)
    images = _images(description, 5)
    np.testing.assert_array_equal(_load(network, tmp_path).logits(images), run_layers(network, images)[0])


def test_weights_of_shared_sums_keep_their_signs():
    description = residual_description(3, before_addition=True)
    network = fold_network(description)
    for layer, folded in zip(description.layers, network.layers, strict=True):
        if layer.name in ("stem", "block1", "block2", "block3"):
            for before, after in zip(layer.inputs, folded.inputs, strict=True):
                np.testing.assert_array_equal(before.weights, after.weights)
            assert folded.sign[0] == 0 and -1 in folded.sign and 1 in folded.sign
        else:
            assert ((folded.sign == 1).all() and not folded.inputs[0].weights[0].any()) or layer.neuron is None
    factors = {connection.name: connection.factor for layer in network.layers for connection in layer.inputs}
    assert factors["stem"] == 1 and factors["block1"] == 2**8, "one unit for the whole stream, the image's"
    assert factors["block2"] == 1 and factors["block2_shortcut"] == 4


def test_qonnx_reads_shapes_and_datatypes(tmp_path):
    onnx.save(build_model(fold_network(residual_description(5, before_addition=False))), tmp_path / "model.onnx")
    model = ModelWrapper(str(tmp_path / "model.onnx"))
    for entry in (*model.graph.input, *model.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    model = model.transform(InferShapes())
    assert model.get_tensor_shape("block1_sum_out") == [4, 1, 6, 8, 8]
    assert model.get_tensor_shape("pool7_out") == [4, 6, 2, 2]
    assert model.get_tensor_datatype("pool7_out") == DataType["UINT3"], "sums of 0 to 4 spikes"
    assert model.get_tensor_datatype("block1_sum_out").is_integer()
    names = [node.name for node in onnx.load(tmp_path / "model.onnx").graph.node]
    start = names.index("block1")
    assert names[start : start + 9] == [
        *("block1", "block1_steps", "block1_int", "block1_identity_steps", "block1_identity_int"),
        *("block1_identity_scaled", "block1_sum", "block1_signed", "neuron3"),
    ]


def test_event_frames_enter_step_by_step(tmp_path):
    description = residual_description(2, before_addition=False, events=True, timesteps=5)
    loaded = _load(fold_network(description), tmp_path)
    assert loaded.properties.input_shape == (5, 8, 8, 2)
    images = _images(description, 3)
    forwards, backwards = loaded.logits(images), loaded.logits(images[:, ::-1])
    assert not np.array_equal(forwards, backwards), "the order of the frames matters"
    with pytest.raises(SimulationError, match=r"shape \[3, 8, 8, 2\].*uint8 \[N, 5, 8, 8, 2\] \(5 event frames each\)"):
        loaded.logits(images[:, 0])


def _changed(description, of, **changes):
    return replace(
        description,
        layers=tuple(replace(layer, **changes) if layer.name == of else layer for layer in description.layers),
    )


def _rescaled(description, name, scale):
    layer = next(layer for layer in description.layers if layer.name == name)
    first = replace(layer.inputs[0], scale=np.broadcast_to(scale, layer.inputs[0].scale.shape))
    return _changed(description, name, inputs=(first, *layer.inputs[1:]))


def _bad_descriptions():
    good = residual_description(1, before_addition=False)
    stream = residual_description(1, before_addition=True)
    block1, block2 = (next(layer for layer in good.layers if layer.name == name) for name in ("block1", "block2"))
    yield "layer 'block1': one unit of 'block1_identity' is 10 units of its sum", _rescaled(good, "block1", 0.1)
    yield (
        r"layer 'block1': one unit of 'block1_identity' is 1.6777216e\+09 .* up to 2\^24",
        _rescaled(good, "block1", 2.0**-24 / 100),
    )
    yield (
        "layer 'block1': 'block1' takes part in an addition, but its scale differs",
        _rescaled(good, "block1", np.linspace(1, 2, 6) / 16),
    )
    yield "layer 'block1': the scale of 'block1' is not finite and above 0", _rescaled(good, "block1", 0.0)
    yield (
        r"layer 'block1': one unit of 'block1' is 1365\.3333 units of its sum, which cannot be added",
        _rescaled(stream, "block1", 1 / 3),
    )
    yield (
        "layer 'block1': its connection 'x' reads 'block2', which is no earlier layer",
        _changed(good, "block1", inputs=(replace(block1.inputs[0], name="x", source="block2"),)),
    )
    yield (
        "layer 'block1': it adds to the sum of 'nothing', which is no earlier layer",
        _changed(good, "block1", residual="nothing"),
    )
    yield "layer 'block1': it has no connections", _changed(good, "block1", inputs=())
    yield "two layers are called 'stem'", _changed(good, "block1", name="stem")
    yield (
        r"layer 'block2': 'block2' gives 6x4x4 .* and 'block2_shortcut' gives 6x8x8",
        _changed(good, "block2", inputs=(block2.inputs[0], replace(block2.inputs[1], stride=1))),
    )
    yield (
        "layer 'block1': its identity 'block1_identity' has stride 2",
        _changed(good, "block1", inputs=(block1.inputs[0], replace(block1.inputs[1], stride=2))),
    )
    yield r"layer 'block3': a .* pooling window of 5 do not fit its 4x4 input", _changed(good, "block3", pool=5)
    yield r"layer 'block1': .* have \[5, 6\] channels", _changed(good, "block1", norm_scale=np.ones(5))
    yield (
        "layer 'readout': the read-out must be one fully connected layer",
        _changed(good, "readout", residual="block3"),
    )


@pytest.mark.parametrize(("sentence", "description"), list(_bad_descriptions()), ids=lambda value: str(value)[:40])
def test_what_cannot_be_added_is_said(sentence, description):
    with pytest.raises(ExportError, match=sentence):
        build_model(fold_network(description))


def test_a_sum_beyond_int32_is_refused():
    network = fold_network(residual_description(1, before_addition=False))
    layers = list(network.layers)
    layers[2] = replace(layers[2], inputs=tuple(replace(entry, factor=1 << 24) for entry in layers[2].inputs))
    with pytest.raises(ExportError, match=r"Mul 'block1_scaled': a sum of .* is possible, but additions have 32 bits"):
        build_model(replace(network, layers=tuple(layers)))
