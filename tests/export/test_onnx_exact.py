"""model.onnx in stock ONNX Runtime against the numpy reference model, and what other readers need of the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from random_networks import integer_networks, random_description

import codegen.dataflow  # noqa: F401 - tells qonnx that our functions are no operators of its own
from codegen.arithmetic.fold_batchnorm import fold_network
from codegen.errors import ExportError
from codegen.export.onnx_writer import build_model
from codegen.verify.onnx_runtime import load_network
from codegen.verify.reference import run_layers, run_reference


def _load(network, folder, with_spikes=False):
    path = folder / "model.onnx"
    onnx.save(build_model(network), path)
    return load_network(path, with_spikes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(network=integer_networks(), images=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_onnx_runtime_equals_the_naive_model(tmp_path, network, images, seed):
    x = np.random.default_rng(seed).integers(0, 256, (images, *network.input_shape)).astype(np.uint8)
    np.testing.assert_array_equal(_load(network, tmp_path).logits(x), run_reference(network, x))


@pytest.mark.parametrize("timesteps", [1, 4, 16])
@pytest.mark.parametrize("fully_connected", [False, True])
@pytest.mark.parametrize("v_init", [0.0, 0.5])
def test_folded_description_runs_bit_exactly(tmp_path, timesteps, fully_connected, v_init):
    options = {"timesteps": timesteps, "fully_connected": fully_connected, "v_init": v_init}
    network = fold_network(random_description(3, kind="LIF", **options))
    x = np.random.default_rng(0).integers(0, 256, (40, *network.input_shape)).astype(np.uint8)
    logits, trains = run_layers(network, x)
    loaded = _load(network, tmp_path, with_spikes=True)
    np.testing.assert_array_equal(loaded.logits(x), logits)
    assert loaded.zero_shares(x) == pytest.approx([1 - train.mean() for train in trains])
    assert all(0 < train.mean() < 1 for train in trains), "the network must be alive for this test to tell"


def test_qonnx_reads_shapes_and_datatypes(tmp_path):
    network = fold_network(random_description(5, timesteps=4))
    onnx.save(build_model(network), tmp_path / "model.onnx")
    model = ModelWrapper(str(tmp_path / "model.onnx"))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    model = model.transform(InferShapes())
    assert model.get_tensor_shape("neuron1_out") == [4, 1, 8, 8, 8]
    assert model.get_tensor_shape("pool1_out") == [4, 8, 4, 4]
    assert model.get_tensor_shape("logits") == [1, 10]
    assert model.get_tensor_datatype("image") == DataType["UINT8"]
    assert model.get_tensor_datatype("conv2_weights") == DataType["INT4"]
    assert model.get_tensor_datatype("neuron2_out") == DataType["BINARY"]
    assert [node.name for node in model.graph.node] == [
        *("image_float", "image_nchw", "conv1", "conv1_static", "conv1_steps", "neuron1", "neuron1_fold", "pool1"),
        *("conv2", "conv2_steps", "neuron2", "neuron2_fold", "pool2"),
        *("readout_flatten", "readout", "readout_steps", "logits"),
    ]


def test_a_global_sum_is_one_more_node(tmp_path):
    network = fold_network(random_description(5, global_sum=True, input_shape=(16, 8, 1)))
    x = np.random.default_rng(0).integers(0, 256, (40, *network.input_shape)).astype(np.uint8)
    loaded = _load(network, tmp_path)
    np.testing.assert_array_equal(loaded.logits(x), run_reference(network, x))
    assert len(np.unique(loaded.logits(x), axis=0)) > 20
    model = ModelWrapper(str(tmp_path / "model.onnx"))
    assert [node.name for node in model.graph.node][-5:] == [
        *("pool2", "readout_map", "readout", "readout_steps", "logits"),
    ]
    assert model.get_tensor_datatype("readout_map_out") == DataType["UINT4"], "counts of 0 to 8"
    changed = replace(network.layers[-1], map_pixels=4)
    with pytest.raises(ExportError, match=r"layer 'readout': it sums maps of 4 pixels .* 'conv2' gives 12x4x2"):
        build_model(replace(network, layers=(*network.layers[:-1], changed)))


@pytest.mark.parametrize("kind", ["IF", "LIF"])
def test_a_half_start_is_an_attribute_that_other_networks_do_not_have(kind):
    started, plain = (fold_network(random_description(3, kind=kind, v_init=v_init)) for v_init in (0.5, 0.0))
    assert [layer.half_start for layer in started.layers] == [True, True, False]
    for network, expected in ((started, [1, 1]), (plain, [])):
        model = build_model(network)
        found = [a.i for node in model.graph.node if node.op_type == kind for a in node.attribute
                 if a.name == "half_start"]  # fmt: skip
        assert found == expected
        assert ("half_start" in model.functions[0].attribute) == bool(expected)


def test_a_sum_beyond_float32_is_refused():
    description = random_description(1, fully_connected=True, input_shape=(32, 32, 3))
    wide = np.full((24, 32 * 32 * 3), 127, np.int8)
    first = description.layers[0]
    first = replace(first, inputs=(replace(first.inputs[0], weights=wide),))
    layers = (first, *description.layers[1:])
    with pytest.raises(ExportError, match=r"MatMul 'fc1': a sum of .* float32 is exact only below 16777216"):
        build_model(fold_network(replace(description, layers=layers)))
