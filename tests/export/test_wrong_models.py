"""model.onnx as other tools write it, and wrong ones: the same logits everywhere, or one sentence and exit code 2."""

from __future__ import annotations

import copy
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.networks import integer_layer, random_images
from codegen.cli.main import main
from codegen.export.onnx_writer import build_model
from codegen.network import IntegerNetwork
from codegen.verify.reference import run_reference
from sca_train.specs import IMAGE


def network() -> IntegerNetwork:
    """A convolution with IF and one with LIF neurons on 6x6 images, and a read-out."""
    rng = np.random.default_rng(5)
    layers = (
        integer_layer(rng, "conv1", IMAGE, (3, 1, 3, 3), bits=8, padding=1, pool=2),
        integer_layer(rng, "conv2", "conv1", (4, 3, 3, 3), padding=1, neuron="LIF", reset="soft"),
        integer_layer(rng, "readout", "conv2", (5, 4 * 3 * 3), neuron="none"),
    )
    return IntegerNetwork((6, 6, 1), True, 4, 4, 5, layers)


NETWORK = network()
MODEL = build_model(NETWORK)
IMAGES = random_images(NETWORK, 3)
NOT_UTF8 = MODEL.SerializeToString().replace(b"INT4", b"INT\xff")


@pytest.fixture
def run(tmp_path):
    """A run folder whose model.onnx a test edits, and images beside it."""
    folder = tmp_path / "run"
    folder.mkdir()
    np.save(tmp_path / "x.npy", IMAGES)
    return folder


def simulate(run, backend="onnx"):
    images, out = run.parent / "x.npy", run.parent / "logits.npy"
    return main(["simulate", str(run), "--backend", backend, "--images", str(images), "--out", str(out)])


def edited(edit):
    model = copy.deepcopy(MODEL)
    edit(model, {node.name: node for node in model.graph.node})
    return model


def constant(model, name, change):
    """Replace a constant by ``change`` of it."""
    tensor = next(entry for entry in model.graph.initializer if entry.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(change(numpy_helper.to_array(tensor).copy())), name))


def first(value):
    """A change of an array: its first element."""

    def change(values):
        values.flat[0] = value
        return values

    return change


def attribute(node, name, value):
    for entry in [entry for entry in node.attribute if entry.name == name]:
        node.attribute.remove(entry)
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))


def metadata(model, key, value):
    next(entry for entry in model.metadata_props if entry.key == key).value = value


def declared(tensor):
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


# As other tools write it


def constants_in_nodes(model, nodes):
    for tensor in model.graph.initializer:
        node = helper.make_node("Constant", [], [tensor.name], name=f"the_{tensor.name}", value=copy.deepcopy(tensor))
        model.graph.node.insert(0, node)
    del model.graph.initializer[:]


def a_shape_of_ints(model, nodes):
    (tensor,) = [entry for entry in model.graph.initializer if entry.name == "conv2_steps_shape"]
    shape = numpy_helper.to_array(tensor).tolist()
    model.graph.initializer.remove(tensor)
    model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value_ints=shape))


def constants_as_inputs(model, nodes):
    model.graph.input.extend(declared(tensor) for tensor in model.graph.initializer)


def an_old_ir_version(model, nodes):
    constants_as_inputs(model, nodes)
    model.ir_version = 3


def nameless_nodes(model, nodes):
    for node in model.graph.node:
        node.ClearField("name")


def a_fixed_batch(model, nodes):
    for entry in (*model.graph.input, *model.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = 4


def other_names(model, nodes):
    model.graph.input[0].name = nodes["image_float"].input[0] = "input.1"
    model.graph.output[0].name = nodes["logits"].output[0] = "512"
    annotation = next(entry for entry in model.graph.quantization_annotation if entry.tensor_name == "image")
    annotation.tensor_name = "input.1"


def descriptions(model, nodes):
    model.doc_string = model.functions[0].doc_string = model.functions[0].node[0].doc_string = "by another tool"
    model.functions[0].node[0].name = "first"


FORMS = [
    constants_in_nodes,
    a_shape_of_ints,
    constants_as_inputs,
    an_old_ir_version,
    nameless_nodes,
    a_fixed_batch,
    other_names,
    descriptions,
]


@pytest.mark.parametrize("edit", FORMS)
def test_other_forms_of_a_model_give_the_same_logits(run, edit):
    onnx.save(edited(edit), run / "model.onnx")
    assert simulate(run) == 0
    np.testing.assert_array_equal(np.load(run.parent / "logits.npy"), run_reference(NETWORK, IMAGES))


def test_all_forms_at_once_are_the_same_hardware(run, capsys):
    def edit(model, nodes):
        for change in (other_names, descriptions, a_fixed_batch, constants_in_nodes, nameless_nodes):
            change(model, nodes)

    onnx.save(edited(edit), run / "model.onnx")
    assert main(["hls", str(run), "--board", "none"]) == 0
    assert simulate(run, "finn") == 0
    np.testing.assert_array_equal(np.load(run.parent / "logits.npy"), run_reference(NETWORK, IMAGES))


# Wrong ones


def endless_loop(model, nodes):
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["more"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("trip", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(2**62), "trips"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "forever"))
    nodes["image_float"].output[0] = "before"
    loop = helper.make_node("Loop", ["trips", "forever", "before"], ["image_float_out"], name="loop", body=body)
    model.graph.node.insert(1, loop)


def a_squashed_map(model, nodes, op_type="Sigmoid", domain=""):
    squash = helper.make_node(op_type, ["pool1_out"], ["squashed"], name="squash", domain=domain)
    nodes["conv2"].input[0] = "squashed"
    model.graph.node.insert(list(model.graph.node).index(nodes["conv2"]), squash)


def another_spike(model, nodes):
    body = next(function for function in model.functions if function.name == "IF")
    next(node for node in body.node if node.op_type == "GreaterOrEqual").op_type = "Greater"


def a_function_that_is_a_convolution(model, nodes):
    function = copy.deepcopy(model.functions[0])
    function.domain, function.name = "", "Conv"
    model.functions.append(function)


def a_bias_of_a_convolution(model, nodes):
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(4, np.float32), "bias"))
    nodes["conv2"].input.append("bias")


def an_identity_of_weights(model, nodes):
    nodes["conv2"].input[1] = "same"
    node = helper.make_node("Identity", ["conv2_weights"], ["same"], name="copy")
    model.graph.node.insert(0, node)


def a_second_output(model, nodes):
    model.graph.output.append(helper.make_tensor_value_info("pool1_out", TensorProto.FLOAT, list("abcd")))


def an_input_of(elem_type):
    def edit(model, nodes):
        model.graph.input[0].type.tensor_type.elem_type = elem_type

    return edit


def annotation(tensor, value, key="finn_datatype"):
    def edit(model, nodes):
        entry = next(entry for entry in model.graph.quantization_annotation if entry.tensor_name == tensor)
        entry.quant_parameter_tensor_names[0].key = key
        entry.quant_parameter_tensor_names[0].value = value

    return edit


def no_annotations(model, nodes):
    del model.graph.quantization_annotation[:]


def a_damaged_constant(model, nodes):
    model.graph.initializer[0].raw_data = b"x"


def same_names(model, nodes):
    for node in model.graph.node:
        node.name = "n"


def values_of(name, change):
    return lambda model, nodes: constant(model, name, change)


def set_to(node, name, value):
    return lambda model, nodes: attribute(nodes[node], name, value)


def says(key, value):
    return lambda model, nodes: metadata(model, key, value)


WRONG = {
    "endless loop": (endless_loop, "Loop 'loop' holds a graph of its own"),
    "operator": (a_squashed_map, "Sigmoid 'squash': no network here has such operators"),
    "domain": (
        lambda model, nodes: (
            a_squashed_map(model, nodes, "System", "os"),
            model.opset_import.append(helper.make_opsetid("os", 1)),
        ),
        "os::System 'squash': no network here has such operators",
    ),
    "altered neuron": (another_spike, "its local function spikefold::IF is not the one that the export writes"),
    "function of ONNX's": (a_function_that_is_a_convolution, "it has a local function ::Conv that no network here has"),
    "missing function": (lambda model, nodes: model.functions.pop(0), "its local function is missing"),
    "opset": (lambda model, nodes: setattr(model.opset_import[0], "version", 17), "written for opset 17, only 18 is"),
    "bias": (a_bias_of_a_convolution, "Conv 'conv2': a bias on the convolution is not supported"),
    "computed weights": (an_identity_of_weights, "Conv 'conv2': its weights are not a constant"),
    "outputs": (a_second_output, "2 outputs, one of each is supported"),
    "text as input": (an_input_of(TensorProto.STRING), "its input 'image' is not uint8 [batch, height, width"),
    "float as input": (an_input_of(TensorProto.FLOAT), "its input 'image' is not uint8 [batch, height, width"),
    "rank 0": (
        lambda model, nodes: model.graph.input[0].type.tensor_type.shape.ClearField("dim"),
        "its input 'image' is not uint8 [batch, height, width",
    ),
    "open height": (
        lambda model, nodes: setattr(model.graph.input[0].type.tensor_type.shape.dim[1], "dim_param", "h"),
        "its input 'image' is not uint8 [batch, height, width",
    ),
    "names": (same_names, "two nodes are called 'n'"),
    "no annotations": (no_annotations, "Conv 'conv1': its weights are not annotated as signed integers"),
    "datatype": (annotation("conv2_weights", "EVIL"), "annotated 'EVIL', which is no integer datatype"),
    "evaluated annotation": (annotation("conv2_weights", "[]", "tensor_layout"), "an annotation 'tensor_layout'"),
    "half weights": (values_of("conv2_weights", first(0.5)), "Conv 'conv2': its weights are not all INT4"),
    "nan weights": (values_of("conv2_weights", first(np.nan)), "Conv 'conv2': its weights are not all INT4"),
    "wide weights": (values_of("conv2_weights", first(8)), "Conv 'conv2': its weights are not all INT4"),
    "float16 weights": (values_of("conv2_weights", lambda v: v.astype(np.float16)), "types or shapes do not fit"),
    "damaged constant": (a_damaged_constant, "is damaged ('"),
    "64-bit thresholds": (values_of("neuron2_threshold", lambda v: v.astype(np.int64)), "types or shapes do not fit"),
    "one threshold": (
        values_of("neuron2_threshold", lambda v: v[0, 0, 0]),
        "'neuron2_threshold' is not int32 [4, 1, 1]",
    ),
    "largest bias": (values_of("neuron2_bias", first(2**31 - 1)), "its neuron needs 34 bits, int32 has 32"),
    "largest threshold": (values_of("neuron1_threshold", first(2**31 - 1)), "its neuron needs 33 bits, int32 has 32"),
    "lowest threshold": (values_of("neuron1_threshold", first(-(2**31))), "its neuron needs 33 bits, int32 has 32"),
    "logits": (values_of("logits_bias", first(2**30)), "its logits need 34 bits, int32 has 32"),
    "sums": (
        lambda model, nodes: (
            annotation("conv1_weights", "INT30")(model, nodes),
            metadata(model, "weight_bits", "30,4,4"),
            constant(model, "conv1_weights", first(2**20)),
        ),
        "float32 is exact only below 16777216",
    ),
    "frac_bits below 0": (set_to("neuron1", "frac_bits", -1), "frac_bits=-1 is outside 0..30"),
    "frac_bits above 30": (set_to("neuron1", "frac_bits", 40), "frac_bits=40 is outside 0..30"),
    "frac_bits that overflow": (set_to("neuron1", "frac_bits", 30), "its neuron needs 4"),
    "soft_reset": (set_to("neuron1", "soft_reset", 7), "soft_reset=7 is outside 0..1"),
    "fraction": (set_to("neuron1", "soft_reset", 1.0), "soft_reset=1.0 is outside 0..1"),
    "leak 0": (set_to("neuron2", "leak_shift", 0), "leak_shift=0 is outside 1..30"),
    "leak 40": (set_to("neuron2", "leak_shift", 40), "leak_shift=40 is outside 1..30"),
    "no frac_bits": (set_to("neuron1", "frac_bits", None), "spikefold::IF 'neuron1': it has the attributes soft_reset"),
    "unknown attribute": (set_to("neuron1", "executable_path", "/bin/true"), "executable_path"),
    "attribute of Conv": (set_to("conv2", "executable_path", "/bin/true"), "Unrecognized attribute: executable_path"),
    "other T": (set_to("neuron1", "timesteps", 8), "have timesteps 8, 4, 4, not one T in 1..32"),
    "endless T": (
        lambda model, nodes: [attribute(nodes[n], "timesteps", 2**40) for n in ("neuron1", "neuron2", "logits")],
        "not one T in 1..32",
    ),
    "repetitions": (values_of("conv1_steps_shape", first(2**30)), "types or shapes do not fit together"),
    "padding": (set_to("conv1", "pads", [2**29] * 4), "is outside 0..65536"),
    "sizes": (values_of("readout_flatten_shape", lambda v: v.reshape(-1, 1)), "is no list of sizes or axes"),
    "stride": (set_to("conv1", "strides", [0, 1]), "strides=[0, 1] is outside 1..65536"),
    "dilation": (set_to("conv1", "dilations", [1, -1]), "dilations=[1, -1] is outside 1..65536"),
    "kernel": (set_to("conv1", "kernel_shape", [3, 2**40]), "kernel_shape=[3, 1099511627776] is outside 1..65536"),
    "metadata T": (says("timesteps", "0"), "its metadata say timesteps = '0', its graph '4'"),
    "metadata shape": (says("input_shape", "16,16,3"), "its metadata say input_shape = '16,16,3', its graph '6,6,1'"),
    "metadata classes": (says("classes", "4"), "its metadata say classes = '4', its graph '5'"),
    "metadata bits": (says("weight_bits", "8"), "its metadata say weight_bits = '8', its graph '8,4,4'"),
    "metadata fraction": (says("frac_bits", "9"), "its metadata say frac_bits = '9', its graph '4'"),
    "no metadata": (lambda model, nodes: model.ClearField("metadata_props"), "its metadata have no timesteps"),
}


@pytest.mark.parametrize("command", ["simulate", "hls"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_models_are_one_sentence_from_every_back_end(run, capsys, command, case):
    edit, sentence = WRONG[case]
    onnx.save(edited(edit), run / "model.onnx")
    refused(run, capsys, command, sentence)


def refused(run, capsys, command, sentence):
    before = {path.name: path.is_file() and path.read_bytes() for path in run.iterdir()}
    assert (simulate(run) if command == "simulate" else main(["hls", str(run), "--board", "none"])) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1, message
    assert sentence in message
    assert {path.name: path.is_file() and path.read_bytes() for path in run.iterdir()} == before
    assert [path.name for path in run.parent.iterdir() if path.name != "run"] == ["x.npy"]


@pytest.mark.parametrize("command", ["simulate", "hls"])
@pytest.mark.parametrize("keep", [True, False])
def test_data_in_other_files_is_not_read(run, capsys, command, keep):
    options = {"save_as_external_data": True, "location": "weights.data", "size_threshold": 0}
    onnx.save(copy.deepcopy(MODEL), run / "model.onnx", **options)
    if not keep:
        (run / "weights.data").unlink()
    refused(run, capsys, command, "lies in another file; only a model in one file is read")


@pytest.mark.parametrize("command", ["simulate", "hls"])
@pytest.mark.parametrize("content", [b"", b"no model", MODEL.SerializeToString()[:-300], NOT_UTF8])
def test_damaged_models_are_one_sentence(run, capsys, command, content):
    (run / "model.onnx").write_bytes(content)
    refused(run, capsys, command, "run the export again")


@pytest.mark.parametrize("command", ["simulate", "hls"])
def test_a_folder_is_no_model(run, capsys, command):
    (run / "model.onnx").mkdir()
    refused(run, capsys, command, "model.onnx is a folder, not a regular file")


@pytest.mark.parametrize("command", ["simulate", "hls"])
def test_a_pipe_is_no_model(run, capsys, command):
    os.mkfifo(run / "model.onnx")
    refused(run, capsys, command, "model.onnx is a pipe, not a regular file")


@pytest.mark.parametrize("command", ["simulate", "hls"])
@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ("codegen.onnx_file.MOST_BYTES", "it is larger than 99 bytes"),
        (
            "codegen.export.onnx_reader.MOST_ELEMENTS",
            "Conv 'conv1': its output has 108 elements a frame, 99 are possible",
        ),
    ],
)
def test_models_beyond_the_limits_are_refused(run, capsys, monkeypatch, command, limit, sentence):
    monkeypatch.setattr(limit, 99)
    onnx.save(MODEL, run / "model.onnx")
    refused(run, capsys, command, sentence)


@pytest.mark.parametrize("command", ["simulate", "hls"])
def test_a_reshape_for_one_image_is_refused(run, capsys, command):
    onnx.save(edited(values_of("conv2_steps_shape", lambda v: [-1, 1, *v[2:]])), run / "model.onnx")
    refused(run, capsys, command, "Reshape 'conv2_steps': its shape [-1, 1, 4, 3, 3] holds for a batch of one only")


def test_a_matrix_product_over_columns_is_no_hardware(run, capsys):
    def edit(model, nodes):
        nodes["conv2"].op_type = "MatMul"
        del nodes["conv2"].attribute[:]
        constant(model, "conv2_weights", lambda v: v[:3, :, 0, 0])
        constant(model, "conv2_steps_shape", lambda v: [4, -1, 3, 3, 3])
        for name in ("neuron2_bias", "neuron2_threshold"):
            constant(model, name, lambda v: v[:3])
        constant(model, "neuron2_fold_shape", lambda v: [-1, 3, 3, 3])
        constant(model, "readout_flatten_shape", lambda v: [-1, 27])
        constant(model, "readout_weights", lambda v: v[:27])

    onnx.save(edited(edit), run / "model.onnx")
    refused(run, capsys, "hls", "MatMul 'conv2': its input [4, 3, 3, 3] is not a batch of vectors")
