"""What cannot be mapped is named, all of it, before anything is generated."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import onnx
import pytest
from finn_networks import events, map_sum, mini, residual, summed
from onnx import TensorProto, helper, numpy_helper

from bench.networks import integer_layer, run_of
from codegen.dataflow.build import build_graph
from codegen.errors import MappingError, ModelError
from codegen.network import IntegerConnection, IntegerLayer, IntegerNetwork, neuron_fields
from codegen.neurons import IF
from codegen.run_folder import RunFolder
from sca_train.specs import IMAGE


def edited(tmp_path, edit, network=None) -> RunFolder:
    """A run whose model.onnx is the mini network, or another, after ``edit(model, nodes by name)``."""
    run = run_of(network or mini(), tmp_path / "run")
    path = run.path / "model.onnx"
    model = onnx.load(str(path))
    edit(model, {node.name: node for node in model.graph.node})
    onnx.save(model, str(path))
    return run


def insert_after(model, nodes, name, op_type, new_name, **attributes):
    """Put a one-input node between ``name`` and its consumers."""
    node = nodes[name]
    new = helper.make_node(op_type, [node.output[0]], [f"{new_name}_out"], name=new_name, **attributes)
    for consumer in model.graph.node:
        for index, tensor in enumerate(consumer.input):
            if tensor == node.output[0]:
                consumer.input[index] = new.output[0]
    model.graph.node.insert(list(model.graph.node).index(node) + 1, new)


def set_attribute(node, name, value):
    for attribute in [entry for entry in node.attribute if entry.name == name]:
        node.attribute.remove(attribute)
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))


def rejected(run: RunFolder) -> str:
    with pytest.raises((MappingError, ModelError)) as caught:
        build_graph(run)
    assert [path.name for path in run.path.iterdir()] == ["model.onnx"]
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_all_unmappable_nodes_are_named_with_their_reason(tmp_path):
    def edit(model, nodes):
        insert_after(model, nodes, "pool1", "MaxPool", "again", kernel_shape=[1, 1], strides=[1, 1], ceil_mode=1)
        set_attribute(nodes["conv2"], "dilations", [2, 2])
        set_attribute(nodes["conv2"], "pads", [2, 2, 2, 2])
        set_attribute(nodes["pool1"], "kernel_shape", [3, 3])
        set_attribute(nodes["pool1"], "pads", [0, 0, 1, 1])
        set_attribute(nodes["conv3"], "strides", [1, 2])
        set_attribute(nodes["conv3"], "pads", [1, 1, 1, 2])

    message = rejected(edited(tmp_path, edit))
    assert message.startswith("4 nodes of the ONNX graph cannot be mapped to hardware: ")
    assert "MaxPool 'again': ceil_mode and dilations in the pooling are not supported" in message
    assert "MaxPool 'pool1': overlapping pooling (window (3, 3), strides (2, 2)) is not supported" in message
    assert "Conv 'conv2': dilation (2, 2) is not supported" in message
    assert "Conv 'conv3': strides (1, 2) are not supported" in message


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"dilations": [2, 2], "pads": [2, 2, 2, 2]}, "dilation (2, 2) is not supported"),
        ({"auto_pad": "SAME_UPPER", "pads": None}, "auto_pad=SAME_UPPER is not supported, write pads"),
    ],
)
def test_a_convolution_that_no_core_implements_is_named(tmp_path, attributes, reason):
    def edit(model, nodes):
        for name, value in attributes.items():
            set_attribute(nodes["conv2"], name, value)

    assert f"1 node of the ONNX graph cannot be mapped to hardware: Conv 'conv2': {reason}" in rejected(
        edited(tmp_path, edit)
    )


def test_a_grouped_convolution_is_named(tmp_path):
    def edit(model, nodes):
        set_attribute(nodes["conv2"], "group", 2)
        weights = next(entry for entry in model.graph.initializer if entry.name == "conv2_weights")
        halved = numpy_helper.to_array(weights)[:, :2].copy()
        weights.CopyFrom(numpy_helper.from_array(halved, "conv2_weights"))

    assert "Conv 'conv2': grouped convolution (group=2) is not supported" in rejected(edited(tmp_path, edit))


def test_a_second_output_is_named(tmp_path):
    def edit(model, nodes):
        model.graph.node.append(helper.make_node("Cast", ["neuron3_out"], ["tap"], name="tap", to=TensorProto.FLOAT))
        model.graph.output.append(helper.make_tensor_value_info("tap", TensorProto.FLOAT, ["a", "b", "c", "d", "e"]))

    assert "2 outputs, one of each is supported" in rejected(edited(tmp_path, edit))


def test_an_output_that_nothing_reads_is_named(tmp_path):
    def edit(model, nodes):
        model.graph.node.append(helper.make_node("Cast", ["neuron3_out"], ["tap"], name="tap", to=TensorProto.FLOAT))

    assert "Cast 'tap': nothing reads its output" in rejected(edited(tmp_path, edit))


def test_an_addition_without_neurons_is_named(tmp_path):
    def edit(model, nodes):
        model.graph.node.insert(
            list(model.graph.node).index(nodes["neuron3"]) + 1,
            helper.make_node("Add", ["neuron3_out", "neuron3_out"], ["sum"], name="shortcut"),
        )
        nodes["neuron3_fold"].input[0] = "sum"

    assert "Add 'shortcut': no neuron follows it" in rejected(edited(tmp_path, edit))


def initializer(model, name, values):
    entry = next(entry for entry in model.graph.initializer if entry.name == name)
    entry.CopyFrom(numpy_helper.from_array(np.asarray(values, np.int32), name))


@pytest.mark.parametrize(
    ("constant", "values", "reason"),
    [
        ("block2_shortcut_factor", 3, "Mul 'block2_shortcut_scaled': its factor 3 is no power of two"),
        ("block2_shortcut_factor", -2, "Mul 'block2_shortcut_scaled': its factor -2 is no power of two"),
        (
            "block2_sign",
            np.array([1, -1, 0, 2, -1, 1]).reshape(-1, 1, 1),
            "Mul 'block2_signed': its signs are not all -1, 0 or 1",
        ),
    ],
)
def test_factors_and_signs_that_no_core_has_are_named(tmp_path, constant, values, reason):
    message = rejected(
        edited(tmp_path, lambda model, nodes: initializer(model, constant, values), residual(before_addition=True))
    )
    assert reason in message


def test_terms_of_different_shapes_are_named(tmp_path):
    def edit(model, nodes):
        set_attribute(nodes["block2_shortcut"], "strides", [8, 8])
        shape = next(entry for entry in model.graph.initializer if entry.name == "block2_shortcut_steps_shape")
        shape.CopyFrom(numpy_helper.from_array(np.array([4, -1, 6, 1, 1]), shape.name))

    message = rejected(edited(tmp_path, edit, residual(before_addition=False)))
    assert "Add 'block2_sum': it adds [4, 1, 6, 4, 4] and [4, 1, 6, 1, 1], which differ" in message


def test_a_start_at_another_fraction_is_named(tmp_path):
    def edit(model, nodes):
        set_attribute(nodes["neuron2"], "half_start", 2)

    assert "spikefold::LIF 'neuron2': half_start=2 is outside 0..1" in rejected(edited(tmp_path, edit))


def test_a_sum_over_other_axes_is_named(tmp_path):
    def edit(model, nodes):
        axes = next(entry for entry in model.graph.initializer if entry.name == "readout_map_axes")
        axes.CopyFrom(numpy_helper.from_array(np.array([-2, -1]), "readout_map_axes"))

    message = rejected(edited(tmp_path, edit, map_sum()))
    assert (
        "ReduceSum 'readout_map': only sums over the axes (2, 3) of a map, without keepdims, are supported" in message
    )


def test_a_sum_before_a_neuron_is_named(tmp_path):
    def edit(model, nodes):
        """A second fully connected layer behind the one that sums the map."""
        constants = {"level": np.ones(10, np.int32), "unit": np.eye(10, dtype=np.float32), "flat": np.array([-1, 10])}
        model.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants.items())
        annotation = copy.deepcopy(model.graph.quantization_annotation[-1])
        annotation.tensor_name, annotation.quant_parameter_tensor_names[0].value = "unit", "INT4"
        model.graph.quantization_annotation.append(annotation)
        next(entry for entry in model.metadata_props if entry.key == "weight_bits").value += ",4"
        neuron = copy.deepcopy(nodes["neuron1"])
        neuron.name, neuron.input[:], neuron.output[0] = (
            "between",
            ["readout_steps_out", "level", "level"],
            "between_out",
        )
        model.graph.node.remove(nodes["logits"])
        nodes["logits"].input[0] = "again_steps_out"
        model.graph.node.extend(
            [
                neuron,
                helper.make_node("Reshape", ["between_out", "flat"], ["between_fold_out"], name="between_fold"),
                helper.make_node("MatMul", ["between_fold_out", "unit"], ["again_out"], name="again"),
                helper.make_node("Reshape", ["again_out", "readout_steps_shape"], ["again_steps_out"], name="steps"),
                nodes["logits"],
            ]
        )

    message = rejected(edited(tmp_path, edit, map_sum()))
    assert "ReduceSum 'readout_map': only a read-out can follow it, not spikefold::IF 'between'" in message


def test_a_maximum_of_sums_is_named(tmp_path):
    def edit(model, nodes):
        insert_after(model, nodes, "pool1", "MaxPool", "again", kernel_shape=[1, 1], strides=[1, 1])

    message = rejected(edited(tmp_path, edit, summed()))
    assert "MaxPool 'again': only spikes can be pooled by their maximum, not their sums" in message


def test_another_norm_than_the_sum_is_named(tmp_path):
    def edit(model, nodes):
        set_attribute(nodes["pool1"], "p", 2)

    message = rejected(edited(tmp_path, edit, summed()))
    assert "LpPool 'pool1': a norm of p=2 is not supported, only sums (p=1)" in message


def test_sums_of_too_many_bits_are_named(tmp_path):
    rng = np.random.default_rng(0)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (2, 1, 1, 1), pool=16, pool_kind="avg"),
        integer_layer(rng, "readout", "conv1", (3, 2), neuron="none"),
    )
    message = rejected(run_of(IntegerNetwork((16, 16, 1), True, 4, 4, 3, layers), tmp_path / "run"))
    assert "LpPool 'pool1': its sums take 9 bits of each step, 8 are possible" in message


def test_a_layer_without_neuron_is_named(tmp_path):
    def edit(model, nodes):
        model.graph.node.remove(nodes["neuron3"])
        nodes["neuron3_fold"].input[0] = nodes["conv3_steps"].output[0]

    assert "Conv 'conv3': no neuron follows it" in rejected(edited(tmp_path, edit))


def test_a_reshape_that_mixes_elements_is_named(tmp_path):
    def edit(model, nodes):
        shape = next(entry for entry in model.graph.initializer if entry.name == "neuron1_fold_shape")
        shape.CopyFrom(numpy_helper.from_array(np.array([-1, 4, 4, 16]), "neuron1_fold_shape"))
        set_attribute(nodes["pool1"], "kernel_shape", [1, 4])
        set_attribute(nodes["pool1"], "strides", [1, 4])

    message = rejected(edited(tmp_path, edit))
    assert (
        "Reshape 'neuron1_fold': [4, 1, 4, 8, 8] to [4, 4, 4, 16] neither moves the time axis nor flattens" in message
    )
    assert "MaxPool 'pool1': a pooling window (1, 4) is not supported" in message


def test_a_foreign_network_is_refused_by_name(tmp_path):
    weights = numpy_helper.from_array(np.ones((4, 2), np.float32), "weights")
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "weights"], ["current"], name="dense"),
            helper.make_node("Sigmoid", ["current"], ["y"], name="squash"),
        ],
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    (tmp_path / "run").mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.save(model, str(tmp_path / "run" / "model.onnx"))
    message = rejected(RunFolder(tmp_path / "run"))
    assert "Gemm 'dense', Sigmoid 'squash': no network here has such operators, it consists of Add, Cast" in message


def connected(name: str, *connections: IntegerConnection, **options) -> IntegerLayer:
    """Four channels that spike at the first input."""
    ones = np.ones(4, np.int64)
    settings = {"pool": 1, "pool_kind": "max", "residual": "", **options}
    neuron = neuron_fields(IF(reset="hard", frac_bits=4))
    return IntegerLayer(name, connections, sign=ones, **neuron, bias=ones * 0, threshold=ones, **settings)


def convolution(name: str, source: str, channels: int) -> IntegerConnection:
    return IntegerConnection(name, source, "conv", np.ones((4, channels, 3, 3), np.int64), 4, 1, 1)


def refused_network(tmp_path, layers, last: int) -> str:
    readout = integer_layer(np.random.default_rng(0), "readout", layers[-1].name, (3, last), neuron="none")
    network = IntegerNetwork((8, 8, 2), True, 4, 4, 3, (*layers, readout))
    return rejected(run_of(network, tmp_path / "run"))


def test_an_addition_of_pixels_is_named(tmp_path):
    identity = IntegerConnection("skip", IMAGE, "identity", None, 1, 1, 0)
    stem = connected(
        "stem", IntegerConnection("stem", IMAGE, "conv", np.ones((2, 2, 3, 3), np.int64), 8, 1, 1), identity
    )
    two = np.ones(2, np.int64)
    stem = replace(stem, sign=two, bias=two * 0, threshold=two, pool=4, pool_kind="avg")
    message = refused_network(tmp_path, (stem,), 8)
    assert "Add 'stem_sum': it adds something that is neither spikes nor sums of a Conv or MatMul" in message


def test_an_image_of_other_pixels_is_named(tmp_path):
    def edit(model, nodes):
        annotation = next(entry for entry in model.graph.quantization_annotation if entry.tensor_name == "image")
        annotation.quant_parameter_tensor_names[0].value = "UINT16"

    assert "input 'image' is annotated UINT16, only UINT8 is possible" in rejected(edited(tmp_path, edit))


def test_event_frames_in_another_order_are_named(tmp_path):
    def edit(model, nodes):
        set_attribute(nodes["image_steps"], "perm", [1, 0, 4, 3, 2])

    message = rejected(edited(tmp_path, edit, events()))
    assert "Transpose 'image_steps': perm=(1, 0, 4, 3, 2) is not supported, only (1, 0, 4, 2, 3)" in message
